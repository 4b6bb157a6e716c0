/**
 * Small programs with everything that debug information can hold: each DWARF version and size,
 * split, shared, compressed, relocatable and stripped. Fuzzers break copies of them.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ConversionSourceKind } from '../../symbolizer/debuginfo/convert.ts';
import { bytesSource } from '../../symbolizer/elf/byte-reader.ts';
import { planStrip } from '../../symbolizer/elf/strip.ts';
import { toolPath } from '../fixtures/debuginfo-tools.ts';

export interface ObjectSource {
  kind: ConversionSourceKind;
  bytes: Buffer;
}

/** What a symbol file is made from: a program and what belongs to it. */
export interface FuzzObject {
  name: string;
  sources: readonly ObjectSource[];
}

const SOURCES = fileURLToPath(new URL('../fixtures/hostile', import.meta.url));
const CXX = ['-fno-exceptions', '-fno-rtti', '-fno-asynchronous-unwind-tables', '-w'];
const LINK = ['-nostdlib', '-static', '-Wl,--build-id=sha1'];
const LLD = ['-fuse-ld=lld'];
const COLLECTED = ['-ffunction-sections', '-Wl,--gc-sections'];

type Compiler = 'gcc' | 'clang';

const PROGRAMS: readonly (readonly [name: string, compiler: Compiler, args: readonly string[]])[] =
  [
    ['gcc-dwarf2', 'gcc', ['-O2', '-gdwarf-2', '-gstrict-dwarf']],
    ['gcc-dwarf3', 'gcc', ['-O2', '-gdwarf-3', '-gstrict-dwarf', '-gno-as-loc-support']],
    ['gcc-dwarf4', 'gcc', ['-O2', '-gdwarf-4', ...COLLECTED]],
    ['gcc-dwarf5', 'gcc', ['-O2', '-gdwarf-5', ...COLLECTED]],
    ['gcc-64-bit', 'gcc', ['-O2', '-gdwarf-5', '-gdwarf64']],
    ['gcc-types', 'gcc', ['-O2', '-gdwarf-5', '-fdebug-types-section']],
    ['gcc-lto', 'gcc', ['-O2', '-gdwarf-5', '-flto']],
    ['gcc-lto4', 'gcc', ['-O2', '-gdwarf-4', '-flto']],
    ['clang-dwarf2', 'clang', ['-O2', '-gdwarf-2', ...LLD]],
    ['clang-dwarf4', 'clang', ['-O2', '-gdwarf-4', ...LLD, ...COLLECTED]],
    ['clang-dwarf5', 'clang', ['-O2', '-gdwarf-5', ...LLD, ...COLLECTED]],
    ['clang-64-bit', 'clang', ['-O2', '-gdwarf-5', '-gdwarf64', ...LLD]],
    ['clang-lto', 'clang', ['-O2', '-gdwarf-5', '-flto', ...LLD]],
    ['i386', 'clang', ['-O2', '-m32', '-gdwarf-4', ...LLD]],
    ['arm64', 'clang', ['-O2', '--target=aarch64-linux-gnu', '-gdwarf-5', ...LLD]],
  ];

/** All of them, built in `directory`. */
export async function buildFuzzObjects(directory: string): Promise<FuzzObject[]> {
  const builder = new ObjectBuilder(directory);
  for (const [name, compiler, args] of PROGRAMS) builder.program(name, compiler, args);
  builder.rust();
  builder.compressed();
  builder.shared();
  builder.split();
  builder.relocatable();
  builder.separate();
  builder.library();
  await builder.extracted();
  await builder.go();
  return builder.objects;
}

class ObjectBuilder {
  readonly objects: FuzzObject[] = [];
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  program(name: string, compiler: Compiler, args: readonly string[]): void {
    const path = this.#at(name);
    this.#link(compiler, [...args, ...LINK, '-o', path]);
    this.#add(name, ['executable', path]);
  }

  rust(): void {
    const object = this.#at('steps.o');
    const settings = ['-g', '-O', '-C', 'panic=abort', '--crate-type', 'lib', '--emit', 'obj'];
    run('rustc', ['--edition', '2021', ...settings, '-o', object, source('steps.rs')]);
    run('gcc', [...LINK, object, '-o', this.#at('rust')]);
    this.#add('rust', ['executable', this.#at('rust')]);
    this.#add('rust-object', ['executable', object]);
  }

  compressed(): void {
    for (const kind of ['zlib', 'zlib-gnu', 'zstd']) {
      const path = this.#at(kind);
      run('objcopy', [`--compress-debug-sections=${kind}`, this.#at('gcc-dwarf5'), path]);
      this.#add(kind, ['executable', path]);
    }
  }

  /** dwz within one program, and with what two programs have in common in a third file. */
  shared(): void {
    const [single, one, two, common] = ['dwz', 'dwz-one', 'dwz-two', 'dwz-common'].map((name) =>
      this.#at(name),
    ) as [string, string, string, string];
    run('dwz', ['-o', single, this.#at('gcc-dwarf4')]);
    this.#add('dwz', ['executable', single]);
    copyFileSync(this.#at('gcc-dwarf5'), one);
    copyFileSync(this.#at('gcc-dwarf5'), two);
    run('dwz', ['-m', common, '-M', common, one, two]);
    this.#add('dwz-common', ['executable', one], ['supplementary', common]);
    this.#add('dwz-without', ['executable', one]);
  }

  split(): void {
    for (const [version, compiler, pack] of [
      [4, 'gcc', 'dwp'],
      [5, 'clang', 'llvm-dwp'],
      [5, 'gcc', null],
    ] as const) {
      const name = `split-${compiler}${version}`;
      const units = ['shapes.cpp', 'steps.c'].map((file) => {
        const object = this.#at(`${name}-${file}.o`);
        const flags = ['-O2', `-gdwarf-${version}`, '-gsplit-dwarf', '-c', '-w'];
        const cxx = file.endsWith('.cpp') ? CXX : [];
        run(compiler, [...flags, ...cxx, source(file), '-o', object]);
        return object;
      });
      const program = this.#at(name);
      run('gcc', [...LINK, ...units, '-o', program]);
      const dwo = units.map((unit) => unit.replace(/o$/, 'dwo'));
      run('ar', ['rcS', `${program}.a`, ...dwo]);
      this.#add(`${name}-archive`, ['executable', program], ['split', `${program}.a`]);
      if (pack === null) continue;
      run(pack, ['-o', `${program}.dwp`, ...dwo]);
      this.#add(`${name}-package`, ['executable', program], ['split', `${program}.dwp`]);
    }
  }

  relocatable(): void {
    for (const [name, compiler, args] of [
      ['rel-gcc', 'gcc', ['-gdwarf-5', '-ffunction-sections']],
      ['rel-clang', 'clang', ['-gdwarf-4']],
      ['rel-i386', 'clang', ['-gdwarf-4', '-m32']],
      ['rel-arm64', 'clang', ['-gdwarf-5', '--target=aarch64-linux-gnu']],
    ] as const) {
      const path = this.#at(`${name}.o`);
      run(compiler, ['-O2', '-c', ...args, ...CXX, source('shapes.cpp'), '-o', path]);
      this.#add(name, ['executable', path]);
    }
    const module = this.#at('module.o');
    const other = this.#at('rel-steps.o');
    run('gcc', ['-O2', '-g', '-c', source('steps.c'), '-o', other]);
    run('ld', ['-r', this.#at('rel-gcc.o'), other, '-o', module]);
    run('objcopy', ['--compress-debug-sections=zlib', module, `${module}.zlib`]);
    this.#add('rel-zlib', ['executable', `${module}.zlib`]);
  }

  /** A stripped program with its debug file, and one with its symbols in .gnu_debugdata. */
  separate(): void {
    const whole = this.#at('gcc-dwarf5');
    const [program, debug, mini] = ['bare', 'bare.debug', 'mini'].map((name) => this.#at(name)) as [
      string,
      string,
      string,
    ];
    run('objcopy', ['--only-keep-debug', whole, debug]);
    run('strip', ['-o', program, whole]);
    run('objcopy', [`--add-gnu-debuglink=${debug}`, program]);
    this.#add('separate', ['executable', program], ['debuginfo', debug]);
    this.#add('only-debug', ['debuginfo', debug]);
    run('objcopy', ['-S', '--keep-symbol=run_shapes', '--keep-symbol=step_in_c', debug, mini]);
    run('xz', ['-kf', '--check=crc32', mini]);
    const add = `--add-section=.gnu_debugdata=${mini}.xz`;
    run('objcopy', [add, program, this.#at('with-mini')]);
    this.#add('mini', ['executable', this.#at('with-mini')]);
  }

  /** With a dynamic symbol table and PLT stubs. */
  library(): void {
    const shared = ['-shared', '-fPIC', '-nostdlib', '-Wl,--build-id=sha1', '-g', '-O2'];
    this.#link('gcc', [...shared, '-o', this.#at('library')]);
    this.#add('library', ['executable', this.#at('library')]);
    run('strip', ['-o', this.#at('library.bare'), this.#at('library')]);
    this.#add('library-bare', ['executable', this.#at('library.bare')]);
    const arm = ['--target=aarch64-linux-gnu', ...LLD, '-mbranch-protection=standard'];
    this.#link('clang', [...shared, ...arm, '-o', this.#at('library-arm64')]);
    this.#add('library-arm64', ['executable', this.#at('library-arm64')]);
  }

  /** What an agent sends of a program. */
  async extracted(): Promise<void> {
    for (const name of ['clang-dwarf5', 'rel-gcc', 'zstd']) {
      const whole = this.objects.find((object) => object.name === name)?.sources[0] as ObjectSource;
      const bytes = await extract(whole.bytes);
      this.objects.push({ name: `${name}-sent`, sources: [{ kind: 'executable', bytes }] });
    }
  }

  /** Go's own table without DWARF, as an agent sends it, of the last functions of the program. */
  async go(): Promise<void> {
    writeFileSync(this.#at('go.mod'), 'module hostile\n\ngo 1.20\n');
    copyFileSync(source('steps.go.txt'), this.#at('steps.go'));
    for (const [name, mode] of [
      ['go', 'exe'],
      ['go-pie', 'pie'],
    ] as const) {
      const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod' };
      const args = ['build', '-ldflags=-s -w', `-buildmode=${mode}`, '-o', name, 'steps.go'];
      execFileSync('go', args, { cwd: this.#directory, env, stdio: 'pipe' });
      const whole = readFileSync(this.#at(name));
      const bytes = keepLastFunctions(await extract(whole), 40);
      this.objects.push({ name, sources: [{ kind: 'executable', bytes }] });
    }
  }

  #link(compiler: Compiler, args: readonly string[]): void {
    const units = [source('shapes.cpp'), '-x', 'c', source('steps.c')];
    run(compiler === 'gcc' ? 'g++' : 'clang++', [...CXX, ...args, ...units]);
  }

  #add(name: string, ...files: (readonly [ConversionSourceKind, string])[]): void {
    const sources = files.map(([kind, path]) => ({ kind, bytes: readFileSync(path) }));
    this.objects.push({ name, sources });
  }

  #at(name: string): string {
    return join(this.#directory, name);
  }
}

export async function extract(program: Buffer): Promise<Buffer> {
  const plan = planStrip(bytesSource(program));
  if (plan === null) throw new Error('nothing to extract');
  const chunks: Uint8Array[] = [];
  const read = async (at: number, length: number) => program.subarray(at, at + length);
  for await (const chunk of plan.chunks(read, 0)) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks);
}

/** In a table of Go 1.20 or later, so that one of 2,000 functions costs what a small one does. */
function keepLastFunctions(program: Buffer, count: number): Buffer {
  const bytes = Buffer.from(program);
  const table = bytes.indexOf(Buffer.from([0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8]));
  const all = Number(bytes.readBigUInt64LE(table + 8));
  const rows = table + Number(bytes.readBigUInt64LE(table + 8 + 7 * 8));
  bytes.copy(bytes, rows, rows + (all - count) * 8, rows + all * 8 + 4);
  bytes.writeBigUInt64LE(BigInt(count), table + 8);
  return bytes;
}

function source(file: string): string {
  return join(SOURCES, file);
}

function run(tool: string, args: readonly string[]): void {
  execFileSync(toolPath(tool), args, { stdio: 'pipe', timeout: 60_000 });
}
