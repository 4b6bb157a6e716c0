import { expect, test } from 'vitest';
import type { BuildId } from '../../profile/units.ts';
import { parseDictionaryText } from '../../test/dictionary-text.ts';
import { type BuildWeights, sumByBuild } from './build-weights.ts';
import { LocationFrames } from './location-frames.ts';
import { type OpenSymbolFile, SymbolNames } from './symbol-names.ts';

const DICTIONARY = parseDictionaryText(`
  main@/usr/bin/app;0x10@/usr/bin/app#aa;0x10@/lib/libc.so#bb
  0x10@/usr/bin/app#aa;0x90@/usr/bin/app#aa
  0x90@/srv/app#aa;0x20@/usr/bin/other#cc
  0x10@/opt/nameless
  0x10@/usr/bin/app#aa;sys_read@[kernel]#kk{kernel}
`);

/** Files of `aa` and `bb` that name addresses below 0x80. */
const openSymbols: OpenSymbolFile = () =>
  ({
    lookup: (address: number) =>
      address < 0x80
        ? { kind: 'symbol', lines: [{ name: 'f', file: '', line: 0 }] }
        : { kind: 'unknown', reason: 'not-covered' },
    elfAddress: () => null,
    close: () => undefined,
  }) as unknown as ReturnType<OpenSymbolFile>;

function sum(values: readonly number[], multiplier = 1): BuildWeights {
  const names = new SymbolNames(openSymbols, (name) => name);
  names.update(['aa', 'bb'].map((id) => ({ buildId: id as BuildId, path: id, generation: 1 })));
  const frames = new LocationFrames('function', names, DICTIONARY);
  const weights = {
    groups: [{}],
    group: new Uint32Array(values.length),
    stack: Uint32Array.from(values, (_, stack) => stack),
    value: Float64Array.from(values),
    multiplier,
  };
  return sumByBuild(DICTIONARY, frames, weights, () => {});
}

/** `aa app 2/12 {reason: 2}`: build id, file, self/total, weight without names. */
function draw({ total, builds }: BuildWeights): string[] {
  const lines = builds.map(({ buildId, file, self, total: all, unsymbolized, needsSymbols }) => {
    const reasons = Object.entries(unsymbolized).map(([why, weight]) => ` ${why}: ${weight}`);
    return `${buildId} ${file} ${self}/${all}${needsSymbols ? '' : ' named'}${reasons.join()}`;
  });
  return [`all ${total}`, ...lines.sort()];
}

test('self by the innermost frame, total once per stack, reasons of what has no name', () => {
  expect(draw(sum([1, 2, 4, 8, 16]))).toEqual([
    'all 31',
    ' nameless 8/8 no build id: 8',
    'aa app 2/23 not covered: 2',
    'bb libc.so 1/1',
    'cc other 4/4 no debug information: 4',
    'kk [kernel] 16/16 named',
  ]);
});

test('in the unit of the answer', () => {
  expect(draw(sum([0, 3], 10))).toEqual([
    'all 30',
    'aa app 30/30 not covered: 30',
    'bb libc.so 0/0',
  ]);
});
