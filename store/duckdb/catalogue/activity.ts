/** First and last time of each (series, type set): what a range can leave out without a query. */

export class Activity {
  readonly #rows = new Map<number, number>();
  #successor: Activity | null = null;
  #series = new Uint32Array(64);
  #typeset = new Uint16Array(64);
  #first = new Float64Array(64);
  #last = new Float64Array(64);

  /**
   * An empty activity that is told all that this one is from now on, so that what was durable
   * before can be added to it and it can take this one's place.
   */
  successor(): Activity {
    this.#successor = new Activity();
    return this.#successor;
  }

  /** Widens the span of a series' type set to cover both times. */
  cover(series: number, typeset: number, firstMs: number, lastMs: number): void {
    this.#successor?.cover(series, typeset, firstMs, lastMs);
    const key = series * 65_536 + typeset;
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = this.#rows.size;
      this.#rows.set(key, row);
      if (row === this.#series.length) this.#grow();
      this.#series[row] = series;
      this.#typeset[row] = typeset;
      this.#first[row] = firstMs;
      this.#last[row] = lastMs;
      return;
    }
    if (firstMs < (this.#first[row] as number)) this.#first[row] = firstMs;
    if (lastMs > (this.#last[row] as number)) this.#last[row] = lastMs;
  }

  /** Visits every (series, type set) whose span meets from <= t < to. */
  eachIn(fromMs: number, toMs: number, visit: (series: number, typeset: number) => void): void {
    const rows = this.#rows.size;
    for (let row = 0; row < rows; row++) {
      if ((this.#first[row] as number) < toMs && (this.#last[row] as number) >= fromMs) {
        visit(this.#series[row] as number, this.#typeset[row] as number);
      }
    }
  }

  #grow(): void {
    const capacity = this.#series.length * 2;
    const series = new Uint32Array(capacity);
    series.set(this.#series);
    this.#series = series;
    const typeset = new Uint16Array(capacity);
    typeset.set(this.#typeset);
    this.#typeset = typeset;
    const first = new Float64Array(capacity);
    first.set(this.#first);
    this.#first = first;
    const last = new Float64Array(capacity);
    last.set(this.#last);
    this.#last = last;
  }
}
