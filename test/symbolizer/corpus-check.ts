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
import { type DebuginfoForm, makeForm } from '../fixtures/debuginfo-forms.ts';
import { nmSymbols } from '../fixtures/elf-builds.ts';
import { type Comparison, compareAnswers, type SymbolNames, symbolNames } from './comparison.ts';
import { DEVIATIONS } from './deviations.ts';
import { askLlvm, drawAddresses } from './oracle.ts';

/** What the oracle says of a program before anything is done to it. */
export interface Expected {
  addresses: number[];
  stacks: SymbolLine[][];
  symbols: SymbolNames;
}

export function expectedOf(build: ProgramBuild, limit: number, seed: number): Expected {
  const program = buildProgram(build);
  const addresses = drawAddresses(program, limit, seed);
  const symbols = [...nmSymbols(program), ...nmSymbols(program, ['-D'])];
  return { addresses, stacks: askLlvm(program, addresses), symbols: symbolNames(symbols) };
}

export async function checkForm(
  build: ProgramBuild,
  form: DebuginfoForm,
  expected: Expected,
): Promise<Comparison> {
  const folder = mkdtempSync(join(tmpdir(), 'corpus-check-'));
  try {
    const sources = await makeForm(form, build, folder);
    const file = openSymbolFile(await convertSources(sources, join(folder, 'symbols')));
    try {
      const stacks = form.hasLines ? expected.stacks : expected.stacks.map(functionOnly);
      const { addresses, symbols } = expected;
      return compareAnswers(file, addresses, stacks, symbols, DEVIATIONS);
    } finally {
      file.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export async function convertSources(
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
  if (converted.problems.length > 0) throw new Error(converted.problems.join('\n'));
  return target;
}

/** The function that was compiled there, if a symbol names it. */
function functionOnly(stack: SymbolLine[]): SymbolLine[] {
  const outermost = stack.at(-1);
  return outermost === undefined || outermost.name === ''
    ? []
    : [{ name: outermost.name, file: '', line: 0 }];
}
