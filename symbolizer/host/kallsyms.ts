/**
 * Names of kernel code from the text of /proc/kallsyms: `ADDRESS TYPE NAME [MODULE]` a line, also
 * modules, ftrace trampolines and BPF programs. Columns, sorted by address.
 */

import { EverflameError } from '../../profile/errors.ts';
import { BPF_MAPPING, KERNEL_MAPPING } from '../../profile/flame/frame.ts';
import { MAX_KALLSYMS_BYTES, MAX_KALLSYMS_LINES } from '../../profile/limits.ts';

export interface KernelSymbol {
  name: string;
  /** `[kernel]`, `[kernel:MODULE]` or `[bpf]`. */
  mapping: string;
}

/**
 * No function is longer. Beyond the last symbol of a module begins memory that is nobody's, and
 * what runs there (a program loaded since) must not get that symbol's name.
 */
const MAX_FUNCTION_BYTES = 2 ** 20;

const NEWLINE = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;

export class Kallsyms {
  /**
   * All addresses read as zero: the reader lacks CAP_SYSLOG, or kernel.kptr_restrict is 2. There
   * are no symbols then.
   */
  readonly restricted: boolean;
  readonly #bytes: Uint8Array;
  readonly #keys: Float64Array;
  /** Where each symbol's name begins in `#bytes`; 0 = no code begins here, the one before ends. */
  readonly #names: Uint32Array;
  readonly #cache = new Map<number, KernelSymbol>();

  constructor(bytes: Uint8Array, keys: Float64Array, names: Uint32Array, restricted: boolean) {
    this.#bytes = bytes;
    this.#keys = keys;
    this.#names = names;
    this.restricted = restricted;
  }

  /** Addresses at which a named function begins or ends. */
  get count(): number {
    return this.#keys.length;
  }

  /** The function around a kernel address, given as its two 32-bit halves (a BPF stack's u64). */
  lookup(high: number, low: number): KernelSymbol | null {
    const keys = this.#keys;
    const key = kernelKey(high, low);
    let begin = 0;
    let end = keys.length;
    while (begin < end) {
      const middle = (begin + end) >>> 1;
      if ((keys[middle] as number) <= key) begin = middle + 1;
      else end = middle;
    }
    const row = begin - 1;
    if (row < 0 || this.#names[row] === 0) return null;
    if (key - (keys[row] as number) >= MAX_FUNCTION_BYTES) return null;
    return this.#symbol(row);
  }

  #symbol(row: number): KernelSymbol {
    const known = this.#cache.get(row);
    if (known !== undefined) return known;
    const symbol = parseSymbol(this.#bytes, this.#names[row] as number);
    this.#cache.set(row, symbol);
    return symbol;
  }
}

/**
 * Kernel addresses agree in their upper 11 bits (all ones: 57-bit x86-64 and 52-bit arm64 have
 * more), so the lower 53 bits are exact in a number and in the same order.
 */
function kernelKey(high: number, low: number): number {
  return (high & 0x1f_ffff) * 2 ** 32 + (low >>> 0);
}

function parseSymbol(bytes: Uint8Array, start: number): KernelSymbol {
  let end = bytes.indexOf(NEWLINE, start);
  if (end < 0) end = bytes.length;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
  const [name = '', module = ''] = text.split('\t');
  // Trampolines of the kernel itself stand under a made-up module such as [__builtin__ftrace].
  if (module === '' || module.startsWith('[__builtin__')) return { name, mapping: KERNEL_MAPPING };
  if (module === '[bpf]') return { name, mapping: BPF_MAPPING };
  return { name, mapping: `[kernel:${module.slice(1, -1)}]` };
}

/**
 * Parses the text of /proc/kallsyms (120,000 lines in about 40 ms). The bytes are kept: names are
 * cut from them when they are asked for. Data symbols only mark where the function before ends. Of
 * several names of one address the strongest is taken: global, weak, local; then the one with fewer
 * leading underscores; then the first.
 */
export function parseKallsyms(text: Uint8Array): Kallsyms {
  if (text.length > MAX_KALLSYMS_BYTES) throw tooLarge(`${text.length} bytes`, 'BYTES');
  const lines = new Lines(text);
  const order = sortedOrder(lines);
  const keys = new Float64Array(lines.count);
  const names = new Uint32Array(lines.count);
  let count = 0;
  let best = 0;
  for (const row of order) {
    const key = lines.keys[row] as number;
    const rank = lines.ranks[row] as number;
    if (count > 0 && keys[count - 1] === key) {
      if (rank <= best) continue;
      count--;
    }
    keys[count] = key;
    names[count] = rank > 0 ? (lines.names[row] as number) : 0;
    best = rank;
    count++;
  }
  const restricted = lines.count === 0 && lines.zeros > 0;
  return new Kallsyms(text, keys.slice(0, count), names.slice(0, count), restricted);
}

/** Rows by address, then by line. The kernel's own lines come sorted, so few rows move. */
function sortedOrder(lines: Lines): Uint32Array {
  const order = new Uint32Array(lines.count);
  for (let row = 0; row < order.length; row++) order[row] = row;
  const { keys } = lines;
  return order.sort((a, b) => (keys[a] as number) - (keys[b] as number) || a - b);
}

class Lines {
  count = 0;
  /** Lines whose address is zero; per-CPU offsets below the kernel's half are left out as well. */
  zeros = 0;
  keys = new Float64Array(1 << 17);
  names = new Uint32Array(1 << 17);
  /** 0 = data; else the greater, the better the name. */
  ranks = new Uint8Array(1 << 17);

  constructor(text: Uint8Array) {
    for (let at = 0; at < text.length; ) {
      const newline = text.indexOf(NEWLINE, at);
      const end = newline < 0 ? text.length : newline;
      this.#line(text, at, end);
      at = end + 1;
    }
  }

  #line(text: Uint8Array, start: number, end: number): void {
    // 16 hex digits, a blank, a letter, a blank, at least one byte of name.
    if (end - start < 20 || text[start + 16] !== SPACE || text[start + 18] !== SPACE) return;
    const high = hex32(text, start);
    const low = hex32(text, start + 8);
    if (high === 0 && low === 0) this.zeros++;
    if (high >>> 21 !== 0x7ff) return;
    if (this.count === this.keys.length) this.#grow();
    this.keys[this.count] = kernelKey(high, low);
    this.names[this.count] = start + 19;
    this.ranks[this.count] = rankOf(text, text[start + 17] as number, start + 19);
    this.count++;
  }

  #grow(): void {
    if (this.count >= MAX_KALLSYMS_LINES) throw tooLarge(`${this.count} lines`, 'LINES');
    const { keys, names, ranks } = this;
    this.keys = new Float64Array(this.count * 2);
    this.names = new Uint32Array(this.count * 2);
    this.ranks = new Uint8Array(this.count * 2);
    this.keys.set(keys);
    this.names.set(names);
    this.ranks.set(ranks);
  }
}

/** Eight hex digits; digits that are none count as they fall, the line is then nobody's. */
function hex32(text: Uint8Array, at: number): number {
  let value = 0;
  for (let i = at; i < at + 8; i++) {
    const digit = text[i] as number;
    value = (value << 4) | (digit <= 0x39 ? digit - 0x30 : (digit | 0x20) - 0x57);
  }
  return value >>> 0;
}

function rankOf(text: Uint8Array, letter: number, name: number): number {
  const upper = letter & ~0x20;
  const strength = upper === 0x54 ? (letter === upper ? 3 : 1) : upper === 0x57 ? 2 : 0;
  if (strength === 0) return 0;
  let underscores = 0;
  while (text[name + underscores] === 0x5f && underscores < 15) underscores++;
  // A name that is empty (a blank or the module follows) is still code.
  const empty = text[name] === TAB || text[name] === NEWLINE;
  return strength * 16 + (empty ? 0 : 15 - underscores);
}

function tooLarge(what: string, limit: 'BYTES' | 'LINES'): EverflameError {
  const value = limit === 'BYTES' ? MAX_KALLSYMS_BYTES : MAX_KALLSYMS_LINES;
  return new EverflameError('too-large', `/proc/kallsyms has ${what}`, {
    field: 'kallsyms',
    limit: `MAX_KALLSYMS_${limit} = ${value}`,
  });
}
