/**
 * Hostile ELF files: real objects with flipped bits, cut ends and forged sizes, converted and
 * stripped in this process. None may crash, take a second of CPU time, or grow memory by more than
 * 256 MB; a symbol file that comes out must open and answer.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, EverflameError } from '../../profile/errors.ts';
import { convertSources } from '../../symbolizer/debuginfo/convert.ts';
import { bytesSource } from '../../symbolizer/elf/byte-reader.ts';
import { readElfIdentity } from '../../symbolizer/elf/elf.ts';
import { planStrip } from '../../symbolizer/elf/strip.ts';
import { openSymbolFile } from '../../symbolizer/symbol-file/symbol-file.ts';
import { buildElf, ELF_NAMES, onlyDebug, stripped } from '../fixtures/elf-builds.ts';
import { watchFuzz } from './fuzz-watch.ts';
import type { ProofOptions } from './proof.ts';

/** CPU time, so that a busy machine or a slow disk is no failure. */

/** Values at which counts, sizes and offsets go wrong. */
const FORGED = [
  0, 1, 2, 0x7f, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff,
];

/** Returns one line of summary. Throws on the first file that breaks a promise. */
export async function fuzzElf(options: ProofOptions): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'fuzz-elf-'));
  try {
    const objects = buildObjects(directory);
    const random = xorshift(options.seed);
    const watch = watchFuzz('files');
    for (let run = 1; run <= options.runs; run++) {
      const object = objects[random(objects.length)] as Buffer;
      const bytes = mutate(object, random);
      watch.begin();
      watch.end(await tryOne(bytes, join(directory, 'out.esf')));
    }
    return watch.summary();
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function buildObjects(directory: string): Buffer[] {
  const paths = ELF_NAMES.map((name) => buildElf(directory, name));
  const [first = ''] = paths;
  return [...paths, stripped(first), onlyDebug(first)].map((path) => readFileSync(path));
}

/** True if a symbol file came of it. Anything thrown but EverflameError is a crash. */
async function tryOne(bytes: Buffer, target: string): Promise<boolean> {
  const source = bytesSource(bytes);
  try {
    const { buildId } = readElfIdentity(source);
    await tryStrip(bytes);
    const job = { buildId, target, knownSegments: [], symbolsOnly: false };
    await convertSources(job, [{ kind: 'executable', source }]);
    const file = openSymbolFile(target);
    assert(file.buildId === buildId, 'the symbol file has another build id');
    for (const address of [0, 0x1000, 0x401000, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      for (const space of ['elf', 'file'] as const) {
        const found = file.lookup(address, space);
        assert(found.kind === 'symbol' || found.reason !== 'damaged', 'a damaged symbol file');
      }
    }
    file.close();
    return true;
  } catch (error) {
    if (error instanceof EverflameError) return false;
    throw error;
  }
}

async function tryStrip(bytes: Buffer): Promise<void> {
  const plan = planStrip(bytesSource(bytes));
  if (plan === null) return;
  let length = 0;
  for await (const chunk of plan.chunks(async (at, n) => bytes.subarray(at, at + n), 0)) {
    length += chunk.length;
  }
  assert(length === plan.sizeBytes, `${length} bytes extracted, ${plan.sizeBytes} announced`);
}

type Random = (below: number) => number;

function mutate(object: Buffer, random: Random): Buffer {
  const bytes = Buffer.from(object);
  const times = 1 + random(4);
  for (let i = 0; i < times; i++) {
    const kind = random(5);
    if (kind === 0) flip(bytes, random(bytes.length), random);
    else if (kind === 1) forge(bytes, random(bytes.length), random);
    else forge(bytes, headerPlace(bytes, random), random);
  }
  return random(8) === 0 ? bytes.subarray(0, random(bytes.length + 1)) : bytes;
}

function flip(bytes: Buffer, at: number, random: Random): void {
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random(8)), at);
}

/** Writes 1, 2, 4 or 8 bytes of a forged value, or of one near the file's size. */
function forge(bytes: Buffer, at: number, random: Random): void {
  const near = bytes.length - 32 + random(64);
  const value = random(4) === 0 ? near : (FORGED[random(FORGED.length)] as number);
  const word = Buffer.alloc(8);
  word.writeUInt32LE(value >>> 0);
  word.writeUInt32LE(random(3) === 0 ? value >>> 0 : 0, 4);
  const width = 1 << random(4);
  word.copy(bytes, at, 0, Math.min(width, bytes.length - at));
}

/** In the file header, a program header, a section header, or a symbol. */
function headerPlace(bytes: Buffer, random: Random): number {
  const is64 = bytes.readUInt8(4) === 2;
  const table = Number(is64 ? bytes.readBigUInt64LE(40) : bytes.readUInt32LE(32));
  const kind = random(4);
  if (kind === 0) return random(64);
  if (kind === 1) return 64 + random(600);
  if (kind === 2 || table + 64 > bytes.length)
    return Math.min(bytes.length - 1, random(bytes.length));
  return Math.min(bytes.length - 1, table + random(bytes.length - table));
}

/** Marsaglia's xorshift32; the same seed, the same files. */
function xorshift(seed: number): Random {
  let state = seed === 0 ? 1 : seed | 0;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
