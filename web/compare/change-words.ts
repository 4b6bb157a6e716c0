/** Changes in words, signs and steps of colour: pure. */
import type { Change, ChangeKind, DiffMode } from '../../profile/flame/diff.ts';
import { formatChange } from '../../profile/format-value.ts';
import { formatShare } from '../format.ts';
import type { Quantity } from '../quantity.ts';

export const CHANGE_KINDS: readonly ChangeKind[] = ['grew', 'shrank', 'new', 'gone', 'same'];

export const GLYPHS: Record<ChangeKind, string> = {
  grew: '▲',
  shrank: '▼',
  new: '+',
  gone: '\u2212',
  same: '',
};

export const CHANGE_WORDS: Record<ChangeKind, string> = {
  grew: 'grew',
  shrank: 'shrank',
  new: 'new in B',
  gone: 'gone from B',
  same: 'within noise',
};

/** Named steps of the diff palette: a is more in A, b more in B, 0 is noise. */
export type DiffStep = '0' | 'a1' | 'a2' | 'a3' | 'b1' | 'b2' | 'b3';

export const STEP_LIMITS = { strong: 0.5, middle: 0.2 } as const;

export function stepOf({ kind, delta, relative }: Change): DiffStep {
  if (kind === 'same') return '0';
  const size = Math.abs(relative ?? Number.POSITIVE_INFINITY);
  const step = size > STEP_LIMITS.strong ? 3 : size > STEP_LIMITS.middle ? 2 : 1;
  return `${delta > 0 ? 'b' : 'a'}${step}`;
}

export interface ChangeFormat {
  /** One side's value; "none" for zero. */
  value: (value: number) => string;
  /** A signed difference, without its unit. */
  delta: (delta: number) => string;
  /** What the difference is in: "pp", "cores". */
  unit: string;
  interval: (half: number | null) => string;
}

/** How a mode's figures are printed: shares in percent and points, else in the type's unit. */
export function changeFormat(mode: DiffMode, quantity: Quantity): ChangeFormat {
  if (mode === 'share') {
    return {
      value: (value) => (value === 0 ? 'none' : formatShare(value)),
      delta: (delta) => formatChange(delta * 100),
      unit: 'pp',
      interval: (half) => (half === null ? 'unknown' : (half * 100).toFixed(2)),
    };
  }
  const plain = mode === 'rate' ? quantity.formatAverage : quantity.formatTotal;
  const signed = (delta: number) => `${delta < 0 ? '\u2212' : '+'}${plain(Math.abs(delta))}`;
  return {
    value: (value) => (value === 0 ? 'none' : plain(value)),
    delta: signed,
    unit: mode === 'rate' && !quantity.gauge ? quantity.averageUnit : '',
    interval: (half) => (half === null ? 'unknown' : plain(half)),
  };
}

/** Change relative to A: "+0.9 %", or "new". */
export function formatRelative({ relative, b }: Change): string {
  if (relative === null) return b > 0 ? 'new' : 'none';
  return `${formatChange(relative * 100, 1)}\u2009%`;
}
