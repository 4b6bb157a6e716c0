/**
 * Filters at work on stacks: frames in, the places of those that are left out. A stack is a list of
 * rows of the caller's frame table, root first; each condition is asked once per distinct text.
 */
import { compileRegex } from '../select/regex.ts';
import type { FilterAction, FrameCondition, FrameField } from './filter.ts';
import { type Frame, functionIdentity } from './frame-table.ts';

/** An action on stacks, by frames that meet all of the conditions. */
export interface FilterStep {
  action: FilterAction;
  where: readonly FrameCondition[];
}

/** Rows of frames by number; a row's frame never changes. */
export interface FrameSource {
  readonly frames: readonly Frame[];
}

const UNKNOWN = 0;
const NO = 1;
const YES = 2;

/** A condition with what it has said so far of texts. */
class Condition {
  readonly #field: FrameField;
  readonly #negated: boolean;
  readonly #accepts: (text: string) => boolean;
  readonly #known = new Map<string, boolean>();

  constructor({ field, op, value }: FrameCondition) {
    this.#field = field;
    this.#negated = op === '!=' || op === '!~';
    if (op === '=' || op === '!=') {
      this.#accepts = (text) => text === value;
    } else {
      const regex = compileRegex(value, 'filter');
      this.#accepts = (text) => regex.occursIn(text);
    }
  }

  meets(frame: Frame): boolean {
    return this.#occurs(frame) !== this.#negated;
  }

  #occurs(frame: Frame): boolean {
    if (this.#field !== 'function') return this.#ask(frame[this.#field]);
    const { name, systemName } = frame;
    return this.#ask(name) || (systemName !== '' && systemName !== name && this.#ask(systemName));
  }

  #ask(text: string): boolean {
    let known = this.#known.get(text);
    if (known === undefined) {
      known = this.#accepts(text);
      this.#known.set(text, known);
    }
    return known;
  }
}

/** Whether frames meet conditions, remembered by row. */
export class Verdicts {
  readonly #conditions: readonly Condition[];
  readonly #source: FrameSource;
  #known = new Uint8Array(1024);

  constructor(where: readonly FrameCondition[], source: FrameSource) {
    this.#conditions = where.map((condition) => new Condition(condition));
    this.#source = source;
  }

  meets(row: number): boolean {
    if (row >= this.#known.length) {
      const known = new Uint8Array(Math.max(this.#source.frames.length, row + 1));
      known.set(this.#known);
      this.#known = known;
    }
    const verdict = this.#known[row] as number;
    return verdict === UNKNOWN ? this.#decide(row) : verdict === YES;
  }

  #decide(row: number): boolean {
    const frame = this.#source.frames[row] as Frame;
    const met = this.#conditions.every((condition) => condition.meets(frame));
    this.#known[row] = met ? YES : NO;
    return met;
  }
}

/** Numbers of functions by row: frames that differ in place only are of one function. */
class FunctionNumbers {
  readonly #source: FrameSource;
  readonly #numbers = new Map<string, number>();
  /** 1 + the number; 0 is not known. */
  #known = new Int32Array(1024);

  constructor(source: FrameSource) {
    this.#source = source;
  }

  of(row: number): number {
    if (row >= this.#known.length) {
      const known = new Int32Array(Math.max(this.#source.frames.length, row + 1));
      known.set(this.#known);
      this.#known = known;
    }
    const known = this.#known[row] as number;
    if (known !== 0) return known;
    const key = functionIdentity(this.#source.frames[row] as Frame);
    const number = this.#numbers.get(key) ?? this.#numbers.size + 1;
    this.#numbers.set(key, number);
    this.#known[row] = number;
    return number;
  }
}

export class StackFilters {
  /** Of the last stack: places of its frames that are left, in their new order. */
  kept = new Int32Array(128);
  #count = 0;
  /** Per number of a function. */
  #last = new Int32Array(1024);
  readonly #steps: readonly { action: FilterAction; verdicts: Verdicts }[];
  readonly #functions: FunctionNumbers;

  constructor(steps: readonly FilterStep[], source: FrameSource) {
    this.#steps = steps.map(({ action, where }) => ({
      action,
      verdicts: new Verdicts(where, source),
    }));
    this.#functions = new FunctionNumbers(source);
  }

  /** The number of places in `kept` after all filters, or -1 where the stack is dropped. */
  apply(rows: Int32Array, length: number): number {
    if (length > this.kept.length) this.kept = new Int32Array(length * 2);
    for (let at = 0; at < length; at++) this.kept[at] = at;
    this.#count = length;
    for (const { action, verdicts } of this.#steps) {
      if (!this.#step(action, verdicts, rows)) return -1;
    }
    return this.#count;
  }

  /** False where the stack is dropped. */
  #step(action: FilterAction, verdicts: Verdicts, rows: Int32Array): boolean {
    if (action === 'hide-frames') this.#hideFrames(verdicts, rows);
    else if (action === 'collapse') this.#collapse(verdicts, rows);
    else {
      const first = this.#firstMatch(verdicts, rows);
      if (action === 'hide') return first < 0;
      if (first < 0) return false;
      if (action === 'show-from') this.#removeAbove(first);
      else if (action === 'pivot') this.#turn(first);
    }
    return true;
  }

  #firstMatch(verdicts: Verdicts, rows: Int32Array): number {
    for (let at = 0; at < this.#count; at++) {
      if (verdicts.meets(rows[this.kept[at] as number] as number)) return at;
    }
    return -1;
  }

  #hideFrames(verdicts: Verdicts, rows: Int32Array): void {
    let left = 0;
    for (let at = 0; at < this.#count; at++) {
      const place = this.kept[at] as number;
      if (!verdicts.meets(rows[place] as number)) this.kept[left++] = place;
    }
    this.#count = left;
  }

  #removeAbove(first: number): void {
    this.kept.copyWithin(0, first, this.#count);
    this.#count -= first;
  }

  #turn(first: number): void {
    this.kept.subarray(0, first + 1).reverse();
    this.#count = first + 1;
  }

  #collapse(verdicts: Verdicts, rows: Int32Array): void {
    this.#findLasts(rows);
    let left = 0;
    for (let at = 0; at < this.#count; at++) {
      const place = this.kept[at] as number;
      this.kept[left++] = place;
      const row = rows[place] as number;
      if (verdicts.meets(row)) at = this.#last[this.#functions.of(row)] as number;
    }
    this.#count = left;
  }

  /** Where in `kept` each function of the stack comes last; of others, nothing is said. */
  #findLasts(rows: Int32Array): void {
    for (let at = 0; at < this.#count; at++) {
      const number = this.#functions.of(rows[this.kept[at] as number] as number);
      if (number >= this.#last.length) {
        const last = new Int32Array(number * 2);
        last.set(this.#last);
        this.#last = last;
      }
      this.#last[number] = at;
    }
  }
}
