/**
 * Feeds decodeFg1 with bodies that were whole and are damaged: bytes, header fields, section table,
 * truncation, plain noise. Whatever it accepts must be a graph that encodes again.
 */
import fc from 'fast-check';
import { EverflameError } from '../../profile/errors.ts';
import { decodeFg1, encodeFg1 } from '../../profile/flame/fg1.ts';
import { deriveTree } from '../../profile/flame/flame-graph.ts';
import { parseGraphText } from '../../profile/text.ts';
import { watchFuzz } from './fuzz-watch.ts';
import type { ProofOptions } from './proof.ts';

const WHOLE = [
  encodeFg1(parseGraphText('main;read@libc.so 2\nmain;read@libc.so;sys_read{kernel} 3\nmain 0.5')),
  encodeFg1(parseGraphText('a;b;c 4294967296\na;b 7', 'a;b 1\nd;\u00e9 2')),
  encodeFg1(parseGraphText('')),
];

const word = fc.oneof(
  fc.constantFrom(0, 1, 2, 7, 64, 65_535, 4_000_000, 4_000_001, 0x7fffffff, 0xffffffff),
  fc.nat(0xffffffff),
);
const edit = fc.record({ at: fc.nat(4095), value: word, bytes: fc.constantFrom(1, 4) });
const damaged = fc
  .record({
    whole: fc.nat(WHOLE.length - 1),
    edits: fc.array(edit, { maxLength: 6 }),
    // Most bodies keep their length: the others fall at the first check.
    cut: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(2000) }),
    shift: fc.constantFrom(0, 0, 4),
  })
  .map(({ whole, edits, cut, shift }) => {
    const source = WHOLE[whole] as Uint8Array;
    const room = new Uint8Array(source.length + shift);
    room.set(source, shift);
    const body = room.subarray(shift, Math.max(shift, room.length - cut));
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    for (const { at, value, bytes } of edits) {
      // The header and the table decide most, so half the edits go there.
      const place = (at % 2 === 0 ? (at >>> 1) % 384 : at >>> 1) & ~(bytes - 1);
      if (place + bytes > body.length) continue;
      if (bytes === 4) view.setUint32(place, value, true);
      else view.setUint8(place, value & 0xff);
    }
    return body;
  });
const input = fc.oneof({ weight: 19, arbitrary: damaged }, fc.uint8Array({ maxLength: 512 }));

/** Throws on anything but EverflameError, on a decode over a second and on memory that grows. */
export async function fuzzFg1(options: ProofOptions): Promise<string> {
  const watch = watchFuzz('bodies');
  const property = fc.property(input, (body) => {
    watch.begin();
    watch.end(tryDecode(body));
  });
  fc.assert(property, { seed: options.seed, numRuns: options.runs });
  return watch.summary();
}

function tryDecode(body: Uint8Array): boolean {
  try {
    const graph = decodeFg1(body);
    deriveTree(graph.depth, graph.self, graph.folded);
    decodeFg1(encodeFg1(graph));
    return true;
  } catch (error) {
    if (error instanceof EverflameError) return false;
    throw error;
  }
}
