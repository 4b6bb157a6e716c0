/**
 * One pc-value table: which value holds at which instructions of a function. Pairs of varints, a
 * zigzag difference of the value and an unsigned one of the address; a value's difference of 0 ends
 * it, except in the first pair (golang.org/s/go12symtab, "PC-Value Table Encoding").
 */

const INITIAL_ROWS = 256;
/** Five groups of seven bits hold 32 bits. */
const MAX_SHIFT = 28;

export class PcValues {
  count = 0;
  /** Where row i begins, in bytes from the function's start; it holds to that of row i + 1. */
  start = new Int32Array(INITIAL_ROWS);
  value = new Int32Array(INITIAL_ROWS);
  /** Where the last row ends. */
  end = 0;

  /** A table of no rows: everything is -1. */
  clear(): void {
    this.count = 0;
    this.end = 0;
  }

  /** Reads the table at `at`, as far as `size` bytes of code reach. False where it is damaged. */
  read(bytes: Uint8Array, at: number, quantum: number, size: number): boolean {
    this.clear();
    let position = at;
    let value = -1;
    let pc = 0;
    while (pc < size) {
      let raw = 0;
      let shift = 0;
      let byte = 0;
      do {
        if (position >= bytes.length || shift > MAX_SHIFT) return false;
        byte = bytes[position++] as number;
        raw |= (byte & 0x7f) << shift;
        shift += 7;
      } while (byte >= 0x80);
      if (raw === 0 && pc > 0) break;
      value = (value + ((raw >>> 1) ^ -(raw & 1))) | 0;
      raw = 0;
      shift = 0;
      do {
        if (position >= bytes.length || shift > MAX_SHIFT) return false;
        byte = bytes[position++] as number;
        raw |= (byte & 0x7f) << shift;
        shift += 7;
      } while (byte >= 0x80);
      if (raw === 0) return false;
      if (this.count === this.start.length) this.#grow();
      this.start[this.count] = pc;
      this.value[this.count++] = value;
      // At most 2^31 + 4 * 2^32: exact.
      pc += (raw >>> 0) * quantum;
      this.end = Math.min(pc, size);
    }
    return true;
  }

  /** The value `pc` bytes from the function's start; -1 where there is none. */
  at(pc: number): number {
    if (pc < 0 || pc >= this.end) return -1;
    let low = 0;
    let high = this.count;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.start[middle] as number) <= pc) low = middle;
      else high = middle;
    }
    return this.value[low] as number;
  }

  #grow(): void {
    const room = this.start.length * 2;
    const start = new Int32Array(room);
    const value = new Int32Array(room);
    start.set(this.start);
    value.set(this.value);
    this.start = start;
    this.value = value;
  }
}
