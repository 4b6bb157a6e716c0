import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { EverflameError } from '../../profile/errors.ts';
import { bytesSource } from '../../symbolizer/elf/byte-reader.ts';
import { openElfFile } from '../../symbolizer/elf/elf-file.ts';
import { decodeUnwindTable, encodeUnwindTable } from './table-file.ts';
import { compileTables } from './unwind-compiler.ts';
import { compileUnwindTable } from './unwind-table.ts';

const SOURCE = 'test/fixtures/unwind/frames.c';

function build(): { folder: string; program: string } {
  const folder = mkdtempSync(join(tmpdir(), 'everflame-unwind-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const program = join(folder, 'frames');
  execFileSync('gcc', ['-O2', '-fomit-frame-pointer', '-o', program, SOURCE]);
  return { folder, program };
}

const compileHere = (path: string) =>
  compileUnwindTable(openElfFile(bytesSource(readFileSync(path))));

test('a process without rights compiles what it is handed, and says what it cannot', async () => {
  const { folder, program } = build();
  const secret = join(folder, 'secret');
  writeFileSync(secret, readFileSync(program), { mode: 0o000 });
  const text = join(folder, 'text');
  writeFileSync(text, 'no program');
  const files = [program, text, secret].map((path) => openSync(path, 'r'));
  onTestFinished(() => files.forEach((fd) => void closeSync(fd)));
  const [table, error, other] = await compileTables(files, new AbortController().signal);
  expect(table).toEqual(await compileHere(program));
  expect(error).toBeInstanceOf(EverflameError);
  expect(String(error)).toContain('ELF magic');
  expect(other).toEqual(table);
});

test('one that is stopped says so', async () => {
  const { program } = build();
  const fd = openSync(program, 'r');
  onTestFinished(() => closeSync(fd));
  const stop = new AbortController();
  const compiling = compileTables([fd], stop.signal);
  stop.abort(new Error('enough'));
  await expect(compiling).rejects.toThrow('enough');
});

test('bytes that are no table are refused', async () => {
  const bytes = encodeUnwindTable(await compileHere(build().program));
  expect(decodeUnwindTable(bytes).facts.entries).toBeGreaterThan(5);
  const faults: [string, (copy: Buffer) => Buffer][] = [
    ['is too short', (copy) => copy.subarray(0, 20)],
    ['does not begin as one', (copy) => copy.fill(0, 0, 1)],
    ['is too large', (copy) => copy.fill(0xff, 12, 16)],
    ['has too many facts', (copy) => copy.fill(0xff, 20, 24)],
    ['has another length than it says', (copy) => copy.subarray(0, -1)],
    ['begins nowhere', (copy) => copy.fill(0xff, 24, 32)],
    ['has pages outside of its rows', (copy) => copy.fill(0xff, 32, 36)],
  ];
  for (const [problem, break_] of faults) {
    expect(() => decodeUnwindTable(break_(Buffer.from(bytes)))).toThrow(problem);
  }
});
