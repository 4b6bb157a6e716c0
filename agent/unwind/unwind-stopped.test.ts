/**
 * Stacks of stopped processes, unwound from their registers and memory by the code that the BPF
 * program runs, in programs of which every frame is known.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { bytesSource } from '../../symbolizer/elf/byte-reader.ts';
import { readElfIdentity } from '../../symbolizer/elf/elf.ts';
import { openElfFile } from '../../symbolizer/elf/elf-file.ts';
import { type MemoryMapping, parseMaps } from '../proc-files.ts';
import { encodeUnwindTable } from './table-file.ts';
import { compileUnwindTable } from './unwind-table.ts';

const FIXTURES = 'test/fixtures/unwind';
/** ef_step's number for the outermost frame (agent/bpf/unwind.h). */
const ROOT = 1;

let folder = '';
let unwinder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'everflame-stopped-'));
  unwinder = join(folder, 'unwind-stopped');
  execFileSync('gcc', ['-O1', '-Wall', '-Werror', '-o', unwinder, `${FIXTURES}/unwind-stopped.c`]);
});

afterAll(() => rmSync(folder, { recursive: true }));

function build(name: string, flags: readonly string[]): string {
  const program = join(folder, name);
  execFileSync('gcc', ['-O2', '-fno-inline', ...flags, '-o', program, `${FIXTURES}/recursion.c`]);
  return program;
}

async function start(program: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  expect((await once(lines, 'line'))[0]).toBe('ready');
  // It says so just before it waits.
  await expect.poll(() => readFileSync(`/proc/${child.pid}/wchan`, 'utf8')).not.toBe('0');
  return child;
}

interface Mapped extends MemoryMapping {
  bias: number;
}

function mappedCode(pid: number): Mapped[] {
  const found: Mapped[] = [];
  for (const mapping of parseMaps(readFileSync(`/proc/${pid}/maps`, 'utf8'))) {
    if (!mapping.path.startsWith('/')) continue;
    const { loadSegments } = readElfIdentity(bytesSource(readFileSync(mapping.path)));
    const { fileOffset } = mapping;
    const segment = loadSegments.find(
      (load) => load.offset <= fileOffset && fileOffset < load.offset + load.fileSize,
    );
    if (segment === undefined) continue;
    const address = segment.vaddr + fileOffset - segment.offset;
    found.push({ ...mapping, bias: mapping.start - address });
  }
  return found;
}

/** Function names, innermost first, and ef_step's last number. */
async function unwind(pid: number): Promise<{ names: string[]; end: number }> {
  const mapped = mappedCode(pid);
  const lines: string[] = [];
  for (const [number, { path, start: from, end, bias }] of mapped.entries()) {
    const file = join(folder, `table-${pid}-${number}`);
    const elf = openElfFile(bytesSource(readFileSync(path)));
    writeFileSync(file, encodeUnwindTable(await compileUnwindTable(elf)));
    lines.push(`${[from, end, bias].map((value) => value.toString(16)).join(' ')} ${file}`);
  }
  const options = { input: lines.join('\n'), encoding: 'utf8' as const };
  const printed = execFileSync(unwinder, [String(pid)], options)
    .trim()
    .split('\n');
  const end = Number(/^end (\d+)$/.exec(printed.pop() ?? '')?.[1]);
  return { names: printed.map((hex) => nameOf(Number.parseInt(hex, 16), mapped)), end };
}

/** Of the program's own functions the name, else that of the file. */
function nameOf(address: number, mapped: readonly Mapped[]): string {
  const mapping = mapped.find(({ start: from, end }) => from <= address && address < end);
  if (mapping === undefined) return '?';
  if (!mapping.path.startsWith(folder)) return basename(mapping.path).replace(/[.-].*/, '');
  const symbol = symbolsOf(mapping.path).findLast(
    ({ start: from }) => from <= address - mapping.bias,
  );
  return symbol?.name ?? '?';
}

interface CodeSymbol {
  start: number;
  name: string;
}

const symbolsRead = new Map<string, CodeSymbol[]>();

/** In the order of their addresses; of functions that GCC has cut, the name without its marks. */
function symbolsOf(program: string): CodeSymbol[] {
  const known = symbolsRead.get(program);
  if (known !== undefined) return known;
  const text = execFileSync('nm', ['-n', program], { encoding: 'utf8' });
  const symbols = [...text.matchAll(/^([0-9a-f]+) [tT] (\w+)/gm)].map(
    ([, hex = '', name = '']) => ({
      start: Number.parseInt(hex, 16),
      name,
    }),
  );
  symbolsRead.set(program, symbols);
  return symbols;
}

const DEPTH = 200;
const FRAMES = [...Array<string>(DEPTH).fill('recurse'), 'compare'];

test.each([
  ['without frame pointers', ['-fomit-frame-pointer']],
  ['with frame pointers', ['-fno-omit-frame-pointer']],
  ['not optimized', ['-O0']],
])('%s: each frame down to _start', async (name, flags) => {
  const program = build(name.replaceAll(' ', '-'), flags);
  const child = await start(program, [String(DEPTH)]);
  const { names, end } = await unwind(child.pid as number);
  expect(end).toBe(ROOT);
  const own = names.filter((frame) => frame !== 'libc');
  expect(own).toEqual(['hold', ...FRAMES, 'sort', 'main', '_start']);
  // Waiting at the top, qsort between compare and sort, and what calls main.
  expect(names[0]).toBe('libc');
  expect(names[names.indexOf('compare') + 1]).toBe('libc');
  expect(names.at(-2)).toBe('libc');
});

test('through the frame of a signal', async () => {
  const program = build('signal', ['-fomit-frame-pointer']);
  const child = await start(program, [String(DEPTH), 'signal']);
  const { names, end } = await unwind(child.pid as number);
  expect(end).toBe(ROOT);
  const own = names.filter((frame) => frame !== 'libc');
  expect(own).toEqual(['hold', 'on_signal', ...FRAMES, 'sort', 'main', '_start']);
});

test('of a static program', async () => {
  const program = build('static', ['-static', '-fomit-frame-pointer']);
  const child = await start(program, [String(DEPTH)]);
  const { names, end } = await unwind(child.pid as number);
  expect(end).toBe(ROOT);
  expect(names.filter((frame) => frame === 'recurse')).toHaveLength(DEPTH);
  expect(names.at(-1)).toBe('_start');
});
