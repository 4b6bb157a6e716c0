/** Bootstring decoding of RFC 3492, as Rust's v0 names use it: the delimiter is `_`, not `-`. */
import { NotMangled } from './cursor.ts';

const BASE = 36;
const T_MIN = 1;
const T_MAX = 26;
const SKEW = 38;
const DAMP = 700;
const INITIAL_BIAS = 72;
const INITIAL_CODE = 0x80;
/** Of an identifier in this form; each character moves those behind it. */
const MAX_LENGTH = 1024;
const MAX_CODE = 0x10ffff;

export function decodePunycode(text: string): string {
  if (text.length > MAX_LENGTH) throw new NotMangled('punycode of too many characters');
  const delimiter = text.lastIndexOf('_');
  const points = [...text.slice(0, Math.max(0, delimiter))].map((c) => c.charCodeAt(0));
  const digits = text.slice(delimiter + 1);
  let code = INITIAL_CODE;
  let bias = INITIAL_BIAS;
  let place = 0;
  for (let at = 0; at < digits.length; ) {
    const before = place;
    let weight = 1;
    for (let k = BASE; ; k += BASE) {
      const digit = digitAt(digits, at++);
      place += digit * weight;
      const threshold = Math.min(T_MAX, Math.max(T_MIN, k - bias));
      if (digit < threshold) break;
      weight *= BASE - threshold;
      if (place > 2 ** 32 || weight > 2 ** 32) throw new NotMangled('punycode overflows');
    }
    const count = points.length + 1;
    bias = adapt(place - before, count, before === 0);
    code += Math.floor(place / count);
    place %= count;
    if (code > MAX_CODE || (code >= 0xd800 && code < 0xe000)) {
      throw new NotMangled('punycode of no character');
    }
    points.splice(place++, 0, code);
  }
  return points.map((point) => String.fromCodePoint(point)).join('');
}

/** `a` to `z` are 0 to 25, `0` to `9` are 26 to 35. */
function digitAt(digits: string, at: number): number {
  const code = digits.charCodeAt(at);
  if (code >= 0x61 && code <= 0x7a) return code - 0x61;
  if (code >= 0x30 && code <= 0x39) return code - 0x30 + 26;
  throw new NotMangled('no punycode digit');
}

function adapt(delta: number, count: number, first: boolean): number {
  let rest = first ? Math.floor(delta / DAMP) : Math.floor(delta / 2);
  rest += Math.floor(rest / count);
  let k = 0;
  for (; rest > ((BASE - T_MIN) * T_MAX) / 2; k += BASE) rest = Math.floor(rest / (BASE - T_MIN));
  return k + Math.floor(((BASE - T_MIN + 1) * rest) / (rest + SKEW));
}
