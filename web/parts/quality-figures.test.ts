import { describe, expect, test } from 'vitest';
import { emptySeriesQuality, type HostQuality, type Quality } from '../../profile/flame/quality.ts';
import { describeQuality } from './quality-figures.ts';

const HOSTS: HostQuality = {
  hosts: 2,
  windows: 12,
  missingWindows: 0,
  sampled: 1000,
  excluded: 10,
  sent: 970,
  lost: { lost_ring_full: 15, lost_read: 5, lost_spool: 0 },
  incomplete: {},
  nominalHz: 19,
  effectiveHz: 18.7,
};
const QUALITY: Quality = {
  series: {
    ...emptySeriesQuality(),
    samples: 970,
    incomplete: { 'no unwind table': 30 },
    unsymbolized: { 'no debug information': 2 },
    truncated: 50,
  },
  hosts: HOSTS,
};

const lines = (quality: Quality, total = 1000) =>
  describeQuality(quality, total).map(
    ({ name, value, warn }) => `${warn ? '! ' : ''}${value.replace(/\u2009/g, ' ')} ${name}`,
  );

describe('describeQuality', () => {
  test('an agent saw it all', () => {
    expect(lines(QUALITY)).toEqual([
      '970 samples',
      '18.7 of 19 Hz effective rate',
      '! 2.00 % lost',
      '! 3.00 % incomplete',
      '0.20 % unsymbolized',
      '5.00 % folded',
    ]);
  });

  test('pushed profiles have no hosts, and perhaps no samples', () => {
    const series = { ...emptySeriesQuality(), samples: null };
    expect(lines({ series, hosts: null }, 0)).toEqual([
      'unknown samples',
      '0.00 % incomplete',
      '0.00 % unsymbolized',
    ]);
  });

  test.each([
    [{ effectiveHz: 12 }, '! 12 of 19 Hz effective rate'],
    [{ effectiveHz: null }, 'unknown of 19 Hz effective rate'],
    [{ lost: {}, missingWindows: 3 }, '! 0.00 % lost'],
  ])('%j', (change, line) => {
    expect(lines({ ...QUALITY, hosts: { ...HOSTS, ...change } })).toContain(line);
  });

  test('rows whose files are damaged are never left out silently', () => {
    const damaged = { blocks: 2, samples: 1_200 };
    expect(lines({ ...QUALITY, damaged }, 0).join()).toMatch(/! 1.200 rows damaged/);
  });

  test('reasons, the heaviest first, none without a count', () => {
    const lost = describeQuality(QUALITY, 1000).find(({ name }) => name === 'lost');
    expect(lost?.rows.map(({ text, amount }) => `${text} ${amount}`)).toEqual([
      'ring full 15',
      'read 5',
    ]);
  });

  test('why frames have no names, in words, with what the page of symbols calls it', () => {
    const unsymbolized = { 'not covered': 1, 'no debug information': 2, 'no build id': 0 };
    const series = { ...QUALITY.series, unsymbolized };
    const figures = describeQuality({ ...QUALITY, series }, 100);
    const figure = figures.find(({ name }) => name === 'unsymbolized');
    const rows = figure?.rows.map(({ text, share, reason }) => `${text}: ${share} (${reason})`);
    expect(rows?.map((row) => row.replace(/\u2009/g, ' '))).toEqual([
      'Its symbols are not here: 2.00 % (no debug information)',
      'No function is there: 1.00 % (not covered)',
    ]);
  });
});
