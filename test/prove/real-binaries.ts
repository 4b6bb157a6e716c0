/**
 * Our answers for programs and libraries of this machine, stripped Go programs of several releases
 * and programs of other machines, beside llvm-symbolizer's and nm's.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ElfAddress } from '../../profile/units.ts';
import { type ConversionSource, convertFiles } from '../../symbolizer/debuginfo/convert.ts';
import { openByteSource } from '../../symbolizer/elf/byte-reader.ts';
import { readElfIdentity } from '../../symbolizer/elf/elf.ts';
import { planStrip } from '../../symbolizer/elf/strip.ts';
import { openSymbolFile, type SymbolFile } from '../../symbolizer/symbol-file/symbol-file.ts';
import { type Comparison, compareAnswers, describeMismatch } from '../symbolizer/comparison.ts';
import { DEVIATIONS } from '../symbolizer/deviations.ts';
import { askLlvm, drawAddresses } from '../symbolizer/oracle.ts';
import { gatherFacts, nmStacks, type ProgramFacts } from '../symbolizer/program-facts.ts';
import type { ProofOptions } from './proof.ts';
import { foreignBinaries } from './real-binaries/foreign.ts';
import { goBinaries } from './real-binaries/go.ts';
import { localBinaries, type RealBinary } from './real-binaries/local.ts';
import { objectFiles } from './real-binaries/objects.ts';
import { goRules, symbolRules } from './real-binaries/rules.ts';

const ADDRESSES = 20_000;
const DESCRIBED = 10;

/** Throws where an answer differs without a documented reason. */
export async function proveRealBinaries({ seed, log }: ProofOptions): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'real-binaries-'));
  let [addresses, agreed, unexplained, binaries] = [0, 0, 0, 0];
  try {
    const lists = [localBinaries, goBinaries, foreignBinaries, objectFiles];
    for (const list of lists) {
      for (const binary of list(folder, log)) {
        const found = await checkBinary(binary, folder, ADDRESSES, seed);
        log(describeFound(binary, found));
        binaries++;
        addresses += found.addresses;
        agreed += found.agreed;
        unexplained += found.unexplained.length + found.nmWrong.length;
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  const differ = addresses - agreed - unexplained;
  const summary =
    `${binaries} binaries, ${addresses} addresses, ${agreed} agree, ` +
    `${differ} differ for documented reasons, ${unexplained} for none`;
  if (unexplained > 0) throw new Error(summary);
  return summary;
}

export interface RealComparison extends Comparison {
  /** Addresses where nm names another function, drawn. */
  nmWrong: string[];
}

export async function checkBinary(
  { what, path, debug, oracle, kind }: RealBinary,
  folder: string,
  limit: number,
  seed: number,
): Promise<RealComparison> {
  const target = join(folder, 'symbols');
  await convert(path, target, debug);
  if (debug === undefined) await checkExtraction(path, folder, target);
  const file = openSymbolFile(target);
  try {
    const addresses = drawAddresses(oracle, limit, seed);
    const theirs = askLlvm(oracle, addresses);
    const facts = gatherFacts(oracle, addresses, theirs);
    const isGo = kind === 'stripped Go';
    const compared = { what, facts, isRebuilt: false, isStripped: isGo };
    const own = isGo ? goRules(path, addresses) : symbolRules(oracle);
    const found = compareAnswers(file, addresses, theirs, compared, [...DEVIATIONS, ...own]);
    return { ...found, nmWrong: isGo ? [] : nmDifferences(file, addresses, facts) };
  } finally {
    file.close();
  }
}

/** What an agent sends of a program makes the same symbol file as the program. */
async function checkExtraction(path: string, folder: string, expected: string): Promise<void> {
  const source = openByteSource(path);
  const chunks: Uint8Array[] = [];
  const read = async (offset: number, length: number) => source.read(offset, length);
  for await (const chunk of planStrip(source)?.chunks(read, 0) ?? []) {
    chunks.push(Uint8Array.from(chunk));
  }
  source.close();
  const extraction = join(folder, 'extraction');
  writeFileSync(extraction, Buffer.concat(chunks));
  const target = `${extraction}.symbols`;
  await convert(extraction, target);
  if (!readFileSync(target).equals(readFileSync(expected))) {
    throw new Error(`${path}: its extraction makes another symbol file`);
  }
}

async function convert(path: string, target: string, debug?: string): Promise<void> {
  const source = openByteSource(path);
  const { buildId } = readElfIdentity(source);
  source.close();
  const sources: ConversionSource[] = [{ kind: 'executable', path }];
  if (debug !== undefined) sources.push({ kind: 'debuginfo', path: debug });
  const job = { buildId, target, sources, knownSegments: [], symbolsOnly: false };
  const { problems } = await convertFiles(job);
  if (problems.length > 0) throw new Error(`${path}: ${problems.join('\n')}`);
}

/** Where nm names another function than we do, or one where we have none. */
function nmDifferences(
  file: SymbolFile,
  addresses: readonly number[],
  facts: ProgramFacts,
): string[] {
  // What is no name to us, as the marks of arm64 between code and data.
  const symbols = facts.symbols.filter(({ name }) => !/^(\.L|\$)/.test(name));
  const named = nmStacks(addresses, symbols, facts);
  return addresses.flatMap((address, row) => {
    const expected = named[row]?.[0]?.name;
    if (expected === undefined) return [];
    const found = file.lookup(address as ElfAddress, 'elf');
    const name = found.kind === 'unknown' ? '' : (found.lines.at(-1)?.name ?? '');
    if (facts.areSame(name, expected)) return [];
    return [`0x${address.toString(16)}: nm has ${expected}, we have ${name}`];
  });
}

export function describeFound({ what }: RealBinary, found: RealComparison): string {
  const { addresses, agreed, deviations, unexplained, nmWrong } = found;
  const reasons = [...deviations].map(([reason, count]) => `\n  ${count} ${reason}`).join('');
  const drawn = [...unexplained.map(describeMismatch), ...nmWrong].slice(0, DESCRIBED);
  const left = unexplained.length + nmWrong.length;
  const open = left > 0 ? `\n  ${left} without a reason\n${drawn.join('\n')}` : '';
  return `${what}: ${agreed} of ${addresses}${reasons}${open}`;
}
