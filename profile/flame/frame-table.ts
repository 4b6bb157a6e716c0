/**
 * Distinct frames and their text, numbered as they come. A frame is its identity: the writer of the
 * table decides which attributes make two frames one by the key it passes.
 */
import type { StringColumns } from '../dictionary.ts';
import { TextTable } from '../strings.ts';
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

/** The function a frame is of: one with a name is one function at all its places. */
export function functionIdentity(frame: Frame): string {
  const named = frame.reason === '';
  return functionKey(named ? { ...frame, addressLow: 0, addressHigh: 0 } : frame);
}

/**
 * What tells frames of one name apart where they are of one file, line or address: `a.c`, `a.c:12`,
 * `a.c:12@0x1f`, `@0x1f`. Empty where none is known.
 */
export function formatPlace(frame: Pick<Frame, 'file' | 'line' | 'addressLow' | 'addressHigh'>) {
  const { file, line, addressLow, addressHigh } = frame;
  const address = addressLow === 0 && addressHigh === 0 ? '' : `@${formatAddress(frame)}`;
  return `${file}${line > 0 ? `:${line}` : ''}${address}`;
}

/** The address in hexadecimal with 0x. */
export function formatAddress({
  addressLow,
  addressHigh,
}: Pick<Frame, 'addressLow' | 'addressHigh'>): string {
  return `0x${((BigInt(addressHigh) << 32n) | BigInt(addressLow)).toString(16)}`;
}

/** Text columns of a frame, in the order in which a frame's texts are numbered. */
const TEXTS = 6;

export class FrameTable {
  readonly frames: Frame[] = [];
  readonly #rows = new Map<string, number>();
  readonly #texts = new TextTable();
  /** Rows of `#texts`, TEXTS per frame; of as many frames as were in answers so far. */
  #textRows = new Int32Array(0);
  #numbered = 0;
  /** Rows whose attributes the next frame of their key replaces. */
  readonly #outdated = new Set<number>();

  get count(): number {
    return this.frames.length;
  }

  /**
   * The frame's row; the first frame of a key gives the row its attributes, and the first that
   * knows a file gives it that.
   */
  intern(frame: Frame, key: string = functionKey(frame)): number {
    const row = this.#rows.get(key);
    if (row === undefined) {
      this.#rows.set(key, this.frames.length);
      return this.frames.push(frame) - 1;
    }
    const known = this.frames[row] as Frame;
    if (this.#outdated.delete(row)) this.#replace(row, frame);
    else if (known.file === '' && frame.file !== '') {
      this.#replace(row, { ...known, file: frame.file });
    }
    return row;
  }

  /** What is known of the row may have changed: the next frame of its key has it right. */
  outdate(row: number): void {
    this.#outdated.add(row);
  }

  #replace(row: number, frame: Frame): void {
    this.frames[row] = frame;
    if (row < this.#numbered) this.#numberRow(row);
  }

  /** The root's frame and then these rows as columns, with the text they use. */
  columnsOf(rows: Int32Array): { frames: FrameColumns; strings: StringColumns } {
    this.#numberTexts();
    const count = rows.length + 1;
    const used = new UsedTexts(this.#texts.count, TEXTS * count + 1);
    const columns = emptyColumns(count);
    const { name, systemName, binary, buildId, file, reason } = columns;
    name[0] = used.localRow(this.#texts.intern(ROOT_FRAME.name));
    systemName[0] = name[0];
    columns.kind[0] = ROOT_FRAME.kind;
    const texts = this.#textRows;
    for (let at = 1; at < count; at++) {
      const row = rows[at - 1] as number;
      const first = row * TEXTS;
      name[at] = used.localRow(texts[first] as number);
      systemName[at] = used.localRow(texts[first + 1] as number);
      binary[at] = used.localRow(texts[first + 2] as number);
      buildId[at] = used.localRow(texts[first + 3] as number);
      file[at] = used.localRow(texts[first + 4] as number);
      reason[at] = used.localRow(texts[first + 5] as number);
      const frame = this.frames[row] as Frame;
      columns.line[at] = frame.line;
      columns.address[at * 2] = frame.addressLow;
      columns.address[at * 2 + 1] = frame.addressHigh;
      columns.kind[at] = frame.kind;
    }
    return { frames: columns, strings: this.#texts.columnsOf(used.rows()) };
  }

  /** Looks up the texts of the frames that came since the last answer. */
  #numberTexts(): void {
    const texts = this.#texts;
    texts.intern(ROOT_FRAME.name);
    if (this.frames.length * TEXTS > this.#textRows.length) {
      const grown = new Int32Array(2 * this.frames.length * TEXTS);
      grown.set(this.#textRows);
      this.#textRows = grown;
    }
    for (; this.#numbered < this.frames.length; this.#numbered++) this.#numberRow(this.#numbered);
  }

  #numberRow(row: number): void {
    const texts = this.#texts;
    const frame = this.frames[row] as Frame;
    let at = row * TEXTS;
    this.#textRows[at++] = texts.intern(frame.name);
    this.#textRows[at++] = texts.intern(frame.systemName);
    this.#textRows[at++] = texts.intern(frame.binary);
    this.#textRows[at++] = texts.intern(frame.buildId);
    this.#textRows[at++] = texts.intern(frame.file);
    this.#textRows[at++] = texts.intern(frame.reason);
  }
}

/** Numbers the texts of one answer in the order they come; 0 is the empty one. */
class UsedTexts {
  readonly #local: Int32Array;
  readonly #rows: Int32Array;
  #count = 1;

  constructor(texts: number, most: number) {
    this.#local = new Int32Array(texts);
    this.#rows = new Int32Array(Math.min(texts, most));
  }

  localRow(text: number): number {
    if (text === 0) return 0;
    let local = this.#local[text] as number;
    if (local === 0) {
      local = this.#count++;
      this.#local[text] = local;
      this.#rows[local] = text;
    }
    return local;
  }

  rows(): Int32Array {
    return this.#rows.subarray(0, this.#count);
  }
}

function emptyColumns(count: number): FrameColumns {
  return {
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
