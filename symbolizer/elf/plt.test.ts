import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { symbolName } from '../symbol-file/symbol-ranges.ts';
import { bytesSource } from './byte-reader.ts';
import { openElfFile } from './elf-file.ts';
import { readPltSymbols } from './plt.ts';
import { planStrip } from './strip.ts';

/** GNU's knows all stubs of x86-64, LLVM's those of arm64. */
const OBJDUMP = { x86: 'objdump', arm: '/usr/lib/llvm-19/bin/llvm-objdump' };
const CALLEES = Array.from({ length: 9 }, (_, i) => `callee_${i}`);

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'plt-'));
  const calls = CALLEES.map((name) => `extern int ${name}(int);`);
  const sum = CALLEES.map((name) => `${name}(x)`).join('+');
  // A call and an address of the same function are what .plt.got is for.
  const source = `${calls.join('\n')}\nint sum(int x) { return ${sum}; }
    void *address(void) { return callee_3; }`;
  writeFileSync(join(directory, 'sum.c'), source);
  const bodies = CALLEES.map((name) => `int ${name}(int x) { return x; }\n`);
  writeFileSync(join(directory, 'callees.c'), bodies.join(''));
  const args = ['-m32', '-shared', '-fPIC', '-nostdlib', '-o', 'callees.so', 'callees.c'];
  execFileSync('clang', args, { cwd: directory, stdio: 'pipe' });
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Rows as text: `1030 10 malloc@plt`. */
function pltRows(bytes: Buffer): string[] {
  const symbols = readPltSymbols(openElfFile(bytesSource(bytes)));
  const rows = Array.from({ length: symbols.count }, (_, row) => {
    const name = Buffer.from(symbolName(symbols, row)).toString();
    const start = (symbols.start[row] as number).toString(16);
    return `${start} ${(symbols.size[row] as number).toString(16)} ${name}`;
  });
  return rows.toSorted((a, b) => Number.parseInt(a, 16) - Number.parseInt(b, 16));
}

/** What an agent sends of it. */
async function extract(bytes: Buffer): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const read = async (offset: number, length: number) => bytes.subarray(offset, offset + length);
  for await (const chunk of planStrip(bytesSource(bytes))?.chunks(read, 0) ?? []) {
    chunks.push(Uint8Array.from(chunk));
  }
  return Buffer.concat(chunks);
}

function build(name: string, args: readonly string[]): Buffer {
  const path = join(directory, name);
  execFileSync('clang', [...args, '-O1', '-o', path, 'sum.c'], { cwd: directory, stdio: 'pipe' });
  return readFileSync(path);
}

const SHARED = ['-shared', '-fPIC', '-nostdlib'];
/** A program that is not position-independent needs a library that has the functions. */
const ABSOLUTE_I386 = ['-m32', '-nostdlib', '-no-pie', '-Wl,-e,sum,--no-as-needed', 'callees.so'];
const I386 = ['-m32', ...SHARED];
const ARM = ['--target=aarch64-linux-gnu', '-fuse-ld=lld', ...SHARED];

describe('stubs have the names that objdump gives them', () => {
  test.each<[string, string[]]>([
    ['x86-64 ld', SHARED],
    ['x86-64 ld now', [...SHARED, '-Wl,-z,now']],
    ['x86-64 ld ibt', [...SHARED, '-fcf-protection=full', '-Wl,-z,ibtplt']],
    ['x86-64 lld', [...SHARED, '-fuse-ld=lld']],
    ['x86-64 lld ibt', [...SHARED, '-fuse-ld=lld', '-fcf-protection=full', '-Wl,-z,force-ibt']],
    ['x86-64 gold', [...SHARED, '-fuse-ld=gold']],
    ['i386 ld', I386],
    ['i386 ld now', [...I386, '-Wl,-z,now']],
    ['i386 ld ibt', [...I386, '-fcf-protection=full', '-Wl,-z,ibtplt']],
    ['i386 ld absolute', ABSOLUTE_I386],
    ['i386 lld', [...I386, '-fuse-ld=lld']],
    ['i386 gold', [...I386, '-fuse-ld=gold']],
    ['arm64 lld', ARM],
    ['arm64 lld bti', [...ARM, '-mbranch-protection=standard', '-Wl,-z,force-bti']],
    ['arm64 lld pac', [...ARM, '-mbranch-protection=standard', '-Wl,-z,pac-plt']],
  ])('%s', async (name, args) => {
    const bytes = build(name, args);
    const rows = pltRows(bytes);
    const objdump = name.startsWith('arm64') ? OBJDUMP.arm : OBJDUMP.x86;
    const text = execFileSync(objdump, ['-d', join(directory, name)]).toString();
    const expected = [...text.matchAll(/^0*([0-9a-f]+) <(\S+@plt)>:$/gm)];
    expect(rows.map((row) => row.replace(/ \S+ /, ' '))).toEqual(
      expected.map(([, address, label]) => `${address} ${label}`),
    );
    expect(new Set(rows.map((row) => row.split(' ')[2]))).toEqual(
      new Set(CALLEES.map((callee) => `${callee}@plt`)),
    );
    expect(pltRows(await extract(bytes))).toEqual(rows);
    const sizes = new Set(rows.map((row) => row.split(' ')[1]));
    expect([...sizes].every((size) => ['8', '10', '18'].includes(size ?? ''))).toBe(true);
  });
});

test('machines whose stubs are not read have none', () => {
  const bytes = build('x86-64 other', SHARED);
  bytes.writeUInt16LE(243, 18); // e_machine: RISC-V
  expect(pltRows(bytes)).toEqual([]);
});

test('forged relocations name nothing, or what is there', () => {
  const bytes = build('x86-64 forged', SHARED);
  const section = openElfFile(bytesSource(bytes)).section('.rela.plt');
  for (let at = 0; at < (section?.size ?? 0); at++) {
    const forged = Buffer.from(bytes);
    forged.writeUInt8(0xff, (section?.offset ?? 0) + at);
    for (const row of pltRows(forged)) expect(row).toMatch(/@plt$/);
  }
});
