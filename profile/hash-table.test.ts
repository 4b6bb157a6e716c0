import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SharedHashTable } from './hash-table.ts';

const half = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const idList = fc.uniqueArray(fc.tuple(half, half), {
  maxLength: 3000,
  minLength: 600,
  selector: ([low, high]) => `${low},${high}`,
});

test('holds what a Map holds, through several growths', () => {
  const property = fc.property(idList, (ids) => {
    const table = new SharedHashTable();
    ids.forEach(([low, high], i) => {
      expect(table.get(low, high)).toBe(-1);
      table.insert(low, high, i);
    });
    expect(table.size).toBe(ids.length);
    expect(ids.map(([low, high]) => table.get(low, high))).toEqual(ids.map((_, i) => i));
  });
  fc.assert(property, { seed: 1, numRuns: 20 });
});

test('many ids at once are as many one by one', () => {
  const property = fc.property(idList, fc.nat(600), (ids, first) => {
    const table = new SharedHashTable();
    ids.slice(0, first).forEach(([low, high], i) => {
      table.insert(low, high, i);
    });
    const rest = Int32Array.from(ids.slice(first).flat());
    const middle = 2 * Math.floor(rest.length / 4);
    // As those that follow one by one, and with a value each.
    const values = Uint32Array.from(
      ids.slice(first + middle / 2),
      (_, i) => first + middle / 2 + i,
    );
    table.insertAll([
      { ids: rest.subarray(0, middle), values: first },
      { ids: rest.subarray(middle), values },
    ]);
    expect(table.size).toBe(ids.length);
    expect(ids.map(([low, high]) => table.get(low, high))).toEqual(ids.map((_, i) => i));
  });
  fc.assert(property, { seed: 2, numRuns: 20 });
});

test('room is made in steps, and the table is read between them', () => {
  const table = new SharedHashTable();
  const count = 20_000;
  for (let i = 0; i < count; i++) table.insert(i, ~i, i);
  const { words } = table;
  const steps = table.reserveInSteps(100_000);
  let taken = 0;
  for (; steps.next().done !== true; taken++) expect(table.get(taken, ~taken)).toBe(taken);
  expect(taken).toBeGreaterThan(5);
  const grown = table.words;
  expect(grown).not.toBe(words);
  for (let i = count; i < count + 100_000; i++) table.insert(i, ~i, i);
  expect(table.words).toBe(grown);
  expect(Array.from({ length: count + 100_000 }, (_, i) => table.get(i, ~i))).toEqual(
    Array.from({ length: count + 100_000 }, (_, i) => i),
  );
});

test.each([
  ['evenly', (at: number) => Math.imul(at + 1, 0x9e3779b1)],
  // More come to some parts than these have room for.
  ['in half of the parts', (at: number) => (at % 2 === 0 ? at / 2 : 0)],
])('so many ids that they are sorted first are found like others: %s', (_, wordAt) => {
  const count = 100_000;
  const ids = Int32Array.from({ length: 2 * count }, (_, at) => wordAt(at));
  const table = new SharedHashTable();
  table.insert(7, 7, 0);
  const half = count / 2;
  const values = Uint32Array.from({ length: half }, (_, row) => 1 + half + row);
  table.insertAll([
    { ids: ids.subarray(0, count), values: 1 },
    { ids: ids.subarray(count), values },
  ]);
  const found = Int32Array.from({ length: count }, (_, row) =>
    table.get(ids[2 * row] as number, ids[2 * row + 1] as number),
  );
  expect(table.size).toBe(count + 1);
  expect(found.findIndex((value, row) => value !== row + 1)).toBe(-1);
  expect([table.get(7, 7), table.get(8, 8)]).toEqual([0, -1]);
});

test('ids that begin at the same slot, and the id of zeros, are told apart', () => {
  const table = new SharedHashTable();
  table.insert(0, 0, 5);
  table.insert(1024, 0, 6);
  table.insert(2048, 0, 0);
  expect([table.get(0, 0), table.get(1024, 0), table.get(2048, 0)]).toEqual([5, 6, 0]);
  expect(table.get(4096, 0)).toBe(-1);
});

test.each([3, 70_000])('a table of %d ids is empty once cleared, and used again', (count) => {
  const table = new SharedHashTable();
  for (let i = 0; i < count; i++) table.insert(i, ~i, i);
  table.clear();
  expect([table.size, table.get(2, ~2)]).toEqual([0, -1]);
  table.insert(2, ~2, 9);
  expect([table.size, table.get(2, ~2), table.get(1, ~1)]).toEqual([1, 9, -1]);
});

test('a view of the same words sees what is inserted later, and survives a growth', () => {
  const table = new SharedHashTable();
  const view = new SharedHashTable(table.words);
  table.insert(1, 2, 3);
  expect(view.get(1, 2)).toBe(3);
  for (let i = 0; i < 1000; i++) table.insert(i, -1, i);
  expect(view.words).not.toBe(table.words);
  expect(view.get(1, 2)).toBe(3);
  expect(new SharedHashTable(table.words).get(1, 2)).toBe(3);
});

test('another thread sees an entry whole or not at all while it is inserted', async () => {
  const table = new SharedHashTable(new Int32Array(new SharedArrayBuffer(3 * 4 * 2 ** 17)));
  const code = `const { parentPort, workerData: words } = require('node:worker_threads');
    let torn = 0; let seen = 0;
    while (seen < 65000) {
      seen = 0;
      for (let base = 0; base < words.length; base += 3) {
        const mark = Atomics.load(words, base + 2);
        if (mark === 0) continue;
        seen++;
        if (words[base] !== mark - 1 || words[base + 1] !== ~(mark - 1)) torn++;
      }
    }
    parentPort.postMessage(torn);`;
  const worker = new Worker(code, { eval: true, workerData: table.words });
  const torn = new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
  for (let i = 0; i < 65_000; i++) table.insert(i, ~i, i);
  expect(await torn).toBe(0);
});
