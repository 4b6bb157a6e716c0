/** Colours and fonts of the current theme as the canvas needs them, read from the style sheet. */
import { type FlameTokens, type Oklch, SLOT_COUNT } from './palette.ts';

export interface PaintTokens {
  ink: string;
  dim: string;
  dimInk: string;
  merged: string;
  mono: string;
  sans: string;
  /** The system chooses all colours; frames are then told apart by outlines. */
  forced: boolean;
  flame: FlameTokens;
  /** Keyed by `a1` .. `b3` and `0`. */
  diff: Record<string, string>;
}

const OKLCH = /oklch\(([\d.]+) ([\d.]+) ([\d.]+)/;
export const DIFF_STEPS = ['a3', 'a2', 'a1', '0', 'b1', 'b2', 'b3'] as const;

/** Where the system chooses the colours, frames are outlines on its own ground. */
const SYSTEM_COLOURS = {
  ink: 'CanvasText',
  dim: 'Canvas',
  dimInk: 'GrayText',
  merged: 'GrayText',
} as const;

/** `light-dark()` is resolved only where a colour is used, so a hidden element uses each once. */
export function readTokens(dark: boolean): PaintTokens {
  const probe = document.createElement('span');
  probe.hidden = true;
  document.body.append(probe);
  const colour = (name: string) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const oklch = (name: string): Oklch => {
    const found = OKLCH.exec(colour(name));
    return { l: Number(found?.[1] ?? 0.5), c: Number(found?.[2] ?? 0), h: Number(found?.[3] ?? 0) };
  };
  const root = getComputedStyle(document.documentElement);
  const tokens: PaintTokens = {
    ink: colour('frame-ink'),
    dim: colour('frame-dim'),
    dimInk: colour('frame-dim-ink'),
    merged: colour('frame-merged'),
    mono: `12px ${root.getPropertyValue('--mono')}`,
    sans: `600 12px ${root.getPropertyValue('--sans')}`,
    forced: matchMedia('(forced-colors: active)').matches,
    flame: {
      dark,
      slots: Array.from({ length: SLOT_COUNT }, (_, slot) => oklch(`flame-${slot}`)),
      kernel: oklch('frame-kernel'),
      unknown: oklch('frame-unknown'),
      root: oklch('frame-root'),
    },
    diff: Object.fromEntries(DIFF_STEPS.map((step) => [step, colour(`diff-${step}`)])),
  };
  probe.remove();
  return tokens.forced ? { ...tokens, ...SYSTEM_COLOURS } : tokens;
}
