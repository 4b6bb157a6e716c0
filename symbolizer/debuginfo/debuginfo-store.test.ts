import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BuildId, EpochMs } from '../../profile/units.ts';
import { buildElf, stripped } from '../../test/fixtures/elf-builds.ts';
import { bytesSource } from '../elf/byte-reader.ts';
import { readElfIdentity } from '../elf/elf.ts';
import { openSymbolFile } from '../symbol-file/symbol-file.ts';
import type { DebuginfoKind, Symbolizer, UploadRequest } from '../symbolizer.ts';
import { openSymbolizer, type SymbolizerOptions } from './debuginfo-store.ts';

const HOUR_MS = 3_600_000;
const LEASE_MS = 60_000;

let builds = '';
let full: Buffer;
let exported: Buffer;
let other: Buffer;
let buildId: BuildId;
beforeAll(() => {
  builds = mkdtempSync(join(tmpdir(), 'debuginfo-builds-'));
  const path = buildElf(builds, 'library');
  full = readFileSync(path);
  exported = readFileSync(stripped(path));
  other = readFileSync(buildElf(builds, 'pie'));
  buildId = idOf(full);
});
afterAll(() => rmSync(builds, { recursive: true }));

let dir = '';
let now = 0;
let symbolizer: Symbolizer;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'debuginfo-'));
  now = Date.UTC(2026, 0, 1);
  symbolizer = reopened();
});
afterEach(async () => {
  await symbolizer.close();
  rmSync(dir, { recursive: true });
});

function reopened(options: Partial<SymbolizerOptions> = {}): Symbolizer {
  return openSymbolizer({
    dir,
    maxBytes: 2 ** 30,
    leaseMs: LEASE_MS,
    // Long enough that every upload tells what became of it.
    answerMs: 60_000,
    localPaths: [],
    debuginfodUrls: [],
    clock: () => now as EpochMs,
    ...options,
  });
}

function idOf(bytes: Buffer): BuildId {
  return readElfIdentity(bytesSource(bytes)).buildId;
}

async function ask(bytes: Buffer, kind: DebuginfoKind, agent: string) {
  const question = { buildId: idOf(bytes), kind, file: 'lib.so', sizeBytes: bytes.length };
  const [answer] = await symbolizer.wanted([question], agent);
  if (answer === undefined) throw new Error('no answer');
  return answer;
}

const PART = { kind: 'debuginfo', file: 'x', lease: '', from: 'test', offset: 0 } as const;

/** `wanted why`, without what changes from run to run. */
async function asked(bytes: Buffer, kind: DebuginfoKind, agent = 'a'): Promise<string> {
  const { wanted, why } = await ask(bytes, kind, agent);
  return `${wanted}: ${why.replace(/\d{4}-.*Z/, 'TIME')}`;
}

function send(bytes: Buffer, change: Partial<UploadRequest> = {}, from = 0, to = bytes.length) {
  async function* body() {
    for (let at = from; at < to; at += 1000) yield bytes.subarray(at, Math.min(to, at + 1000));
  }
  return symbolizer.upload({
    buildId: change.buildId ?? idOf(bytes),
    kind: 'debuginfo',
    file: '/usr/lib/lib.so',
    lease: '',
    from: 'test',
    offset: from,
    totalBytes: bytes.length,
    body: body(),
    ...change,
  });
}

async function retried() {
  symbolizer.retry(buildId);
  await vi.waitUntil(() => symbolizer.stats().waitingConversions === 0, 20_000);
}

function symbolFile() {
  const [row] = symbolizer.symbolFiles();
  if (row === undefined) throw new Error('there is no symbol file');
  return row;
}

function statusLine(): string {
  const [row] = symbolizer.status();
  return row === undefined
    ? 'nothing'
    : `${row.file} ${row.sources.map(({ origin }) => origin)} ${row.quality} ${row.functions > 0} ${row.problem}`;
}

describe('leases', () => {
  test('one agent of the fleet sends a file', async () => {
    expect(await asked(full, 'debuginfo', 'a')).toBe('debuginfo: nothing is here');
    expect(await asked(full, 'debuginfo', 'b')).toBe('no: leased to another agent until TIME');
    expect(await asked(full, 'debuginfo', 'a')).toBe('debuginfo: nothing is here');
    now += LEASE_MS;
    expect(await asked(full, 'debuginfo', 'b')).toBe('debuginfo: nothing is here');
  });

  test("another's lease refuses an upload, none does not", async () => {
    await ask(full, 'debuginfo', 'a');
    await expect(send(full, { lease: 'f00' })).rejects.toMatchObject({ kind: 'conflict' });
    expect(await send(full)).toMatchObject({ receivedBytes: full.length, complete: true });
    expect(await asked(full, 'debuginfo', 'b')).toBe('no: have symbols');
  });

  test('what nobody should send', async () => {
    const wanted = async (change: object) => {
      const question = { buildId, kind: 'debuginfo', file: 'x', sizeBytes: 10, ...change } as const;
      return (await symbolizer.wanted([question], 'a'))[0]?.why;
    };
    expect(await wanted({ buildId: '../../etc' as BuildId })).toBe('not a build id');
    expect(await wanted({ sizeBytes: 2 ** 30 })).toMatch(/over the limit/);
    expect(await wanted({ sizeBytes: 0 })).toMatch(/over the limit/);
  });
});

describe('uploads', () => {
  test('become symbol files', async () => {
    await send(full);
    const row = symbolFile();
    const file = openSymbolFile(row.path);
    expect([row.buildId, file.buildId, file.functions > 5]).toEqual([buildId, buildId, true]);
    file.close();
    expect(symbolizer.symbolFiles()).toBe(symbolizer.symbolFiles());
    expect(statusLine()).toMatch(/^lib.so upload symbols true Functions have names, but no lines/);
  });

  test('go on after a restart where they stopped', async () => {
    const half = await send(full, {}, 0, 5_000);
    expect(half).toMatchObject({ receivedBytes: 5_000, complete: false });
    await symbolizer.close();
    symbolizer = reopened();
    const { offset, lease } = await ask(full, 'debuginfo', 'b');
    expect(offset).toBe(5_000);
    await expect(send(full, { lease }, 6_000)).rejects.toMatchObject({ kind: 'conflict' });
    expect((await send(full, { lease }, offset)).complete).toBe(true);
  });

  test('keep what came before the connection broke', async () => {
    async function* broken() {
      yield full.subarray(0, 3_000);
      throw new Error('connection reset');
    }
    await expect(send(full, { body: broken() })).rejects.toThrow('connection reset');
    expect((await ask(full, 'debuginfo', 'a')).offset).toBe(3_000);
  });

  test('are refused under another build id, and that one can still be sent', async () => {
    const wrong = send(other, { buildId });
    await expect(wrong).rejects.toMatchObject({ kind: 'unprocessable', field: 'build_id' });
    expect(symbolizer.symbolFiles()).toEqual([]);
    expect(statusLine()).toMatch(/^lib.so {2}none false The file's build id is .*, not/);
    expect(await asked(full, 'debuginfo')).toMatch(/^debuginfo:/);
  });

  test('of broken files are told and not asked for again at once', async () => {
    // The section headers' place in the file header is forged; the id is in a segment.
    const broken = Buffer.from(full);
    broken.writeBigUInt64LE(BigInt(broken.length), 40);
    await expect(send(broken)).rejects.toMatchObject({ kind: 'invalid' });
    expect(statusLine()).toMatch(/^lib.so {2}none false .+\./);
    expect(await asked(full, 'debuginfo')).toMatch(/^no: .*Not before TIME/);
    now += 25 * HOUR_MS;
    expect(await asked(full, 'debuginfo')).toMatch(/^debuginfo:/);
  });

  test.each([
    ['its first page', 100],
    ['a later page', 3 * 4_096],
  ])('sent again, or tried again, replace a symbol file with damage in %s', async (_, at) => {
    await send(full);
    for (const mend of [() => send(full), () => retried()]) {
      const { path, generation } = symbolFile();
      const good = readFileSync(path);
      writeFileSync(path, Buffer.from(good).fill(0x55, at, at + 64));
      await mend();
      expect(readFileSync(path).equals(good)).toBe(true);
      expect(symbolFile().generation).toBeGreaterThan(generation);
    }
  });

  test('longer than announced are refused', async () => {
    const long = send(full, { totalBytes: 5_000 });
    await expect(long).rejects.toMatchObject({ kind: 'invalid', field: 'Content-Range' });
    const huge = send(full, { totalBytes: 2 ** 40 });
    await expect(huge).rejects.toMatchObject({ kind: 'too-large' });
  });
});

describe('garbage', () => {
  const garbage = () => {
    const bytes = Buffer.from(full);
    bytes.writeBigUInt64LE(BigInt(bytes.length), 40);
    return bytes;
  };

  test('keeps only files of its own size from being asked for', async () => {
    await expect(send(garbage().subarray(0, 6_000))).rejects.toThrow();
    expect(await asked(full.subarray(0, 6_000), 'debuginfo')).toMatch(/^no: .*Not before TIME/);
    expect(await asked(full, 'debuginfo')).toBe('debuginfo: nothing is here');
    await send(full);
    expect(statusLine()).toMatch(/^lib.so upload symbols true Functions have names/);
  });

  test('over a good file leaves that, says so, and is forgiven', async () => {
    await send(full);
    const before = symbolizer.symbolFiles();
    await expect(send(garbage())).rejects.toMatchObject({ kind: 'invalid' });
    expect(symbolizer.symbolFiles()).toEqual(before);
    expect(statusLine()).toMatch(/^lib.so upload symbols true Bytes \d+ to/);
    symbolizer.retry(buildId);
    await expect.poll(statusLine, { timeout: 25_000 }).toMatch(/true Functions have names/);
    const outcomes = () => symbolizer.stats().conversions;
    const counts = { adopted: 1, kept: 1, failed: 1 };
    await expect.poll(outcomes, { timeout: 25_000 }).toMatchObject(counts);
  });
});

describe('after the answer', () => {
  test('a conversion goes on, and the file is not asked for meanwhile', async () => {
    await symbolizer.close();
    symbolizer = reopened({ answerMs: 0 });
    expect(await send(full)).toMatchObject({ complete: true, state: 'converting' });
    expect(await asked(full, 'debuginfo')).toBe('no: it waits for conversion');
    await expect.poll(() => symbolizer.symbolFiles().length, { timeout: 25_000 }).toBe(1);
  });

  test('a server that stops converts when it starts again', async () => {
    await symbolizer.close();
    symbolizer = reopened({ answerMs: 0 });
    await send(full);
    await symbolizer.close();
    symbolizer = reopened();
    await expect.poll(() => symbolizer.symbolFiles().length, { timeout: 25_000 }).toBe(1);
    expect(symbolizer.status()[0]).toMatchObject({ state: 'ready', quality: 'symbols' });
  });
});

test('an entry of the first version is converted again from its file', async () => {
  await symbolizer.close();
  const directory = join(dir, buildId);
  mkdirSync(directory);
  const entry = { buildId, file: 'lib.so', rank: 2, generation: 5, lastUsedMs: now };
  writeFileSync(join(directory, 'entry.json'), JSON.stringify(entry));
  writeFileSync(join(directory, 'source.elf'), full);
  writeFileSync(join(directory, 'symbols.esf'), 'of version 1');
  symbolizer = reopened();
  await expect.poll(statusLine, { timeout: 25_000 }).toMatch(/^lib.so upload symbols true/);
});

test('what is deleted is gone, and may be sent again', async () => {
  await send(full);
  expect([symbolizer.remove(buildId), symbolizer.remove(buildId)]).toEqual([true, false]);
  expect([symbolizer.symbolFiles(), symbolizer.status(), readdirSync(dir)]).toEqual([[], [], []]);
  expect(await asked(full, 'debuginfo')).toBe('debuginfo: nothing is here');
});

describe('a better source', () => {
  test('replaces a worse one, and raises the generation', async () => {
    await send(exported, { kind: 'executable' });
    const before = symbolFile();
    expect(statusLine()).toMatch(/upload exported true Only exported functions have names/);
    expect(await asked(exported, 'executable')).toBe('no: have exported');
    expect(await asked(full, 'debuginfo')).toBe('debuginfo: it says more than what is here');
    await send(full);
    expect(symbolFile().generation).toBeGreaterThan(before.generation);
    expect(statusLine()).toMatch(/^lib.so upload,upload symbols true /);
  });

  test('is never replaced by a worse one', async () => {
    await send(full);
    const before = symbolizer.symbolFiles();
    expect(await asked(exported, 'executable')).toBe('no: have symbols');
    expect((await send(exported, { kind: 'executable' })).complete).toBe(true);
    expect(symbolizer.symbolFiles()).toEqual(before);
  });
});

test('a row is made anew only where something has changed', async () => {
  await send(full);
  const [row] = symbolizer.status();
  expect(symbolizer.status()[0]).toBe(row);
  symbolizer.notice([{ buildId, file: 'another-name' }]);
  expect(symbolizer.status()[0]).toEqual({ ...row, file: 'another-name' });
});

describe('what is on disk', () => {
  test('is the same after a restart', async () => {
    await send(full);
    const files = symbolizer.symbolFiles();
    const status = symbolizer.status();
    await symbolizer.close();
    symbolizer = reopened();
    expect(symbolizer.symbolFiles()).toEqual(files);
    expect(symbolizer.status()).toEqual(status);
    expect(await asked(full, 'debuginfo')).toBe('no: have symbols');
  });

  test('is mended from the upload where a symbol file is damaged', async () => {
    await send(full);
    const { path } = symbolFile();
    const good = readFileSync(path);
    await symbolizer.close();
    writeFileSync(path, good.subarray(0, 5_000));
    symbolizer = reopened();
    expect(symbolizer.symbolFiles()).toEqual([]);
    await expect.poll(() => symbolizer.symbolFiles().length, { timeout: 25_000 }).toBe(1);
    expect(readFileSync(path).equals(good)).toBe(true);
  });

  test('uploads at one time share the budget: one that finds no room goes on later', async () => {
    await symbolizer.close();
    const totalBytes = 20 * 2 ** 20;
    symbolizer = reopened({ maxBytes: 2 * totalBytes });
    const upload = async (byte: string, end: Promise<void>) => {
      async function* body() {
        for (let at = 0; at < 16; at++) yield Buffer.alloc(2 ** 20, 1);
        await end;
      }
      const id = byte.repeat(20) as BuildId;
      return symbolizer.upload({ ...PART, buildId: id, totalBytes, body: body() });
    };
    let finish = () => {};
    const gate = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const first = [upload('aa', gate), upload('bb', gate)];
    for (const byte of ['aa', 'bb']) {
      const part = join(dir, byte.repeat(20), 'part.json');
      const read = () => (existsSync(part) ? readFileSync(part, 'utf8') : '');
      await expect.poll(read).toContain(`"receivedBytes":${16 * 2 ** 20}`);
    }
    await expect(upload('cc', Promise.resolve())).rejects.toMatchObject({ kind: 'overloaded' });
    finish();
    const received = { receivedBytes: 16 * 2 ** 20, complete: false };
    expect(await Promise.all(first)).toMatchObject([received, received]);
    expect(await upload('cc', Promise.resolve())).toMatchObject(received);
  });

  test('stays within the budget: the least recently asked-for goes, and the reason stays', async () => {
    await symbolizer.close();
    symbolizer = reopened({ maxBytes: Math.max(full.length, other.length) * 2 + 20_000 });
    await send(full);
    now += 2 * HOUR_MS;
    await send(other);
    const evicted = symbolizer.status().find((row) => row.buildId === buildId);
    expect(evicted?.problem).toMatch(/--debuginfo-bytes/);
    expect(symbolizer.symbolFiles().map((row) => row.buildId)).toEqual([idOf(other)]);
    const names = readdirSync(join(dir, buildId));
    expect(names).toEqual(['entry.json']);
    expect(await asked(full, 'debuginfo')).toMatch(/^no: It had to go .* Not before/);
    expect(statSync(dir).isDirectory()).toBe(true);
  });
});

describe('what a binary is called', () => {
  const names = () => {
    const status = symbolizer.statusOf(buildId);
    return [status?.file, status?.sources.map(({ kind, file }) => `${kind} ${file}`)];
  };

  test('is what its program is called, else its debug file', async () => {
    await send(full, { file: 'lib.debug' });
    expect(names()).toEqual(['lib.debug', ['debuginfo lib.debug']]);
    await send(exported, { kind: 'executable', file: 'build/lib.so' });
    expect(names()[0]).toBe('lib.so');
  });

  test('is what profiles call it, before all others, also after a restart', async () => {
    await send(full, { file: 'lib.debug' });
    symbolizer.notice([{ buildId, file: 'lib.so.1' }]);
    symbolizer.notice([{ buildId, file: 'lib.so.1.0' }]);
    expect(names()).toEqual(['lib.so.1', ['debuginfo lib.debug']]);
    await symbolizer.close();
    symbolizer = reopened();
    await send(exported, { kind: 'executable', file: 'lib.so' });
    expect(names()[0]).toBe('lib.so.1');
  });
});

describe('why there is no symbol file', () => {
  const why = () => symbolizer.missingSymbolFiles().map(({ missing }) => missing);

  test('nothing is here, or a part of a file', async () => {
    expect(why()).toEqual([]);
    await send(full, {}, 0, 500);
    expect(why()).toEqual([]);
  });

  test('it waits, then it is there', async () => {
    await symbolizer.close();
    symbolizer = reopened({ answerMs: 0 });
    await send(full);
    expect(why()).toEqual(['waiting']);
    await expect.poll(why, { timeout: 25_000 }).toEqual([]);
    expect(symbolFile().buildId).toBe(buildId);
  });

  test('the file was refused', async () => {
    await expect(send(Buffer.alloc(500, 7), { buildId })).rejects.toThrow();
    expect(why()).toEqual(['failed']);
  });

  test('only .dwo files are here', async () => {
    await send(Buffer.from('!<arch>\n'.padEnd(100)), { buildId, kind: 'split' });
    expect(why()).toEqual(['incomplete']);
  });
});
