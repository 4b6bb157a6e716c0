import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Binaries } from './binaries.ts';
import { type Frame, NamedFrames } from './frames.ts';
import { parseMaps, parseStat } from './proc-files.ts';
import { Process } from './process.ts';
import { ProcessTable } from './process-table.ts';
import type { ImageKey, ProcessRecord } from './sample-record.ts';
import { openVdso } from './vdso.ts';

const frames = new NamedFrames();
const host = { frames, binaries: new Binaries(), vdso: openVdso(frames) };
const draw = ({ mapping, name, address }: Frame) =>
  `${mapping.file}!${name || `0x${address.toString(16)}`}`;

let folder = '';
let child: ChildProcess;
let key: ImageKey;

/** The key by which the kernel would know a process that lives now. */
function keyOf(pid: number): ImageKey {
  const stat = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return { tgid: pid, startNs: BigInt(stat.startTicks) * 10_000_000n, image: stat.startStack };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'everflame-process-'));
  const program = join(folder, 'sleeper');
  copyFileSync('/bin/cat', program);
  child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin?.write('ready\n');
  await once(child.stdout!, 'data');
  key = keyOf(child.pid!);
});

afterAll(() => {
  child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const record = (comm: string): ProcessRecord => ({
  ...key,
  kernelThread: false,
  namespaceTgid: key.tgid,
  cgroupId: 1n,
  comm,
});

describe('a process that lives', () => {
  test('has its name, path and mappings', () => {
    const process = new Process(key, null, host);
    expect(process.obstacle).toBeNull();
    expect(process).toMatchObject({ comm: 'sleeper', exe: join(folder, 'sleeper') });
    const binaries = [...process.binaries()].map(({ mapping }) => mapping.file);
    expect(binaries).toContain(join(folder, 'sleeper'));
  });

  test('frames are ELF addresses; a return address is that of its call', () => {
    const process = new Process(key, null, host);
    const maps = parseMaps(readFileSync(`/proc/${key.tgid}/maps`, 'utf8'));
    const code = maps.find(({ path }) => path === join(folder, 'sleeper'))!;
    const at = (offset: number) => BigInt(code.start + offset);
    const headers = execFileSync('readelf', ['-lW', code.path]).toString();
    const [, vaddr] = /LOAD +(?:0x[0-9a-f]+) (0x[0-9a-f]+) .* R E /.exec(headers) ?? [];
    const base = Number(vaddr);
    expect(process.resolve(BigUint64Array.of(at(16), at(32), 0x10n)).map(draw)).toEqual([
      `${code.path}!0x${(base + 16).toString(16)}`,
      `${code.path}!0x${(base + 31).toString(16)}`,
      '[anon]![unknown: no mapping]',
    ]);
  });

  test('the vDSO names its own functions', () => {
    const process = new Process(key, null, host);
    const maps = parseMaps(readFileSync(`/proc/${key.tgid}/maps`, 'utf8'));
    const vdso = maps.find(({ path }) => path === '[vdso]')!;
    const pcs = BigUint64Array.from({ length: 600 }, (_, i) => BigInt(vdso.start + 0x400 + 4 * i));
    expect(process.resolve(pcs).map(draw).join(' ')).toMatch(/\[vdso\]!(__vdso|__kernel)_\w+/);
  });

  test('a deleted binary is still the binary', () => {
    const copy = join(folder, 'gone');
    copyFileSync('/bin/cat', copy);
    const gone = spawn(copy, [], { stdio: ['pipe', 'ignore', 'ignore'] });
    try {
      unlinkSync(copy);
      const process = new Process(keyOf(gone.pid!), null, host);
      expect(process.exe).toBe(copy);
      expect([...process.binaries()].map((b) => b.mapping.file)).toContain(copy);
    } finally {
      gone.kill('SIGKILL');
    }
  });
});

describe('a process that is not there any more', () => {
  test.each([
    ['no such pid', { tgid: 2 ** 22 + 1 }],
    ['the pid belongs to a later process', { startNs: 1n }],
    ['the process has begun another program', { image: 4096n }],
  ])('%s', (_name, part) => {
    const process = new Process({ ...key, ...part }, record('cat'), host);
    expect(process).toMatchObject({ comm: 'cat', exe: '', obstacle: 'process exited' });
    expect(process.resolve(BigUint64Array.of(1n, 2n)).map(draw)).toEqual([
      '[anon]![unknown: process exited]',
    ]);
  });
});

test('a perf map names generated code; it is read again as it grows', () => {
  const process = new Process(keyOf(globalThis.process.pid), null, host);
  const path = `/tmp/perf-${globalThis.process.pid}.map`;
  const maps = parseMaps(readFileSync('/proc/self/maps', 'utf8'));
  const generated = maps.find((mapping) => mapping.path === '')!;
  const at = (offset: number) => BigInt(generated.start + offset);
  const hex = (offset: number) => (generated.start + offset).toString(16);
  const drawn = () => process.resolve(BigUint64Array.of(at(0), at(0x21))).map(draw);
  try {
    process.beginWindow();
    expect(drawn()).toEqual(['[jit]![unknown: no perf map]', '[jit]![unknown: no perf map]']);
    writeFileSync(path, `${hex(0)} 10 first\n`);
    process.beginWindow();
    expect(drawn()).toEqual(['[jit]!first', '[jit]![unknown: not in the perf map]']);
    writeFileSync(path, `${hex(0x20)} 10 second\n`, { flag: 'a' });
    process.beginWindow();
    expect(drawn()).toEqual(['[jit]!first', '[jit]!second']);
  } finally {
    rmSync(path, { force: true });
  }
});

test('a process that exits without its memory is the one it was', () => {
  const table = new ProcessTable(host);
  table.announce(record('sleeper'));
  const process = table.use(key);
  expect(table.use({ ...key, image: 0n })).toBe(process);
  expect(table.use({ ...key, image: 4096n })).not.toBe(process);
  for (let window = 0; window < 40; window++) table.beginWindow();
  expect(table.size).toBe(0);
});

test('a process that is gone is forgotten once its last samples have come', () => {
  const table = new ProcessTable(host);
  const dead = { ...record('cc1'), tgid: 2 ** 22 + 1 };
  table.announce(dead);
  table.announce(record('sleeper'));
  const sizes = Array.from({ length: 5 }, () => {
    table.beginWindow();
    return table.size;
  });
  expect(sizes).toEqual([2, 2, 1, 1, 1]);
});
