/** Where the code of a program is, by address. */
import { type CodePiece, type CodeSink, NO_TEXT, type Texts } from '../code-piece.ts';
import { ElfType, SectionFlag } from '../elf/elf.ts';
import type { ElfFile } from '../elf/elf-file.ts';

/** Where the executable sections of a program lie. */
export interface CodeMap {
  /** Where the code around an address ends; -1 where there is none. */
  endAt(address: number): number;
}

export function codeMap(elfs: readonly ElfFile[]): CodeMap {
  const spans = new CodeSpans();
  for (const { header, sections } of elfs) {
    for (const { flags, offset, address, size } of sections) {
      if ((flags & SectionFlag.exec) === 0 || size === 0) continue;
      const start = header.type === ElfType.rel ? offset : address;
      spans.add(start, start + size);
    }
  }
  return spans.map();
}

/** Cuts pieces where the code that they begin in ends. */
export class CodeOnlySink implements CodeSink {
  /** Pieces that begin outside the code. */
  dropped = 0;
  readonly #sink: CodeSink;
  readonly #code: CodeMap;
  readonly #named = new CodeSpans();

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
    if (piece.name !== NO_TEXT) this.#named.add(piece.start, piece.end);
    this.#sink.add(piece);
  }

  /** The code of pieces with names: what is added to it now does not hold. */
  named(): CodeMap {
    return this.#named.map();
  }
}

/** Stretches of addresses, in any order. */
class CodeSpans {
  #count = 0;
  #starts = new Float64Array(64);
  #ends = new Float64Array(64);

  add(start: number, end: number): void {
    if (this.#count === this.#starts.length) {
      this.#starts = longer(this.#starts);
      this.#ends = longer(this.#ends);
    }
    this.#starts[this.#count] = start;
    this.#ends[this.#count++] = end;
  }

  /** Of those so far; spans that touch or overlap are one. */
  map(): CodeMap {
    const { starts, ends } = this.#joined();
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

  #joined(): { starts: Float64Array; ends: Float64Array } {
    const order = Uint32Array.from({ length: this.#count }, (_, row) => row);
    order.sort((a, b) => (this.#starts[a] as number) - (this.#starts[b] as number));
    const starts = new Float64Array(this.#count);
    const ends = new Float64Array(this.#count);
    let count = 0;
    for (const row of order) {
      const start = this.#starts[row] as number;
      const end = this.#ends[row] as number;
      if (count > 0 && start <= (ends[count - 1] as number)) {
        ends[count - 1] = Math.max(end, ends[count - 1] as number);
        continue;
      }
      starts[count] = start;
      ends[count++] = end;
    }
    return { starts: starts.subarray(0, count), ends: ends.subarray(0, count) };
  }
}

function longer(column: Float64Array): Float64Array<ArrayBuffer> {
  const copy = new Float64Array(column.length * 2);
  copy.set(column);
  return copy;
}
