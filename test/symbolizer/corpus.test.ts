/**
 * A few programs of the corpus in every form, against llvm-symbolizer on the plain build. `npm run
 * prove -- symbolizer` has all of them.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { PROGRAM_BUILDS } from '../fixtures/debuginfo-builds.ts';
import { DEBUGINFO_FORMS } from '../fixtures/debuginfo-forms.ts';
import { missingTools } from '../fixtures/debuginfo-tools.ts';
import { describeMismatch } from './comparison.ts';
import { checkForm, type Expected, expectedOf } from './corpus-check.ts';
import { ORACLES } from './oracle.ts';

const ADDRESSES = 500;
const SEED = 7;
const BUILD_DEADLINE_MS = 120_000;
/** One of each compiler, of which gcc and clang are on every machine that runs the tests. */
const NAMES = ['gcc-O2-dwarf5', 'clang-O2-dwarf4', 'rustc-O2-dwarf4', 'go-O2-dwarf5'];

describe.each(PROGRAM_BUILDS.filter(({ name }) => NAMES.includes(name)))('$name', (build) => {
  const missing = missingTools([...ORACLES, ...build.tools]);
  let expected: Expected;
  beforeAll(() => {
    if (missing.length === 0) expected = expectedOf(build, ADDRESSES, SEED);
  }, BUILD_DEADLINE_MS);

  test.for(DEBUGINFO_FORMS.filter((form) => form.obstacle(build) === ''))(
    '$name',
    { timeout: BUILD_DEADLINE_MS },
    async (form, ctx) => {
      const absent = [...missing, ...missingTools(form.tools)].join(', ');
      if (absent !== '') ctx.skip(`not installed: ${absent}`);
      const found = await checkForm(build, form, expected);
      expect(found.addresses).toBeGreaterThan(ADDRESSES / 2);
      expect(found.unexplained.map(describeMismatch).join('')).toBe('');
    },
  );
});
