/**
 * Debug information that no compiler writes: scopes within scopes without end, references in
 * circles, the same code claimed by everyone. As the bytes of .debug_info and .debug_abbrev.
 */
import { oneOf, type Random } from './fuzz-debuginfo-random.ts';

export interface Storm {
  info: Buffer;
  abbrev: Buffer;
  ranges: Buffer;
}

const Tag = {
  unit: 0x11,
  partial: 0x3c,
  subprogram: 0x2e,
  inlined: 0x1d,
  block: 0x0b,
  namespace: 0x39,
  structure: 0x13,
  imported: 0x3d,
  entryPoint: 0x03,
} as const;
const TAGS = [Tag.subprogram, Tag.inlined, Tag.block, Tag.namespace, Tag.structure, Tag.entryPoint];

const At = { sibling: 1, name: 3, low: 0x11, high: 0x12, origin: 0x31, specification: 0x47 };
const Form = { addr: 1, data4: 6, string: 8, ref4: 0x13, refAddr: 0x10, offset: 0x17, udata: 0x0f };
/** What an entry of a tag may carry: attribute and form, two bytes each. */
const SHAPES: readonly (readonly number[])[] = [
  [At.name, Form.string, At.low, Form.addr, At.high, Form.data4],
  [
    At.origin,
    Form.ref4,
    At.low,
    Form.addr,
    At.high,
    Form.data4,
    0x58,
    Form.udata,
    0x59,
    Form.udata,
  ],
  [At.origin, Form.refAddr, 0x55, Form.offset],
  [At.specification, Form.ref4, At.low, Form.addr, At.high, Form.data4],
  [At.sibling, Form.ref4, At.name, Form.string],
  [At.sibling, Form.ref4, At.origin, Form.ref4, 0x55, Form.offset],
  [0x18, Form.refAddr],
  [],
];

const MAX_BYTES = 6_000;
const MAX_LARGE_BYTES = 300_000;
const MAX_COPIES = 1_000;

export function makeStorm(random: Random, code: { start: number; size: number }): Storm {
  const maxBytes = random(40) === 0 ? MAX_LARGE_BYTES : MAX_BYTES;
  const version = oneOf(random, [2, 3, 4, 5]);
  const writer = new StormWriter(random, code, version, 1 + random(maxBytes));
  const unit = writer.unit();
  const copies = random(6) === 0 ? 1 + random(Math.ceil(MAX_LARGE_BYTES / unit.length)) : 1;
  const units = Array.from({ length: Math.min(copies, MAX_COPIES) }, () => unit);
  return { info: Buffer.concat(units), abbrev: abbreviations(), ranges: writer.ranges() };
}

/** Code 1 + 2 x (tag x shapes + shape), and the next one for the same with children. */
function abbreviations(): Buffer {
  const bytes = [1, Tag.unit, 1, At.low, Form.addr, At.high, Form.data4, 0, 0];
  let code = 2;
  for (const tag of [...TAGS, Tag.imported, Tag.partial]) {
    for (const shape of SHAPES) {
      for (const children of [0, 1]) {
        bytes.push(...leb(code), tag, children, ...shape, 0, 0);
        code++;
      }
    }
  }
  return Buffer.from([...bytes, 0]);
}

function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 0x7f) | 0x80, value >>> 7];
}

class StormWriter {
  readonly #random: Random;
  readonly #code: { start: number; size: number };
  readonly #version: number;
  readonly #length: number;
  readonly #bytes: number[] = [];
  readonly #entries: number[] = [11];
  /** 0 = anything; 1 = only deeper; 2 = all claim all the code. */
  readonly #mode: number;

  constructor(
    random: Random,
    code: { start: number; size: number },
    version: number,
    length: number,
  ) {
    this.#random = random;
    this.#code = code;
    this.#version = version;
    this.#length = length;
    this.#mode = random(3);
  }

  unit(): Buffer {
    const random = this.#random;
    const header =
      this.#version >= 5 ? [5, 0, 1, 8, 0, 0, 0, 0] : [this.#version, 0, 0, 0, 0, 0, 8];
    this.#push(0, 4);
    this.#bytes.push(...header, 1);
    this.#push(this.#code.start, 8);
    this.#push(this.#code.size, 4);
    let depth = 1;
    while (this.#bytes.length < this.#length) {
      const isEnd = this.#mode !== 1 && random(3) === 0 && depth > 1;
      if (isEnd) {
        this.#bytes.push(0);
        depth--;
      } else if (this.#entry()) depth++;
    }
    // Sometimes the scopes stay open to the end of the unit.
    if (random(4) !== 0) while (depth-- > 0) this.#bytes.push(0);
    const unit = Buffer.from(this.#bytes);
    unit.writeUInt32LE(unit.length - 4, 0);
    return unit;
  }

  /** Range lists for the offsets that entries name, of either version's kind. */
  ranges(): Buffer {
    const random = this.#random;
    const lists = Buffer.alloc(16 + 16 * (1 + random(200)));
    if (this.#version >= 5) {
      let at = 0;
      while (at + 20 < lists.length) {
        lists.writeUInt8(random(8), at); // DW_RLE_*
        at = lists.writeBigUInt64LE(BigInt(this.#address()), at + 1);
        at = lists.writeUInt8(random(128), at);
      }
      return lists;
    }
    for (let at = 0; at + 16 <= lists.length - 16; at += 16) {
      const start = random(this.#code.size + 1);
      lists.writeBigUInt64LE(BigInt(start), at);
      lists.writeBigUInt64LE(BigInt(start + random(64)), at + 8);
    }
    return lists;
  }

  /** True if it has children. */
  #entry(): boolean {
    const random = this.#random;
    this.#entries.push(this.#bytes.length);
    const deeper = this.#mode === 1 && random(16) !== 0;
    const tag = deeper ? random(3) : random(TAGS.length + 2);
    const shape = deeper ? random(4) : random(SHAPES.length);
    const children = deeper ? 1 : random(2);
    this.#bytes.push(...leb(2 + (tag * SHAPES.length + shape) * 2 + children));
    const pairs = SHAPES[shape] as readonly number[];
    for (let i = 1; i < pairs.length; i += 2) this.#value(pairs[i] as number);
    return children === 1;
  }

  #value(form: number): void {
    const random = this.#random;
    if (form === Form.string) this.#bytes.push(0x61 + random(26), 0);
    else if (form === Form.udata) this.#bytes.push(random(128));
    else if (form === Form.addr) this.#push(this.#address(), 8);
    else if (form === Form.data4) this.#push(this.#size(), 4);
    else if (form === Form.offset) this.#push(random(100) * 16, 4);
    else {
      const wide = form === Form.refAddr && this.#version === 2 ? 8 : 4;
      this.#push(random(10) === 0 ? random(2 ** 20) : oneOf(random, this.#entries), wide);
    }
  }

  #address(): number {
    const { start, size } = this.#code;
    if (this.#mode === 2 && this.#random(8) !== 0) return start;
    return this.#random(20) === 0
      ? this.#random(2 ** 32) * 2 ** 12
      : start + this.#random(size + 1);
  }

  #size(): number {
    const { size } = this.#code;
    if (this.#mode === 2 && this.#random(8) !== 0) return size;
    return this.#random(20) === 0 ? this.#random(2 ** 32) : this.#random(size + 1);
  }

  #push(value: number, length: number): void {
    let rest = value;
    for (let i = 0; i < length; i++) {
      this.#bytes.push(rest % 256);
      rest = Math.floor(rest / 256);
    }
  }
}
