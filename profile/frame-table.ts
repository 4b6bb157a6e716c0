/**
 * Distinct frames and their text, numbered as they come. A frame is its identity: the writer of the
 * table decides which attributes make two frames one by the key it passes.
 */
import type { StringColumns } from './dictionary.ts';
import type { FrameColumns } from './flame-graph.ts';
import { FrameKind } from './frame.ts';

export interface Frame {
  name: string;
  systemName: string;
  binary: string;
  buildId: string;
  file: string;
  line: number;
  addressLow: number;
  addressHigh: number;
  kind: FrameKind;
  /** Why the frame has no name; empty where it has one. */
  reason: string;
}

/** A frame with a name and nothing else known; callers override what they know. */
export function namedFrame(name: string, kind: FrameKind = FrameKind.native): Frame {
  return {
    name,
    systemName: name,
    binary: '',
    buildId: '',
    file: '',
    line: 0,
    addressLow: 0,
    addressHigh: 0,
    kind,
    reason: '',
  };
}

/** The frame of every graph's root. */
export const ROOT_FRAME: Frame = namedFrame('total', FrameKind.label);

/** Which functions are one: system name, else name, then binary and kind; else the address. */
export function functionKey(frame: Frame): string {
  const base = `${frame.systemName || frame.name}\0${frame.binary}\0${frame.kind}`;
  if (frame.addressLow === 0 && frame.addressHigh === 0) return base;
  return `${base}\0${frame.buildId}\0${frame.addressHigh}:${frame.addressLow}`;
}

/** The address in hexadecimal with 0x. */
export function formatAddress({ addressLow, addressHigh }: Frame): string {
  return `0x${((BigInt(addressHigh) << 32n) | BigInt(addressLow)).toString(16)}`;
}

export class FrameTable {
  readonly frames: Frame[] = [];
  readonly #rows = new Map<string, number>();

  get count(): number {
    return this.frames.length;
  }

  /** The frame's row; the first frame of a key gives the row its attributes. */
  intern(frame: Frame, key: string = functionKey(frame)): number {
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = this.frames.length;
      this.#rows.set(key, row);
      this.frames.push(frame);
    }
    return row;
  }
}

/** The frames as columns, in their order, with the text they use. */
export function frameColumns(frames: readonly Frame[]): {
  frames: FrameColumns;
  strings: StringColumns;
} {
  const count = frames.length;
  const text = new TextTable();
  const columns: FrameColumns = {
    count,
    name: new Uint32Array(count),
    systemName: new Uint32Array(count),
    binary: new Uint32Array(count),
    buildId: new Uint32Array(count),
    file: new Uint32Array(count),
    line: new Uint32Array(count),
    address: new Uint32Array(count * 2),
    kind: new Uint8Array(count),
    reason: new Uint32Array(count),
  };
  for (let row = 0; row < count; row++) {
    const frame = frames[row] as Frame;
    const name = text.intern(frame.name);
    columns.name[row] = name;
    columns.systemName[row] =
      frame.systemName === frame.name ? name : text.intern(frame.systemName);
    columns.binary[row] = text.intern(frame.binary);
    columns.buildId[row] = text.intern(frame.buildId);
    columns.file[row] = text.intern(frame.file);
    columns.line[row] = frame.line;
    columns.address[row * 2] = frame.addressLow;
    columns.address[row * 2 + 1] = frame.addressHigh;
    columns.kind[row] = frame.kind;
    columns.reason[row] = text.intern(frame.reason);
  }
  return { frames: columns, strings: text.columns() };
}

/** Distinct texts; row 0 is the empty one. */
class TextTable {
  readonly #rows = new Map<string, number>([['', 0]]);

  intern(text: string): number {
    if (text === '') return 0;
    let row = this.#rows.get(text);
    if (row === undefined) {
      row = this.#rows.size;
      this.#rows.set(text, row);
    }
    return row;
  }

  columns(): StringColumns {
    const texts = [...this.#rows.keys()];
    const encoder = new TextEncoder();
    // Names are nearly always ASCII: then one call encodes them all.
    const whole = texts.join('');
    const together = encoder.encode(whole);
    if (together.length === whole.length) {
      return { count: texts.length, offsets: offsetsOf(texts), bytes: together };
    }
    const apart = texts.map((text) => encoder.encode(text));
    const offsets = offsetsOf(apart);
    const bytes = new Uint8Array(offsets[texts.length] as number);
    for (const [row, text] of apart.entries()) bytes.set(text, offsets[row]);
    return { count: texts.length, offsets, bytes };
  }
}

function offsetsOf(parts: readonly { length: number }[]): Uint32Array {
  const offsets = new Uint32Array(parts.length + 1);
  for (const [row, { length }] of parts.entries()) {
    offsets[row + 1] = (offsets[row] as number) + length;
  }
  return offsets;
}

/** Row of the frames back as an object. */
export function frameAt(
  frames: FrameColumns,
  text: (stringRow: number) => string,
  row: number,
): Frame {
  return {
    name: text(frames.name[row] as number),
    systemName: text(frames.systemName[row] as number),
    binary: text(frames.binary[row] as number),
    buildId: text(frames.buildId[row] as number),
    file: text(frames.file[row] as number),
    line: frames.line[row] as number,
    addressLow: frames.address[row * 2] as number,
    addressHigh: frames.address[row * 2 + 1] as number,
    kind: frames.kind[row] as FrameKind,
    reason: text(frames.reason[row] as number),
  };
}
