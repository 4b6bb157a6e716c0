/** Where the code of a program is, by address. */
import type { CodePiece, CodeSink, Texts } from '../code-piece.ts';
import { ElfType, SectionFlag } from '../elf/elf.ts';
import type { ElfFile } from '../elf/elf-file.ts';

/** Where the executable sections of a program lie. */
export interface CodeMap {
  /** Where the code around an address ends; -1 where there is none. */
  endAt(address: number): number;
}

export function codeMap(elfs: readonly ElfFile[]): CodeMap {
  const spans: { start: number; end: number }[] = [];
  for (const { header, sections } of elfs) {
    for (const { flags, offset, address, size } of sections) {
      if ((flags & SectionFlag.exec) === 0 || size === 0) continue;
      const start = header.type === ElfType.rel ? offset : address;
      spans.push({ start, end: start + size });
    }
  }
  const { starts, ends } = joinSpans(spans);
  return {
    endAt(address) {
      let begin = 0;
      let end = starts.length;
      while (begin < end) {
        const middle = (begin + end) >>> 1;
        if ((starts[middle] as number) <= address) begin = middle + 1;
        else end = middle;
      }
      const codeEnd = begin > 0 ? (ends[begin - 1] as number) : -1;
      return address < codeEnd ? codeEnd : -1;
    },
  };
}

/** Cuts pieces where the code that they begin in ends. */
export class CodeOnlySink implements CodeSink {
  /** Pieces that begin outside the code. */
  dropped = 0;
  readonly #sink: CodeSink;
  readonly #code: CodeMap;

  constructor(sink: CodeSink, code: CodeMap) {
    this.#sink = sink;
    this.#code = code;
  }

  get texts(): Texts {
    return this.#sink.texts;
  }

  add(piece: CodePiece): void {
    const end = this.#code.endAt(piece.start);
    if (end < 0) {
      this.dropped++;
      return;
    }
    if (piece.end > end) {
      piece.end = end;
      const { rowAddress } = piece;
      while (piece.rowCount > 0 && (rowAddress[piece.rowCount - 1] as number) >= end) {
        piece.rowCount--;
      }
    }
    this.#sink.add(piece);
  }
}

/** Sorted, those that touch or overlap as one. */
function joinSpans(spans: { start: number; end: number }[]): {
  starts: Float64Array;
  ends: Float64Array;
} {
  spans.sort((a, b) => a.start - b.start);
  const starts = new Float64Array(spans.length);
  const ends = new Float64Array(spans.length);
  let count = 0;
  for (const { start, end } of spans) {
    if (count > 0 && start <= (ends[count - 1] as number)) {
      ends[count - 1] = Math.max(end, ends[count - 1] as number);
      continue;
    }
    starts[count] = start;
    ends[count++] = end;
  }
  return { starts: starts.subarray(0, count), ends: ends.subarray(0, count) };
}
