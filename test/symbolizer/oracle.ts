/** What LLVM's and GNU's symbolizers say of addresses. */
import { createRandom } from '../../bench/random.ts';
import { openByteSource } from '../../symbolizer/elf/byte-reader.ts';
import { ElfType, readElfHeader, readSections, SectionFlag } from '../../symbolizer/elf/elf.ts';
import type { SymbolLine } from '../../symbolizer/symbol-file/symbol-file.ts';
import { runTool } from '../fixtures/debuginfo-tools.ts';

/** What must be installed for a comparison. */
export const ORACLES = [
  'llvm-symbolizer',
  'llvm-objdump',
  'nm',
  'readelf',
  'addr2line',
  'eu-addr2line',
];

/** Every address of the code, or `limit` of them, drawn with the seed, in ascending order. */
export function drawAddresses(path: string, limit: number, seed: number): number[] {
  const sections = codeSections(path);
  const total = sections.reduce((sum, { size }) => sum + size, 0);
  const random = createRandom(seed);
  const rows = new Set<number>();
  while (rows.size < Math.min(limit, total)) {
    rows.add(limit >= total ? rows.size : Math.floor(random.fraction() * total));
  }
  const addresses: number[] = [];
  for (const row of rows) {
    let rest = row;
    for (const { address, size } of sections) {
      if (rest < size) addresses.push(address + rest);
      if (rest < size) break;
      rest -= size;
    }
  }
  return addresses.sort((a, b) => a - b);
}

function codeSections(path: string) {
  const source = openByteSource(path);
  try {
    const header = readElfHeader(source);
    const code = readSections(source, header).filter(
      ({ flags, size }) => (flags & SectionFlag.exec) !== 0 && size > 0,
    );
    // An object file's addresses are its file offsets.
    return header.type === ElfType.rel
      ? code.map((section) => ({ address: section.offset, size: section.size }))
      : code;
  } finally {
    source.close();
  }
}

interface LlvmAnswer {
  Symbol: { FunctionName: string; FileName: string; Line: number }[];
}

/** llvm-symbolizer's stack for each address, innermost first; empty where it knows nothing. */
export function askLlvm(path: string, addresses: readonly number[]): SymbolLine[][] {
  const args = [`--obj=${path}`, '--no-demangle', '--output-style=JSON'];
  const output = runTool('llvm-symbolizer', args, { input: addressLines(addresses) });
  const lines = output.toString().trimEnd().split('\n');
  return lines.map((text) => {
    const answer = JSON.parse(text) as LlvmAnswer;
    const stack = answer.Symbol.map((symbol) => ({
      name: symbol.FunctionName,
      file: symbol.FileName,
      line: symbol.Line,
    }));
    return stack.filter(({ name, file, line }) => name !== '' || file !== '' || line !== 0);
  });
}

/** GNU addr2line's place of each address, without inlined calls. */
export function askAddr2line(path: string, addresses: readonly number[]): SymbolLine[] {
  const output = runTool('addr2line', ['-f', '-e', path], { input: addressLines(addresses) });
  const lines = output.toString().split('\n');
  return addresses.map((_, row) => {
    const place = /^(.*):(\d+|\?)(?: \(discriminator \d+\))?$/.exec(lines[row * 2 + 1] ?? '');
    const file = place?.[1] === '??' ? '' : (place?.[1] ?? '');
    return { name: lines[row * 2] ?? '', file, line: Number(place?.[2]) || 0 };
  });
}

export function addressLines(addresses: readonly number[]): string {
  return addresses.map((address) => `0x${address.toString(16)}\n`).join('');
}
