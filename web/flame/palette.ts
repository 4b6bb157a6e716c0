/**
 * Which colour a frame has. Hue is the binary: seven slots for programs and, at half the chroma,
 * seven for shared libraries, so that one's own code comes forward. Lightness shifts a little by
 * package and by function, so that a large binary keeps one hue and still shows its parts.
 */
import { FrameKind } from '../../profile/flame/frame.ts';

export interface Oklch {
  l: number;
  c: number;
  h: number;
}

/** Colours of the current theme, read from the style sheet. */
export interface FlameTokens {
  dark: boolean;
  slots: readonly Oklch[];
  kernel: Oklch;
  unknown: Oklch;
  root: Oklch;
}

export const SLOT_COUNT = 7;
const PACKAGE_STEP = 0.026;
const FUNCTION_STEP = 0.007;
const LIBRARY_HUE_SHIFT = 25;

/** 32-bit FNV-1a over UTF-16 units with a final mix: stable across sessions and machines. */
export function hashText(text: string, seed = 2166136261): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

export function isLibrary(binary: string): boolean {
  return /\.so(\.|$)/.test(binary) || /^ld-linux/.test(binary);
}

export function isKernel(binary: string): boolean {
  return binary.startsWith('[kernel') || binary === '[bpf]';
}

/**
 * Slot per binary: the one it had (`kept`), else the hash of its name; where two clash the heavier
 * keeps it and the lighter takes the next free one. Past seven programs (or libraries) hues are
 * shared. A page that refreshes itself passes what it had, so that colours do not jump.
 */
export function assignSlots(
  weights: ReadonlyMap<string, number>,
  kept: ReadonlyMap<string, number> = new Map(),
): Map<string, number> {
  const slots = new Map<string, number>();
  const taken = { program: new Set<number>(), library: new Set<number>() };
  const order = [...weights].sort(
    (p, q) =>
      Number(kept.has(q[0])) - Number(kept.has(p[0])) || q[1] - p[1] || (p[0] < q[0] ? -1 : 1),
  );
  for (const [binary] of order) {
    if (binary === '' || isKernel(binary)) continue;
    const pool = isLibrary(binary) ? taken.library : taken.program;
    let slot = kept.get(binary) ?? hashText(binary) % SLOT_COUNT;
    for (let step = 0; step < SLOT_COUNT && pool.has(slot); step++) slot = (slot + 1) % SLOT_COUNT;
    pool.add(slot);
    slots.set(binary, slot);
  }
  return slots;
}

function css({ l, c, h }: Oklch): string {
  return `oklch(${l.toFixed(4)} ${c.toFixed(4)} ${h.toFixed(1)})`;
}

export interface Palette {
  /** The plain colour of a binary, as in the legend. */
  base: (binary: string, kind: number) => string;
  /** Shifted by package and function, as in the graph. */
  frame: (binary: string, kind: number, packageName: string, name: string) => string;
  /** A search match: the same hue, stronger. */
  match: (binary: string, kind: number) => string;
}

export function createPalette(tokens: FlameTokens, slots: ReadonlyMap<string, number>): Palette {
  const baseOf = (binary: string, kind: number): Oklch => {
    if (kind === FrameKind.label) return tokens.root;
    if (kind === FrameKind.unknown) return tokens.unknown;
    if (kind === FrameKind.kernel || isKernel(binary)) return tokens.kernel;
    const slot = slots.get(binary) ?? hashText(binary) % SLOT_COUNT;
    const hue = tokens.slots[slot] ?? tokens.root;
    return isLibrary(binary) ? { l: hue.l, c: hue.c * 0.5, h: hue.h + LIBRARY_HUE_SHIFT } : hue;
  };
  const plain = (kind: number) => kind === FrameKind.label || kind === FrameKind.unknown;
  return {
    base: (binary, kind) => css(baseOf(binary, kind)),
    frame: (binary, kind, packageName, name) => {
      const base = baseOf(binary, kind);
      if (plain(kind)) return css(base);
      const byPackage = ((hashText(packageName || binary) % 3) - 1) * PACKAGE_STEP;
      const byFunction = ((hashText(name) % 3) - 1) * FUNCTION_STEP;
      return css({ ...base, l: base.l + byPackage + byFunction });
    },
    match: (binary, kind) => {
      const base = baseOf(binary, kind);
      const chroma = isLibrary(binary) ? 2.4 : 1.9;
      return css({ l: base.l + (tokens.dark ? 0.025 : -0.13), c: base.c * chroma, h: base.h });
    },
  };
}
