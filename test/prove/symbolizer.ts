/**
 * Every program of the corpus in every form of debug information: function, file, line and inlined
 * calls at each address, beside llvm-symbolizer on the plain build. A process per CPU.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { PROGRAM_BUILDS } from '../fixtures/debuginfo-builds.ts';
import { missingTools } from '../fixtures/debuginfo-tools.ts';
import { OTHER_NAME } from '../symbolizer/comparison.ts';
import { DEVIATIONS } from '../symbolizer/deviations.ts';
import { ORACLES } from '../symbolizer/oracle.ts';
import type { ProofOptions } from './proof.ts';
import type { BuildResult } from './symbolizer-build.ts';

/** Throws where an answer differs without a documented reason. */
export async function proveSymbolizer({ seed, log }: ProofOptions): Promise<string> {
  const absent = missingTools(ORACLES);
  if (absent.length > 0) throw new Error(`not installed: ${absent.join(', ')}`);
  const waiting = PROGRAM_BUILDS.map((_, row) => row);
  const results: BuildResult[] = [];
  const children = Array.from({ length: availableParallelism() }, () => startProcess(seed));
  try {
    await Promise.all(
      children.map(async (child) => {
        for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) {
          const result = await ask(child, row);
          results.push(result);
          log(describe(result));
        }
      }),
    );
  } finally {
    for (const child of children) child.kill();
  }
  for (const line of listLeft(results)) log(line);
  const summary = summarize(results);
  if (results.some(({ unexplained }) => unexplained > 0)) throw new Error(summary);
  return summary;
}

function startProcess(seed: number): ChildProcess {
  const entry = fileURLToPath(new URL('./symbolizer-process.ts', import.meta.url));
  return fork(entry, [String(seed)], { execArgv: ['--import', 'tsx'] });
}

function ask(child: ChildProcess, row: number): Promise<BuildResult> {
  return new Promise((resolve, reject) => {
    const fail = (code: number | null) => {
      reject(new Error(`the process of ${PROGRAM_BUILDS[row]?.name} ended with ${code}`));
    };
    child.once('exit', fail);
    child.once('message', (result) => {
      child.off('exit', fail);
      resolve(result as BuildResult);
    });
    child.send(row);
  });
}

function describe({ name, forms, addresses, agreed, drawn, seconds }: BuildResult): string {
  const figures = `${forms.length} forms, ${addresses} addresses, ${addresses - agreed} differ`;
  return [`${name}: ${figures}, ${seconds.toFixed(1)} s`, ...drawn].join('\n');
}

/** What was not compared, by the reason. */
function listLeft(results: readonly BuildResult[]): string[] {
  const left = new Map<string, string[]>();
  for (const { what, reason } of results.flatMap((result) => result.left)) {
    const known = left.get(reason);
    if (known === undefined) left.set(reason, [what]);
    else known.push(what);
  }
  return [...left].map(([reason, names]) => `${reason}: ${names.join(', ')}`);
}

function summarize(results: readonly BuildResult[]): string {
  const sum = (figure: (result: BuildResult) => number): number =>
    results.reduce((total, result) => total + figure(result), 0);
  const reasons = [...DEVIATIONS.map(({ reason }) => reason), OTHER_NAME];
  const counted = reasons.map((reason) => {
    const counts = results.flatMap(({ deviations }) => deviations);
    const ofReason = counts.filter(([known]) => known === reason);
    return `${ofReason.reduce((total, [, count]) => total + count, 0)} ${reason}`;
  });
  const compared = results.filter(({ forms }) => forms.length > 0);
  const forms = new Set(compared.flatMap((result) => result.forms));
  return [
    `${compared.length} programs in ${forms.size} forms (${sum((one) => one.forms.length)} files)`,
    `${sum(({ addresses }) => addresses)} addresses, ${sum(({ agreed }) => agreed)} agree`,
    ...counted,
    `${sum(({ unexplained }) => unexplained)} unexplained`,
    `${sum(({ left }) => left.length)} combinations were not made`,
  ].join('; ');
}
