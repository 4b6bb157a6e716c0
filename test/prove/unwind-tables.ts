/** Unwind tables against what binutils' readelf says of the same files' frames. */
import { execFileSync } from 'node:child_process';
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UnwindOp, UnwindRegisters, type UnwindRow } from '../../agent/unwind/unwind-row.ts';
import {
  compileUnwindTable,
  findUnwindRow,
  type UnwindTable,
} from '../../agent/unwind/unwind-table.ts';
import { EverflameError } from '../../profile/errors.ts';
import { openByteSource } from '../../symbolizer/elf/byte-reader.ts';
import { Machine } from '../../symbolizer/elf/elf.ts';
import { openElfFile } from '../../symbolizer/elf/elf-file.ts';
import type { ProofOptions } from './proof.ts';

/** A string of V8 holds no more. */
const MAX_OUTPUT_BYTES = 512 * 2 ** 20;
const FOLDERS = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/llvm-19/lib', '/usr/bin'];

export async function compileFile(path: string): Promise<UnwindTable> {
  const source = openByteSource(path);
  try {
    return await compileUnwindTable(openElfFile(source));
  } finally {
    source.close();
  }
}

/** A piece of code in which one rule holds, as readelf writes it. */
interface ToldRow {
  start: number;
  end: number;
  cfa: string;
  rbp: string;
  ra: string;
  isSignal: boolean;
}

type ToldRules = Pick<ToldRow, 'cfa' | 'rbp' | 'ra'>;

export function askReadelf(path: string): ToldRow[] {
  const options = { encoding: 'utf8' as const, maxBuffer: MAX_OUTPUT_BYTES };
  const text = execFileSync('readelf', ['-wN', '--debug-dump=frames-interp', path], options);
  const commons = new Map<string, { isSignal: boolean; rules: ToldRules }>();
  // Entries are apart by an empty line.
  return text.split('\n\n').flatMap((entry) => {
    const lines = entry.split('\n');
    const rows = rulesOf(lines);
    const common = /^([0-9a-f]+) [0-9a-f]+ [0-9a-f]+ CIE "(\S*)"/m.exec(entry);
    if (common !== null) {
      const isSignal = (common[2] ?? '').includes('S');
      const rules = rows[0]?.rules;
      if (rules !== undefined) commons.set(common[1] ?? '', { isSignal, rules });
      return [];
    }
    const piece = /FDE cie=([0-9a-f]+) pc=([0-9a-f]+)\.\.([0-9a-f]+)/.exec(entry);
    const first = commons.get(piece?.[1] ?? '');
    if (piece === null || first === undefined) return [];
    const [from, to] = [piece[2], piece[3]].map((hex) => Number.parseInt(hex ?? '', 16));
    // An entry without instructions of its own is as its common one.
    const all = rows.length > 0 ? rows : [{ start: from ?? 0, rules: first.rules }];
    return all.flatMap(({ start, rules }, at) => {
      const end = all[at + 1]?.start ?? to ?? 0;
      return end > start ? [{ start, end, isSignal: first.isSignal, ...rules }] : [];
    });
  });
}

function rulesOf(lines: readonly string[]): { start: number; rules: ToldRules }[] {
  const columns =
    lines
      .find((line) => /^\s+LOC/.test(line))
      ?.trim()
      .split(/\s+/) ?? [];
  return lines.flatMap((line) => {
    const row = /^([0-9a-f]{16}) (.*)$/.exec(line);
    if (row === null) return [];
    // r10 (r10) is one cell.
    const cells = (row[2] ?? '')
      .replace(/ \(\w+\)/g, '')
      .trim()
      .split(/\s+/);
    const cellOf = (name: string) => cells[columns.indexOf(name) - 1] ?? 'u';
    const rules = { cfa: cellOf('CFA'), rbp: cellOf('rbp'), ra: cellOf('ra') };
    return [{ start: Number.parseInt(row[1] ?? '', 16), rules }];
  });
}

const REGISTERS = new Map([
  ['u', 'same'],
  ['s', 'same'],
  ['exp', 'expression'],
]);

/** What a row says, in readelf's words; of expressions, that it is one. */
function tell({ op, registers, a, b }: UnwindRow): string {
  if (op === UnwindOp.stop) return 'stop';
  if (op === UnwindOp.signal) return 'signal';
  if (op === UnwindOp.unsupported) return 'unsupported';
  const isExpression = op !== UnwindOp.stackPointer && op !== UnwindOp.framePointer;
  const register = op === UnwindOp.stackPointer ? 'rsp' : 'rbp';
  const cfa = isExpression ? 'exp' : `${register}+${8 * a}`;
  return `${cfa} ${tellRegister(registers, b)}`;
}

function tellRegister(registers: number, b: number): string {
  if (registers === UnwindRegisters.atCfa) return `c${8 * b}`;
  return registers === UnwindRegisters.same ? 'same' : 'expression';
}

function wanted({ cfa, rbp, ra, isSignal }: ToldRow): string {
  if (isSignal) return 'signal';
  if (ra === 'u') return 'stop';
  // In another register, which is not followed.
  if (/^r\w+$/.test(rbp)) return `${cfa} expression`;
  return `${cfa} ${REGISTERS.get(rbp) ?? rbp}`;
}

export interface TableComparison {
  rows: number;
  bytes: number;
  /** Of code with registers that are not followed, or expressions of other shapes. */
  unsupportedBytes: number;
  differences: string[];
  damaged: number;
  compileMs: number;
}

/** Compares the rules of the first and last byte of each piece of code. */
export async function compareWithReadelf(path: string): Promise<TableComparison> {
  const start = performance.now();
  const table = await compileFile(path);
  const compileMs = performance.now() - start;
  const told = askReadelf(path);
  let [bytes, unsupportedBytes] = [0, 0];
  const differences: string[] = [];
  for (const row of told) {
    bytes += row.end - row.start;
    for (const address of new Set([row.start, row.end - 1])) {
      const found = findUnwindRow(table, address);
      const said = found === null ? 'nothing' : tell(found);
      if (said === 'unsupported') {
        if (address === row.start) unsupportedBytes += row.end - row.start;
      } else if (said !== wanted(row)) {
        differences.push(`${address.toString(16)}: ${said}, readelf: ${wanted(row)}`);
      }
    }
  }
  const { damagedEntries: damaged } = table.facts;
  return { rows: told.length, bytes, unsupportedBytes, differences, damaged, compileMs };
}

/** All x86-64 programs and libraries of this machine. Throws at the first rule that differs. */
export async function proveUnwindTables({ log }: ProofOptions): Promise<string> {
  const sum = { files: 0, left: 0, rows: 0, bytes: 0, unsupportedBytes: 0, compileMs: 0 };
  for (const path of [...programs(), realpathSync(process.execPath)]) {
    const compared = await tryCompare(path, log);
    if (compared === null) {
      sum.left++;
      continue;
    }
    const { differences, damaged } = compared;
    if (differences.length > 0 || damaged > 0) {
      throw new Error(`${path}: ${damaged} damaged; ${differences.slice(0, 5).join('; ')}`);
    }
    sum.files++;
    for (const name of ['rows', 'bytes', 'unsupportedBytes', 'compileMs'] as const) {
      sum[name] += compared[name];
    }
  }
  const share = ((100 * sum.unsupportedBytes) / sum.bytes).toFixed(2);
  const mb = (sum.bytes / 1e6).toFixed(0);
  return (
    `${sum.files} files, ${mb} MB of code, ${sum.rows} rules, all as readelf has them; ${share} % of ` +
    `the code has rules that are not followed; compiled in ${(sum.compileMs / 1000).toFixed(1)} s; ` +
    `${sum.left} files left out, which are for other machines or no ELF files`
  );
}

/** Null where it is no file for this proof; the log says why of those that are ELF files. */
async function tryCompare(
  path: string,
  log: (line: string) => void,
): Promise<TableComparison | null> {
  try {
    const source = openByteSource(path);
    try {
      if (openElfFile(source).header.machine !== Machine.x86_64) return null;
    } finally {
      source.close();
    }
    const compared = await compareWithReadelf(path);
    if (compared.compileMs > 500) log(`${path}: ${compared.rows} rules, ${compared.compileMs} ms`);
    return compared.bytes === 0 ? null : compared;
  } catch (error) {
    if (!(error instanceof EverflameError)) throw error;
    return null;
  }
}

function programs(): string[] {
  const found = new Set<string>();
  for (const folder of FOLDERS) {
    for (const entry of statSync(folder, { throwIfNoEntry: false }) ? readdirSync(folder) : []) {
      const path = join(folder, entry);
      if (folder.endsWith('bin') || /\.so(\.|$)/.test(entry)) found.add(path);
    }
  }
  const files = [...found].filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  return [...new Set(files.map((path) => realpathSync(path)))].sort();
}
