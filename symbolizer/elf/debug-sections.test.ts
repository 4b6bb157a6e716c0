import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EverflameError } from '../../profile/errors.ts';
import { bytesSource } from './byte-reader.ts';
import { type CompressionHeader, decompress, prepareZstd } from './compressed-section.ts';
import { DebugSectionReader, readDwarfSections, readSection } from './debug-sections.ts';
import { openElfFile } from './elf-file.ts';

const LLVM = '/usr/lib/llvm-19/bin';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'debug-sections-'));
  const functions = Array.from(
    { length: 40 },
    (_, i) => `int function_${i}(int x) { if (x > ${i}) x = x * ${i + 3}; return x; }`,
  );
  writeFileSync(join(directory, 'a.c'), functions.join('\n'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { cwd: directory, stdio: 'pipe' });
}

function open(name: string) {
  return openElfFile(bytesSource(readFileSync(join(directory, name))));
}

/** A decompressed size, or the error. */
async function tryDecompress(bytes: Uint8Array, header: CompressionHeader): Promise<unknown> {
  await prepareZstd();
  try {
    return decompress('x', bytes, header).length;
  } catch (error) {
    return error;
  }
}

const sha = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('compressed sections', () => {
  test.each([
    ['zlib', ['objcopy', '--compress-debug-sections=zlib']],
    ['.zdebug', ['objcopy', '--compress-debug-sections=zlib-gnu']],
    ['zstd', [`${LLVM}/llvm-objcopy`, '--compress-debug-sections=zstd']],
  ])('%s: the same bytes as without', async (name, [tool = '', option = '']) => {
    run('gcc', '-g', '-O1', '-shared', '-fPIC', '-o', 'plain', 'a.c');
    run(tool, option, 'plain', name);
    const compressed = open(name);
    const sections = await readDwarfSections(compressed, { dwo: false }, []);
    const plain = await readDwarfSections(open('plain'), { dwo: false }, []);
    expect(Object.values(sections).map(sha)).toEqual(Object.values(plain).map(sha));
    expect(sections.info.length).toBeGreaterThan(1_000);
    const isCompressed = compressed.names.includes('.zdebug_info');
    const flags = compressed.section('.debug_info')?.flags ?? 0x800;
    expect([isCompressed, flags & 0x800]).toEqual([name === '.zdebug', 0x800]);
  });

  test('an object file that is compressed and has relocations', async () => {
    run('gcc', '-g', '-O1', '-c', '-gz=zlib', '-o', 'zlib.o', 'a.c');
    run('objcopy', '--decompress-debug-sections', 'zlib.o', 'plain.o');
    const [zlib, plain] = [open('zlib.o'), open('plain.o')];
    expect(sha(await readSection(zlib, '.debug_info'))).toBe(
      sha(await readSection(plain, '.debug_info')),
    );
  });

  const good = deflateSync(Buffer.alloc(5_000, 'abc'));
  const header = { type: 1, size: 5_000, headerSize: 0 };
  test.each([
    ['whole', good, header, '5000 bytes'],
    ['cut', good.subarray(0, 10), header, 'no zlib data'],
    ['longer than it says', good, { ...header, size: 4_999 }, 'no zlib data'],
    ['shorter than it says', good, { ...header, size: 5_001 }, '5000 bytes, not 5001'],
    ['a forged size', good, { ...header, size: 2 ** 26 }, 'a forged size'],
    ['a size over the limit', good, { ...header, size: 2 ** 40 }, 'x has 1099511627776 bytes'],
    ['no zstd data', good, { ...header, type: 2 }, 'no zstd data'],
    ['an unknown method', good, { ...header, type: 3 }, 'compressed by method 3'],
  ])('%s', async (_, bytes, claimed, answer) => {
    const result = await tryDecompress(bytes, claimed);
    expect(result instanceof EverflameError ? result.message : `${result} bytes`).toContain(answer);
  });

  test('zstd that is damaged anywhere ends with an error or the right size', async () => {
    run('gcc', '-g', '-O1', '-shared', '-fPIC', '-o', 'plain', 'a.c');
    run(`${LLVM}/llvm-objcopy`, '--compress-debug-sections=zstd', 'plain', 'zstd');
    const elf = open('zstd');
    const { offset, size } = elf.section('.debug_info') as { offset: number; size: number };
    const original = Uint8Array.from(elf.source.read(offset, size));
    const claimed = { type: 2, size: (await readSection(elf, '.debug_info')).length };
    await fc.assert(
      fc.asyncProperty(fc.nat(size - 25), fc.nat(255), fc.boolean(), async (at, value, cut) => {
        const bytes = cut ? original.slice(0, 24 + at) : Uint8Array.from(original);
        if (!cut) bytes[24 + at] = value;
        const result = await tryDecompress(bytes, { ...claimed, headerSize: 24 });
        if (!(result instanceof EverflameError)) expect(result).toBe(claimed.size);
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});

describe('object files', () => {
  // Linked so that the code's address is its offset in the object file.
  test.each([
    ['x86-64', '--target=x86_64-linux-gnu', '-gdwarf-4', '.debug_line'],
    ['x86-64', '--target=x86_64-linux-gnu', '-gdwarf-5', '.debug_addr'],
    ['arm64', '--target=aarch64-linux-gnu', '-gdwarf-4', '.debug_line'],
    ['arm64', '--target=aarch64-linux-gnu', '-gdwarf-5', '.debug_addr'],
    ['i386', '--target=i386-linux-gnu', '-gdwarf-4', '.debug_line'],
    ['i386', '--target=i386-linux-gnu', '-gdwarf-5', '.debug_addr'],
  ])('%s %s %s: %s as the linker writes it', async (_, target, version, name) => {
    run('clang', target, version, '-O1', '-c', '-o', 'target.o', 'a.c');
    const object = open('target.o');
    const offset = object.section('.text')?.offset ?? 0;
    run(
      'ld.lld',
      '--image-base=0',
      `-Ttext=0x${offset.toString(16)}`,
      '-e0',
      '-o',
      'linked',
      'target.o',
    );
    const relocated = await readSection(object, name);
    expect(relocated.length).toBeGreaterThan(0);
    expect(sha(relocated)).toBe(sha(await readSection(open('linked'), name)));
  });

  test('names go on through .debug_str', async () => {
    run('clang', '-gdwarf-4', '-c', '-o', 'names.o', 'a.c');
    const reader = new DebugSectionReader(open('names.o'));
    const info = await reader.read('.debug_info');
    const str = Buffer.from(await reader.read('.debug_str'));
    // The first reference of the unit's DIE is its producer.
    const producer = Buffer.from(info).readUInt32LE(12);
    expect(str.toString('latin1', producer, producer + 40)).toMatch(/clang/);
    expect(reader.unknownRelocations).toBe(0);
  });

  test('relocations reach code behind section 65,280', async () => {
    const filler = Array.from({ length: 66_000 }, (_, i) => `.section .d${i},"a"`);
    const code = ['.section .text.far,"ax"', '.globl far', 'far: ret'];
    const reference = ['.section .debug_info', '.quad far'];
    writeFileSync(join(directory, 'far.s'), [...filler, ...code, ...reference, ''].join('\n'));
    run('as', '-o', 'far.o', 'far.s');
    const elf = openElfFile(bytesSource(readFileSync(join(directory, 'far.o'))));
    const info = await new DebugSectionReader(elf).read('.debug_info');
    const [address] = new BigUint64Array(Uint8Array.from(info).buffer);
    expect(Number(address)).toBe(elf.section('.text.far')?.offset);
  });

  test('forged relocations stay inside the section', async () => {
    run('gcc', '-g', '-c', '-o', 'forged.o', 'a.c');
    const bytes = readFileSync(join(directory, 'forged.o'));
    const table = openElfFile(bytesSource(bytes)).section('.rela.debug_line');
    for (let at = table?.offset ?? 0; at < (table?.offset ?? 0) + (table?.size ?? 0); at += 24) {
      bytes.writeBigUInt64LE(0xfffffffffffffff0n, at);
    }
    const reader = new DebugSectionReader(openElfFile(bytesSource(bytes)));
    await reader.read('.debug_line');
    expect(reader.unknownRelocations).toBeGreaterThan(0);
    const problems: string[] = [];
    await readDwarfSections(openElfFile(bytesSource(bytes)), { dwo: false }, problems);
    expect(problems).toEqual([
      expect.stringMatching(/^\d+ relocations of debug sections could not/),
    ]);
  });

  test.each([
    ['gcc', '-gdwarf-4'],
    ['clang', '-gdwarf-5'],
    ['clang', '-gdwarf-4', '-m32'],
    ['clang', '-gdwarf-5', '--target=aarch64-linux-gnu'],
  ])('variables of threads are none that could not be applied: %s %s %s', async (...command) => {
    const source = '__thread int a; static __thread int b; int f(int x) { return a + b++ + x; }';
    writeFileSync(join(directory, 'thread.c'), source);
    const [compiler = '', ...options] = command;
    run(compiler, ...options, '-fPIC', '-c', '-o', 'thread.o', 'thread.c');
    const bytes = readFileSync(join(directory, 'thread.o'));
    const problems: string[] = [];
    await readDwarfSections(openElfFile(bytesSource(bytes)), { dwo: false }, problems);
    expect(problems).toEqual([]);
  });
});
