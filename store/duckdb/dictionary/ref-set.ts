/** A set of refs of a table below an end, a bit each; those from there on count as members. */
export class RefSet {
  readonly end: number;
  /** Bit 7 of a byte is its first ref, as DuckDB has it in its type BIT. */
  readonly #bits: Uint8Array;

  constructor(end: number) {
    this.end = end;
    this.#bits = new Uint8Array(Math.ceil(end / 8));
  }

  add(ref: number): void {
    if (ref < this.end) this.#bits[ref >>> 3] = (this.#bits[ref >>> 3] as number) | bitOf(ref);
  }

  addRange(from: number, end: number): void {
    for (let ref = from; ref < end; ref++) this.add(ref);
  }

  has(ref: number): boolean {
    return ref >= this.end || ((this.#bits[ref >>> 3] as number) & bitOf(ref)) !== 0;
  }

  /** SQL: whether the column `id`, which is at least `first`, is of a member. */
  sql(first: number): string {
    if (this.end === 0) return 'true';
    const base = first - (first % 8);
    const bits = Buffer.from(this.#bits.subarray(base / 8));
    return `(id >= ${this.end} OR
      get_bit(unhex('${bits.toString('hex')}')::BIT, least(id, ${this.end - 1})::INTEGER - ${base}) = 1)`;
  }
}

function bitOf(ref: number): number {
  return 0x80 >>> (ref & 7);
}
