/**
 * Names of code that a runtime generated, from the perf map it writes: `START SIZE NAME` a line, in
 * hex. The file only grows; where entries overlap, the later one is true, because the memory was
 * used again.
 */
import {
  MAX_PERF_MAP_ENTRIES,
  MAX_PERF_MAP_NAME_BYTES,
  MAX_STRING_BYTES,
} from '../../profile/limits.ts';

const NEWLINE = 0x0a;
const SPACE = 0x20;

/** Entries that are searched one by one, newest first, before the sorted ranges. */
const MAX_RECENT = 1_024;

/** Hex digits of an address or a size, and `0x`. */
const MAX_NUMBER_LENGTH = 18;

/** Columns start at so many entries with the first one: most processes have a map without any. */
const FIRST_ENTRIES = 256;

export class PerfMap {
  /** Entries left out because the map was full: the oldest ones. */
  droppedEntries = 0;
  /** Lines that are no entry. */
  malformedLines = 0;
  #count = 0;
  #starts = new Float64Array(0);
  #ends = new Float64Array(0);
  #nameOffsets = new Uint32Array(0);
  #nameLengths = new Uint32Array(0);
  #names: Uint8Array = new Uint8Array(0);
  #nameBytes = 0;
  /** A last line without its newline: the rest of it comes with the next part. */
  #partial: Uint8Array = new Uint8Array(0);
  /** What comes up to the next newline is the rest of a line that is too long. */
  #isSkipping = false;
  /** The truth of entries 0 to `#sorted`: disjoint ranges by address. */
  #ranges: Ranges = { count: 0, starts: new Float64Array(0), entries: new Int32Array(0) };
  #sorted = 0;

  get count(): number {
    return this.#count;
  }

  /** Takes the next part of the file, which may end within a line. */
  append(part: Uint8Array): void {
    let bytes = part;
    let at = 0;
    if (this.#isSkipping) {
      const newline = part.indexOf(NEWLINE);
      if (newline < 0) return;
      this.#isSkipping = false;
      at = newline + 1;
    } else if (this.#partial.length > 0) bytes = Buffer.concat([this.#partial, part]);
    for (let end = bytes.indexOf(NEWLINE, at); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
      this.#line(bytes, at, end);
      at = end + 1;
    }
    this.#partial = bytes.slice(at);
    if (this.#partial.length > MAX_STRING_BYTES) {
      this.malformedLines++;
      this.#partial = new Uint8Array(0);
      this.#isSkipping = true;
    }
  }

  /** The function around an address of the process (user space: exact in a number), or null. */
  lookup(address: number): string | null {
    if (this.#count - this.#sorted > Math.max(MAX_RECENT, this.#sorted >>> 2)) this.#sort();
    // The last MAX_RECENT entries may be found by scanning; more than those wait for a sort.
    for (let entry = this.#count - 1; entry >= this.#sorted; entry--) {
      if ((this.#starts[entry] as number) <= address && address < (this.#ends[entry] as number)) {
        return this.#name(entry);
      }
    }
    const entry = entryAt(this.#ranges, address);
    return entry < 0 ? null : this.#name(entry);
  }

  #line(bytes: Uint8Array, start: number, end: number): void {
    const first = spaceAfter(bytes, start, end);
    const second = first < 0 ? -1 : spaceAfter(bytes, first + 1, end);
    const address = hexNumber(bytes, start, first);
    const size = hexNumber(bytes, first + 1, second);
    const isWhole = second > first && second < end - 1 && end - start <= MAX_STRING_BYTES;
    if (!isWhole || !(address + size <= Number.MAX_SAFE_INTEGER)) {
      this.malformedLines++;
      return;
    }
    // Runtimes write entries of size 0 for what they are about to drop; these cover nothing.
    if (size > 0) this.#add(address, size, bytes.subarray(second + 1, end));
  }

  #add(address: number, size: number, name: Uint8Array): void {
    const full = this.#nameBytes + name.length > MAX_PERF_MAP_NAME_BYTES;
    if (full || this.#count === MAX_PERF_MAP_ENTRIES) this.#dropOldest();
    if (this.#count === this.#starts.length) this.#grow();
    this.#names = grown(this.#names, this.#nameBytes + name.length);
    this.#names.set(name, this.#nameBytes);
    this.#starts[this.#count] = address;
    this.#ends[this.#count] = address + size;
    this.#nameOffsets[this.#count] = this.#nameBytes;
    this.#nameLengths[this.#count] = name.length;
    this.#nameBytes += name.length;
    this.#count++;
  }

  #grow(): void {
    const length = Math.max(FIRST_ENTRIES, this.#starts.length * 2);
    this.#starts = widened(this.#starts, new Float64Array(length));
    this.#ends = widened(this.#ends, new Float64Array(length));
    this.#nameOffsets = widened(this.#nameOffsets, new Uint32Array(length));
    this.#nameLengths = widened(this.#nameLengths, new Uint32Array(length));
  }

  /** Makes room by forgetting the older half, most of which newer code has replaced anyway. */
  #dropOldest(): void {
    const dropped = Math.ceil(this.#count / 2);
    const firstByte = this.#nameOffsets[dropped] ?? this.#nameBytes;
    for (const column of [this.#starts, this.#ends, this.#nameOffsets, this.#nameLengths]) {
      column.copyWithin(0, dropped, this.#count);
    }
    this.#count -= dropped;
    for (let i = 0; i < this.#count; i++) {
      this.#nameOffsets[i] = (this.#nameOffsets[i] as number) - firstByte;
    }
    this.#names.copyWithin(0, firstByte, this.#nameBytes);
    this.#nameBytes -= firstByte;
    this.droppedEntries += dropped;
    this.#sort();
  }

  #sort(): void {
    this.#ranges = latestRanges(this.#starts, this.#ends, this.#count);
    this.#sorted = this.#count;
  }

  #name(entry: number): string {
    const offset = this.#nameOffsets[entry] as number;
    const end = offset + (this.#nameLengths[entry] as number);
    return Buffer.from(this.#names.buffer, offset, end - offset).toString('utf8');
  }
}

/** Range i is from its start to the next one's; entry -1 is a gap. */
interface Ranges {
  count: number;
  starts: Float64Array;
  entries: Int32Array;
}

function entryAt({ count, starts, entries }: Ranges, address: number): number {
  let begin = 0;
  let end = count;
  while (begin < end) {
    const middle = (begin + end) >>> 1;
    if ((starts[middle] as number) <= address) begin = middle + 1;
    else end = middle;
  }
  return begin === 0 ? -1 : (entries[begin - 1] as number);
}

/**
 * Which entry is the latest at each address: one sweep over all starts and ends with the covering
 * entries in a heap, the latest on top. O(n log n).
 */
function latestRanges(starts: Float64Array, ends: Float64Array, count: number): Ranges {
  const byStart = sortedBy(starts, count);
  const byEnd = sortedBy(ends, count);
  const ranges = {
    count: 0,
    starts: new Float64Array(2 * count),
    entries: new Int32Array(2 * count),
  };
  const covering = new LatestHeap(count);
  let opened = 0;
  let closed = 0;
  while (closed < count) {
    const nextStart = opened < count ? (starts[byStart[opened] as number] as number) : Infinity;
    const at = Math.min(nextStart, ends[byEnd[closed] as number] as number);
    while (opened < count && starts[byStart[opened] as number] === at) {
      covering.push(byStart[opened++] as number);
    }
    while (closed < count && ends[byEnd[closed] as number] === at) closed++;
    while (covering.size > 0 && (ends[covering.top] as number) <= at) covering.pop();
    const entry = covering.size > 0 ? covering.top : -1;
    if (ranges.count > 0 && ranges.entries[ranges.count - 1] === entry) continue;
    ranges.starts[ranges.count] = at;
    ranges.entries[ranges.count++] = entry;
  }
  return ranges;
}

function sortedBy(values: Float64Array, count: number): Uint32Array {
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  return order.sort((a, b) => (values[a] as number) - (values[b] as number));
}

/** A binary heap of entry numbers, the greatest on top. */
class LatestHeap {
  size = 0;
  readonly #items: Uint32Array;

  constructor(capacity: number) {
    this.#items = new Uint32Array(capacity);
  }

  get top(): number {
    return this.#items[0] as number;
  }

  push(item: number): void {
    const items = this.#items;
    let at = this.size++;
    for (let up = (at - 1) >> 1; at > 0 && (items[up] as number) < item; up = (at - 1) >> 1) {
      items[at] = items[up] as number;
      at = up;
    }
    items[at] = item;
  }

  pop(): void {
    const items = this.#items;
    const item = items[--this.size] as number;
    let at = 0;
    for (let child = 1; child < this.size; child = 2 * at + 1) {
      if (child + 1 < this.size && (items[child + 1] as number) > (items[child] as number)) child++;
      if ((items[child] as number) <= item) break;
      items[at] = items[child] as number;
      at = child;
    }
    items[at] = item;
  }
}

/** The space behind a number, or -1. No line's cost may depend on what comes after it. */
function spaceAfter(bytes: Uint8Array, start: number, end: number): number {
  const last = Math.min(end, start + MAX_NUMBER_LENGTH + 1);
  for (let at = start; at < last; at++) if (bytes[at] === SPACE) return at;
  return -1;
}

/** Hex digits, with or without 0x; NaN for anything else and above 2^53. */
function hexNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  if (bytes[at] === 0x30 && ((bytes[at + 1] ?? 0) | 0x20) === 0x78 && end - at > 2) at += 2;
  if (end <= at || end - at > 16) return Number.NaN;
  let value = 0;
  for (; at < end; at++) {
    const digit = hexDigit(bytes[at] as number);
    if (digit < 0) return Number.NaN;
    value = value * 16 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : Number.NaN;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

function widened<T extends Float64Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function grown(bytes: Uint8Array, length: number): Uint8Array {
  if (length <= bytes.length) return bytes;
  const larger = new Uint8Array(Math.max(length, bytes.length * 2));
  larger.set(bytes);
  return larger;
}
