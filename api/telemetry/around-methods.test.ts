import { expect, test } from 'vitest';
import { aroundMethods } from './around-methods.ts';

class Counter {
  #count = 0;
  readonly name = 'counter';
  async add(by: number): Promise<number> {
    this.#count += by;
    return this.#count;
  }
  async fail(): Promise<never> {
    throw new Error(`at ${this.#count}`);
  }
  get count(): number {
    return this.#count;
  }
}

test('calls pass through with what they return and throw; everything else is as it was', async () => {
  const seen: string[] = [];
  const counter = aroundMethods(new Counter(), ['add', 'fail'], async (method, call) => {
    seen.push(method);
    return call();
  });
  expect(await counter.add(2)).toBe(2);
  await expect(counter.fail()).rejects.toThrow('at 2');
  expect([counter.count, counter.name, seen]).toEqual([2, 'counter', ['add', 'fail']]);
});
