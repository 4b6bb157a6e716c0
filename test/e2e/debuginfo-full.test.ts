/** Debug information on a full disk: told as such, nothing is left over, and it goes on with room. */
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { BuildId, EpochMs } from '../../profile/units.ts';
import { openSymbolizer } from '../../symbolizer/debuginfo/debuginfo-store.ts';
import { bytesSource } from '../../symbolizer/elf/byte-reader.ts';
import { readElfIdentity } from '../../symbolizer/elf/elf.ts';
import type { Symbolizer } from '../../symbolizer/symbolizer.ts';
import { buildElf } from '../fixtures/elf-builds.ts';

const DISK_BYTES = 1_048_576;
const HOUR_MS = 3_600_000;

let parent = '';
let disk = '';
let now = 0;
let symbolizer: Symbolizer;
let program: Buffer;
let buildId: BuildId;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'debuginfo-full-'));
  disk = join(parent, 'disk');
  mkdirSync(disk);
  const options = ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'everflame-test', disk];
  execFileSync('mount', options);
  now = Date.UTC(2026, 0, 1);
  program = readFileSync(buildElf(parent, 'pie', ['-g']));
  buildId = readElfIdentity(bytesSource(program)).buildId;
  symbolizer = openSymbolizer({
    dir: join(disk, 'debuginfo'),
    maxBytes: 2 ** 30,
    leaseMs: 60_000,
    answerMs: 60_000,
    localPaths: [],
    debuginfodUrls: [],
    clock: () => now as EpochMs,
  });
});
afterEach(async () => {
  await symbolizer.close();
  execFileSync('umount', [disk]);
  rmSync(parent, { recursive: true });
});

/** Leaves so much room on the disk. */
function fill(leftBytes: number): void {
  rmSync(join(disk, 'ballast'), { force: true });
  const { bavail, bsize } = statfsSync(disk);
  const bytes = bavail * bsize - leftBytes;
  if (bytes > 0) writeFileSync(join(disk, 'ballast'), Buffer.alloc(bytes));
}

async function* inPieces(from: number) {
  for (let at = from; at < program.length; at += 1_000) yield program.subarray(at, at + 1_000);
}

function send(from = 0) {
  const part = { kind: 'debuginfo', file: 'pie', lease: '', from: 'test' } as const;
  const totalBytes = program.length;
  return symbolizer.upload({ ...part, buildId, offset: from, totalBytes, body: inPieces(from) });
}

async function offset(): Promise<number | undefined> {
  const question = { kind: 'debuginfo', file: 'pie', sizeBytes: program.length } as const;
  return (await symbolizer.wanted([{ ...question, buildId }], 'a'))[0]?.offset;
}

const status = () => symbolizer.statusOf(buildId);
const REMEDY = 'Free disk space or lower --debuginfo-bytes.';

test('an upload goes on once there is room', async () => {
  fill(16_384);
  await expect(send()).rejects.toMatchObject({ kind: 'storage-full' });
  expect(status()).toMatchObject({
    state: 'failed',
    problem: expect.stringMatching(/^An upload ended: no room for debug information on the disk\./),
    remedy: REMEDY,
  });
  // Nothing that is asked meanwhile fails.
  now += 2 * HOUR_MS;
  const held = (await offset()) ?? 0;
  symbolizer.notice([{ buildId, file: 'pie' }]);
  fill(500_000);
  expect((await send(held)).state).toBe('ready');
  expect(status()).toMatchObject({ quality: 'lines', problem: '' });
});

test('a conversion waits for room, says so, and is made', async () => {
  fill(program.length + 16_384);
  await expect(send()).rejects.toMatchObject({ kind: 'storage-full', remedy: REMEDY });
  const problem = 'It waits for conversion: no room for the symbol file on the disk.';
  const retryMs = now + 60_000;
  expect(status()).toMatchObject({ state: 'converting', problem, remedy: REMEDY, retryMs });
  symbolizer.retry(buildId);
  const later = now + 120_000;
  await expect.poll(() => status()?.retryMs, { timeout: 25_000 }).toBe(later);
  const names = readdirSync(join(disk, 'debuginfo', buildId));
  expect(names.filter((name) => name.includes('.tmp') || name.startsWith('converted'))).toEqual([]);
  fill(500_000);
  symbolizer.retry(buildId);
  await expect.poll(() => status()?.state, { timeout: 25_000 }).toBe('ready');
  expect(status()).toMatchObject({ quality: 'lines', problem: '', retryMs: null });
});

test('without any room, what is here answers and can be deleted', async () => {
  await send();
  fill(0);
  now += 2 * HOUR_MS;
  symbolizer.notice([{ buildId, file: 'pie' }]);
  await offset();
  symbolizer.retry(buildId);
  await expect.poll(() => symbolizer.stats().waitingConversions, { timeout: 25_000 }).toBe(0);
  expect(status()).toMatchObject({ state: 'ready', quality: 'lines', remedy: REMEDY });
  expect(symbolizer.symbolFiles()).toHaveLength(1);
  expect(symbolizer.remove(buildId)).toBe(true);
  expect(readdirSync(join(disk, 'debuginfo'))).toEqual([]);
});
