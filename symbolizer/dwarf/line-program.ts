/**
 * Line number programs of DWARF 2 to 5 (DWARF 5, 6.2): which place in the source each address comes
 * from. A program is run once, into columns that are used again for the next.
 */
import { EverflameError } from '../../profile/errors.ts';
import type { TextId, Texts } from '../code-piece.ts';
import { DwarfCursor } from './dwarf-cursor.ts';
import type { DwarfSections, LineReport } from './dwarf-input.ts';
import { LineProgramFiles, PathBuffer } from './line-program-files.ts';
import {
  addOldFile,
  type LineProgramHeader,
  type LineUnit,
  readLineProgramHeader,
} from './line-program-header.ts';
import { areOrdered, LineRows, orderSequences } from './line-program-rows.ts';

export type { LineUnit } from './line-program-header.ts';

/** Standard opcodes (7.22); those from 13 on are skipped by their number of operands. */
const Op = {
  extended: 0,
  copy: 1,
  advancePc: 2,
  advanceLine: 3,
  setFile: 4,
  constAddPc: 8,
  fixedAdvancePc: 9,
} as const;
const Extended = { endSequence: 1, setAddress: 2, defineFile: 3 } as const;

/** The columns are signed. */
const MAX_LINE = 0x7fffffff;
/** Bytes of paths per byte of input; real programs need less than 4. */
const PATH_BYTES_PER_BYTE = 64;
const MIN_PATH_BYTES = 2 ** 20;
/** Programs are run once for each unit; units that share one are rare. */
const RUNS_PER_BYTE = 4;

/**
 * The rows of one program. Row i holds from its address to that of row i + 1; where `end` is 1,
 * nothing is said of that stretch. Addresses ascend and are those of code; they are equal only
 * where a sequence begins at the end of another. The columns belong to the reader, which fills
 * them anew; only the first `count` entries count.
 */
export interface LineTable {
  count: number;
  address: Float64Array;
  /** The path (TextId), or NO_TEXT. */
  file: Int32Array;
  /** 0 = the compiler says that the code is from no line. */
  line: Int32Array;
  end: Uint8Array;
  /** The path of a file index as DW_AT_call_file and DW_AT_decl_file have it. */
  fileText(index: number): TextId;
}

/** Reads the line programs of one set of sections. */
export class LineProgramReader {
  readonly report: LineReport = {
    programs: 0,
    damaged: 0,
    overBudget: 0,
    rows: 0,
    removedSequences: 0,
    damagedSequences: 0,
    damagedRows: 0,
    damagedLines: 0,
    coveredRows: 0,
    unknownFiles: 0,
    droppedPaths: 0,
    firstProblem: '',
  };
  readonly #sections: DwarfSections;
  readonly #texts: Texts;
  readonly #isCode: (address: number) => boolean;
  readonly #path: PathBuffer;
  readonly #rows: LineRows = new LineRows();
  readonly #ordered: LineRows = new LineRows();
  #budgetBytes: number;

  /** `isCode`: whether an address is in executable code; sequences that begin elsewhere go. */
  constructor(sections: DwarfSections, texts: Texts, isCode: (address: number) => boolean) {
    this.#sections = sections;
    this.#texts = texts;
    this.#isCode = isCode;
    const { length } = sections.line;
    const inputBytes = length + sections.lineStr.length + sections.str.length;
    const pathBytes = MIN_PATH_BYTES + inputBytes * PATH_BYTES_PER_BYTE;
    this.#path = new PathBuffer(pathBytes, this.report);
    this.#budgetBytes = RUNS_PER_BYTE * length;
  }

  /** A unit's rows and files; null where its header cannot be read. */
  read(unit: LineUnit): LineTable | null {
    const opened = this.#open(unit);
    if (opened === null) return null;
    const [header, files] = opened;
    const starts = this.#run(header, files);
    let rows = this.#rows;
    if (!areOrdered(rows, starts)) {
      this.report.coveredRows += orderSequences(rows, starts, this.#ordered);
      rows = this.#ordered;
    }
    this.report.rows += rows.count;
    return tableOf(files, rows);
  }

  #open(unit: LineUnit): [LineProgramHeader, LineProgramFiles] | null {
    const { report } = this;
    report.programs++;
    try {
      const header = this.#budgetBytes < 0 ? null : readLineProgramHeader(this.#sections, unit);
      if (header !== null) this.#budgetBytes -= header.end - unit.offset;
      if (header === null || this.#budgetBytes < 0) {
        report.overBudget++;
        return null;
      }
      const { compDir } = unit;
      return [
        header,
        new LineProgramFiles(this.#sections, this.#texts, this.#path, header, compDir),
      ];
    } catch (error) {
      this.#damaged(error);
      // What was read of it: thousands of units may name the same damaged header.
      const { position = unit.offset } = error as EverflameError;
      this.#budgetBytes -= Math.max(0, position - unit.offset);
      return null;
    }
  }

  #damaged(error: unknown): void {
    if (!(error instanceof EverflameError)) throw error;
    const { report } = this;
    report.damaged++;
    if (report.firstProblem === '') report.firstProblem = error.message;
  }

  /** Runs a program into the rows; returns the first row of each sequence. */
  #run(header: LineProgramHeader, files: LineProgramFiles): number[] {
    const { line } = this.#sections;
    const machine = new LineMachine(line, header, files, this.#rows, this.#isCode, this.report);
    try {
      machine.run();
    } catch (error) {
      this.#damaged(error);
    }
    machine.dropOpenSequence();
    return machine.starts;
  }
}

function tableOf(files: LineProgramFiles, rows: LineRows): LineTable {
  const { count, address, file, line, end } = rows;
  const fileText = (index: number) => files.named(index);
  return { count, address, file, line, end, fileText };
}

/** The line number state machine (6.2.2). */
class LineMachine {
  /** The first row of each sequence. */
  readonly starts: number[] = [];
  readonly #cursor: DwarfCursor;
  readonly #header: LineProgramHeader;
  readonly #files: LineProgramFiles;
  readonly #rows: LineRows;
  readonly #isCode: (address: number) => boolean;
  readonly #report: LineReport;
  #address = 0;
  /** An address could not be read: nobody knows where the rest of the sequence is. */
  #isLost = false;
  #line = 1;
  #file: number;
  /** The first row of the sequence that is not at its end yet. */
  #first = 0;
  /** Its rows that go back. */
  #backwards = 0;

  constructor(
    bytes: Uint8Array,
    header: LineProgramHeader,
    files: LineProgramFiles,
    rows: LineRows,
    isCode: (address: number) => boolean,
    report: LineReport,
  ) {
    this.#cursor = new DwarfCursor(bytes, header.start, header.end);
    this.#header = header;
    this.#files = files;
    this.#rows = rows;
    this.#isCode = isCode;
    this.#report = report;
    this.#file = files.text(1);
    rows.count = 0;
  }

  /** Throws EverflameError where the program is damaged; whole sequences before that stay. */
  run(): void {
    const cursor = this.#cursor;
    const { opcodeBase, lineBase, lineRange, minInstructionLength } = this.#header;
    // What special opcodes add, by opcode; 255 is DW_LNS_const_add_pc's too.
    const addressSteps = new Int32Array(256);
    const lineSteps = new Int32Array(256);
    for (let opcode = 0; opcode < 256; opcode++) {
      const adjusted = (opcode - opcodeBase) & 0xff;
      addressSteps[opcode] = Math.floor(adjusted / lineRange) * minInstructionLength;
      lineSteps[opcode] = lineBase + (adjusted % lineRange);
    }
    while (cursor.at < cursor.end) {
      const opcode = cursor.u8();
      if (opcode >= opcodeBase) {
        this.#address += addressSteps[opcode] as number;
        this.#line += lineSteps[opcode] as number;
        this.#emit(0);
      } else if (opcode === Op.constAddPc) this.#address += addressSteps[255] as number;
      else this.#standard(opcode);
    }
  }

  #standard(opcode: number): void {
    const cursor = this.#cursor;
    switch (opcode) {
      case Op.extended:
        this.#extended();
        break;
      case Op.copy:
        this.#emit(0);
        break;
      case Op.advancePc:
        this.#address += cursor.uleb() * this.#header.minInstructionLength;
        break;
      case Op.advanceLine:
        this.#line += cursor.sleb();
        break;
      case Op.setFile:
        this.#file = this.#files.named(cursor.uleb());
        break;
      case Op.fixedAdvancePc:
        this.#address += cursor.u16();
        break;
      default:
        for (let i = this.#header.operandCounts[opcode] as number; i > 0; i--) cursor.skipLeb();
    }
  }

  #extended(): void {
    const cursor = this.#cursor;
    const length = cursor.uleb();
    if (length === 0) return;
    const next = cursor.at + length;
    switch (cursor.u8()) {
      case Extended.endSequence:
        this.#endSequence();
        break;
      case Extended.setAddress:
        if (length === 9) this.#address = cursor.u64();
        else if (length === 5) this.#address = cursor.u32();
        else this.#isLost = true;
        break;
      case Extended.defineFile:
        addOldFile(this.#header.files, cursor, cursor.string());
        break;
      default: // Discriminators and what vendors add.
    }
    cursor.at = Math.min(next, cursor.end);
  }

  /** Of rows with the same address the last one holds. */
  #emit(end: number): void {
    const rows = this.#rows;
    const address = this.#address;
    const { count } = rows;
    if (count === rows.address.length) rows.grow();
    let row = count;
    if (count > this.#first) {
      const before = rows.address[count - 1] as number;
      if (address <= before) {
        if (address < before) {
          this.#backwards++;
          return;
        }
        row = count - 1;
      }
    }
    rows.address[row] = address;
    rows.file[row] = this.#file;
    rows.line[row] = this.#line;
    if (!(this.#line >= 0 && this.#line <= MAX_LINE)) {
      rows.line[row] = 0;
      this.#report.damagedLines++;
    }
    rows.end[row] = end;
    rows.count = row + 1;
  }

  #endSequence(): void {
    const rows = this.#rows;
    const first = this.#first;
    this.#emit(1);
    const start = rows.address[first] as number;
    const isWhole = rows.end[rows.count - 1] === 1 && !this.#isLost;
    const isCode = this.#address < Number.MAX_SAFE_INTEGER && this.#isCode(start);
    const isReal = isCode || this.#isLost;
    const isEmpty = rows.count - first < 2;
    if (isWhole && isReal && !isEmpty) this.starts.push(first);
    else {
      rows.count = first;
      if (!isReal) this.#report.removedSequences++;
      else if (!isWhole) this.#report.damagedSequences++;
    }
    // Where gcc names an address twice, that of a removed function goes back to 0.
    if (isReal) this.#report.damagedRows += this.#backwards;
    this.#backwards = 0;
    this.#first = rows.count;
    this.#address = 0;
    this.#isLost = false;
    this.#line = 1;
    this.#file = this.#files.text(1);
  }

  /** Rows after the last end of a sequence say nothing: nobody knows where they end. */
  dropOpenSequence(): void {
    if (this.#rows.count > this.#first) this.#report.damagedSequences++;
    this.#report.damagedRows += this.#backwards;
    this.#rows.count = this.#first;
  }
}
