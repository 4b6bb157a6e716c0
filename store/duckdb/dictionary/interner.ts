/** Values numbered by a text key in order of first use; tentative until committed. */
import { EverflameError } from '../../../profile/errors.ts';

export class Interner<T> {
  readonly items: T[] = [];
  readonly #keys: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #limit: number;
  readonly #what: string;
  committedCount = 0;

  constructor(what: string, limit: number) {
    this.#what = what;
    this.#limit = limit;
  }

  intern(key: string, item: T): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.items.length;
    if (number >= this.#limit) {
      throw new EverflameError('unprocessable', `there are too many ${this.#what}`, {
        limit: `${this.#what} = ${this.#limit}`,
      });
    }
    this.items.push(item);
    this.#keys.push(key);
    this.#numbers.set(key, number);
    return number;
  }

  key(number: number): string {
    return this.#keys[number] ?? '';
  }

  rollback(): void {
    for (const key of this.#keys.splice(this.committedCount)) this.#numbers.delete(key);
    this.items.length = this.committedCount;
  }
}
