/**
 * Rust's legacy names: a nested name as in C++, with the path's parts escaped to letters, digits,
 * `_`, `.` and `$`, and a hash as the last part.
 */
import { Cursor, isDigit, NotMangled } from './cursor.ts';
import { rustSuffix } from './rust-suffix.ts';

const HASH = /^h[0-9a-f]{16}$/;
/** C++ could have such a name too, but not with so many digits that differ. */
const MIN_HASH_DIGITS = 5;
const ESCAPES: Record<string, string> = {
  $SP$: '@',
  $BP$: '*',
  $RF$: '&',
  $LT$: '<',
  $GT$: '>',
  $LP$: '(',
  $RP$: ')',
  $C$: ',',
  '..': '::',
};
const ESCAPE = /\$(?:SP|BP|RF|LT|GT|LP|RP|C|u[0-9a-f]{1,6})\$|\.\./g;

/** The path without its hash, or null if the name, which begins with `_ZN`, is not Rust's. */
export function demangleRustLegacy(mangled: string): string | null {
  // The hash is before the end or before what LLVM appended.
  if (!/17h[0-9a-f]{16}E(?:$|[.@])/.test(mangled)) return null;
  const input = new Cursor(mangled, '_ZN'.length);
  const parts: string[] = [];
  while (!input.skip('E')) {
    if (!isDigit(input.peek())) return null;
    parts.push(input.take(input.number()));
  }
  const hash = parts.pop() ?? '';
  if (!HASH.test(hash) || new Set(hash.slice(1)).size < MIN_HASH_DIGITS) return null;
  if (parts.length === 0) throw new NotMangled('a hash of no path');
  const suffix = input.text.slice(input.at);
  const path = parts.map(unescapePart).join('::');
  return path + rustSuffix(suffix);
}

function unescapePart(part: string): string {
  // A part that would begin with an escape has `_` before it, to be an identifier.
  const text = part.startsWith('_$') ? part.slice(1) : part;
  return text.replace(ESCAPE, (sequence) => {
    const known = ESCAPES[sequence];
    if (known !== undefined) return known;
    const code = Number.parseInt(sequence.slice(2, -1), 16);
    return code >= 0x20 && code !== 0x7f && code <= 0x10ffff
      ? String.fromCodePoint(code)
      : sequence;
  });
}
