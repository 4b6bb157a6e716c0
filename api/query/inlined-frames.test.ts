import { Profile } from 'pprof-format';
import { describe, expect, test } from 'vitest';
import { parseProfileType } from '../../profile/select/profile-type.ts';
import { textMeta } from '../../profile/text.ts';
import type { BuildId } from '../../profile/units.ts';
import { parseDictionaryText } from '../../test/dictionary-text.ts';
import { LocationFrames } from './location-frames.ts';
import type { Granularity } from './params.ts';
import { buildPprof } from './pprof-answer.ts';
import { type OpenSymbolFile, SymbolNames } from './symbol-names.ts';
import type { PprofJob } from './tree-messages.ts';

/** Lines at an address, innermost first: `name file:line < name file:line`. */
const LINES: Record<number, string> = {
  16: 'leaf l.h:3 < work w.c:20 < main w.c:90',
  17: 'leaf l.h:4 < work w.c:20 < main w.c:90',
  32: ' l.h:1 < main w.c:91',
  48: 'main :0',
};

const open: OpenSymbolFile = () => ({
  elfAddress: () => null,
  lookup(address) {
    const text = LINES[address];
    if (text === undefined) return { kind: 'unknown', reason: 'not-covered' };
    const lines = text.split(' < ').map((part) => {
      const [, name = '', file = '', line = ''] = /^(\w*) ([\w.]*):(\d+)$/.exec(part) ?? [];
      return { name, file, line: Number(line) };
    });
    return { kind: 'symbol', lines };
  },
  close() {},
});

function symbolNames(): SymbolNames {
  const symbols = new SymbolNames(open, (name) => name);
  symbols.update([{ buildId: 'abc' as BuildId, path: 'x', generation: 1 }]);
  return symbols;
}

const dictionary = parseDictionaryText(
  '0x10@/bin/x#abc;0x11@/bin/x#abc;0x20@/bin/x#abc;0x30@/bin/x#abc;0x99@/bin/x#abc',
);

describe('the frames at an address, outermost first', () => {
  function draw(granularity: Granularity): string[] {
    const frames = new LocationFrames(granularity, symbolNames(), dictionary);
    return Array.from({ length: 5 }, (_, i) => {
      const location = dictionary.stacks.locations[4 - i] as number;
      const rows = Array.from({ length: frames.sizeOf(location) }, (_, index) =>
        frames.frameOf(location, index),
      );
      return rows
        .reverse()
        .map((row) => {
          const { name, file, line, addressLow } = frames.table.frames[row] ?? {};
          return `${row}=${name} ${file}:${line}@${addressLow}`;
        })
        .join(' > ');
    });
  }

  test.each([
    [
      'function',
      [
        '2=main w.c:0@0 > 1=work w.c:0@0 > 0=leaf l.h:0@0',
        '2=main w.c:0@0 > 1=work w.c:0@0 > 0=leaf l.h:0@0',
        '2=main w.c:0@0',
        '2=main w.c:0@0',
        '3=x+0x99 :0@153',
      ],
    ],
    [
      'line',
      [
        '2=main w.c:90@0 > 1=work w.c:20@0 > 0=leaf l.h:3@0',
        '2=main w.c:90@0 > 1=work w.c:20@0 > 3=leaf l.h:4@0',
        '4=main w.c:91@0',
        '5=main :0@0',
        '6=x+0x99 :0@153',
      ],
    ],
    [
      'address',
      [
        '2=main w.c:90@16 > 1=work w.c:20@16 > 0=leaf l.h:3@16',
        '5=main w.c:90@17 > 4=work w.c:20@17 > 3=leaf l.h:4@17',
        '6=main w.c:91@32',
        '7=main :0@48',
        '8=x+0x99 :0@153',
      ],
    ],
  ] as const)('by %s', (granularity, drawing) => {
    expect(draw(granularity)).toEqual(drawing);
  });
});

test('a pprof has all lines of a location, and says of a mapping what is known', () => {
  const job: PprofJob = {
    kind: 'pprof',
    tree: { granularity: 'function' },
    filters: [],
    by: [],
    weights: {
      stack: Uint32Array.of(0),
      value: Float64Array.of(1),
      group: Uint32Array.of(0),
      groups: [{}],
      multiplier: 1,
    },
    type: parseProfileType('process_cpu:cpu:nanoseconds:cpu:nanoseconds'),
    period: 10,
    comments: [],
    meta: textMeta(0),
  };
  const draw = (text: string) => {
    const profile = Profile.decode(
      buildPprof(parseDictionaryText(text), symbolNames(), job, () => {}),
    );
    const string = (index: number | bigint) => profile.stringTable.strings[Number(index)];
    const locations = profile.location.map(({ line }) =>
      line
        .map(({ functionId, line }) => {
          const row = profile.function[Number(functionId) - 1];
          return `${string(row?.systemName ?? 0)} ${string(row?.filename ?? 0)}:${line}`;
        })
        .join(' < '),
    );
    const flags = profile.mapping.map((mapping) => [
      mapping.hasFunctions,
      mapping.hasFilenames,
      mapping.hasLineNumbers,
      mapping.hasInlineFrames,
    ]);
    return { locations, flags };
  };
  expect(draw('0x10@/bin/x#abc;0x11@/bin/x#abc')).toEqual({
    locations: [LINES[17], LINES[16]],
    flags: [[true, true, true, true]],
  });
  expect(draw('0x30@/bin/x#abc').flags).toEqual([[true, false, false, false]]);
  expect(draw('0x10@/bin/x#abc;0x99@/bin/x#abc').flags).toEqual([[false, false, false, false]]);
});

test('frames of symbol files that are replaced again and again take no more room', () => {
  const frames = new LocationFrames('line', symbolNames(), dictionary);
  const locations = dictionary.stacks.locations.slice(0, 5);
  const draw = () => Array.from(locations, (location) => [location, frames.sizeOf(location)]);
  const first = draw();
  const { rowCount } = frames;
  for (let i = 0; i < 10; i++) {
    frames.forget(new Set(['abc']));
    expect(draw()).toEqual(first);
  }
  expect(frames.rowCount).toBe(rowCount);
});
