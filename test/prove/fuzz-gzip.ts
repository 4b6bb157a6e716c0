/**
 * Feeds the ingest path's gunzip with gzips that were whole and are damaged: bits, cuts, forged
 * trailers, members and rubbish behind them, and bombs. What it accepts is within the limit.
 */
import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { ByteBudget, gunzip } from '../../api/ingest/gunzip.ts';
import { EverflameError } from '../../profile/errors.ts';
import { richPprof } from '../rich-pprof.ts';
import { watchFuzz } from './fuzz-watch.ts';
import type { ProofOptions } from './proof.ts';

/** Less than the server allows, so that what the collector keeps does not look like growth. */
const MAX_OUTPUT_BYTES = 2 ** 25;

const profile = richPprof(3);
const noise = Uint8Array.from({ length: 40_000 }, (_, i) => (i * i * 2_654_435_761) >>> 24);
const WHOLE = [gzipSync(profile), gzipSync(noise), gzipSync(''), gzipSync(Buffer.alloc(300_000))];
const MEMBER = gzipSync(Buffer.alloc(2 ** 24), { level: 9 });
/** One and a half times what is allowed, in 50 kB. */
const BOMB = Buffer.concat(
  Array.from({ length: (MAX_OUTPUT_BYTES / 2 ** 24) * 1.5 }, () => MEMBER),
);

const size = fc.oneof(
  fc.constantFrom(0, 1, 64, 2 ** 16, MAX_OUTPUT_BYTES, 2 ** 31, 2 ** 32 - 1),
  fc.nat(2 ** 24),
);
const damaged = fc
  .record({
    members: fc.array(fc.nat(WHOLE.length - 1), { minLength: 1, maxLength: 3 }),
    flips: fc.array(fc.record({ at: fc.nat(), bit: fc.nat(7) }), { maxLength: 3 }),
    cut: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(200)),
    trailer: fc.option(size),
    behind: fc.oneof({ weight: 3, arbitrary: fc.constant(new Uint8Array(0)) }, fc.uint8Array()),
  })
  .map(({ members, flips, cut, trailer, behind }) => {
    const whole = Buffer.concat(members.map((i) => WHOLE[i] as Buffer));
    if (trailer !== null) whole.writeUInt32LE(trailer, whole.length - 4);
    for (const { at, bit } of flips) {
      const place = at % whole.length;
      whole.writeUInt8(whole.readUInt8(place) ^ (1 << bit), place);
    }
    return Buffer.concat([whole.subarray(0, whole.length - cut), behind]);
  });
const bomb = size.map((claimed) => {
  const body = Buffer.from(BOMB);
  body.writeUInt32LE(claimed, body.length - 4);
  return body;
});
const input = fc.oneof({ weight: 999, arbitrary: damaged }, { weight: 1, arbitrary: bomb });

/** Throws on anything but EverflameError, on a body over a second and on memory that grows. */
export async function fuzzGzip(options: ProofOptions): Promise<string> {
  const watch = watchFuzz('bodies');
  const property = fc.asyncProperty(input, async (body) => {
    watch.begin();
    watch.end(tryGunzip(body));
    // A worker handles each request in a turn of its own, and zlib's memory is freed between turns.
    if (watch.runs % 10 === 0) await setImmediate();
  });
  await fc.assert(property, { seed: options.seed, numRuns: options.runs });
  return watch.summary();
}

function tryGunzip(body: Uint8Array): boolean {
  const budget = new ByteBudget(MAX_OUTPUT_BYTES);
  try {
    const { length } = gunzip(body, budget, 'body');
    if (length !== budget.used || length > MAX_OUTPUT_BYTES) {
      throw new Error(`${length} bytes came out, ${budget.used} were counted`);
    }
    return true;
  } catch (error) {
    if (error instanceof EverflameError) return false;
    throw error;
  }
}
