/**
 * What tools other than llvm-symbolizer say of a program: binutils' nm, readelf and addr2line,
 * elfutils' eu-addr2line, llvm-objdump. A difference is excused only by these.
 */
import type { SymbolLine } from '../../symbolizer/symbol-file/symbol-file.ts';
import { runTool } from '../fixtures/debuginfo-tools.ts';
import { type NmSymbol, nmSymbols } from '../fixtures/elf-builds.ts';
import { addressLines, askAddr2line } from './oracle.ts';

/** A stub of the PLT, to the next one or the end of its section. */
interface Stub {
  start: number;
  end: number;
  name: string;
}

interface Section {
  name: string;
  start: number;
  end: number;
}

export interface ProgramFacts {
  /** By nm: .symtab and .dynsym. */
  symbols: readonly NmSymbol[];
  /** By nm: .dynsym alone. */
  exported: readonly NmSymbol[];
  /** Whether two names are of the same code: equal address and size. */
  areSame(a: string, b: string): boolean;
  /** The name of the PLT's stub there, by llvm-objdump; empty where none is. */
  stubAt(address: number): string;
  /** The section there, by readelf; empty where none is. */
  sectionAt(address: number): string;
  /** Whether the symbol table lists that file (STT_FILE), by readelf. */
  listsFile(name: string): boolean;
  /** Whether neither debug information (by eu-addr2line) nor a symbol with a size covers it. */
  isOutsideFunctions(address: number): boolean;
  /** Whether there is no line there, by addr2line. */
  hasNoLine(address: number): boolean;
}

/** `stacks` are llvm-symbolizer's, which decide what the others are asked about. */
export function gatherFacts(
  program: string,
  addresses: readonly number[],
  stacks: readonly (readonly SymbolLine[])[],
): ProgramFacts {
  const exported = nmSymbols(program, ['-D']);
  const symbols = [...nmSymbols(program), ...exported];
  const stubs = readStubs(program);
  const sections = readCodeSections(program);
  const files = readFileSymbols(program);
  const nameless = addresses.filter((_, row) => stacks[row]?.[0]?.name === '');
  const outside = namelessAddresses(program, nameless);
  const lineless = addresses.filter((_, row) => stacks[row]?.at(-1)?.line === 0);
  const gnu = askAddr2line(program, lineless);
  const withoutLine = new Set(lineless.filter((_, row) => gnu[row]?.line === 0));
  const covers = (address: number) => (symbol: NmSymbol) =>
    symbol.address <= address && address < symbol.address + symbol.size;
  return {
    symbols,
    exported,
    areSame: sameNames(symbols),
    stubAt: (address) => rangeAt(stubs, address)?.name ?? '',
    sectionAt: (address) => rangeAt(sections, address)?.name ?? '',
    listsFile: (name) => files.has(name),
    isOutsideFunctions: (address) => outside.has(address) && !symbols.some(covers(address)),
    hasNoLine: (address) => withoutLine.has(address),
  };
}

function rangeAt<T extends { start: number; end: number }>(
  ranges: readonly T[],
  address: number,
): T | undefined {
  return ranges.find(({ start, end }) => start <= address && address < end);
}

function sameNames(symbols: readonly NmSymbol[]): ProgramFacts['areSame'] {
  const places = new Map<string, Set<string>>();
  for (const { name, address, size } of symbols) {
    const known = places.get(name);
    if (known === undefined) places.set(name, new Set([`${address}+${size}`]));
    else known.add(`${address}+${size}`);
  }
  return (a, b) => {
    if (a === b) return true;
    const other = places.get(b);
    return other !== undefined && [...(places.get(a) ?? [])].some((place) => other.has(place));
  };
}

/** Go programs have no PLT, and objdump says so. */
function readStubs(program: string): Stub[] {
  const sections = readCodeSections(program).filter(({ name }) => name.startsWith('.plt'));
  if (sections.length === 0) return [];
  const chosen = sections.flatMap(({ name }) => ['-j', name]);
  const text = runTool('llvm-objdump', ['-d', '--no-show-raw-insn', ...chosen, program]).toString();
  const labels = [...text.matchAll(/^([0-9a-f]+) <(.*)>:$/gm)].map((match) => ({
    start: Number.parseInt(match[1] ?? '', 16),
    name: match[2] ?? '',
  }));
  const stubs = sections.flatMap(({ start: first, end: last }) => {
    const own = labels.filter(({ start }) => first <= start && start < last);
    // Stubs of IFUNCs have no label, so a stub does not reach to the next one that has.
    const gaps = own.map(({ start }, row) => (own[row + 1]?.start ?? last) - start);
    const stubBytes = Math.min(...gaps);
    return own.map(({ start, name }) => ({ start, end: start + stubBytes, name }));
  });
  return stubs.filter(({ name }) => name.endsWith('@plt'));
}

function readCodeSections(program: string): Section[] {
  const text = runTool('readelf', ['-SW', program]).toString();
  // `  [15] .text  PROGBITS  00000000000022a0 0022a0 0029a8 00  AX  0   0 16`
  const row = /^ *\[ *\d+\] (\S+) +\S+ +([0-9a-f]+) [0-9a-f]+ ([0-9a-f]+) [0-9a-f]+ +(\S*X\S*) /gm;
  return [...text.matchAll(row)].map(([, name = '', address = '', size = '']) => {
    const start = Number.parseInt(address, 16);
    return { name, start, end: start + Number.parseInt(size, 16) };
  });
}

function readFileSymbols(program: string): Set<string> {
  const text = runTool('readelf', ['-sW', program]).toString();
  return new Set(
    [...text.matchAll(/ FILE +LOCAL +DEFAULT +ABS (.+)$/gm)].map(([, name = '']) => name),
  );
}

/** Those of the addresses for which eu-addr2line has no function. */
function namelessAddresses(program: string, addresses: readonly number[]): Set<number> {
  const options = ['-f', '-e', program];
  const text = runTool('eu-addr2line', options, { input: addressLines(addresses) }).toString();
  const lines = text.split('\n');
  return new Set(addresses.filter((_, row) => lines[row * 2] === '??'));
}

/**
 * The function that nm's symbols and the PLT's stubs name at each address (ascending), by
 * docs/formats.md section 4.2, as llvm-symbolizer's answer would show it.
 */
export function nmStacks(
  addresses: readonly number[],
  symbols: readonly NmSymbol[],
  facts: ProgramFacts,
): SymbolLine[][] {
  const sorted = [...symbols].sort((a, b) => a.address - b.address || b.size - a.size);
  const before: NmSymbol[] = [];
  let lastEnd = 0;
  return addresses.map((address) => {
    for (let next = sorted[before.length]; next !== undefined; next = sorted[before.length]) {
      if (next.address > address) break;
      before.push(next);
      lastEnd = Math.max(lastEnd, next.address + next.size);
    }
    const name = nameBehind(before, lastEnd, address, facts);
    return name === '' ? [] : [{ name, file: '', line: 0 }];
  });
}

/** A function around the address, else the one before it if it has no size, else a label, a stub. */
function nameBehind(
  before: readonly NmSymbol[],
  lastEnd: number,
  address: number,
  { sectionAt, stubAt }: ProgramFacts,
): string {
  if (address < lastEnd) {
    const around = before.findLast(({ address: start, size }) => address < start + size);
    return around?.name ?? '';
  }
  const section = sectionAt(address);
  const reaches = (symbol: NmSymbol | undefined): symbol is NmSymbol =>
    symbol !== undefined && symbol.size === 0 && sectionAt(symbol.address) === section;
  const last = before.findLast(({ isLabel }) => !isLabel);
  if (reaches(last)) return last.name;
  const label = before.findLast(({ isLabel }) => isLabel);
  if (reaches(label) && label.address >= lastEnd) return label.name;
  return stubAt(address);
}
