import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BuildId, EpochMs } from '../../profile/units.ts';
import { buildElf } from '../../test/fixtures/elf-builds.ts';
import {
  type AddedSection,
  SHF_COMPRESSED,
  withSections,
  zstdBomb,
} from '../../test/fixtures/elf-sections.ts';
import { bytesSource } from '../elf/byte-reader.ts';
import { readElfIdentity } from '../elf/elf.ts';
import type { ConversionSource } from './convert.ts';
import { CONVERTER_LIMITS, type ConverterLimits, convertInChild } from './converter.ts';
import { openSymbolizer } from './debuginfo-store.ts';

let directory = '';
let good: Buffer;
let buildId: BuildId;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'converter-hostile-'));
  good = readFileSync(buildElf(directory, 'exec'));
  buildId = idOf(good);
});
afterAll(() => rmSync(directory, { recursive: true }));

function idOf(bytes: Buffer): BuildId {
  return readElfIdentity(bytesSource(bytes)).buildId;
}

const never = new AbortController().signal;

function convert(files: readonly [ConversionSource['kind'], Buffer][], change: object = {}) {
  const limits: ConverterLimits = { ...CONVERTER_LIMITS, ...change };
  const sources = files.map(([kind, bytes], row) => {
    const path = join(directory, `file-${row}`);
    writeFileSync(path, bytes);
    return { kind, path };
  });
  const target = join(directory, 'out.esf');
  const job = { sources, target, buildId, knownSegments: [], symbolsOnly: false };
  return convertInChild(job, limits, never);
}

/** A pattern as .zdebug_*, one thousandth of its size. */
function repeated(name: string, pattern: readonly number[], size: number): AddedSection {
  const header = Buffer.alloc(12);
  header.write('ZLIB');
  header.writeBigUInt64BE(BigInt(size), 4);
  const content = deflateSync(Buffer.alloc(size, Uint8Array.from(pattern)));
  return { name: name.replace('.', '.z'), bytes: Buffer.concat([header, content]) };
}

const MB = 2 ** 20;
/** Rows of one table of abbreviations without an end: objects of the heap. */
const heapBomb = () => [
  repeated('.debug_info', [7, 0, 0, 0, 4, 0, 0, 0, 0, 0, 8], 11),
  repeated('.debug_abbrev', [1, 0x2e, 0, 0, 0], 100 * MB),
];
/** Units of one byte: each is damaged. */
const slowFile = () => [repeated('.debug_info', [1, 0, 0, 0, 0], 100 * MB)];

describe('a conversion ends, with words, where it takes', () => {
  test('more bytes than the data limit lets it have', async () => {
    const bytes = zstdBomb(500 * MB, 1);
    const bomb = withSections(good, [{ name: '.debug_info', bytes, flags: SHF_COMPRESSED }]);
    expect(bomb.length).toBeLessThan(64 * 1024);
    await expect(convert([['executable', bomb]], { dataBytes: 256 * MB })).rejects.toMatchObject({
      kind: 'too-large',
      message: 'the converter ran out of memory',
      limit: `CONVERTER_LIMITS.dataBytes = ${256 * MB}`,
      remedy: expect.stringMatching(/-g1/),
    });
    await expect(convert([['executable', bomb]])).resolves.toMatchObject({ quality: 2 });
  });

  test('more objects than its heap holds', async () => {
    const bomb = withSections(good, heapBomb());
    expect(bomb.length).toBeLessThan(256 * 1024);
    await expect(convert([['executable', bomb]])).rejects.toMatchObject({
      kind: 'too-large',
      message: 'the converter ran out of memory',
    });
  });

  test('more time than the deadline, and nothing of it is left', async () => {
    const slow = withSections(good, slowFile());
    const late = convert([['executable', slow]], { deadlineMs: 1_000 });
    await expect(late).rejects.toMatchObject({ kind: 'too-large', limit: /deadlineMs = 1000$/ });
    expect(children()).toEqual([]);
  });

  test('a signal', async () => {
    const ended = convert([['executable', withSections(good, slowFile())]]);
    await expect.poll(children, { timeout: 20_000 }).not.toEqual([]);
    for (const pid of children()) process.kill(pid, 'SIGKILL');
    await expect(ended).rejects.toMatchObject({
      kind: 'unavailable',
      message: 'the converter died of SIGKILL',
    });
  });

  test('and the next file is converted', async () => {
    await expect(convert([['executable', good]])).resolves.toMatchObject({ problems: [] });
  });
});

/** Processes of this one that convert. */
function children(): number[] {
  const list = execFileSync('ps', ['--ppid', String(process.pid), '-o', 'pid=,args=']).toString();
  const rows = list.split('\n').filter((row) => row.includes('converter-child'));
  return rows.map((row) => Number.parseInt(row, 10));
}

/** A server's symbolizer, and how a program is sent to it. */
function openStore(name: string) {
  const symbolizer = openSymbolizer({
    dir: join(directory, name),
    maxBytes: 2 ** 30,
    leaseMs: 60_000,
    answerMs: 120_000,
    localPaths: [],
    debuginfodUrls: [],
    clock: () => Date.UTC(2026, 0, 1) as EpochMs,
  });
  const send = (bytes: Buffer) => {
    async function* body() {
      yield bytes;
    }
    const file = { ...PROGRAM, lease: '', from: 'test', buildId: idOf(bytes) } as const;
    return symbolizer.upload({ ...file, offset: 0, totalBytes: bytes.length, body: body() });
  };
  return { symbolizer, send };
}

const PROGRAM = { kind: 'executable', file: 'app' } as const;

test('the server keeps the names of a file that kills the converter, and goes on', async () => {
  const { symbolizer, send } = openStore('memory');
  try {
    const bomb = withSections(good, heapBomb());
    expect(await send(bomb)).toMatchObject({ complete: true, state: 'ready', quality: 'symbols' });
    expect(symbolizer.stats().conversions).toMatchObject({ symbolsOnly: 1, adopted: 1, failed: 0 });
    const status = symbolizer.statusOf(buildId);
    expect(status?.problem).toMatch(/With lines, the converter ran out of memory \(CONVERTER/);
    expect(status?.remedy).toMatch(/Names are all there\. For lines, send/);
    // Not again by itself.
    const question = { ...PROGRAM, buildId, sizeBytes: bomb.length };
    expect(await symbolizer.wanted([question], 'a')).toMatchObject([{ wanted: 'no' }]);
    expect(await send(readFileSync(buildElf(directory, 'pie')))).toMatchObject({ state: 'ready' });
    expect(symbolizer.stats().conversions).toMatchObject({ symbolsOnly: 1, adopted: 2 });
  } finally {
    await symbolizer.close();
  }
});

test('a file whose converter is killed again and again fails, and is left alone', async () => {
  const { symbolizer, send } = openStore('killed');
  const killer = setInterval(() => {
    for (const pid of children()) process.kill(pid, 'SIGKILL');
  }, 50);
  try {
    await expect(send(good)).rejects.toMatchObject({ message: /died of SIGKILL/ });
    clearInterval(killer);
    expect(symbolizer.statusOf(buildId)).toMatchObject({ state: 'failed', quality: 'none' });
    expect(symbolizer.statusOf(buildId)?.problem).toMatch(/converter died of SIGKILL/);
    expect(symbolizer.stats()).toMatchObject({ waitingConversions: 0, conversions: { failed: 1 } });
    const question = { ...PROGRAM, buildId, sizeBytes: good.length };
    const [answer] = await symbolizer.wanted([question], 'a');
    expect(answer).toMatchObject({ wanted: 'no', why: /Not before/ });
    // Whoever insists may send it.
    expect(await send(good)).toMatchObject({ state: 'ready', quality: 'symbols' });
    expect(symbolizer.stats().conversions).toMatchObject({ adopted: 1, failed: 1, postponed: 0 });
  } finally {
    clearInterval(killer);
    await symbolizer.close();
  }
});
