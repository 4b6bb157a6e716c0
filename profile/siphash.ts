/**
 * HalfSipHash-1-3 with 64-bit output (Aumasson and Bernstein's reference `halfsiphash`): a keyed
 * hash made for 32-bit arithmetic. Keyed, so that nobody who pushes profiles can make two names
 * meet in one id. The bytes that are hashed for each id are fixed in docs/formats.md.
 */
export interface IdKey {
  k0: number;
  k1: number;
}

/** A hash that has absorbed some words already; made once and continued any number of times. */
export interface HashState {
  readonly v0: number;
  readonly v1: number;
  readonly v2: number;
  readonly v3: number;
  /** Bytes absorbed. */
  readonly length: number;
}

/** First words of the hashed input, so that ids of different tables never share an input. */
export const IdTag = {
  string: 1,
  function: 2,
  location: 3,
  stack: 4,
  labelset: 5,
  series: 6,
} as const;

/** The state after the tag word. */
export function startHash(key: IdKey, tag: number): HashState {
  // The constants are the reference's; 0xee in v1 selects the 64-bit output.
  return absorb(
    {
      v0: key.k0 | 0,
      v1: key.k1 ^ 0xee,
      v2: 0x6c796765 ^ key.k0,
      v3: 0x74656462 ^ key.k1,
      length: 0,
    },
    tag,
  );
}

/** The state after one more word. For prefixes that many ids share; allocates. */
export function absorb(state: HashState, word: number): HashState {
  let { v0, v1, v2, v3 } = state;
  v3 ^= word;
  v0 = (v0 + v1) | 0;
  v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
  v0 = (v0 << 16) | (v0 >>> 16);
  v2 = (v2 + v3) | 0;
  v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
  v0 = (v0 + v3) | 0;
  v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
  v2 = (v2 + v1) | 0;
  v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
  v2 = (v2 << 16) | (v2 >>> 16);
  return { v0: v0 ^ word, v1, v2, v3, length: state.length + 4 };
}

/**
 * Writes the id of the state's input followed by `words[from .. to)` to `out[at]` (low half) and
 * `out[at + 1]`.
 */
export function hashWords(
  state: HashState,
  words: Int32Array,
  from: number,
  to: number,
  out: Int32Array,
  at: number,
): void {
  let { v0, v1, v2, v3 } = state;
  // The round stands in both loops, because a call per word would cost as much as the round.
  for (let i = from; i < to; i++) {
    const word = words[i] as number;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  finish(v0, v1, v2, v3, (state.length + (to - from) * 4) << 24, out, at);
}

/**
 * The same for the bytes `from .. to` of `view`. Returns the OR of all its 32-bit words: text is
 * ASCII where `& 0x80808080` of that is zero, which callers would otherwise read it again to know.
 */
export function hashBytes(
  state: HashState,
  view: DataView,
  from: number,
  to: number,
  out: Int32Array,
  at: number,
): number {
  let { v0, v1, v2, v3 } = state;
  const tail = to - ((to - from) & 3);
  let seen = 0;
  for (let i = from; i < tail; i += 4) {
    const word = view.getInt32(i, true);
    seen |= word;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  let rest = 0;
  for (let i = to - 1; i >= tail; i--) rest = (rest << 8) | view.getUint8(i);
  finish(v0, v1, v2, v3, ((state.length + to - from) << 24) | rest, out, at);
  return seen | rest;
}

/** Absorbs the final block, then three rounds for each half of the output. */
function finish(
  v0: number,
  v1: number,
  v2: number,
  v3: number,
  last: number,
  out: Int32Array,
  at: number,
): void {
  v3 ^= last;
  for (let round = 0; round < 7; round++) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    if (round === 0) {
      v0 ^= last;
      v2 ^= 0xee;
    } else if (round === 3) {
      out[at] = v1 ^ v3;
      v1 ^= 0xdd;
    }
  }
  out[at + 1] = v1 ^ v3;
}

const encoder = new TextEncoder();

/** The id of one text under a state; for the few ids that are not made in bulk. */
export function hashText(state: HashState, text: string): [low: number, high: number] {
  const bytes = encoder.encode(text);
  const out = new Int32Array(2);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  hashBytes(state, view, 0, bytes.length, out, 0);
  return [out[0] as number, out[1] as number];
}
