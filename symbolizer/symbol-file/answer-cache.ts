/** Answers of one symbol file by address, and texts by number; all files share one bound. */
import type { SymbolLookup } from './symbol-file.ts';

/** What an answer and a text take beside their lines and characters, as measured, in bytes. */
const ANSWER_BYTES = 96;
const LINE_BYTES = 48;
const TEXT_BYTES = 64;

/** Over the bound, everything is forgotten: what is still asked for comes back in microseconds. */
export class AnswerBudget {
  readonly #maxBytes: number;
  readonly #caches = new Set<AnswerCache>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  newCache(): AnswerCache {
    const cache = new AnswerCache(this);
    this.#caches.add(cache);
    return cache;
  }

  take(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= this.#maxBytes) return;
    for (const cache of this.#caches) cache.clear();
    this.#bytes = 0;
  }

  drop(cache: AnswerCache, bytes: number): void {
    this.#caches.delete(cache);
    this.#bytes -= bytes;
  }
}

export class AnswerCache {
  readonly #budget: AnswerBudget;
  /** Open addressing by address; at most half full. */
  #addresses = new Float64Array(64);
  #answers: (SymbolLookup | null)[] = new Array(64).fill(null);
  #count = 0;
  readonly #texts = new Map<number, string>();
  #bytes = 0;

  constructor(budget: AnswerBudget) {
    this.#budget = budget;
  }

  answer(address: number): SymbolLookup | null {
    const mask = this.#addresses.length - 1;
    let slot = slotOf(address, mask);
    for (;;) {
      const answer = this.#answers[slot] as SymbolLookup | null;
      if (answer === null || this.#addresses[slot] === address) return answer;
      slot = (slot + 1) & mask;
    }
  }

  /** Of an address that has none yet. */
  keepAnswer(address: number, answer: SymbolLookup): void {
    this.#take(ANSWER_BYTES + (answer.kind === 'symbol' ? answer.lines.length * LINE_BYTES : 0));
    if ((this.#count + 1) * 2 > this.#addresses.length) this.#grow();
    this.#put(address, answer);
    this.#count++;
  }

  text(number: number): string | undefined {
    return this.#texts.get(number);
  }

  keepText(number: number, text: string): void {
    this.#take(TEXT_BYTES + text.length);
    this.#texts.set(number, text);
  }

  clear(): void {
    this.#addresses = new Float64Array(64);
    this.#answers = new Array(64).fill(null);
    this.#count = 0;
    this.#texts.clear();
    this.#bytes = 0;
  }

  close(): void {
    this.#budget.drop(this, this.#bytes);
    this.clear();
  }

  #take(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.take(bytes);
  }

  #put(address: number, answer: SymbolLookup): void {
    const mask = this.#addresses.length - 1;
    let slot = slotOf(address, mask);
    while (this.#answers[slot] !== null) slot = (slot + 1) & mask;
    this.#addresses[slot] = address;
    this.#answers[slot] = answer;
  }

  #grow(): void {
    const addresses = this.#addresses;
    const answers = this.#answers;
    this.#addresses = new Float64Array(addresses.length * 2);
    this.#answers = new Array(addresses.length * 2).fill(null);
    for (let slot = 0; slot < answers.length; slot++) {
      const answer = answers[slot] as SymbolLookup | null;
      if (answer !== null) this.#put(addresses[slot] as number, answer);
    }
  }
}

function slotOf(address: number, mask: number): number {
  const high = Math.floor(address / 2 ** 32);
  const mixed = Math.imul(address ^ Math.imul(high, 0x85eb_ca6b), 0x9e37_79b1);
  return (mixed ^ (mixed >>> 15)) & mask;
}
