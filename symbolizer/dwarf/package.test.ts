import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TextId } from '../code-piece.ts';
import { bytesSource } from '../elf/byte-reader.ts';
import { readDwarfSections } from '../elf/debug-sections.ts';
import { openElfFile } from '../elf/elf-file.ts';
import { readDwarf } from './dwarf.ts';
import type { DwarfReport } from './dwarf-input.ts';
import { openSplit, type SplitFiles } from './package.ts';

const LLVM = '/usr/lib/llvm-19/bin';
const UNITS = ['main', 'first', 'second_with_a_long_name'];
const GCC4 = ['gcc', '-gdwarf-4', '-ggnu-pubnames'];
const GCC5 = ['gcc', '-gdwarf-5'];
const CLANG5 = ['clang', '-gdwarf-5'];
const TYPES = `
struct One { int value = 1; };
struct Two { One one; long two = 2; };
int main(int count, char **) { return Two{}.one.value + count; }
`;

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'package-'));
  for (const [i, name] of UNITS.entries()) {
    const loop = `for (volatile int i = 0; i < x; i++) x += i * ${i + 3};`;
    const inner = `static inline int inner_${i}(int x) { ${loop} return x; }`;
    const outer = name === 'main' ? 'main' : `outer_${i}`;
    const source = `${inner}\nint ${outer}(int x) { return inner_${i}(x); }`;
    writeFileSync(join(directory, `${name}.c`), source);
  }
});
afterAll(() => rmSync(directory, { recursive: true }));

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { cwd: directory, stdio: 'pipe', timeout: 20_000 });
}

/** Builds a split program; returns it and its .dwo files. */
function build([compiler = '', ...options]: readonly string[], name: string) {
  for (const file of readdirSync(directory)) {
    if (/\.(dwo|o)$/.test(file)) rmSync(join(directory, file));
  }
  const sources = UNITS.map((unit) => `${unit}.c`);
  run(compiler, ...options, '-O2', '-gsplit-dwarf', '-c', ...sources);
  run(compiler, '-o', name, ...UNITS.map((unit) => `${unit}.o`));
  return { program: read(name), dwo: UNITS.map((unit) => `${unit}.dwo`) };
}

const read = (name: string) => readFileSync(join(directory, name));

async function report(program: Buffer, files: SplitFiles | null): Promise<DwarfReport> {
  const problems: string[] = [];
  const input = {
    sections: await readDwarfSections(openElfFile(bytesSource(program)), { dwo: false }, problems),
    supplementary: null,
    findSplit: (id: bigint) => files?.find(id) ?? null,
    isCode: (address: number) => address > 0,
  };
  const texts = { intern: () => 0 as TextId, internText: () => 0 as TextId };
  expect(problems).toEqual([]);
  return readDwarf(input, { texts, add: () => undefined });
}

describe('every unit is found, with its functions and inlined calls', () => {
  test.each<[string, string[], string, string[]]>([
    ['.dwp, GNU', GCC4, 'all.dwp', [`${LLVM}/llvm-dwp`, '-o']],
    ['.dwp, DWARF 5', CLANG5, 'all.dwp', [`${LLVM}/llvm-dwp`, '-o']],
    ['archive, GNU', GCC4, 'all.a', ['ar', 'rcS']],
    ['archive, DWARF 5', GCC5, 'all.a', ['ar', 'rcs']],
    ['archive, compressed', [...CLANG5, '-gz'], 'all.a', ['ar', 'rcS']],
    ['archive, BSD', CLANG5, 'all.a', [`${LLVM}/llvm-ar`, '--format=darwin', 'rcS']],
  ])('%s', async (name, compiler, package_, [tool = '', ...options]) => {
    const program = name.replaceAll(/\W/g, '');
    const { program: bytes, dwo } = build(compiler, program);
    rmSync(join(directory, package_), { force: true });
    run(tool, ...options, package_, ...dwo);
    const files = await openSplit([bytesSource(read(package_))]);
    expect([files.units, files.firstProblem]).toEqual([3, '']);
    const found = await report(bytes, files);
    expect(found).toMatchObject({ unitsWithoutSplit: 0, functions: 3, unitsDamaged: 0 });
    expect(found.inlinedCalls).toBeGreaterThanOrEqual(3);
  });

  test('type units of gcc in sections of the same name', async () => {
    writeFileSync(join(directory, 'types.cpp'), TYPES);
    run('g++', '-gdwarf-5', '-O1', '-gsplit-dwarf', '-fdebug-types-section', '-c', 'types.cpp');
    run('g++', '-o', 'types', 'types.o');
    const files = await openSplit([bytesSource(read('types.dwo'))]);
    expect([files.units, files.firstProblem]).toEqual([1, '']);
    const found = await report(read('types'), files);
    expect(found).toMatchObject({ unitsWithoutSplit: 0, functions: 1, unitsDamaged: 0 });
  });

  test.each([
    ['GNU', GCC4],
    ['DWARF 5', GCC5],
  ])('single .dwo files, %s; one is not here', async (_, compiler) => {
    const { program, dwo } = build(compiler, 'single');
    const sources = dwo.slice(1).map((name) => bytesSource(read(name)));
    const found = await report(program, await openSplit(sources));
    expect(found).toMatchObject({ unitsWithoutSplit: 1, functions: 2 });
  });
});

describe('damage', () => {
  test('a member that is no .dwo costs itself', async () => {
    const { program, dwo } = build(GCC5, 'damaged');
    writeFileSync(join(directory, 'text.dwo'), 'no ELF file');
    rmSync(join(directory, 'all.a'), { force: true });
    run('ar', 'rcS', 'all.a', 'text.dwo', ...dwo);
    const files = await openSplit([bytesSource(read('all.a'))]);
    expect(files).toMatchObject({ units: 3, filesDamaged: 1 });
    expect((await report(program, files)).functions).toBe(3);
  });

  test.each([
    ['all.a', ['ar', 'rcS'], GCC5],
    ['all.dwp', [`${LLVM}/llvm-dwp`, '-o'], CLANG5],
  ])('%s with any bytes changed, or cut', async (name, [tool = '', option = ''], compiler) => {
    const { program, dwo } = build(compiler, 'fuzzed');
    rmSync(join(directory, name), { force: true });
    run(tool, option, name, ...dwo);
    const good = read(name);
    const mutation = fc.tuple(fc.nat(good.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { maxLength: 8 }), fc.nat(), async (changes, cut) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of changes) bytes.writeUInt8(value, at);
        const length = cut % 4 === 0 ? cut % bytes.length : bytes.length;
        const files = await openSplit([bytesSource(bytes.subarray(0, length))]);
        const found = await report(program, files);
        expect(found.units).toBe(3);
      }),
      { seed: 11, numRuns: 300 },
    );
  });
});
