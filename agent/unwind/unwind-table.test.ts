/** Tables of this machine's own programs against what binutils' readelf says of their frames. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openByteSource } from '../../symbolizer/elf/byte-reader.ts';
import { openElfFile } from '../../symbolizer/elf/elf-file.ts';
import { UnwindOp, UnwindRegisters, type UnwindRow } from './unwind-row.ts';
import { compileUnwindTable, findUnwindRow, type UnwindTable } from './unwind-table.ts';

const MAX_OUTPUT_BYTES = 512 * 2 ** 20;
const SOURCE = 'test/fixtures/unwind/frames.c';

async function compile(path: string): Promise<UnwindTable> {
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

function askReadelf(path: string): ToldRow[] {
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
  return `${cfa} ${REGISTERS.get(rbp) ?? rbp}`;
}

/** Share of the code whose rules are not followed; fails where a rule is not readelf's. */
async function compare(path: string): Promise<{ rows: number; unsupported: number }> {
  const table = await compile(path);
  const told = askReadelf(path);
  let [bytes, unsupported] = [0, 0];
  const differences: string[] = [];
  for (const row of told) {
    bytes += row.end - row.start;
    for (const address of new Set([row.start, row.end - 1])) {
      const found = findUnwindRow(table, address);
      const said = found === null ? 'nothing' : tell(found);
      if (said === 'unsupported') {
        // Registers that are not followed, and expressions of other shapes.
        if (address === row.start) unsupported += row.end - row.start;
      } else if (said !== wanted(row)) {
        differences.push(`${address.toString(16)}: ${said}, readelf: ${wanted(row)}`);
      }
    }
  }
  expect(differences.slice(0, 10)).toEqual([]);
  expect(table.facts.damagedEntries).toBe(0);
  return { rows: told.length, unsupported: unsupported / bytes };
}

/** Libraries and programs that every machine with Node has. */
function systemFiles(): string[] {
  const maps = readFileSync('/proc/self/maps', 'utf8');
  const mapped = new Set(maps.match(/\/\S+\/lib(?:c|m|stdc\+\+|gcc_s)\.so\S*/g) ?? []);
  return [...mapped, '/bin/bash', '/usr/bin/perl'].filter((path) => existsSync(path));
}

test.each(systemFiles())('%s: every rule is the one that readelf shows', async (path) => {
  const { rows, unsupported } = await compare(path);
  expect(rows).toBeGreaterThan(100);
  expect(unsupported).toBeLessThan(0.01);
});

test('frames that move, that are aligned and of stubs', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'everflame-unwind-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const program = join(folder, 'frames');
  const flags = ['-O2', '-fomit-frame-pointer', '-Wl,-z,lazy'];
  execFileSync('gcc', [...flags, '-o', program, SOURCE]);
  expect((await compare(program)).unsupported).toBe(0);
  const ops = new Set<number>();
  const table = await compile(program);
  for (const { start } of askReadelf(program)) ops.add(findUnwindRow(table, start)?.op ?? -1);
  const { stackPointer, framePointer, plt, stop } = UnwindOp;
  for (const op of [stackPointer, framePointer, plt, stop]) expect(ops).toContain(op);
});

test('.debug_frame serves code that .eh_frame leaves out', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'everflame-unwind-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const program = join(folder, 'frames');
  const flags = ['-O2', '-g', '-fomit-frame-pointer', '-fno-asynchronous-unwind-tables'];
  execFileSync('gcc', [...flags, '-fno-unwind-tables', '-gz', '-o', program, SOURCE]);
  const names = execFileSync('nm', [program], { encoding: 'utf8' });
  const main = Number.parseInt(/^([0-9a-f]+) T main$/m.exec(names)?.[1] ?? '', 16);
  expect(findUnwindRow(await compile(program), main)).toEqual({
    op: UnwindOp.stackPointer,
    registers: UnwindRegisters.same,
    a: 1,
    b: 0,
  });
});
