/** Rows of line programs: buffers that grow and are used again, and the order of sequences. */
import { EverflameError } from '../../profile/errors.ts';
import { MAX_LINE_ROWS } from '../../profile/limits.ts';

const FIRST_CAPACITY = 16_384;

/** Rows as a line program emits them; strictly ascending within a sequence. */
export class LineRows {
  count = 0;
  address: Float64Array = new Float64Array(FIRST_CAPACITY);
  file: Int32Array = new Int32Array(FIRST_CAPACITY);
  line: Int32Array = new Int32Array(FIRST_CAPACITY);
  /** 1 = the end of a sequence: from here on nothing is said. */
  end: Uint8Array = new Uint8Array(FIRST_CAPACITY);

  /** Makes room for at least one more row. */
  grow(): void {
    const capacity = this.address.length * 2;
    if (capacity > MAX_LINE_ROWS) {
      throw new EverflameError('too-large', 'a line program has too many rows', {
        field: 'file',
        limit: `MAX_LINE_ROWS = ${MAX_LINE_ROWS}`,
      });
    }
    const { address, file, line, end } = this;
    this.address = new Float64Array(capacity);
    this.address.set(address);
    this.file = new Int32Array(capacity);
    this.file.set(file);
    this.line = new Int32Array(capacity);
    this.line.set(line);
    this.end = new Uint8Array(capacity);
    this.end.set(end);
  }

  push(address: number, file: number, line: number, end: number): void {
    if (this.count === this.address.length) this.grow();
    const row = this.count++;
    this.address[row] = address;
    this.file[row] = file;
    this.line[row] = line;
    this.end[row] = end;
  }
}

/**
 * Puts sequences in the order of their ends into `target`. Where two overlap, the one that ends
 * first keeps what it covers, and of the other only what is after that is left; of two that end at
 * the same address, the first. Returns how many rows are left out.
 */
export function orderSequences(
  source: LineRows,
  starts: readonly number[],
  target: LineRows,
): number {
  const order = starts.map((_, sequence) => sequence);
  const lastRow = (sequence: number) => (starts[sequence + 1] ?? source.count) - 1;
  const endOf = (sequence: number) => source.address[lastRow(sequence)] as number;
  order.sort((a, b) => endOf(a) - endOf(b) || a - b);
  target.count = 0;
  let covered = -1;
  let leftOut = 0;
  for (const sequence of order) {
    const first = starts[sequence] as number;
    const last = lastRow(sequence);
    if ((source.address[last] as number) <= covered) {
      leftOut += last - first;
      continue;
    }
    let row = first;
    while ((source.address[row + 1] as number) <= covered) row++;
    leftOut += row - first;
    for (; row <= last; row++) {
      const address = Math.max(source.address[row] as number, covered);
      target.push(
        address,
        source.file[row] as number,
        source.line[row] as number,
        source.end[row] as number,
      );
    }
    covered = source.address[last] as number;
  }
  return leftOut;
}

/** Whether sequences neither overlap nor go back. */
export function areOrdered(rows: LineRows, starts: readonly number[]): boolean {
  for (let i = 1; i < starts.length; i++) {
    const start = starts[i] as number;
    if ((rows.address[start] as number) < (rows.address[start - 1] as number)) return false;
  }
  return true;
}
