import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compareNames, hasTool, listMangled } from '../../test/prove/demangle.ts';
import { fuzzDemangle } from '../../test/prove/fuzz-demangle.ts';
import { createDemangler } from './demangle.ts';

const LIBRARY = '/usr/lib/x86_64-linux-gnu/libstdc++.so.6';

test('every symbol of libstdc++ reads as binutils has it', (ctx) => {
  if (!existsSync(LIBRARY) || !hasTool('c++filt') || !hasTool('nm')) {
    ctx.skip('libstdc++, nm or c++filt is missing here');
  }
  const compared = compareNames(listMangled(LIBRARY));
  expect(compared.names).toBeGreaterThan(5_000);
  expect(compared.unexplained).toEqual([]);
  expect(compared.agreed / compared.names).toBeGreaterThanOrEqual(0.999);
});

test('2,000 hostile names', async () => {
  const line = await fuzzDemangle({ seed: 20_261, runs: 2_000, log: () => {} });
  expect(line).toContain('2000 names');
});

describe('a demangler remembers', () => {
  test('the same names, more than it has room for', () => {
    const demangle = createDemangler();
    const long = 'x'.repeat(30_000);
    // 24 MB of names, more than is remembered, and each twice.
    for (let round = 0; round < 2; round++) {
      for (let row = 100; row < 500; row++) {
        expect(demangle(`_ZN30000${long}4n${row}Ev`)).toBe(`${long}::n${row}()`);
      }
    }
    expect(demangle('main')).toBe('main');
  });
});
