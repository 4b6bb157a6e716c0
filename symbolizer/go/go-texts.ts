/** Names and paths of Go's table of functions, each interned once. */
import { NO_TEXT, type TextId, type Texts } from '../code-piece.ts';
import type { PclntabLayout } from './pclntab-layout.ts';

/** Of a name or a path; names of Go's generated types go to some thousands. */
const MAX_TEXT_BYTES = 65_536;
const NO_FILE = 0xffffffff;
/** In `#fileTexts`: not looked up yet. */
const UNREAD = -2;

export class GoTexts {
  /** Bytes of texts that were read. */
  bytesRead = 0;
  readonly #texts: Texts;
  readonly #layout: PclntabLayout;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #names = new Map<number, TextId>();
  /** Where the numbers of files are. */
  readonly #fileTable: number;
  readonly #fileTexts: Int32Array;

  constructor(texts: Texts, layout: PclntabLayout, bytes: Uint8Array) {
    this.#texts = texts;
    this.#layout = layout;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const isOld = layout.unitFiles < 0;
    this.#fileTable = isOld ? this.#u32(layout.files) : layout.unitFiles;
    const end = isOld ? this.#fileTable + this.#u32(this.#fileTable) * 4 : layout.files;
    const room = Math.min(end, bytes.length) - this.#fileTable;
    this.#fileTexts = new Int32Array(Math.max(0, Math.floor(room / 4))).fill(UNREAD);
  }

  name(offset: number): TextId {
    const known = this.#names.get(offset);
    if (known !== undefined) return known;
    const text = this.#text(this.#layout.names + offset);
    this.#names.set(offset, text);
    return text;
  }

  /** `unit` is the first of a compilation unit's files, `file` its number there. */
  file(unit: number, file: number): TextId {
    if (file < 0) return NO_TEXT;
    const number = this.#layout.unitFiles < 0 ? file : unit + file;
    const known = this.#fileTexts[number];
    if (known === undefined) return NO_TEXT;
    if (known !== UNREAD) return known as TextId;
    const offset = this.#u32(this.#fileTable + number * 4);
    const base = this.#layout.unitFiles < 0 ? 0 : this.#layout.files;
    const text = offset === NO_FILE ? NO_TEXT : this.#text(base + offset);
    this.#fileTexts[number] = text;
    return text;
  }

  /** A text that does not end, or is empty, is none. */
  #text(at: number): TextId {
    const bytes = this.#bytes;
    if (at < 0 || at >= bytes.length) return NO_TEXT;
    const limit = Math.min(bytes.length, at + MAX_TEXT_BYTES);
    let end = at;
    while (end < limit && bytes[end] !== 0) end++;
    this.bytesRead += end - at;
    return end === at || end === limit ? NO_TEXT : this.#texts.intern(bytes, at, end);
  }

  #u32(at: number): number {
    return at >= 0 && at + 4 <= this.#bytes.length ? this.#view.getUint32(at, true) : 0;
  }
}
