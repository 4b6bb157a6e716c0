/**
 * A few programs of the corpus in every form, against llvm-symbolizer on the plain build. The rest
 * of the corpus has the same check.
 */
import { describe, expect, test } from 'vitest';
import { buildProgram, PROGRAM_BUILDS } from '../fixtures/debuginfo-builds.ts';
import { DEBUGINFO_FORMS } from '../fixtures/debuginfo-forms.ts';
import { describeMismatch } from './comparison.ts';
import { checkForm, expectedOf } from './corpus-check.ts';

const ADDRESSES = 500;
const SEED = 7;
/** One of each compiler that every machine with the tests' packages has. */
const NAMES = ['gcc-O2-dwarf5', 'gcc-O3-dwarf4', 'clang-O2-dwarf4'];

describe.each(PROGRAM_BUILDS.filter(({ name }) => NAMES.includes(name)))('$name', (build) => {
  test.each(DEBUGINFO_FORMS.filter((form) => form.suits(build)))(
    '$name',
    async (form) => {
      buildProgram(build);
      const found = await checkForm(build, form, expectedOf(build, ADDRESSES, SEED));
      expect(found.addresses).toBeGreaterThan(ADDRESSES / 2);
      expect(found.unexplained.map(describeMismatch).join('')).toBe('');
    },
    120_000,
  );
});
