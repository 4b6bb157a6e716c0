/** Tables of this machine's own programs against what binutils' readelf says of their frames. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { askReadelf, compareWithReadelf, compileFile } from '../../test/prove/unwind-tables.ts';
import { UnwindOp, UnwindRegisters } from './unwind-row.ts';
import { findUnwindRow } from './unwind-table.ts';

const SOURCE = 'test/fixtures/unwind/frames.c';

/** Share of the code whose rules are not followed; fails where a rule is not readelf's. */
async function compare(path: string): Promise<{ rows: number; unsupported: number }> {
  const { rows, bytes, unsupportedBytes, differences, damaged } = await compareWithReadelf(path);
  expect(differences.slice(0, 10)).toEqual([]);
  expect(damaged).toBe(0);
  return { rows, unsupported: unsupportedBytes / bytes };
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
  const table = await compileFile(program);
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
  expect(findUnwindRow(await compileFile(program), main)).toEqual({
    op: UnwindOp.stackPointer,
    registers: UnwindRegisters.same,
    a: 1,
    b: 0,
  });
});
