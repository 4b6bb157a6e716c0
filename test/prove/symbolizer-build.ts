/** One program of the corpus in every form, beside the oracles. */
import type { ProgramBuild } from '../fixtures/debuginfo-builds.ts';
import { DEBUGINFO_FORMS } from '../fixtures/debuginfo-forms.ts';
import { missingTools } from '../fixtures/debuginfo-tools.ts';
import { describeMismatch } from '../symbolizer/comparison.ts';
import { checkForm, expectedOf } from '../symbolizer/corpus-check.ts';

/** Of each program; of one whose code is smaller, every byte. */
const ADDRESSES = 20_000;
const DESCRIBED_PER_FORM = 5;

/** Plain data: it goes from process to process. */
export interface BuildResult {
  name: string;
  forms: string[];
  /** Over all forms. */
  addresses: number;
  agreed: number;
  unexplained: number;
  deviations: [reason: string, count: number][];
  /** What could not be made. */
  left: { what: string; reason: string }[];
  /** Some of the unexplained, drawn. */
  drawn: string[];
  seconds: number;
}

export async function checkBuild(build: ProgramBuild, seed: number): Promise<BuildResult> {
  const start = performance.now();
  const { name } = build;
  const result: BuildResult = {
    ...{ name, forms: [], addresses: 0, agreed: 0, unexplained: 0 },
    ...{ deviations: [], left: [], drawn: [], seconds: 0 },
  };
  const missing = missingTools(build.tools);
  if (missing.length > 0) {
    result.left.push({ what: name, reason: `not installed: ${missing.join(', ')}` });
    return result;
  }
  const expected = expectedOf(build, ADDRESSES, seed);
  for (const form of DEBUGINFO_FORMS) {
    const absent = missingTools(form.tools).join(', ');
    const reason = absent === '' ? form.obstacle(build) : `not installed: ${absent}`;
    if (reason !== '') {
      result.left.push({ what: `${name} ${form.name}`, reason });
      continue;
    }
    const found = await checkForm(build, form, expected);
    result.forms.push(form.name);
    result.addresses += found.addresses;
    result.agreed += found.agreed;
    result.unexplained += found.unexplained.length;
    result.deviations.push(...found.deviations);
    result.drawn.push(...found.unexplained.slice(0, DESCRIBED_PER_FORM).map(describeMismatch));
  }
  result.seconds = (performance.now() - start) / 1000;
  return result;
}
