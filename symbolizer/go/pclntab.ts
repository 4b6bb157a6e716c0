/**
 * Go's table of functions as code pieces: names, files, lines and inlined calls of a Go program,
 * also of one without symbols and DWARF, because the Go runtime needs them itself.
 */
import { type CodePiece, type CodeSink, FUNCTION_NODE, NO_TEXT } from '../code-piece.ts';
import { bytesSource } from '../elf/byte-reader.ts';
import { SectionFlag } from '../elf/elf.ts';
import type { ElfFile } from '../elf/elf-file.ts';
import { FunctionRecords } from './function-records.ts';
import { type GoBytes, readGoBytes } from './go-extract.ts';
import { GoTexts } from './go-texts.ts';
import { InlineTree } from './inline-tree.ts';
import { PcValues } from './pc-values.ts';
import type { PclntabVersion } from './pclntab-layout.ts';

/** What was read and what could not be. */
export interface GoReport {
  version: PclntabVersion;
  functions: number;
  inlinedCalls: number;
  lineRows: number;
  /** Functions whose row, record or tables are damaged, or that are not in executable code. */
  functionsDamaged: number;
  /** Functions with inlined calls that could not be read: their rows are the outer function's. */
  functionsWithoutInlines: number;
  /** The first damage met, for people; empty where there was none. */
  firstProblem: string;
}

/**
 * Rows and bytes of texts that are read, per byte of the table. Programs need less than one;
 * forged ones let functions share tables.
 */
const MAX_WORK_PER_BYTE = 16;

/** Sections with code of a Go program: .text and a few of the linker's. */
const MAX_CODE_SECTIONS = 64;

/** Code of which everything is known already: functions in it are passed over. */
interface KnownCode {
  /** Where the code around an address ends; -1 where nothing is known. */
  endAt(address: number): number;
}
const NOTHING_KNOWN: KnownCode = { endAt: () => -1 };

/** Null for what is no Go program. */
export function readPclntab(
  elf: ElfFile,
  sink: CodeSink,
  known: KnownCode = NOTHING_KNOWN,
): GoReport | null {
  const go = readGoBytes(elf);
  return go === null ? null : new PclntabReader(elf, go, sink, known).read();
}

class PclntabReader {
  readonly #go: GoBytes;
  readonly #sink: CodeSink;
  readonly #known: KnownCode;
  readonly #records: FunctionRecords;
  readonly #texts: GoTexts;
  readonly #tree: InlineTree;
  readonly #files = new PcValues();
  readonly #lines = new PcValues();
  readonly #calls = new PcValues();
  readonly #code: readonly { start: number; end: number }[];
  readonly #piece: CodePiece;
  readonly #report: GoReport;
  #work = 0;

  constructor(elf: ElfFile, go: GoBytes, sink: CodeSink, known: KnownCode) {
    const { layout, pclntab } = go;
    this.#go = go;
    this.#sink = sink;
    this.#known = known;
    this.#records = new FunctionRecords(bytesSource(pclntab), 0, pclntab.length, layout);
    this.#texts = new GoTexts(sink.texts, layout, pclntab);
    this.#tree = new InlineTree(go, this.#texts, this.#files, this.#lines, this.#calls);
    this.#code = elf.sections
      .filter(({ flags }) => (flags & SectionFlag.exec) !== 0)
      .slice(0, MAX_CODE_SECTIONS)
      .map(({ address, size }) => ({ start: address, end: address + size }));
    this.#piece = {
      start: 0,
      end: 0,
      name: NO_TEXT,
      nodeCount: 0,
      nodeParent: this.#tree.parent,
      nodeName: this.#tree.name,
      nodeCallFile: this.#tree.callFile,
      nodeCallLine: this.#tree.callLine,
      rowCount: 0,
      rowAddress: new Float64Array(256),
      rowNode: new Int32Array(256),
      rowFile: new Int32Array(256),
      rowLine: new Int32Array(256),
    };
    this.#report = {
      version: layout.version,
      functions: 0,
      inlinedCalls: 0,
      lineRows: 0,
      functionsDamaged: 0,
      functionsWithoutInlines: 0,
      firstProblem: '',
    };
  }

  read(): GoReport {
    const { layout, pclntab, text } = this.#go;
    const report = this.#report;
    if (layout.textRelative && text < 0) {
      report.functionsDamaged = layout.functionCount;
      this.#problem('where the code begins was not found (no runtime.firstmoduledata)');
      return report;
    }
    const maxWork = pclntab.length * MAX_WORK_PER_BYTE;
    for (let index = 0; index < layout.functionCount; index++) {
      if (this.#work + this.#texts.bytesRead > maxWork) {
        report.functionsDamaged += layout.functionCount - index;
        this.#problem(`functions share their tables from number ${index} on`);
        break;
      }
      if (this.#readFunction(index)) continue;
      report.functionsDamaged++;
      this.#problem(`function ${index} of ${layout.functionCount} is damaged`);
    }
    return report;
  }

  #readFunction(index: number): boolean {
    const records = this.#records;
    const { layout, text } = this.#go;
    if (!records.read(index)) return false;
    const start = layout.textRelative ? text + records.start : records.start;
    const size = records.end - records.start;
    if (!this.#isCode(start, size)) return false;
    if (this.#isKnown(start, size)) return true;
    const name = this.#texts.name(records.name);
    if (!this.#readTables(size) || name === NO_TEXT) return false;
    const piece = this.#piece;
    piece.start = start;
    piece.name = name;
    this.#tree.open(records.tree, records.unit);
    this.#mergeRows(start);
    this.#work += this.#tree.count + 1;
    this.#takeTree();
    this.#sink.add(piece);
    this.#report.functions++;
    this.#report.inlinedCalls += piece.nodeCount;
    this.#report.lineRows += piece.rowCount;
    return true;
  }

  #isCode(start: number, size: number): boolean {
    for (const code of this.#code) {
      if (start >= code.start && start + size <= code.end) return true;
    }
    return false;
  }

  /** Whether all is known up to the padding, which only the table of lines tells. */
  #isKnown(start: number, size: number): boolean {
    const knownEnd = this.#known.endAt(start);
    if (knownEnd < 0 || knownEnd >= start + size) return knownEnd >= 0;
    if (!this.#readTable(this.#lines, this.#records.lineTable, size)) return false;
    this.#work += this.#lines.count;
    return knownEnd >= start + codeSize(this.#lines);
  }

  #readTables(size: number): boolean {
    const { fileTable, lineTable, treeTable } = this.#records;
    const read =
      this.#readTable(this.#files, fileTable, size) &&
      this.#readTable(this.#lines, lineTable, size) &&
      this.#readTable(this.#calls, treeTable, size);
    this.#work += this.#files.count + this.#lines.count + this.#calls.count;
    return read;
  }

  #readTable(values: PcValues, offset: number, size: number): boolean {
    values.clear();
    const { layout, pclntab } = this.#go;
    return offset === 0 || values.read(pclntab, layout.pcTables + offset, layout.quantum, size);
  }

  /** A row where file, line or call changes. */
  #mergeRows(start: number): void {
    const piece = this.#piece;
    const files = this.#files;
    const lines = this.#lines;
    const calls = this.#calls;
    const { unit } = this.#records;
    const end = codeSize(lines);
    piece.end = start + end;
    piece.rowCount = 0;
    let file = 0;
    let line = 0;
    let call = 0;
    for (let pc = 0; pc < end; ) {
      while (file < files.count && endOf(files, file) <= pc) file++;
      while (line < lines.count && endOf(lines, line) <= pc) line++;
      while (call < calls.count && endOf(calls, call) <= pc) call++;
      const fileText =
        file < files.count ? this.#texts.file(unit, files.value[file] as number) : NO_TEXT;
      const lineNumber = line < lines.count ? (lines.value[line] as number) : 0;
      const node =
        call < calls.count ? this.#tree.node(calls.value[call] as number) : FUNCTION_NODE;
      this.#addRow(start + pc, node, fileText, Math.max(0, lineNumber));
      pc = Math.min(end, endOf(files, file), endOf(lines, line), endOf(calls, call));
    }
  }

  #addRow(address: number, node: number, file: number, line: number): void {
    const piece = this.#piece;
    const last = piece.rowCount - 1;
    const same =
      last >= 0 &&
      piece.rowNode[last] === node &&
      piece.rowFile[last] === file &&
      piece.rowLine[last] === line;
    if (same) return;
    if (piece.rowCount === piece.rowAddress.length) growRows(piece);
    piece.rowAddress[piece.rowCount] = address;
    piece.rowNode[piece.rowCount] = node;
    piece.rowFile[piece.rowCount] = file;
    piece.rowLine[piece.rowCount++] = line;
  }

  #takeTree(): void {
    const piece = this.#piece;
    const tree = this.#tree;
    piece.nodeCount = tree.count;
    piece.nodeParent = tree.parent;
    piece.nodeName = tree.name;
    piece.nodeCallFile = tree.callFile;
    piece.nodeCallLine = tree.callLine;
    if (tree.unread === 0) return;
    this.#report.functionsWithoutInlines++;
    this.#problem(`inlined calls at 0x${piece.start.toString(16)} cannot be read`);
  }

  #problem(text: string): void {
    if (this.#report.firstProblem === '') this.#report.firstProblem = text;
  }
}

/**
 * Bytes of a function. Behind the last line there is padding; one without lines is one of the
 * linker's marks, which are a byte long.
 */
function codeSize(lines: PcValues): number {
  return lines.count > 0 ? lines.end : 1;
}

/** Where a row ends; a table that has ended stays as it is for ever. */
function endOf(values: PcValues, row: number): number {
  if (row >= values.count) return Infinity;
  return row + 1 < values.count ? (values.start[row + 1] as number) : values.end;
}

function growRows(piece: CodePiece): void {
  const room = piece.rowAddress.length * 2;
  piece.rowAddress = grown(piece.rowAddress, new Float64Array(room));
  piece.rowNode = grown(piece.rowNode, new Int32Array(room));
  piece.rowFile = grown(piece.rowFile, new Int32Array(room));
  piece.rowLine = grown(piece.rowLine, new Int32Array(room));
}

function grown<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
