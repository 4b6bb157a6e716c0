/**
 * Collects pieces of code and symbols and writes one symbol file (docs/formats.md section 4.2 says
 * which of them holds where). Pieces are encoded as they come, so memory stays near the output's.
 */
import type { BuildId } from '../../profile/units.ts';
import { type CodePiece, type CodeSink, NO_TEXT } from '../code-piece.ts';
import type { LoadSegment } from '../elf/elf.ts';
import type { CodeSymbols } from '../elf/elf-symbols.ts';
import { type LeftOut, lacksFiles, lacksNames, leftOut } from '../left-out.ts';
import { CodeRanges, disjointParts, type RangeParts } from './code-ranges.ts';
import { RecordEncoder } from './line-record-encoder.ts';
import { RecordPiece } from './record-piece.ts';
import { MadeFrom } from './symbol-file-layout.ts';
import { writeSymbolFile } from './symbol-file-writer.ts';
import { type SymbolFacts, SymbolQuality } from './symbol-quality.ts';
import { type SymbolRanges, symbolName, symbolRanges } from './symbol-ranges.ts';
import { TextNumbers } from './text-numbers.ts';
import { TextTable } from './text-table.ts';

export interface SymbolFileHead {
  buildId: BuildId;
  elfType: number;
  machine: number;
  segments: readonly LoadSegment[];
  /** Which readers gave pieces. */
  fromDwarf: boolean;
  fromPclntab: boolean;
  /** What the readers left out. */
  leftOut: LeftOut;
}

export class SymbolFileBuilder implements CodeSink {
  readonly texts = new TextTable();
  readonly #numbers = new TextNumbers();
  readonly #encoder = new RecordEncoder(this.#numbers);
  readonly #pieces = new CodeRanges();

  add(piece: CodePiece): void {
    this.#encoder.encode(piece, this.#pieces);
  }

  /** Writes the file and says what is in it; the builder is of no use afterwards. */
  finish(
    path: string,
    head: SymbolFileHead,
    symbols: CodeSymbols,
  ): SymbolFacts & { leftOut: LeftOut } {
    const parts = disjointParts(this.#pieces);
    const { ranges, unnamed } = this.#namedRanges(parts, symbolRanges(symbols), symbols);
    const lacks = leftOut({
      ...head.leftOut,
      damaged_symbols: symbols.skipped,
      deep_calls: this.#encoder.cutRows,
      overlapping_ranges: parts.overlapped,
      unnamed_ranges: unnamed,
    });
    const made =
      (symbols.fromSymtab ? MadeFrom.symtab : 0) |
      (symbols.fromDynsym ? MadeFrom.dynsym : 0) |
      (head.fromDwarf ? MadeFrom.dwarf : 0) |
      (head.fromPclntab ? MadeFrom.pclntab : 0) |
      (lacksNames(lacks) ? MadeFrom.damaged : 0) |
      (lacksFiles(lacks) ? MadeFrom.incomplete : 0);
    const facts = this.#facts(ranges, symbols);
    const content = { ...head, made, facts, ranges };
    writeSymbolFile(path, content, this.#encoder.bytes, this.texts, this.#numbers);
    return { ...facts, leftOut: lacks };
  }

  /**
   * Cuts parts where symbols begin and end. A symbol's name holds over a piece's; code that neither
   * names is left out.
   */
  #namedRanges(parts: RangeParts, named: SymbolRanges, symbols: CodeSymbols): NamedRanges {
    const builder = new NamedRanges(this.#pieces, this.#encoder, this.#numbers);
    const texts = new Int32Array(symbols.count).fill(NO_TEXT);
    let part = 0;
    let row = 0;
    let at = Math.min(
      named.count > 0 ? (named.starts[0] as number) : Infinity,
      parts.count > 0 ? (parts.start[0] as number) : Infinity,
    );
    while (at < Infinity) {
      while (part < parts.count && (parts.end[part] as number) <= at) part++;
      while (row < named.count && (named.starts[row] as number) <= at) row++;
      const symbol = row > 0 ? (named.symbols[row - 1] as number) : -1;
      const partStart = part < parts.count ? (parts.start[part] as number) : Infinity;
      const inPart = partStart <= at;
      const partLimit = inPart ? (parts.end[part] as number) : partStart;
      const limit = Math.min(
        partLimit,
        row < named.count ? (named.starts[row] as number) : Infinity,
      );
      const name = symbol < 0 ? NO_TEXT : this.#symbolText(texts, symbols, symbol);
      if (inPart) builder.addPiece(parts.range[part] as number, at, limit, name);
      else if (symbol >= 0) builder.addNamed(at, limit, name);
      at = limit;
    }
    return builder;
  }

  #symbolText(texts: Int32Array, symbols: CodeSymbols, symbol: number): number {
    let text = texts[symbol] as number;
    if (text !== NO_TEXT) return text;
    const name = symbolName(symbols, symbol);
    text = this.texts.intern(name, 0, name.length);
    texts[symbol] = text;
    return text;
  }

  #facts(ranges: CodeRanges, symbols: CodeSymbols): SymbolFacts {
    const seen = new Uint8Array(this.texts.count);
    let functions = 0;
    let namedBytes = 0;
    let lineBytes = 0;
    let inlinedCalls = 0;
    for (let row = 0; row < ranges.count; row++) {
      const name = ranges.name[row] as number;
      if (seen[name] === 0) functions++;
      seen[name] = 1;
      namedBytes += (ranges.end[row] as number) - (ranges.start[row] as number);
      lineBytes += ranges.lineBytes[row] as number;
      inlinedCalls += ranges.inlinedCalls[row] as number;
    }
    const named = symbols.fromSymtab || this.#pieces.count > 0;
    const unlined = named ? SymbolQuality.symbols : SymbolQuality.exported;
    const quality = lineBytes > 0 ? SymbolQuality.lines : unlined;
    return {
      quality: functions === 0 ? SymbolQuality.none : quality,
      functions,
      inlinedCalls,
      lineBytes,
      namedBytes,
      skippedSymbols: symbols.skipped,
    };
  }
}

/** The ranges of the file, in order of address. */
class NamedRanges {
  readonly ranges = new CodeRanges();
  /** Parts of pieces that no one names. */
  unnamed = 0;
  readonly #pieces: CodeRanges;
  readonly #encoder: RecordEncoder;
  readonly #part: RecordPiece;

  constructor(pieces: CodeRanges, encoder: RecordEncoder, numbers: TextNumbers) {
    this.#pieces = pieces;
    this.#encoder = encoder;
    this.#part = new RecordPiece(numbers);
  }

  /** Code with a name and nothing else; joins the same name just before. */
  addNamed(start: number, end: number, name: number): void {
    const { ranges } = this;
    const last = ranges.count - 1;
    const joins =
      last >= 0 &&
      ranges.name[last] === name &&
      ranges.end[last] === start &&
      ranges.recordLength[last] === 0;
    if (joins) ranges.end[last] = end;
    else ranges.add(start, end, name, 0, 0, 0, 0);
  }

  /** A part of a piece; where `symbolText` is none it has the piece's own name. */
  addPiece(piece: number, start: number, end: number, symbolText: number): void {
    const pieces = this.#pieces;
    const name = symbolText === NO_TEXT ? (pieces.name[piece] as number) : symbolText;
    if (name === NO_TEXT) {
      this.unnamed++;
      return;
    }
    const at = pieces.recordAt[piece] as number;
    const length = pieces.recordLength[piece] as number;
    const base = pieces.start[piece] as number;
    if (length === 0) {
      this.addNamed(start, end, name);
    } else if (start === base && end === pieces.end[piece]) {
      const lineBytes = pieces.lineBytes[piece] as number;
      const inlinedCalls = pieces.inlinedCalls[piece] as number;
      this.ranges.add(start, end, name, at, length, lineBytes, inlinedCalls);
    } else {
      this.#part.fill(this.#encoder.bytes, at, length, start - base, end - base);
      this.#part.moveTo(start, end, name);
      this.#encoder.encode(this.#part, this.ranges);
    }
  }
}
