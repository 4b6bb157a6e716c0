/**
 * The unwind table of an ELF file: for each address of its code the row that holds from there on,
 * in pages of 64 KiB, so that a row needs the low half of its address only.
 */
import { EverflameError } from '../../profile/errors.ts';
import { MAX_UNWIND_PAGES, MAX_UNWIND_ROWS } from '../../profile/limits.ts';
import { prepareZstd } from '../../symbolizer/elf/compressed-section.ts';
import { DebugSectionReader } from '../../symbolizer/elf/debug-sections.ts';
import { loadSegments, readSegments, SEGMENT_EXEC } from '../../symbolizer/elf/elf.ts';
import type { ElfFile } from '../../symbolizer/elf/elf-file.ts';
import { FrameProgram, type FrameRegisters, registersOf } from './frame-rules.ts';
import { type FrameEntry, type FrameSection, readFrameEntries } from './frame-section.ts';
import { NONE, rowOf, SIGNAL, UnwindOp, type UnwindRow } from './unwind-row.ts';

export const PAGE_BYTES = 65_536;
/** Words of a row. */
export const ROW_WORDS = 2;
/** Functions are aligned: what lies between two so close to each other is never run. */
const MAX_PADDING_BYTES = 15;

export interface UnwindTable {
  machine: number;
  /** ELF address of the first page / PAGE_BYTES. */
  firstPage: number;
  /** Of each page its first row; then the number of rows. No page needs a row of the one before. */
  pageStarts: Uint32Array;
  /** Two words a row: address | op << 16 | registers << 24, and a | b << 16. */
  rows: Uint32Array;
  facts: UnwindFacts;
}

export interface UnwindFacts {
  /** Pieces of code that say how to leave their frame. */
  entries: number;
  damagedEntries: number;
  firstProblem: string;
  /** Pieces, or parts of some, that lie in no executable segment or in another piece. */
  outsideEntries: number;
  /** Bytes of code with rows, and of these with rules that are not followed. */
  coveredBytes: number;
  unsupportedBytes: number;
}

/**
 * Compiles `.eh_frame`, and `.debug_frame` for code that it leaves out. Throws EverflameError of
 * kind `unsupported` for machines other than x86-64 and arm64, `too-large` over a limit. Damage in
 * an entry costs its code the rows.
 */
export async function compileUnwindTable(elf: ElfFile): Promise<UnwindTable> {
  const { machine, is64 } = elf.header;
  const registers = is64 ? registersOf(machine) : null;
  if (registers === null) {
    throw new EverflameError('unsupported', `code for machine ${machine} is not unwound`, {
      field: 'file',
      remedy: 'x86-64 and arm64 are.',
    });
  }
  await prepareZstd();
  const compiler = new Compiler(machine, registers, executableRanges(elf));
  const pieces: Piece[] = [];
  const reader = new DebugSectionReader(elf);
  for (const kind of ['eh_frame', 'debug_frame'] as const) {
    const bytes = reader.readPrepared(`.${kind}`);
    const address = elf.section(`.${kind}`)?.address ?? 0;
    compiler.read({ bytes, address, kind }, pieces);
  }
  // Stable: of two for the same code the one of .eh_frame comes first.
  pieces.sort((one, other) => one.entry.start - other.entry.start);
  for (const piece of pieces) compiler.add(piece);
  return compiler.finish();
}

interface Piece {
  entry: FrameEntry;
  program: FrameProgram;
}

interface AddressRange {
  start: number;
  end: number;
}

function executableRanges({ source, header }: ElfFile): AddressRange[] {
  return loadSegments(readSegments(source, header))
    .filter(({ flags }) => (flags & SEGMENT_EXEC) !== 0)
    .map(({ vaddr, memSize }) => ({ start: vaddr, end: vaddr + memSize }));
}

class Compiler {
  readonly #machine: number;
  readonly #registers: FrameRegisters;
  readonly #ranges: readonly AddressRange[];
  readonly #facts: UnwindFacts = {
    entries: 0,
    damagedEntries: 0,
    firstProblem: '',
    outsideEntries: 0,
    coveredBytes: 0,
    unsupportedBytes: 0,
  };
  readonly #rows = new RowWriter();
  /** Where the code of the last piece ends; before the first, none has. */
  #end = Number.NEGATIVE_INFINITY;

  constructor(machine: number, registers: FrameRegisters, ranges: readonly AddressRange[]) {
    this.#machine = machine;
    this.#registers = registers;
    this.#ranges = ranges;
  }

  read(section: FrameSection, pieces: Piece[]): void {
    const { entries, damagedEntries, firstProblem } = readFrameEntries(section);
    this.#facts.damagedEntries += damagedEntries;
    this.#facts.firstProblem ||= firstProblem;
    const program = new FrameProgram(section, this.#registers);
    for (const entry of entries) {
      // Of functions that the linker removed.
      if (entry.end > entry.start && this.#isCode(entry)) pieces.push({ entry, program });
      else this.#facts.outsideEntries++;
    }
  }

  #isCode({ start, end }: AddressRange): boolean {
    return this.#ranges.some((range) => range.start <= start && end <= range.end);
  }

  add({ entry, program }: Piece): void {
    if (entry.start < this.#end) {
      this.#facts.outsideEntries++;
      return;
    }
    this.#facts.entries++;
    if (entry.start - this.#end > MAX_PADDING_BYTES) this.#close();
    this.#end = entry.end;
    if (entry.common.isSignal) {
      this.#put(entry.start, entry.end, SIGNAL);
      return;
    }
    let reached = entry.start;
    try {
      program.run(entry, (start, end, rules) => {
        this.#put(start, end, rowOf(this.#machine, rules));
        reached = end;
      });
    } catch (error) {
      if (!(error instanceof EverflameError) || error.kind === 'too-large') throw error;
      this.#facts.damagedEntries++;
      this.#facts.firstProblem ||= error.message;
      if (reached < entry.end) this.#rows.add(reached, NONE);
    }
  }

  #put(start: number, end: number, row: UnwindRow): void {
    this.#rows.add(start, row);
    this.#facts.coveredBytes += end - start;
    if (row.op === UnwindOp.unsupported) this.#facts.unsupportedBytes += end - start;
  }

  /** Behind the last piece nothing is known. */
  #close(): void {
    if (this.#end !== Number.NEGATIVE_INFINITY) this.#rows.add(this.#end, NONE);
  }

  finish(): UnwindTable {
    this.#close();
    return { machine: this.#machine, ...this.#rows.pages(), facts: this.#facts };
  }
}

/** Rows in ascending order of their addresses, without those that say what the one before does. */
class RowWriter {
  #count = 0;
  #addresses = new Float64Array(4_096);
  #words = new Uint32Array(2 * 4_096);

  add(address: number, { op, registers, a, b }: UnwindRow): void {
    const high = ((op << 16) | (registers << 24)) >>> 0;
    const numbers = ((a & 0xffff) | (b << 16)) >>> 0;
    const at = 2 * this.#count;
    const isSame = at > 0 && this.#words[at - 2] === high && this.#words[at - 1] === numbers;
    if (isSame) return;
    if (this.#count === this.#addresses.length) this.#grow();
    this.#addresses[this.#count++] = address;
    this.#words[at] = high;
    this.#words[at + 1] = numbers;
  }

  #grow(): void {
    if (this.#count >= MAX_UNWIND_ROWS) {
      throw tooLarge('rows of its unwind table', this.#count, 'MAX_UNWIND_ROWS', MAX_UNWIND_ROWS);
    }
    const addresses = new Float64Array(2 * this.#count);
    addresses.set(this.#addresses);
    this.#addresses = addresses;
    const words = new Uint32Array(4 * this.#count);
    words.set(this.#words);
    this.#words = words;
  }

  pages(): Pick<UnwindTable, 'firstPage' | 'pageStarts' | 'rows'> {
    const count = this.#count;
    if (count === 0)
      return { firstPage: 0, pageStarts: new Uint32Array(1), rows: new Uint32Array() };
    const firstPage = pageOf(this.#addresses[0] as number);
    const pages = pageOf(this.#addresses[count - 1] as number) - firstPage + 1;
    if (pages > MAX_UNWIND_PAGES) {
      throw tooLarge('pages of code', pages, 'MAX_UNWIND_PAGES', MAX_UNWIND_PAGES);
    }
    const pageStarts = new Uint32Array(pages + 1);
    const rows = new Uint32Array(ROW_WORDS * (count + pages));
    let [row, written] = [0, 0];
    const write = (low: number, from: number): void => {
      rows[ROW_WORDS * written] = (this.#words[2 * from] as number) | low;
      rows[ROW_WORDS * written + 1] = this.#words[2 * from + 1] as number;
      written++;
    };
    for (let page = 0; page < pages; page++) {
      pageStarts[page] = written;
      const start = (firstPage + page) * PAGE_BYTES;
      // What holds at its first address, if that has no row of its own.
      if (this.#addresses[row] !== start && row > 0) write(0, row - 1);
      for (; row < count && (this.#addresses[row] as number) < start + PAGE_BYTES; row++) {
        write((this.#addresses[row] as number) - start, row);
      }
    }
    pageStarts[pages] = written;
    return { firstPage, pageStarts, rows: rows.slice(0, ROW_WORDS * written) };
  }
}

function pageOf(address: number): number {
  return Math.floor(address / PAGE_BYTES);
}

function tooLarge(what: string, count: number, name: string, limit: number): EverflameError {
  return new EverflameError('too-large', `the file has ${count} ${what} or more`, {
    field: 'file',
    limit: `${name} = ${limit}`,
    remedy: 'Its stacks are followed by frame pointers.',
  });
}

/** The row that holds at an ELF address, as the BPF program finds it; null outside of all pages. */
export function findUnwindRow(table: UnwindTable, address: number): UnwindRow | null {
  const page = pageOf(address) - table.firstPage;
  if (page < 0 || page >= table.pageStarts.length - 1) return null;
  const low = address % PAGE_BYTES;
  let begin = table.pageStarts[page] as number;
  let end = table.pageStarts[page + 1] as number;
  const first = begin;
  while (begin < end) {
    const middle = (begin + end) >>> 1;
    if (((table.rows[ROW_WORDS * middle] as number) & 0xffff) <= low) begin = middle + 1;
    else end = middle;
  }
  return begin === first ? null : decodeRow(table.rows, begin - 1);
}

function decodeRow(rows: Uint32Array, row: number): UnwindRow {
  const head = rows[ROW_WORDS * row] as number;
  const numbers = rows[ROW_WORDS * row + 1] as number;
  const op = (head >>> 16) & 0xff;
  const a = op === UnwindOp.atFramePointer ? (numbers << 16) >> 16 : numbers & 0xffff;
  return { op, registers: head >>> 24, a, b: numbers >> 16 };
}
