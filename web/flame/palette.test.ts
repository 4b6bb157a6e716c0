import { describe, expect, test } from 'vitest';
import { FrameKind } from '../../profile/flame/frame.ts';
import { assignSlots, createPalette, type FlameTokens, hashText, SLOT_COUNT } from './palette.ts';

const TOKENS: FlameTokens = {
  dark: false,
  slots: Array.from({ length: SLOT_COUNT }, (_, i) => ({ l: 0.8, c: 0.05, h: i * 50 })),
  kernel: { l: 0.8, c: 0.006, h: 260 },
  unknown: { l: 0.93, c: 0.004, h: 85 },
  root: { l: 0.9, c: 0.005, h: 85 },
};

describe('assignSlots', () => {
  test('a binary keeps the slot it had, whatever outweighs it later', () => {
    const first = assignSlots(new Map([['a', 1]]));
    const weights = new Map(Array.from({ length: 12 }, (_, i) => [`p${i}`, 10 + i] as const));
    expect(assignSlots(new Map([...weights, ['a', 1]]), first).get('a')).toBe(first.get('a'));
  });

  test('seven programs and seven libraries have a hue each', () => {
    const names = ['checkout', 'pricing', 'node', 'redis-server', 'a', 'b', 'c'];
    const weights = new Map(names.flatMap((n, i) => [[n, i + 1] as const, [`lib${n}.so.1`, 9]]));
    const slots = assignSlots(weights);
    expect(new Set(names.map((n) => slots.get(n))).size).toBe(SLOT_COUNT);
    expect(new Set(names.map((n) => slots.get(`lib${n}.so.1`))).size).toBe(SLOT_COUNT);
  });

  test('the heaviest binary keeps the slot of its name', () => {
    const slots = assignSlots(new Map(Array.from({ length: 9 }, (_, i) => [`p${i}`, i] as const)));
    expect(slots.get('p8')).toBe(hashText('p8') % SLOT_COUNT);
  });

  test('the kernel has no slot', () => {
    expect(assignSlots(new Map([['[kernel]', 5]])).size).toBe(0);
  });
});

describe('createPalette', () => {
  const palette = createPalette(TOKENS, new Map([['app', 2]]));

  test.each([
    ['app', FrameKind.native, 'oklch(0.8000 0.0500 100.0)'],
    ['libapp.so', FrameKind.native, /^oklch\(0\.8000 0\.0250 /],
    ['[kernel]', FrameKind.kernel, 'oklch(0.8000 0.0060 260.0)'],
    ['app', FrameKind.unknown, 'oklch(0.9300 0.0040 85.0)'],
  ])('%s of kind %i', (binary, kind, colour) => {
    expect(palette.base(binary, kind)).toMatch(colour);
  });

  test('a match is darker and stronger on paper', () => {
    expect(palette.match('app', FrameKind.native)).toBe('oklch(0.6700 0.0950 100.0)');
  });

  test('functions of one binary keep its hue', () => {
    const hues = ['a.b', 'c.d', 'e.f'].map((n) => palette.frame('app', FrameKind.native, n, n));
    expect(hues.every((hue) => hue.endsWith(' 100.0)'))).toBe(true);
  });
});
