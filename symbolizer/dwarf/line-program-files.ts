/** Paths of a line program's files, interned when they are first asked for. */
import { MAX_STRING_BYTES } from '../../profile/limits.ts';
import { NO_TEXT, type TextId, type Texts } from '../code-piece.ts';
import type { DwarfSections, LineReport } from './dwarf-input.ts';
import { type LineProgramHeader, type NameTable, nameBytes } from './line-program-header.ts';

const SLASH = 0x2f;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const NOT_YET = -2;

/** The bytes of a path while it is put together; one for all line programs of a file. */
export class PathBuffer {
  readonly bytes: Uint8Array = new Uint8Array(MAX_STRING_BYTES);
  length = 0;
  /**
   * Bytes that paths may have together. A few bytes of hostile input could ask for the longest path
   * there is, again and again; real paths take less than the input that they are from.
   */
  budgetBytes: number;
  readonly report: LineReport;

  constructor(budgetBytes: number, report: LineReport) {
    this.budgetBytes = budgetBytes;
    this.report = report;
  }

  clear(): void {
    this.length = 0;
  }

  /** Appends a component that begins at `start` and ends at its zero byte, or at the end. */
  append(bytes: Uint8Array, start: number): void {
    if (start >= bytes.length || bytes[start] === 0) return;
    const { length } = this;
    let from = start;
    if (length > 0) {
      if (this.bytes[length - 1] === SLASH) while (bytes[from] === SLASH) from++;
      else if (bytes[from] !== SLASH) this.#push(SLASH);
    }
    for (let at = from; at < bytes.length && bytes[at] !== 0; at++) {
      this.#push(bytes[at] as number);
      if (this.length > MAX_STRING_BYTES) return;
    }
  }

  #push(byte: number): void {
    this.bytes[this.length++] = byte;
  }

  /** The path so far as a text. */
  intern(texts: Texts): TextId {
    this.budgetBytes -= this.length;
    if (this.length > MAX_STRING_BYTES || this.budgetBytes < 0) {
      this.report.droppedPaths++;
      return NO_TEXT;
    }
    return texts.intern(this.bytes, 0, this.length);
  }
}

export class LineProgramFiles {
  readonly #sections: DwarfSections;
  readonly #texts: Texts;
  readonly #path: PathBuffer;
  readonly #header: LineProgramHeader;
  readonly #compDir: Uint8Array;
  readonly #ids: number[] = [];

  constructor(
    sections: DwarfSections,
    texts: Texts,
    path: PathBuffer,
    header: LineProgramHeader,
    compDir: Uint8Array,
  ) {
    this.#sections = sections;
    this.#texts = texts;
    this.#path = path;
    this.#header = header;
    this.#compDir = compDir;
  }

  /** The path of a number that someone has written: DW_LNS_set_file, DW_AT_call_file. */
  named(index: number): TextId {
    const { version, files } = this.#header;
    // Number 0 is no file before version 5.
    const last = version >= 5 ? files.places.length - 1 : files.places.length;
    if (!(index <= last)) this.#path.report.unknownFiles++;
    return this.text(index);
  }

  /** The path of a file register's value. */
  text(index: number): TextId {
    const { version, files } = this.#header;
    const row = version >= 5 ? index : index - 1;
    if (!(row >= 0 && row < files.places.length)) return NO_TEXT;
    while (this.#ids.length <= row) this.#ids.push(NOT_YET);
    const known = this.#ids[row] as number;
    if (known !== NOT_YET) return known as TextId;
    const id = this.#join(row);
    this.#ids[row] = id;
    return id;
  }

  /**
   * Unit's directory, file's directory, name: each only where what follows is not absolute. Before
   * version 5 directory 0 is the unit's; from version 5 on it is in the table like the others.
   */
  #join(row: number): TextId {
    const path = this.#path;
    const { version, files, directories } = this.#header;
    const name = nameBytes(this.#sections, files, row);
    const nameAt = files.offsets[row] as number;
    // A path that nobody takes is not put together either: it may have 200 kB.
    if (name === null || nameAt >= name.length || path.budgetBytes <= 0) {
      path.report.droppedPaths++;
      return NO_TEXT;
    }
    if (name[nameAt] === 0) return NO_TEXT;
    path.clear();
    if (!isAbsolute(name, nameAt)) {
      const index = files.directories[row] as number;
      const directoryRow = version >= 5 ? index : index - 1;
      const directory = nameOrNull(this.#sections, directories, directoryRow);
      const directoryAt = directories.offsets[directoryRow] ?? 0;
      if (directory === null && index !== 0) path.report.unknownFiles++;
      const isUnitsOwn = version >= 5 && index === 0 && directory !== null;
      const relative = directory === null || !isAbsolute(directory, directoryAt);
      if (relative && !isUnitsOwn) path.append(this.#compDir, 0);
      if (directory !== null) path.append(directory, directoryAt);
    }
    path.append(name, nameAt);
    return path.intern(this.#texts);
  }
}

function nameOrNull(sections: DwarfSections, table: NameTable, row: number): Uint8Array | null {
  return row >= 0 && row < table.places.length ? nameBytes(sections, table, row) : null;
}

/** On any system: cross compilers write `C:\`. */
function isAbsolute(bytes: Uint8Array, at: number): boolean {
  const first = bytes[at] as number;
  if (first === SLASH) return true;
  const second = bytes[at + 1];
  const third = bytes[at + 2];
  if (first === BACKSLASH && second === BACKSLASH) return true;
  const isLetter = (first | 0x20) >= 0x61 && (first | 0x20) <= 0x7a;
  return isLetter && second === COLON && (third === SLASH || third === BACKSLASH);
}
