/** Values of const generics in Rust's v0 names: hexadecimal digits behind the letter of a type. */
import { type Cursor, NotMangled } from './cursor.ts';

const UNSIGNED = /[hjmoty]/;
const SIGNED = /[ailnsx]/;

/** A number, truth value, character or placeholder of type `kind`; null for any other type. */
export function constText(input: Cursor, kind: string): string | null {
  if (kind === 'p') return '_';
  if (UNSIGNED.test(kind)) return integer(input);
  if (SIGNED.test(kind)) return (input.skip('n') ? '-' : '') + integer(input);
  if (kind === 'b') return boolean(input);
  return kind === 'c' ? character(input) : null;
}

/** The digits up to `_`. */
function hexDigits(input: Cursor): string {
  const digits = input.takeUntil('_');
  if (!/^[0-9a-f]*$/.test(digits)) throw new NotMangled(`${digits} are no digits`);
  return digits;
}

/** Decimal as far as 64 bits go. */
function integer(input: Cursor): string {
  const digits = hexDigits(input).replace(/^0+/, '');
  return digits.length > 16 ? `0x${digits}` : BigInt(`0x0${digits}`).toString();
}

function boolean(input: Cursor): string {
  const digits = hexDigits(input);
  if (digits !== '0' && digits !== '1') throw new NotMangled('neither true nor false');
  return digits === '1' ? 'true' : 'false';
}

function character(input: Cursor): string {
  const code = Number.parseInt(hexDigits(input), 16);
  if (!(code <= 0x10ffff) || (code >= 0xd800 && code < 0xe000)) {
    throw new NotMangled('no character');
  }
  return `'${escaped(String.fromCodePoint(code), "'")}'`;
}

/** A string literal; its UTF-8 bytes are two digits each. */
export function quoted(input: Cursor): string {
  const digits = hexDigits(input);
  if (digits.length % 2 !== 0) throw new NotMangled('half a byte');
  const bytes = Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return `"${escaped(new TextDecoder().decode(bytes), '"')}"`;
}

function escaped(text: string, quote: string): string {
  const known: Record<string, string> = { '\t': '\\t', '\r': '\\r', '\n': '\\n', '\\': '\\\\' };
  return text.replace(/[\p{C}\\"']/gu, (found) => {
    if (found === quote) return `\\${quote}`;
    if (found === '"' || found === "'") return found;
    return known[found] ?? `\\u{${(found.codePointAt(0) ?? 0).toString(16)}}`;
  });
}
