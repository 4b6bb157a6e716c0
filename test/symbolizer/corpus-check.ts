/** One form of one program of the corpus: converted, asked, compared. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConversionSource, convertFiles } from '../../symbolizer/debuginfo/convert.ts';
import { openByteSource } from '../../symbolizer/elf/byte-reader.ts';
import { readElfIdentity } from '../../symbolizer/elf/elf.ts';
import type { SymbolLine } from '../../symbolizer/symbol-file/symbol-file.ts';
import { openSymbolFile } from '../../symbolizer/symbol-file/symbol-file.ts';
import { buildProgram, type ProgramBuild } from '../fixtures/debuginfo-builds.ts';
import { type DebuginfoForm, type FormContent, makeForm } from '../fixtures/debuginfo-forms.ts';
import { type Comparison, compareAnswers } from './comparison.ts';
import { DEVIATIONS } from './deviations.ts';
import { askLlvm, drawAddresses } from './oracle.ts';
import { gatherFacts, nmStacks, type ProgramFacts } from './program-facts.ts';

/** What the oracles say of a program before anything is done to it. */
export interface Expected {
  addresses: number[];
  facts: ProgramFacts;
  /** llvm-symbolizer's answers; what nm names; what it names of the dynamic symbols. */
  stacks: Record<FormContent, SymbolLine[][]>;
}

export function expectedOf(build: ProgramBuild, limit: number, seed: number): Expected {
  const program = buildProgram(build);
  const addresses = drawAddresses(program, limit, seed);
  const lines = askLlvm(program, addresses);
  const facts = gatherFacts(program, addresses, lines);
  const stacks = {
    lines,
    symbols: nmStacks(addresses, facts.symbols, facts),
    exported: nmStacks(addresses, facts.exported, facts),
  };
  return { addresses, facts, stacks };
}

export async function checkForm(
  build: ProgramBuild,
  form: DebuginfoForm,
  { addresses, facts, stacks }: Expected,
): Promise<Comparison> {
  const folder = mkdtempSync(join(tmpdir(), 'corpus-check-'));
  try {
    const sources = await makeForm(form, build, folder);
    const file = openSymbolFile(await convertSources(sources, join(folder, 'symbols')));
    try {
      const content = form.content(build);
      const { isRebuilt, isStripped } = form;
      const what = `${build.name} ${form.name}`;
      const compared = { what, facts, isRebuilt, isStripped };
      // nm has no excuse.
      const deviations = content === 'lines' ? DEVIATIONS : [];
      return compareAnswers(file, addresses, stacks[content], compared, deviations);
    } finally {
      file.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function convertSources(
  sources: readonly ConversionSource[],
  target: string,
): Promise<string> {
  const source = openByteSource(sources[0]?.path ?? '');
  const { buildId } = readElfIdentity(source);
  source.close();
  const converted = await convertFiles({
    buildId,
    target,
    sources,
    knownSegments: [],
    symbolsOnly: false,
  });
  const { problems, missingSplit, missingSupplementary } = converted;
  if (problems.length > 0 || missingSplit > 0 || missingSupplementary !== null) {
    throw new Error(`${problems.join('\n')}; ${missingSplit} units are not here`);
  }
  return target;
}
