/** Names as their source code has them, from the names that C++ and Rust compilers emit. */
import {
  MAX_DEMANGLED_LENGTH,
  MAX_DEMANGLER_CHARACTERS,
  MAX_MANGLED_LENGTH,
} from '../../profile/limits.ts';
import { NotMangled } from './cursor.ts';
import { demangleItanium } from './itanium.ts';
import { demangleRustLegacy } from './rust-legacy.ts';
import { demangleRustV0 } from './rust-v0.ts';

const UNDERSCORE = 0x5f;
const MANGLED = /^(?:_Z|_R[A-Z]|_GLOBAL_[._$][ID]_)/;
/** Runs before or after `main`; the rest of the name says for what. */
const GLOBAL = /^_GLOBAL_[._$]([ID])_/;
/** The version of a dynamic symbol, `name@VERSION` or, where it is the default, `name@@VERSION`. */
const VERSION = /@@?[\w.]+$/;

/**
 * The name in the words of its language, as binutils writes it: C++ by the Itanium ABI, Rust in its
 * legacy and its v0 mangling. Anything else, and what is beyond the limits, comes back as it is.
 */
export function demangle(name: string): string {
  if (name.length > MAX_MANGLED_LENGTH || !MANGLED.test(name)) return name;
  const version = VERSION.exec(name)?.[0] ?? '';
  const mangled = name.slice(0, name.length - version.length);
  try {
    const text = withBytes(mangled, demangleParsed) + version;
    return text.length > MAX_DEMANGLED_LENGTH ? name : text;
  } catch (error) {
    if (error instanceof NotMangled) return name;
    throw error;
  }
}

function demangleParsed(mangled: string): string {
  const global = GLOBAL.exec(mangled);
  if (global !== null) {
    const what = global[1] === 'I' ? 'constructors' : 'destructors';
    const rest = mangled.slice(global[0].length);
    return `global ${what} keyed to ${/^_[ZR]/.test(rest) ? demangleEncoding(rest) : rest}`;
  }
  return demangleEncoding(mangled);
}

function demangleEncoding(mangled: string): string {
  if (mangled.startsWith('_R')) return demangleRustV0(mangled);
  const rust = mangled.startsWith('_ZN') ? demangleRustLegacy(mangled) : null;
  return rust ?? demangleItanium(mangled);
}

/** Lengths in mangled names count bytes: text beyond ASCII is handed over a byte a character. */
function withBytes(text: string, run: (bytes: string) => string): string {
  if (/^[ -~]*$/.test(text)) return run(text);
  const bytes = Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte));
  const result = Uint8Array.from(run(bytes.join('')), (character) => character.charCodeAt(0));
  return new TextDecoder().decode(result);
}

/** `demangle` that remembers what it was asked last, for a thread that names frames. */
export function createDemangler(): (name: string) => string {
  const known = new Map<string, string>();
  let characters = 0;
  return (name) => {
    // As most names of C and Go: not worth being remembered.
    if (name.charCodeAt(0) !== UNDERSCORE) return name;
    let demangled = known.get(name);
    if (demangled === undefined) {
      demangled = demangle(name);
      characters += name.length + demangled.length;
      if (characters > MAX_DEMANGLER_CHARACTERS) {
        known.clear();
        characters = name.length + demangled.length;
      }
      known.set(name, demangled);
    }
    return demangled;
  };
}
