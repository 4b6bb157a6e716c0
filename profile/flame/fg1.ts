/**
 * fg1, the binary flame graph (docs/formats.md section 2): encoder and decoder for Node and
 * browser. Columns are views of the body where its alignment allows, so decoding copies little.
 * The views assume a little-endian machine, as every one that runs Node or a browser is.
 */
import { assert, EverflameError } from '../errors.ts';
import {
  MAX_FG1_META_BYTES,
  MAX_FG1_SECTIONS,
  MAX_FLAME_DEPTH,
  MAX_FLAME_NODES,
} from '../limits.ts';
import { parseFlameMeta } from './fg1-meta.ts';
import type { FlameGraph, FrameColumns } from './flame-graph.ts';
import { FRAME_KIND_NAMES } from './frame.ts';

export const FG1_MEDIA_TYPE = 'application/vnd.everflame.fg1';

const MAGIC = 0x0a316766; // "fg1\n" read as a little-endian u32.
const VERSION = 1;
const HEADER_BYTES = 64;
const ENTRY_BYTES = 16;
const FLAG_DIFF = 1;
const FLAG_NOT_INTEGER = 2;

const Encoding = { plain: 0, u32: 1, zero: 2 } as const;

const Section = {
  depth: 1,
  frame: 2,
  self: 3,
  selfBase: 4,
  flags: 5,
  folded: 6,
  foldedBase: 7,
  name: 16,
  systemName: 17,
  binary: 18,
  buildId: 19,
  file: 20,
  line: 21,
  address: 22,
  kind: 23,
  reason: 24,
  stringOffsets: 32,
  stringBytes: 33,
  meta: 40,
} as const;
type Section = (typeof Section)[keyof typeof Section];
const KNOWN_SECTIONS: ReadonlySet<number> = new Set(Object.values(Section));

type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array;
interface Entry {
  id: number;
  encoding: number;
  offset: number;
  length: number;
}

/** Encodes the graph. Values that are all zero take no room, small integers take four bytes. */
export function encodeFg1(graph: FlameGraph): Uint8Array {
  const scan = scanGraph(graph);
  const sections = graphSections(graph, scan);
  let end = HEADER_BYTES + sections.length * ENTRY_BYTES;
  const entries = sections.map(({ id, column, encoding }) => {
    const entry = { id, encoding, offset: end, length: column.byteLength };
    end = align8(end + column.byteLength);
    return entry;
  });
  const body = new Uint8Array(end);
  const view = new DataView(body.buffer);
  writeHeader(view, graph, scan, sections.length);
  entries.forEach((entry, index) => {
    const at = HEADER_BYTES + index * ENTRY_BYTES;
    view.setUint32(at, entry.id, true);
    view.setUint32(at + 4, entry.encoding, true);
    view.setUint32(at + 8, entry.offset, true);
    view.setUint32(at + 12, entry.length, true);
    const column = (sections[index] as EncodedSection).column;
    body.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), entry.offset);
  });
  return body;
}

interface EncodedSection {
  id: Section;
  column: Column;
  encoding: number;
}

function graphSections(graph: FlameGraph, scan: GraphScan): EncodedSection[] {
  const { nodeCount: nodes, frames, strings } = graph;
  assert(
    nodes > 0 && graph.depth.length === nodes,
    'a flame graph has a root and a depth per node',
  );
  assert(strings.offsets.length > strings.count, 'string offsets have one entry more than strings');
  const sections: EncodedSection[] = [
    { id: Section.depth, column: graph.depth, encoding: Encoding.plain },
    plainOrZero(Section.frame, graph.frame, nodes),
    valueSection(Section.self, scan.self),
    plainOrZero(Section.flags, graph.flags, nodes),
    valueSection(Section.folded, scan.folded),
  ];
  if (scan.base !== null) {
    sections.push(valueSection(Section.selfBase, scan.base.self));
    sections.push(valueSection(Section.foldedBase, scan.base.folded));
  }
  const offsets = strings.offsets.subarray(0, strings.count + 1);
  sections.push(
    { id: Section.name, column: frames.name.subarray(0, frames.count), encoding: Encoding.plain },
    plainOrZero(Section.systemName, frames.systemName, frames.count),
    plainOrZero(Section.binary, frames.binary, frames.count),
    plainOrZero(Section.buildId, frames.buildId, frames.count),
    plainOrZero(Section.file, frames.file, frames.count),
    plainOrZero(Section.line, frames.line, frames.count),
    plainOrZero(Section.address, frames.address, frames.count * 2),
    plainOrZero(Section.kind, frames.kind, frames.count),
    plainOrZero(Section.reason, frames.reason, frames.count),
    { id: Section.stringOffsets, column: offsets, encoding: Encoding.plain },
    {
      id: Section.stringBytes,
      column: strings.bytes.subarray(0, offsets[strings.count]),
      encoding: Encoding.plain,
    },
    {
      id: Section.meta,
      column: new TextEncoder().encode(JSON.stringify(graph.meta)),
      encoding: Encoding.plain,
    },
  );
  return sections;
}

function plainOrZero(id: Section, column: Uint8Array | Uint32Array, count: number): EncodedSection {
  assert(column.length >= count, `section ${id} is shorter than its count`);
  for (let row = 0; row < count; row++) {
    if (column[row] === 0) continue;
    return { id, column: column.subarray(0, count), encoding: Encoding.plain };
  }
  return { id, column: column.subarray(0, 0), encoding: Encoding.zero };
}

function valueSection(id: Section, scan: ValueScan): EncodedSection {
  if (scan.zero) return { id, column: new Uint32Array(0), encoding: Encoding.zero };
  if (scan.small) return { id, column: new Uint32Array(scan.values), encoding: Encoding.u32 };
  return { id, column: scan.values, encoding: Encoding.plain };
}

/** What the encoder asks of a column of values, found in one pass. */
interface ValueScan {
  values: Float64Array;
  sum: number;
  zero: boolean;
  /** Every value is an integer below 2^32. */
  small: boolean;
  integral: boolean;
}

function scanValues(values: Float64Array, count: number): ValueScan {
  assert(values.length >= count, 'there is a value for every node');
  let sum = 0;
  let small = true;
  let integral = true;
  for (let row = 0; row < count; row++) {
    const value = values[row] as number;
    sum += value;
    if (value >>> 0 !== value) {
      small = false;
      if (Math.floor(value) !== value) integral = false;
    }
  }
  // Values are never negative, so a sum of 0 is a column of zeros.
  return { values: values.subarray(0, count), sum, zero: sum === 0, small, integral };
}

interface GraphScan {
  self: ValueScan;
  folded: ValueScan;
  /** Null in a plain graph. */
  base: { self: ValueScan; folded: ValueScan } | null;
}

function scanGraph({ nodeCount, self, folded, selfBase, foldedBase }: FlameGraph): GraphScan {
  return {
    self: scanValues(self, nodeCount),
    folded: scanValues(folded, nodeCount),
    base:
      selfBase === null || foldedBase === null
        ? null
        : { self: scanValues(selfBase, nodeCount), folded: scanValues(foldedBase, nodeCount) },
  };
}

function writeHeader(view: DataView, graph: FlameGraph, scan: GraphScan, sections: number): void {
  const { self, folded, base } = scan;
  const scans = base === null ? [self, folded] : [self, folded, base.self, base.folded];
  const integer = scans.every((column) => column.integral);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, VERSION, true);
  view.setUint16(6, (base === null ? 0 : FLAG_DIFF) | (integer ? 0 : FLAG_NOT_INTEGER), true);
  view.setUint32(8, graph.nodeCount, true);
  view.setUint32(12, graph.frames.count, true);
  view.setUint32(16, graph.strings.count, true);
  view.setUint32(20, sections, true);
  view.setFloat64(24, graph.multiplier, true);
  view.setFloat64(32, graph.multiplierBase, true);
  view.setFloat64(40, self.sum + folded.sum, true);
  view.setFloat64(48, base === null ? 0 : base.self.sum + base.folded.sum, true);
  view.setUint32(56, view.byteLength, true);
}

function sumOf(values: Float64Array | null): number {
  let sum = 0;
  if (values === null) return sum;
  for (let row = 0; row < values.length; row++) sum += values[row] as number;
  return sum;
}

/** Decodes a body, refusing whatever does not agree with itself. O(nodes + frames + strings). */
export function decodeFg1(bytes: Uint8Array): FlameGraph {
  if (bytes.length < HEADER_BYTES) refuse('is shorter than its header', 0);
  const body = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  return new Fg1Reader(body).read();
}

function refuse(problem: string, position: number, limit?: string): never {
  throw new EverflameError('invalid', `the flame graph ${problem}`, {
    field: 'fg1',
    position,
    ...(limit === undefined ? {} : { limit }),
  });
}

class Fg1Reader {
  readonly #body: Uint8Array;
  readonly #view: DataView;
  readonly #entries = new Map<number, Entry>();
  #integer = true;

  constructor(body: Uint8Array) {
    this.#body = body;
    this.#view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  }

  read(): FlameGraph {
    const view = this.#view;
    if (view.getUint32(0, true) !== MAGIC) refuse('does not begin with "fg1\\n"', 0);
    if (view.getUint16(4, true) !== VERSION) refuse(`has a version other than ${VERSION}`, 4);
    const flags = view.getUint16(6, true);
    if (flags > (FLAG_DIFF | FLAG_NOT_INTEGER)) refuse('has flags that are not known', 6);
    this.#integer = (flags & FLAG_NOT_INTEGER) === 0;
    if (view.getUint32(56, true) !== this.#body.length) refuse('states another length', 56);
    const nodes = this.#count(8, 'nodes', MAX_FLAME_NODES, 'MAX_FLAME_NODES');
    // Every frame and string is there because a node or frame refers to it.
    const frames = this.#count(12, 'frames', nodes, 'nodes');
    const strings = this.#count(16, 'strings', 6 * frames + 1, '6 x frames + 1');
    this.#readEntries();
    const diff = (flags & FLAG_DIFF) !== 0;
    const stringColumns = this.#strings(strings);
    const graph: FlameGraph = {
      nodeCount: nodes,
      depth: this.#depth(nodes),
      frame: this.#references(Section.frame, nodes, frames),
      self: this.#values(Section.self, nodes),
      selfBase: diff ? this.#values(Section.selfBase, nodes) : null,
      flags: this.#bytes(Section.flags, nodes),
      folded: this.#values(Section.folded, nodes),
      foldedBase: diff ? this.#values(Section.foldedBase, nodes) : null,
      frames: this.#frames(frames, strings),
      strings: stringColumns,
      multiplier: this.#multiplier(24),
      multiplierBase: this.#multiplier(32),
      meta: parseFlameMeta(this.#metaText()),
    };
    this.#checkTotal(40, sumOf(graph.self) + sumOf(graph.folded));
    this.#checkTotal(48, sumOf(graph.selfBase) + sumOf(graph.foldedBase));
    return graph;
  }

  #count(offset: number, what: string, max: number, limitName: string): number {
    const count = this.#view.getUint32(offset, true);
    if (count < 1) refuse(`has no ${what}`, offset);
    if (count > max) refuse(`claims ${count} ${what}`, offset, `${limitName} = ${max}`);
    return count;
  }

  #readEntries(): void {
    const count = this.#view.getUint32(20, true);
    const limit = `MAX_FG1_SECTIONS = ${MAX_FG1_SECTIONS}`;
    if (count > MAX_FG1_SECTIONS) refuse(`claims ${count} sections`, 20, limit);
    const first = HEADER_BYTES + count * ENTRY_BYTES;
    if (first > this.#body.length) refuse('ends within its table of sections', 20);
    const all: Entry[] = [];
    for (let at = HEADER_BYTES; at < first; at += ENTRY_BYTES) {
      const [id, encoding, offset, length] = [0, 4, 8, 12].map((field) =>
        this.#view.getUint32(at + field, true),
      ) as [number, number, number, number];
      const entry = { id, encoding, offset, length };
      if (offset % 8 !== 0) refuse(`has section ${id} at an unaligned offset`, at + 8);
      if (offset < first || offset + length > this.#body.length) {
        refuse(`has section ${id} outside the body`, at + 8);
      }
      all.push(entry);
      if (!KNOWN_SECTIONS.has(id)) continue;
      if (this.#entries.has(id)) refuse(`has section ${id} twice`, at);
      this.#entries.set(id, entry);
    }
    all.sort((a, b) => a.offset - b.offset || a.length - b.length);
    let end = first;
    for (const entry of all) {
      if (entry.offset < end) refuse(`has section ${entry.id} over another`, entry.offset);
      end = align8(entry.offset + entry.length);
    }
    if (end !== this.#body.length) refuse('has bytes after its last section', end);
  }

  /** The section's entry, its encoding and length checked against its count. */
  #entry(id: Section, count: number, plainBytes: number, mayBeU32: boolean): Entry {
    const entry = this.#entries.get(id);
    if (entry === undefined) return refuse(`lacks section ${id}`, HEADER_BYTES);
    // These say how much memory the rest takes, so they are never left to a count alone.
    const mayBeZero = id !== Section.depth && id !== Section.name && id < Section.stringOffsets;
    const { encoding, offset, length } = entry;
    const size =
      encoding === Encoding.plain
        ? plainBytes
        : encoding === Encoding.u32 && mayBeU32
          ? 4
          : encoding === Encoding.zero && mayBeZero
            ? 0
            : refuse(`has section ${id} in encoding ${encoding}`, offset);
    if (length !== size * count) refuse(`has ${length} bytes in section ${id}`, offset);
    return entry;
  }

  #bytes(id: Section, count: number): Uint8Array {
    const { encoding, offset } = this.#entry(id, count, 1, false);
    if (encoding === Encoding.zero) return new Uint8Array(count);
    return this.#body.subarray(offset, offset + count);
  }

  #words(id: Section, count: number): Uint32Array {
    const { encoding, offset } = this.#entry(id, count, 4, false);
    if (encoding === Encoding.zero) return new Uint32Array(count);
    return new Uint32Array(this.#body.buffer, this.#body.byteOffset + offset, count);
  }

  #values(id: Section, count: number): Float64Array {
    const { encoding, offset } = this.#entry(id, count, 8, true);
    const { buffer, byteOffset } = this.#body;
    if (encoding === Encoding.zero) return new Float64Array(count);
    if (encoding === Encoding.u32) {
      return new Float64Array(new Uint32Array(buffer, byteOffset + offset, count));
    }
    const values = new Float64Array(buffer, byteOffset + offset, count);
    for (let row = 0; row < count; row++) {
      const value = values[row] as number;
      if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
        refuse(`has the value ${value}`, offset + row * 8);
      }
      if (this.#integer && Math.floor(value) !== value) {
        refuse(`has the value ${value} among integers`, offset + row * 8);
      }
    }
    return values;
  }

  #depth(count: number): Uint16Array {
    const { offset } = this.#entry(Section.depth, count, 2, false);
    const depth = new Uint16Array(this.#body.buffer, this.#body.byteOffset + offset, count);
    if (depth[0] !== 0) refuse('does not begin with its root', offset);
    for (let node = 1; node < count; node++) {
      const level = depth[node] as number;
      if (level === 0 || level > (depth[node - 1] as number) + 1) {
        refuse(`has depth ${level} where no parent is`, offset + node * 2);
      }
      if (level > MAX_FLAME_DEPTH) {
        refuse('is too deep', offset + node * 2, `MAX_FLAME_DEPTH = ${MAX_FLAME_DEPTH}`);
      }
    }
    return depth;
  }

  /** A column of rows of another table that has `limit` of them. */
  #references(id: Section, count: number, limit: number): Uint32Array {
    const rows = this.#words(id, count);
    for (let row = 0; row < count; row++) {
      if ((rows[row] as number) >= limit)
        refuse(`refers to row ${rows[row]} in section ${id}`, row);
    }
    return rows;
  }

  #frames(count: number, strings: number): FrameColumns {
    const kind = this.#bytes(Section.kind, count);
    for (let row = 0; row < count; row++) {
      if ((kind[row] as number) >= FRAME_KIND_NAMES.length) refuse(`has kind ${kind[row]}`, row);
    }
    return {
      count,
      name: this.#references(Section.name, count, strings),
      systemName: this.#references(Section.systemName, count, strings),
      binary: this.#references(Section.binary, count, strings),
      buildId: this.#references(Section.buildId, count, strings),
      file: this.#references(Section.file, count, strings),
      line: this.#words(Section.line, count),
      address: this.#words(Section.address, count * 2),
      kind,
      reason: this.#references(Section.reason, count, strings),
    };
  }

  #strings(count: number): FlameGraph['strings'] {
    const offsets = this.#words(Section.stringOffsets, count + 1);
    const length = this.#entries.get(Section.stringBytes)?.length ?? 0;
    const bytes = this.#bytes(Section.stringBytes, length);
    const at = this.#entries.get(Section.stringOffsets)?.offset ?? 0;
    if (offsets[0] !== 0 || offsets[1] !== 0) refuse('has a string 0 that is not empty', at);
    for (let row = 1; row <= count; row++) {
      if ((offsets[row] as number) < (offsets[row - 1] as number)) {
        refuse('has string offsets that fall', at + row * 4);
      }
    }
    if (offsets[count] !== length) refuse('has text beyond its strings', at + count * 4);
    return { count, offsets, bytes };
  }

  #metaText(): string {
    const length = this.#entries.get(Section.meta)?.length ?? 0;
    const limit = `MAX_FG1_META_BYTES = ${MAX_FG1_META_BYTES}`;
    if (length > MAX_FG1_META_BYTES) refuse(`has ${length} bytes of JSON`, HEADER_BYTES, limit);
    return new TextDecoder().decode(this.#bytes(Section.meta, length));
  }

  #multiplier(offset: number): number {
    const value = this.#view.getFloat64(offset, true);
    if (!(value > 0 && value < Number.POSITIVE_INFINITY)) refuse(`multiplies by ${value}`, offset);
    return value;
  }

  #checkTotal(offset: number, sum: number): void {
    const stated = this.#view.getFloat64(offset, true);
    // Integers below 2^53 add up exactly in any order; others only to rounding.
    const exact = this.#integer && sum <= Number.MAX_SAFE_INTEGER;
    const slack = exact ? 0 : 1e-9 * sum;
    if (!(Math.abs(stated - sum) <= slack)) refuse(`states ${stated}, its nodes ${sum}`, offset);
  }
}

function align8(offset: number): number {
  return (offset + 7) & ~7;
}
