/** Which scope is innermost where: the ranges of one function cut into cells of one scope each. */
import { grownIntegers, grownNumbers, NONE, type UnitScopes } from './unit-scopes.ts';

/** Up to so many numbers are sorted by insertion: they are mostly in order. */
const MAX_INSERTION_SORT = 64;

export class ScopePainter {
  cellCount = 0;
  /** Cell i is from cut i to cut i + 1. */
  cuts: Float64Array = new Float64Array(256);
  /** The innermost scope of a cell; NONE = it is in no range of the function. */
  owner: Int32Array = new Int32Array(256);
  /** From a cell to the next one that nobody owns yet, or part of the way. */
  #next: Int32Array = new Int32Array(256);

  /** Cuts up the function whose last range is `lastRange`. */
  paint(scopes: UnitScopes, lastRange: number): void {
    this.#cut(scopes, lastRange);
    const { cellCount } = this;
    this.#reserve();
    const { owner } = this;
    const next = this.#next;
    for (let i = 0; i <= cellCount; i++) {
      owner[i] = NONE;
      next[i] = i;
    }
    // Backwards, because an entry's range lies over those of the entries before it: of the
    // function, of the call around it and of its siblings.
    for (let range = lastRange; range !== NONE; range = scopes.previous[range] as number) {
      const scope = scopes.scope[range] as number;
      const end = this.#cellAt(scopes.high[range] as number);
      let cell = this.#free(this.#cellAt(scopes.low[range] as number));
      while (cell < end) {
        owner[cell] = scope;
        next[cell] = cell + 1;
        cell = this.#free(cell + 1);
      }
    }
  }

  /** All ends of ranges, ascending, each once. */
  #cut(scopes: UnitScopes, lastRange: number): void {
    let count = 0;
    for (let range = lastRange; range !== NONE; range = scopes.previous[range] as number) {
      if (count + 2 > this.cuts.length) this.cuts = grownNumbers(this.cuts);
      this.cuts[count++] = scopes.high[range] as number;
      this.cuts[count++] = scopes.low[range] as number;
    }
    // The last range came first.
    const cuts = this.cuts;
    cuts.subarray(0, count).reverse();
    if (count <= MAX_INSERTION_SORT) sortByInsertion(cuts, count);
    else cuts.subarray(0, count).sort();
    let kept = 1;
    for (let i = 1; i < count; i++) {
      if (cuts[i] !== cuts[kept - 1]) cuts[kept++] = cuts[i] as number;
    }
    this.cellCount = kept - 1;
  }

  #reserve(): void {
    while (this.owner.length < this.cuts.length) {
      this.owner = grownIntegers(this.owner);
      this.#next = grownIntegers(this.#next);
    }
  }

  #cellAt(address: number): number {
    const { cuts } = this;
    let low = 0;
    let high = this.cellCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((cuts[middle] as number) < address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #free(from: number): number {
    const next = this.#next;
    let cell = from;
    while (next[cell] !== cell) {
      const after = next[cell] as number;
      next[cell] = next[after] as number;
      cell = after;
    }
    return cell;
  }
}

function sortByInsertion(numbers: Float64Array, count: number): void {
  for (let i = 1; i < count; i++) {
    const number = numbers[i] as number;
    let at = i;
    while (at > 0 && (numbers[at - 1] as number) > number) {
      numbers[at] = numbers[at - 1] as number;
      at--;
    }
    numbers[at] = number;
  }
}
