/**
 * Rust's v0 names, RFC 2603 and <https://doc.rust-lang.org/rustc/symbol-mangling/v0.html>. Written
 * while it is read: a back reference is read again where it stands.
 */
import { MAX_DEMANGLE_WORK, MAX_DEMANGLED_LENGTH } from '../../profile/limits.ts';
import { Cursor, isDigit, isLower, NotMangled } from './cursor.ts';
import { decodePunycode } from './punycode.ts';
import { constText, quoted } from './rust-const.ts';
import { rustSuffix } from './rust-suffix.ts';

const BASIC_TYPES: Record<string, string> = {
  a: 'i8',
  b: 'bool',
  c: 'char',
  d: 'f64',
  e: 'str',
  f: 'f32',
  h: 'u8',
  i: 'isize',
  j: 'usize',
  l: 'i32',
  m: 'u32',
  n: 'i128',
  o: 'u128',
  p: '_',
  s: 'i16',
  t: 'u16',
  u: '()',
  v: '...',
  x: 'i64',
  y: 'u64',
  z: '!',
};
const BASE_62 = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Parts that are read, those that are referred to each time; one costs about 16 characters. */
const MAX_STEPS = MAX_DEMANGLE_WORK / 16;
/** 64 bits. */
const MAX_BASE_62_DIGITS = 11;

/** The text of a name that begins with `_R`. Throws NotMangled where it is none. */
export function demangleRustV0(mangled: string): string {
  const suffixAt = mangled.search(/[.@]/);
  const body = suffixAt < 0 ? mangled : mangled.slice(0, suffixAt);
  const suffix = mangled.slice(body.length);
  const reader = new V0Reader(new Cursor(body, '_R'.length));
  const path = reader.symbol();
  return path + rustSuffix(suffix);
}

interface Identifier {
  name: string;
  disambiguator: number;
}

class V0Reader {
  readonly #input: Cursor;
  #out: string[] = [];
  #length = 0;
  #steps = 0;
  /** Inside what is read but not written. */
  #silent = false;
  /** Lifetimes that the binders around bind. */
  #bound = 0;

  constructor(input: Cursor) {
    this.#input = input;
  }

  symbol(): string {
    // A version number would be of an encoding that is not known yet.
    if (isDigit(this.#input.peek())) throw new NotMangled('an unknown version');
    this.#path(true);
    // The crate that the generics were instantiated in.
    if (!this.#input.done) this.#silently(() => this.#path(false));
    if (!this.#input.done) throw new NotMangled(`something behind ${this.#input.at}`);
    return this.#out.join('');
  }

  #write(text: string): void {
    if (this.#silent) return;
    this.#length += text.length;
    if (this.#length > MAX_DEMANGLED_LENGTH) throw new NotMangled('the text is too long');
    this.#out.push(text);
  }

  #silently(read: () => void): void {
    const before = this.#silent;
    this.#silent = true;
    read();
    this.#silent = before;
  }

  /** One level deeper, one step more. */
  #deeper(read: () => void): void {
    if (++this.#steps > MAX_STEPS) throw new NotMangled('too many parts');
    this.#input.deeper(read);
  }

  /** Reads what an earlier place says, unless it is not written anyway. */
  #backReference(read: () => void): void {
    const start = this.#input.at - 1;
    const target = this.#base62() + '_R'.length;
    if (target >= start) throw new NotMangled('a reference ahead');
    if (this.#silent) return;
    const { at } = this.#input;
    this.#input.at = target;
    read();
    this.#input.at = at;
  }

  /** `_` is 0, `0_` is 1. Crates' hashes lose their lowest bits, which nobody sees. */
  #base62(): number {
    const digits = this.#input.takeUntil('_');
    if (digits === '') return 0;
    if (digits.length > MAX_BASE_62_DIGITS) throw new NotMangled(`${digits} is no number`);
    let value = 0;
    for (const digit of digits) {
      const place = BASE_62.indexOf(digit);
      value = value * 62 + place;
      if (place < 0) throw new NotMangled(`${digits} is no number`);
    }
    return value + 1;
  }

  #optionalNumber(tag: string): number {
    return this.#input.skip(tag) ? this.#base62() + 1 : 0;
  }

  #identifier(): Identifier {
    const disambiguator = this.#optionalNumber('s');
    return { name: this.#plainIdentifier(), disambiguator };
  }

  #plainIdentifier(): string {
    const encoded = this.#input.skip('u');
    // No digit follows a zero: in `00` there are two empty names.
    const length = this.#input.skip('0') ? 0 : this.#input.number();
    this.#input.skip('_');
    const text = this.#input.take(length);
    return encoded ? decodePunycode(text) : text;
  }

  /** `inValue`: generic arguments are written `::<T>`, not `<T>`. */
  #path(inValue: boolean): void {
    this.#deeper(() => this.#pathOf(this.#input.next(), inValue));
  }

  #pathOf(kind: string, inValue: boolean): void {
    switch (kind) {
      case 'C':
        this.#write(this.#identifier().name);
        return;
      case 'M':
      case 'X':
        this.#silently(() => {
          this.#optionalNumber('s');
          this.#path(false);
        });
        this.#qualifiedPath(kind === 'X');
        return;
      case 'Y':
        this.#qualifiedPath(true);
        return;
      case 'N':
        this.#nestedPath(inValue);
        return;
      case 'I':
        this.#path(inValue);
        this.#write(inValue ? '::<' : '<');
        this.#list(() => this.#genericArg());
        this.#write('>');
        return;
      case 'B':
        this.#backReference(() => this.#path(inValue));
        return;
    }
    throw new NotMangled(`no path ${kind}`);
  }

  #qualifiedPath(ofTrait: boolean): void {
    this.#write('<');
    this.#type();
    if (ofTrait) {
      this.#write(' as ');
      this.#path(false);
    }
    this.#write('>');
  }

  #nestedPath(inValue: boolean): void {
    const namespace = this.#input.next();
    this.#path(inValue);
    const { name, disambiguator } = this.#identifier();
    if (isLower(namespace)) {
      if (name !== '') this.#write(`::${name}`);
      return;
    }
    const known: Record<string, string> = { C: 'closure', S: 'shim' };
    const kind = known[namespace] ?? namespace;
    this.#write(`::{${kind}${name === '' ? '' : `:${name}`}#${disambiguator}}`);
  }

  /** Items until `E`, with commas between; returns how many there were. */
  #list(read: () => void): number {
    let count = 0;
    for (; !this.#input.skip('E'); count++) {
      if (count > 0) this.#write(', ');
      read();
    }
    return count;
  }

  #genericArg(): void {
    if (this.#input.skip('L')) this.#write(this.#lifetime(this.#base62()));
    else if (this.#input.skip('K')) this.#const();
    else this.#type();
  }

  /** 0 is an erased lifetime, 1 the innermost that is bound. */
  #lifetime(index: number): string {
    if (index === 0) return "'_";
    const depth = this.#bound - index;
    if (depth < 0) throw new NotMangled('an unbound lifetime');
    return depth < 26 ? `'${String.fromCharCode(0x61 + depth)}` : `'_${depth}`;
  }

  #type(): void {
    const kind = this.#input.peek();
    const basic = BASIC_TYPES[kind];
    if (basic !== undefined) {
      this.#input.at++;
      this.#write(basic);
    } else {
      this.#deeper(() => this.#compoundType(kind));
    }
  }

  #compoundType(kind: string): void {
    if (/[CMXYNI]/.test(kind)) {
      this.#path(false);
      return;
    }
    this.#input.next();
    switch (kind) {
      case 'R':
      case 'Q':
        this.#reference(kind === 'Q');
        return;
      case 'P':
      case 'O':
        this.#write(kind === 'P' ? '*const ' : '*mut ');
        this.#type();
        return;
      case 'A':
      case 'S':
        this.#array(kind === 'A');
        return;
      case 'T': {
        this.#write('(');
        const count = this.#list(() => this.#type());
        this.#write(count === 1 ? ',)' : ')');
        return;
      }
      case 'F':
        this.#binder(() => this.#functionType());
        return;
      case 'D':
        this.#dynType();
        return;
      case 'B':
        this.#backReference(() => this.#type());
        return;
    }
    throw new NotMangled(`no type ${kind}`);
  }

  #reference(mutable: boolean): void {
    this.#write('&');
    if (this.#input.skip('L')) {
      const index = this.#base62();
      if (index > 0) this.#write(`${this.#lifetime(index)} `);
    }
    if (mutable) this.#write('mut ');
    this.#type();
  }

  #array(sized: boolean): void {
    this.#write('[');
    this.#type();
    if (sized) {
      this.#write('; ');
      this.#const();
    }
    this.#write(']');
  }

  /** `for<'a, 'b>` before what may use them. */
  #binder(read: () => void): void {
    const count = this.#optionalNumber('G');
    if (count > MAX_DEMANGLED_LENGTH) throw new NotMangled('too many lifetimes');
    this.#bound += count;
    if (count > 0 && !this.#silent) {
      const names = Array.from({ length: count }, (_, i) => this.#lifetime(count - i));
      this.#write(`for<${names.join(', ')}> `);
    }
    read();
    this.#bound -= count;
  }

  #functionType(): void {
    if (this.#input.skip('U')) this.#write('unsafe ');
    if (this.#input.skip('K')) {
      const abi = this.#input.skip('C') ? 'C' : this.#plainIdentifier().replaceAll('_', '-');
      this.#write(`extern "${abi}" `);
    }
    this.#write('fn(');
    this.#list(() => this.#type());
    this.#write(')');
    if (this.#input.skip('u')) return;
    this.#write(' -> ');
    this.#type();
  }

  #dynType(): void {
    this.#write('dyn ');
    this.#binder(() => {
      for (let count = 0; !this.#input.skip('E'); count++) {
        if (count > 0) this.#write(' + ');
        this.#dynTrait();
      }
    });
    this.#input.expect('L');
    const lifetime = this.#base62();
    if (lifetime > 0) this.#write(` + ${this.#lifetime(lifetime)}`);
  }

  /** A trait's associated types stand with its generic arguments: `Fn<(u8,), Output = u8>`. */
  #dynTrait(): void {
    let open = this.#openPath();
    while (this.#input.skip('p')) {
      this.#write(open ? ', ' : '<');
      open = true;
      this.#write(`${this.#plainIdentifier()} = `);
      this.#type();
    }
    if (open) this.#write('>');
  }

  /** Leaves out the closing bracket of generic arguments; true if there are some. */
  #openPath(): boolean {
    let open = false;
    this.#deeper(() => {
      if (this.#input.skip('B')) {
        this.#backReference(() => {
          open = this.#openPath();
        });
      } else if (this.#input.skip('I')) {
        open = true;
        this.#path(false);
        this.#write('<');
        this.#list(() => this.#genericArg());
      } else {
        this.#path(false);
      }
    });
    return open;
  }

  #const(): void {
    this.#deeper(() => {
      const kind = this.#input.next();
      const scalar = kind === 'B' ? null : constText(this.#input, kind);
      if (kind === 'B') this.#backReference(() => this.#const());
      else if (scalar !== null) this.#write(scalar);
      else {
        this.#write('{');
        this.#structuralConst(kind);
        this.#write('}');
      }
    });
  }

  /** A constant inside another, which needs no braces of its own. */
  #innerConst(): void {
    this.#deeper(() => {
      const kind = this.#input.next();
      const scalar = kind === 'B' ? null : constText(this.#input, kind);
      if (kind === 'B') this.#backReference(() => this.#innerConst());
      else if (scalar !== null) this.#write(scalar);
      else this.#structuralConst(kind);
    });
  }

  #structuralConst(kind: string): void {
    switch (kind) {
      case 'e':
        this.#write(`*${quoted(this.#input)}`);
        return;
      case 'R':
      case 'Q':
        if (kind === 'R' && this.#input.skip('e')) {
          this.#write(quoted(this.#input));
          return;
        }
        this.#write(kind === 'R' ? '&' : '&mut ');
        this.#innerConst();
        return;
      case 'A':
        this.#write('[');
        this.#list(() => this.#innerConst());
        this.#write(']');
        return;
      case 'T': {
        this.#write('(');
        const count = this.#list(() => this.#innerConst());
        this.#write(count === 1 ? ',)' : ')');
        return;
      }
      case 'V':
        this.#constOfType();
        return;
    }
    throw new NotMangled(`no constant ${kind}`);
  }

  /** A unit, tuple or record of a type or variant that has a path. */
  #constOfType(): void {
    this.#path(true);
    const shape = this.#input.next();
    if (shape === 'U') return;
    if (shape !== 'T' && shape !== 'S') throw new NotMangled(`no constant of shape ${shape}`);
    this.#write(shape === 'T' ? '(' : ' { ');
    this.#list(() => {
      if (shape === 'S') this.#write(`${this.#identifier().name}: `);
      this.#innerConst();
    });
    this.#write(shape === 'T' ? ')' : ' }');
  }
}
