/**
 * Feeds the ingest path with pprofs that were whole and are damaged: bits, bytes, forged lengths
 * and varints, cuts, repeated and swapped pieces, plain noise. What it accepts must be a batch whose
 * rows refer to rows that exist, and the same batch whether WebAssembly had a part in it or not.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { PprofKernel } from '../../api/ingest/kernel/pprof-kernel.ts';
import { RequestDecoder } from '../../api/ingest/request-decoder.ts';
import { EverflameError } from '../../profile/errors.ts';
import type { EpochMs } from '../../profile/units.ts';
import type { WriteBatch } from '../../store/store.ts';
import { richPprof, usualPprof } from '../rich-pprof.ts';
import { watchFuzz } from './fuzz-watch.ts';
import type { ProofOptions } from './proof.ts';

const NOW = 1_780_000_000_000 as EpochMs;

const WHOLE = [1, 2, 3].flatMap((sampleTypes) => [richPprof(sampleTypes), usualPprof(sampleTypes)]);

/** Values whose meaning changes where one stands for a tag, a length, an id or a string. */
const byte = fc.constantFrom(0, 1, 2, 8, 10, 18, 26, 34, 42, 50, 0x7f, 0x80, 0x81, 0xff);
const edit = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), at: fc.nat(), byte }),
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat() }),
  fc.record({
    kind: fc.constant('varint' as const),
    at: fc.nat(),
    value: fc.bigInt(0n, 2n ** 70n),
  }),
  fc.record({
    kind: fc.constant('copy' as const),
    at: fc.nat(),
    from: fc.nat(),
    length: fc.nat(64),
  }),
  fc.record({ kind: fc.constant('remove' as const), at: fc.nat(), length: fc.nat(16) }),
);
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

const damaged = fc
  .record({
    whole: fc.nat(WHOLE.length - 1),
    edits: fc.array(edit, { minLength: 1, maxLength: 5 }),
  })
  .map(({ whole, edits }) => edits.reduce(applyEdit, WHOLE[whole] as Uint8Array));
const input = fc.oneof({ weight: 19, arbitrary: damaged }, fc.uint8Array({ maxLength: 300 }));

function applyEdit(bytes: Uint8Array, change: Edit): Uint8Array {
  const at = change.at % (bytes.length + 1);
  switch (change.kind) {
    case 'set':
      return splice(bytes, at, 1, [change.byte]);
    case 'flip':
      return splice(bytes, at, 1, [(bytes[at] ?? 0) ^ (1 << change.bit)]);
    case 'cut':
      return bytes.slice(0, at);
    case 'varint':
      return splice(bytes, at, 1, varint(change.value));
    case 'copy': {
      const from = change.from % (bytes.length + 1);
      return splice(bytes, at, 0, bytes.subarray(from, from + change.length));
    }
    case 'remove':
      return splice(bytes, at, change.length, []);
  }
}

function splice(bytes: Uint8Array, at: number, removed: number, added: Iterable<number>) {
  return Uint8Array.from([...bytes.subarray(0, at), ...added, ...bytes.subarray(at + removed)]);
}

function varint(value: bigint): number[] {
  const bytes = [];
  for (let rest = value; ; rest >>= 7n) {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    if (rest <= 127n) return bytes;
  }
}

/** Throws on anything but EverflameError, on a decode over a second and on memory that grows. */
export async function fuzzPprof(options: ProofOptions): Promise<string> {
  const key = { k0: options.seed, k1: 7 };
  const kernel = new PprofKernel(key);
  const decoder = new RequestDecoder(key, kernel);
  const plainDecoder = new RequestDecoder(key, null);
  const watch = watchFuzz('profiles');
  const property = fc.property(input, (bytes) => {
    watch.begin();
    const batch = tryDecode(decoder, bytes);
    watch.end(batch !== null);
    if (!isDeepStrictEqual(batch, tryDecode(plainDecoder, bytes))) {
      throw new Error('the kernel and the TypeScript decoder differ');
    }
  });
  fc.assert(property, { seed: options.seed, numRuns: options.runs });
  return watch.summary();
}

/** The batch, or null where the body is refused. */
function tryDecode(decoder: RequestDecoder, body: Uint8Array): WriteBatch | null {
  try {
    const { batch } = decoder.decode(
      {
        kind: 'ingest',
        body,
        contentType: '',
        contentEncoding: '',
        idempotencyKey: 'fuzz',
        name: 'fuzz{host=a}',
        fromMs: NOW,
        untilMs: null,
        format: 'pprof',
      },
      null,
      NOW,
    );
    checkBatch(batch);
    return batch;
  } catch (error) {
    if (error instanceof EverflameError) return null;
    throw error;
  }
}

/** Every reference of a batch points to a row that is there, and no value is zero or negative. */
function checkBatch(batch: WriteBatch): void {
  const { samples, strings, functions, locations, stacks } = batch;
  const texts = strings.ids.length / 2;
  checkRefs('functions.name', functions.name, texts);
  checkRefs('functions.systemName', functions.systemName, texts);
  checkRefs('functions.file', functions.file, texts);
  checkRefs('locations.binary', locations.binary, texts);
  checkRefs('locations.buildId', locations.buildId, texts);
  checkRefs('locations.lineFunction', locations.lineFunction, functions.ids.length / 2);
  checkRefs('stacks.locations', stacks.locations, locations.ids.length / 2);
  checkRefs('samples.type', samples.type, batch.types.length);
  checkRefs('samples.profile', samples.profile, batch.profiles.length);
  checkRefs('samples.labelset', samples.labelset, batch.labelsets.length);
  checkOffsets('strings', strings.offsets, texts, strings.bytes.length);
  checkOffsets(
    'lines',
    locations.lineOffsets,
    locations.ids.length / 2,
    locations.lineNumber.length,
  );
  checkOffsets('stacks', stacks.offsets, stacks.ids.length / 2, stacks.locations.length);
  const known = new Set<string>();
  for (let i = 0; i < stacks.ids.length; i += 2) known.add(`${stacks.ids[i]},${stacks.ids[i + 1]}`);
  for (let i = 0; i < samples.count; i++) {
    const low = samples.value[i * 2] as number;
    const high = samples.value[i * 2 + 1] as number;
    if (high < 0 || (high === 0 && low === 0))
      throw new Error(`samples.value[${i}] is not positive`);
    const stack = `${samples.stack[i * 2]},${samples.stack[i * 2 + 1]}`;
    if (!known.has(stack)) throw new Error(`samples.stack[${i}] is in no row`);
  }
}

function checkRefs(name: string, column: Uint16Array | Uint32Array, rows: number): void {
  const at = column.findIndex((row) => row >= rows);
  if (at >= 0) throw new Error(`${name}[${at}] is ${column[at]} of ${rows} rows`);
}

function checkOffsets(name: string, offsets: Uint32Array, rows: number, length: number): void {
  const isWhole = offsets.length === rows + 1 && offsets[0] === 0 && offsets[rows] === length;
  if (!isWhole) throw new Error(`${name}: offsets do not cover ${length} entries of ${rows} rows`);
  const at = offsets.findIndex((offset, i) => offset < (offsets[i - 1] ?? 0));
  if (at >= 0) throw new Error(`${name}: offset ${at} is before the one before it`);
}
