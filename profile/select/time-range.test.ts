import { describe, expect, test } from 'vitest';
import { EverflameError } from '../errors.ts';
import { parseRange, parseTime } from './time-range.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const HOUR = 3_600_000;

describe('a time', () => {
  const rows: [text: string, ms: number][] = [
    ['0', 0],
    ['1795262400000', 1_795_262_400_000],
    ['now', NOW],
    ['now-1h', NOW - HOUR],
    ['now-1h30m', NOW - 1.5 * HOUR],
    ['now-90s', NOW - 90_000],
    ['now-250ms', NOW - 250],
    ['now-2d', NOW - 48 * HOUR],
    ['now-1w', NOW - 168 * HOUR],
    ['now+5m', NOW + 300_000],
    [' now-1h ', NOW - HOUR],
    ['2026-11-21T12:00:00Z', NOW],
    ['2026-11-21T13:00:00+01:00', NOW],
    ['2026-11-21t12:00:00.5z', NOW + 500],
    ['2026-11-21 12:00:00.123456789Z', NOW + 123],
  ];
  test.each(rows)('%s', (text, ms) => expect(parseTime(text, NOW, 'from')).toBe(ms));

  const refused = [
    '',
    'yesterday',
    'now-',
    'now-1',
    'now-1y',
    'now -1h',
    '-5',
    '1.5',
    '2026-11-21',
    '2026-11-21T12:00:00',
    '2026-13-41T12:00:00Z',
    '99999999999999999',
    'now-99999999999999d',
  ];
  test.each(refused)('"%s" is refused and the parameter named', (text) => {
    expect(() => parseTime(text, NOW, 'from_a')).toThrow(EverflameError);
    try {
      parseTime(text, NOW, 'from_a');
    } catch (error) {
      expect(error).toMatchObject({ kind: 'invalid', field: 'from_a' });
    }
  });
});

describe('a range', () => {
  test('is the last hour where nothing is said', () => {
    expect(parseRange(undefined, undefined, NOW)).toEqual({ from: NOW - HOUR, to: NOW });
  });

  test.each([
    ['now', 'now-1h'],
    ['5', '5'],
  ])('from %s to %s is refused', (from, to) => {
    const fields = { from: 'from_b', to: 'to_b' };
    expect(() => parseRange(from, to, NOW, fields)).toThrow('from_b');
  });
});
