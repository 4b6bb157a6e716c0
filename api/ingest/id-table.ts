/** 64-bit id -> row of the batch being built, by open addressing; emptied and reused. */

/** Words per slot: id low half, id high half, row + 1 (0 marks an empty slot). */
const SLOT = 3;
const FIRST_SLOTS = 4096;

export class IdTable {
  #words = new Int32Array(FIRST_SLOTS * SLOT);
  #mask = FIRST_SLOTS - 1;
  size = 0;

  clear(): void {
    if (this.#mask >= FIRST_SLOTS * 16) {
      this.#words = new Int32Array(FIRST_SLOTS * SLOT);
      this.#mask = FIRST_SLOTS - 1;
    } else if (this.size > 0) {
      this.#words.fill(0);
    }
    this.size = 0;
  }

  /** The row of an id, or -1 after adding the id with row `size`. */
  add(low: number, high: number): number {
    const words = this.#words;
    const mask = this.#mask;
    for (let slot = (low ^ (high >>> 7)) & mask; ; slot = (slot + 1) & mask) {
      const base = slot * SLOT;
      const mark = words[base + 2] as number;
      if (mark === 0) {
        words[base] = low;
        words[base + 1] = high;
        words[base + 2] = ++this.size;
        if (this.size * 2 > mask) this.#grow();
        return -1;
      }
      if (words[base] === low && words[base + 1] === high) return mark - 1;
    }
  }

  #grow(): void {
    const old = this.#words;
    const mask = this.#mask * 2 + 1;
    const words = new Int32Array((mask + 1) * SLOT);
    for (let base = 0; base < old.length; base += SLOT) {
      if (old[base + 2] === 0) continue;
      let slot = ((old[base] as number) ^ ((old[base + 1] as number) >>> 7)) & mask;
      while (words[slot * SLOT + 2] !== 0) slot = (slot + 1) & mask;
      words.set(old.subarray(base, base + SLOT), slot * SLOT);
    }
    this.#words = words;
    this.#mask = mask;
  }
}
