/**
 * Every program of the corpus in every form of debug information: function, file, line and inlined
 * calls at each address, beside llvm-symbolizer on the plain build.
 */
import { PROGRAM_BUILDS, type ProgramBuild } from '../fixtures/debuginfo-builds.ts';
import { DEBUGINFO_FORMS } from '../fixtures/debuginfo-forms.ts';
import { missingTools } from '../fixtures/debuginfo-tools.ts';
import { describeMismatch } from '../symbolizer/comparison.ts';
import { checkForm, expectedOf } from '../symbolizer/corpus-check.ts';
import { ORACLES } from '../symbolizer/oracle.ts';
import type { ProofOptions } from './proof.ts';

/** Of each program; of one whose code is smaller, every byte. */
const ADDRESSES = 20_000;
const DESCRIBED_PER_FORM = 5;

class Tally {
  programs = 0;
  pairs = 0;
  addresses = 0;
  agreed = 0;
  unexplained = 0;
  readonly deviations = new Map<string, number>();
  readonly forms = new Set<string>();
  /** What was not compared, by the reason. */
  readonly left = new Map<string, string[]>();

  leave(what: string, reason: string): void {
    const known = this.left.get(reason);
    if (known === undefined) this.left.set(reason, [what]);
    else known.push(what);
  }

  summary(): string {
    const left = [...this.left.values()].reduce((sum, names) => sum + names.length, 0);
    const reasons = [...this.deviations].sort((a, b) => b[1] - a[1]);
    return [
      `${this.programs} programs in ${this.forms.size} forms (${this.pairs} files)`,
      `${this.addresses} addresses, ${this.agreed} agree`,
      ...reasons.map(([reason, count]) => `${count} ${reason}`),
      `${this.unexplained} unexplained`,
      `${left} combinations that nothing makes`,
    ].join('; ');
  }
}

/** Throws where an answer differs without a documented reason. */
export async function proveSymbolizer({ seed, log }: ProofOptions): Promise<string> {
  const tally = new Tally();
  const absent = missingTools(ORACLES);
  if (absent.length > 0) throw new Error(`not installed: ${absent.join(', ')}`);
  for (const build of PROGRAM_BUILDS) {
    const missing = missingTools(build.tools);
    if (missing.length > 0) tally.leave(build.name, `not installed: ${missing.join(', ')}`);
    else await proveBuild(build, seed, tally, log);
  }
  for (const [reason, names] of tally.left) log(`${reason}: ${names.join(', ')}`);
  if (tally.unexplained > 0) throw new Error(tally.summary());
  return tally.summary();
}

async function proveBuild(
  build: ProgramBuild,
  seed: number,
  tally: Tally,
  log: ProofOptions['log'],
): Promise<void> {
  const start = performance.now();
  const expected = expectedOf(build, ADDRESSES, seed);
  let forms = 0;
  let deviations = 0;
  for (const form of DEBUGINFO_FORMS) {
    const missing = missingTools(form.tools).join(', ');
    const reason = missing === '' ? form.obstacle(build) : `not installed: ${missing}`;
    if (reason !== '') {
      tally.leave(`${build.name} ${form.name}`, reason);
      continue;
    }
    const found = await checkForm(build, form, expected);
    forms++;
    tally.forms.add(form.name);
    tally.addresses += found.addresses;
    tally.agreed += found.agreed;
    tally.unexplained += found.unexplained.length;
    for (const [cause, count] of found.deviations) {
      deviations += count;
      tally.deviations.set(cause, (tally.deviations.get(cause) ?? 0) + count);
    }
    for (const mismatch of found.unexplained.slice(0, DESCRIBED_PER_FORM)) {
      log(describeMismatch(mismatch));
    }
  }
  tally.programs++;
  tally.pairs += forms;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const figures = `${forms} forms of ${expected.addresses.length} addresses`;
  log(`${build.name}: ${figures}, ${deviations} deviations, ${seconds} s`);
}
