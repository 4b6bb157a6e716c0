/** What is here is replaced only by what says more, whatever comes when, and nothing is left over. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BuildId, EpochMs } from '../../profile/units.ts';
import { buildElf, onlyDebug } from '../../test/fixtures/elf-builds.ts';
import { bytesSource } from '../elf/byte-reader.ts';
import { readElfIdentity } from '../elf/elf.ts';
import { openElfFile } from '../elf/elf-file.ts';
import { openSymbolFile } from '../symbol-file/symbol-file.ts';
import type { DebuginfoKind, QualityName, Symbolizer } from '../symbolizer.ts';
import { openSymbolizer, type SymbolizerOptions } from './debuginfo-store.ts';

const WAIT = { timeout: 25_000 };
const RANKS: readonly QualityName[] = ['none', 'exported', 'symbols', 'lines'];

/** Files of one build id, by what they are. */
interface Form {
  kind: DebuginfoKind;
  quality: QualityName;
  bytes: Buffer;
}

let builds = '';
const forms: Record<string, Form> = {};
let buildId: BuildId;
/** Another program. */
let pie: Buffer;

function run(tool: string, ...args: string[]): void {
  execFileSync(tool, args, { cwd: builds, stdio: 'pipe' });
}

beforeAll(() => {
  builds = mkdtempSync(join(tmpdir(), 'debuginfo-upkeep-'));
  const full = buildElf(builds, 'library', ['-g']);
  const form = (name: string, kind: DebuginfoKind, quality: QualityName) => {
    forms[name] = { kind, quality, bytes: readFileSync(join(builds, name)) };
  };
  copyFileSync(full, join(builds, 'full'));
  onlyDebug(join(builds, 'full'));
  run('strip', '-g', '-o', 'symtab', 'full');
  run('strip', '-o', 'stripped', 'full');
  run('/usr/lib/llvm-19/bin/llvm-objcopy', '--strip-sections', 'full', 'bare');
  run('objcopy', '-S', '--remove-section=.comment', '--keep-symbol=local_function', 'full', 'few');
  run('xz', '-k', 'few');
  run('objcopy', '--add-section=.gnu_debugdata=few.xz', 'stripped', 'mini');
  form('bare', 'executable', 'none');
  form('stripped', 'executable', 'exported');
  form('mini', 'executable', 'symbols');
  form('symtab', 'debuginfo', 'symbols');
  form('full.debug', 'debuginfo', 'lines');
  form('full', 'executable', 'lines');
  buildId = idOf(forms.full?.bytes as Buffer);
  pie = readFileSync(buildElf(builds, 'pie', ['-g']));
});
afterAll(() => rmSync(builds, { recursive: true }));

let dir = '';
let now = 0;
let symbolizer: Symbolizer;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'debuginfo-'));
  now = Date.UTC(2026, 0, 1);
  symbolizer = opened();
});
afterEach(async () => {
  await symbolizer.close();
  rmSync(dir, { recursive: true });
});

function opened(options: Partial<SymbolizerOptions> = {}): Symbolizer {
  return openSymbolizer({
    dir,
    maxBytes: 2 ** 30,
    leaseMs: 60_000,
    answerMs: 60_000,
    localPaths: [],
    debuginfodUrls: [],
    clock: () => now as EpochMs,
    ...options,
  });
}

async function reopen(options: Partial<SymbolizerOptions> = {}): Promise<void> {
  await symbolizer.close();
  symbolizer = opened(options);
}

function idOf(bytes: Buffer): BuildId {
  return readElfIdentity(bytesSource(bytes)).buildId;
}

/** Where a section's bytes are in a file. */
function sectionOf(name: string, section: string): { from: number; to: number } {
  const source = bytesSource(readFileSync(join(builds, name)));
  const { offset = 0, size = 0 } = openElfFile(source).section(section) ?? {};
  return { from: offset, to: offset + size };
}

async function* inPieces(bytes: Buffer, gate: Promise<void>) {
  yield bytes.subarray(0, 1_000);
  await gate;
  yield bytes.subarray(1_000);
}

function send(bytes: Buffer, kind: DebuginfoKind, id = buildId, gate = Promise.resolve()) {
  const totalBytes = bytes.length;
  const part = { file: 'lib.so', lease: '', from: 'test', offset: 0, totalBytes };
  return symbolizer.upload({ ...part, buildId: id, kind, body: inPieces(bytes, gate) });
}

function sendForm(name: string, gate = Promise.resolve()) {
  const { bytes, kind } = forms[name] as Form;
  return send(bytes, kind, buildId, gate);
}

function symbolFile(id = buildId): { path: string; generation: number } | null {
  const row = symbolizer.symbolFiles().find((one) => one.buildId === id);
  return row !== undefined && 'path' in row ? row : null;
}

/** Names and lines of every 4th byte of the code; longer where more is known. */
function answers(path: string): string {
  const file = openSymbolFile(path);
  let text = '';
  for (let address = 0; address < 0x4000; address += 4) {
    const found = file.lookup(address as never, 'elf');
    if (found.kind === 'symbol') text += `${JSON.stringify(found.lines)}\n`;
  }
  file.close();
  return text;
}

const state = (id = buildId) => symbolizer.statusOf(id)?.state;

describe('the best of what came stays, in whatever order it comes', () => {
  // An order and its reverse have every pair both ways.
  const order = ['stripped', 'full.debug', 'mini', 'bare', 'full', 'symtab'];
  test.each([[order], [order.toReversed()]])('%s', { timeout: 90_000 }, async (names) => {
    let best = -1;
    let before: { generation: number; said: string } | null = null;
    for (const name of names) {
      now += 1_000;
      await sendForm(name);
      const rank = RANKS.indexOf((forms[name] as Form).quality);
      const quality = symbolizer.statusOf(buildId)?.quality;
      expect(quality, `after ${name}`).toBe(RANKS[Math.max(best, rank)]);
      const { path, generation } = symbolFile() as { path: string; generation: number };
      const after = { generation, said: answers(path) };
      if (before !== null) {
        expect(after.generation).toBeGreaterThanOrEqual(before.generation);
        expect(after.said.length).toBeGreaterThanOrEqual(before.said.length);
        // Answers given before are made anew by their generation, so it changes with them.
        if (after.generation === before.generation) expect(after.said).toBe(before.said);
        if (rank > best) expect(after.generation).toBeGreaterThan(before.generation);
      }
      best = Math.max(best, rank);
      before = after;
    }
    // As from the program with all in it, and still so after a restart.
    const all = answers(symbolFile()?.path ?? '');
    await reopen();
    expect(answers(symbolFile()?.path ?? '')).toBe(all);
    expect(all).toContain('"line":');
  });
});

test('split units: more of them replace fewer, fewer never more', { timeout: 90_000 }, async () => {
  for (const name of ['one', 'two']) {
    writeFileSync(join(builds, `${name}.c`), `int ${name}(int x) {\n  return x + 1;\n}\n`);
  }
  run('gcc', '-shared', '-fPIC', '-g', '-gdwarf-4', '-gsplit-dwarf', '-o', 's', 'one.c', 'two.c');
  run('dwp', '-e', 's', '-o', 's.dwp');
  run('ar', 'rc', 'half.a', 's-one.dwo');
  const [program, half, all] = ['s', 'half.a', 's.dwp'].map((name) =>
    readFileSync(join(builds, name)),
  ) as [Buffer, Buffer, Buffer];
  const id = idOf(program);
  const missing = () => /^(\d+) units? keep/.exec(symbolizer.statusOf(id)?.problem ?? '')?.[1];
  const seen: (string | undefined)[] = [];
  for (const [bytes, kind] of [
    [half, 'split'],
    [program, 'debuginfo'],
    [all, 'split'],
    [half, 'split'],
  ] as const) {
    await send(bytes, kind, id);
    seen.push(symbolFile(id) === null ? 'no symbol file' : missing());
  }
  expect(seen).toEqual(['no symbol file', '1', undefined, undefined]);
  run('gcc', '-shared', '-fPIC', '-g', '-gdwarf-4', '-gsplit-dwarf', '-O2', '-o', 't', 'one.c');
  run('dwp', '-e', 't', '-o', 't.dwp');
  const refused = send(readFileSync(join(builds, 't.dwp')), 'split', id);
  await expect(refused).rejects.toThrow('none of its units is one that its program refers to');
  expect(missing()).toBe(undefined);
});

describe('what came damaged', () => {
  test.each(['full', 'full.debug'])('is replaced by what is whole: %s', async (name) => {
    const damaged = Buffer.from(forms['full.debug']?.bytes as Buffer);
    const info = sectionOf('full.debug', '.debug_info');
    // One byte more, as of another extraction of the same build.
    await send(
      Buffer.concat([damaged.fill(0xff, info.from, info.to), Buffer.alloc(1)]),
      'debuginfo',
    );
    expect(symbolizer.statusOf(buildId)?.problem).toMatch(/DWARF: .* units were not read/);
    const { kind, quality, bytes } = forms[name] as Form;
    const question = { buildId, kind, quality, file: '', sizeBytes: bytes.length };
    const [answer] = await symbolizer.wanted([question], 'a');
    expect(answer).toMatchObject({ wanted: kind });
    await sendForm(name);
    const { problem, sources, leftOut } = symbolizer.statusOf(buildId) ?? {};
    expect([problem, sources?.length, leftOut?.damaged_units]).toEqual(['', 1, undefined]);
    expect((await symbolizer.wanted([question], 'a'))[0]?.why).toBe('have lines');
  });
});

describe('what cannot be used is refused, and what is here stays', () => {
  test.each<[string, DebuginfoKind, (good: Buffer) => Buffer, RegExp]>([
    [
      'a file that ends too soon',
      'executable',
      (good) => good.subarray(0, 9_000),
      /are not in a file of 9000/,
    ],
    ['another build', 'executable', () => pie, /^the file's build id is /],
    ['another build', 'split', () => pie, /^none of its units is one that its program refers to/],
    ['random bytes', 'split', () => Buffer.alloc(999, 7), /neither an archive nor an ELF/],
  ])('%s as %s', async (_, kind, make, message) => {
    await sendForm('full.debug');
    const before = symbolFile();
    await expect(send(make(forms.full?.bytes as Buffer), kind)).rejects.toThrow(message);
    expect(symbolFile()).toEqual(before);
    expect(symbolizer.statusOf(buildId)).toMatchObject({ state: 'ready', problem: '' });
    expect(symbolizer.statusOf(buildId)?.sources).toHaveLength(1);
    expect(readdirSync(join(dir, buildId)).filter((file) => file.includes('-'))).toHaveLength(1);
  });

  test('no file of split DWARF, before its program came', async () => {
    await expect(send(Buffer.alloc(999, 7), 'split')).rejects.toThrow(/neither an archive/);
    expect([state(), symbolizer.statusOf(buildId)?.problem]).toEqual([
      'failed',
      expect.stringContaining('An upload ended: the file is neither an archive nor an ELF file.'),
    ]);
    await sendForm('full');
    expect(symbolizer.statusOf(buildId)).toMatchObject({ state: 'ready', problem: '' });
  });
});

describe('what is known of a binary', () => {
  test('nothing is wrong while it comes and is converted', async () => {
    await reopen({ answerMs: 0 });
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const first = sendForm('full', gate);
    const problem = () => [state(), symbolizer.statusOf(buildId)?.problem];
    await expect.poll(problem).toEqual(['receiving', '']);
    open();
    await first;
    expect(problem()).toEqual(['converting', '']);
    await expect.poll(problem, WAIT).toEqual(['ready', '']);
  });

  test('its name stays where a file comes without one, and when it is looked for again', async () => {
    symbolizer.notice([{ buildId, file: '/srv/lib.so.1' }]);
    const { bytes, kind } = forms.full as Form;
    const name = () => symbolizer.statusOf(buildId)?.file;
    symbolizer.retry(buildId);
    expect([state(), name()]).toEqual(['absent', 'lib.so.1']);
    await symbolizer.close();
    symbolizer = opened();
    expect(name()).toBe(undefined);
    await sendForm('stripped');
    const part = { buildId, kind, lease: '', from: '', offset: 0, totalBytes: bytes.length };
    await symbolizer.upload({ ...part, file: '', body: inPieces(bytes, Promise.resolve()) });
    expect(name()).toBe('lib.so');
  });

  test('what is no build id says so', () => {
    const { problem } = symbolizer.absentStatus({ buildId: 'not-an-id!' as BuildId, file: 'x' });
    expect(problem).toMatch(/^It is no build id/);
  });
});

describe('at one time', () => {
  test('a second upload of a build id waits for the first', async () => {
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const first = sendForm('full', gate);
    await expect.poll(state).toBe('receiving');
    await expect(sendForm('symtab')).rejects.toMatchObject({ kind: 'conflict' });
    expect(() => symbolizer.remove(buildId)).toThrow(/under way/);
    open();
    expect((await first).quality).toBe('lines');
    expect((await sendForm('symtab')).quality).toBe('lines');
  });

  test('an agent that starts again goes on with what its last connection still sends', async () => {
    const { bytes, kind } = forms.full as Form;
    const question = { buildId, kind, file: '', sizeBytes: bytes.length };
    const ask = async (agent: string) => (await symbolizer.wanted([question], agent))[0];
    await ask('a');
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const first = sendForm('full', gate);
    await expect.poll(state).toBe('receiving');
    expect((await ask('b'))?.why).toMatch(/^leased to another agent/);
    expect((await ask('a'))?.wanted).toBe(kind);
    open();
    await first;
  });

  test('what is deleted while it is converted is gone', async () => {
    await reopen({ answerMs: 0 });
    expect((await sendForm('full')).state).toBe('converting');
    expect(symbolizer.remove(buildId)).toBe(true);
    await expect.poll(() => symbolizer.stats().waitingConversions, WAIT).toBe(0);
    expect([symbolizer.status(), symbolFile(), readdirSync(dir)]).toEqual([[], null, []]);
  });

  test('what is deleted and sent again while it is converted is what was sent', async () => {
    await reopen({ answerMs: 0 });
    await sendForm('stripped');
    symbolizer.remove(buildId);
    await sendForm('full');
    await expect.poll(() => symbolizer.stats().waitingConversions, WAIT).toBe(0);
    expect(symbolizer.statusOf(buildId)).toMatchObject({ state: 'ready', quality: 'lines' });
    expect(symbolizer.statusOf(buildId)?.sources).toHaveLength(1);
  });

  test('a retry while it is converted changes nothing', async () => {
    await reopen({ answerMs: 0 });
    await sendForm('full');
    symbolizer.retry(buildId);
    symbolizer.retry(buildId);
    await expect.poll(() => symbolizer.stats().waitingConversions, WAIT).toBe(0);
    expect(symbolizer.statusOf(buildId)).toMatchObject({ state: 'ready', quality: 'lines' });
    expect(symbolizer.stats().conversions).toMatchObject({ adopted: 1, failed: 0 });
  });

  test('a file that is evicted goes on to answer who has it open', async () => {
    const other = readFileSync(buildElf(builds, 'pie', ['-g']));
    const { bytes } = forms.full as Form;
    await reopen({ maxBytes: 2 * Math.max(bytes.length, other.length) + 40_000 });
    await sendForm('full');
    const path = symbolFile()?.path ?? '';
    const said = answers(path);
    const file = openSymbolFile(path);
    now += 2 * 3_600_000;
    await send(other, 'debuginfo', idOf(other));
    expect(state()).toBe('failed');
    expect([symbolFile(), readdirSync(join(dir, buildId))]).toEqual([null, ['entry.json']]);
    const line = JSON.parse(said.split('\n')[0] ?? '') as unknown;
    const addresses = Array.from({ length: 0x1000 }, (_, i) => i * 4);
    const found = addresses.map((address) => file.lookup(address as never, 'elf'));
    expect(found.find(({ kind }) => kind === 'symbol')).toMatchObject({ lines: line });
    file.close();
  });
});

test('a server that was killed leaves nothing that it does not know', async () => {
  await sendForm('full');
  const files = readdirSync(join(dir, buildId)).sort();
  await symbolizer.close();
  for (const name of [
    'converted.esf',
    'converted.esf.tmp',
    'entry.json.tmp',
    'part.json.tmp',
    'debuginfo-0123456789ab',
  ]) {
    writeFileSync(join(dir, buildId, name), 'half of it');
  }
  symbolizer = opened();
  expect(readdirSync(join(dir, buildId)).sort()).toEqual(files);
  expect(symbolizer.statusOf(buildId)).toMatchObject({ state: 'ready', quality: 'lines' });
});

test('an upload that was broken off says how much of it is here', async () => {
  const { bytes } = forms.full as Form;
  async function* broken() {
    yield bytes.subarray(0, 3_000);
    throw new Error('connection reset');
  }
  const question = { buildId, kind: 'debuginfo', file: '', sizeBytes: bytes.length } as const;
  const [{ lease } = { lease: '' }] = await symbolizer.wanted([question], 'a');
  const part = { file: 'lib.so', lease, from: 'test', offset: 0, totalBytes: bytes.length };
  const sent = symbolizer.upload({ ...part, buildId, kind: 'debuginfo', body: broken() });
  await expect(sent).rejects.toThrow('connection reset');
  const arrived = `3000 of ${bytes.length} bytes have arrived, then its sender stopped.`;
  // It may be a pause: the sender has some time to go on.
  expect(state()).toBe('receiving');
  now += 60_000;
  expect(symbolizer.statusOf(buildId)).toMatchObject({
    state: 'absent',
    problem: `${arrived} This server looks nowhere else.`,
  });
  await reopen();
  expect(symbolizer.statusOf(buildId)?.problem).toContain(arrived);
});
