/**
 * When the mappings of a process are read again: at most once a window, for an address that none of
 * them covers. The leaf is code that ran; a caller may be any number, where code without frame
 * pointers was unwound, and programs with such callers must not be read anew in every window.
 */

/** Callers without a mapping are let pass for so many windows at most. */
const MAX_DOUBTED_WINDOWS = 6;

export class MapsPacing {
  #wasRead = true;
  /** Windows to let callers pass, and how many the next time. */
  #doubted = 0;
  #nextDoubt = 1;

  beginWindow(): void {
    this.#wasRead = false;
    if (this.#doubted > 0) this.#doubted--;
  }

  /** Whether to read the mappings now; `settle` then has to follow. */
  allows(isLeaf: boolean): boolean {
    if (this.#wasRead || (!isLeaf && this.#doubted > 0)) return false;
    this.#wasRead = true;
    return true;
  }

  /** Whether the mappings as read now cover the address. */
  settle(isLeaf: boolean, covered: boolean): void {
    if (covered) {
      this.#nextDoubt = 1;
    } else if (!isLeaf) {
      this.#doubted = this.#nextDoubt + 1;
      this.#nextDoubt = Math.min(2 * this.#nextDoubt, MAX_DOUBTED_WINDOWS);
    }
  }
}
