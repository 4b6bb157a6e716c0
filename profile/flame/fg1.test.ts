import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fuzzFg1 } from '../../test/prove/fuzz-fg1.ts';
import { EverflameError } from '../errors.ts';
import { formatGraphText, parseGraphText } from '../text.ts';
import { decodeFg1, encodeFg1 } from './fg1.ts';
import type { FlameGraph } from './flame-graph.ts';

/** The same columns, whatever buffers they are views of. */
function plain(graph: FlameGraph): unknown {
  return JSON.parse(
    JSON.stringify(graph, (_, value) =>
      ArrayBuffer.isView(value) ? Array.from(value as Uint8Array) : value,
    ),
  );
}

const GOLDEN: [name: string, text: string, base?: string][] = [
  ['plain', 'main;read@libc.so 2\nmain;read@libc.so;sys_read@[kernel]{kernel} 3\nmain 1'],
  ['float', 'main;a 0.5\nmain;b 1.25'],
  ['diff', 'main;a 2\nmain;new 4294967296', 'main;a 3\nmain;gone 1'],
];

describe('golden vectors', () => {
  test.each(GOLDEN)('%s is what docs/formats.md says', (name, text, base) => {
    const path = new URL(`../../test/fixtures/formats/${name}.fg1`, import.meta.url);
    const graph = parseGraphText(text, base);
    if (process.env.UPDATE_GOLDENS === '1') writeFileSync(path, encodeFg1(graph));
    const golden = new Uint8Array(readFileSync(path));
    expect(Buffer.from(encodeFg1(graph)).equals(golden)).toBe(true);
    expect(formatGraphText(decodeFg1(golden))).toBe(formatGraphText(graph));
  });

  test('the header of the plain one, byte by byte', () => {
    const body = encodeFg1(parseGraphText(GOLDEN[0]?.[1] ?? ''));
    expect(Buffer.from(body.subarray(0, 64)).toString('hex').match(/.{16}/g)).toEqual([
      '6667310a01000000', // magic, version 1, no flags
      '0400000004000000', // 4 nodes, 4 frames
      '0700000011000000', // strings: "", total, main, read, libc.so, sys_read, [kernel]; 17 sections
      '000000000000f03f', // multiplier 1
      '000000000000f03f',
      '0000000000001840', // total 6
      '0000000000000000',
      `${Buffer.from(Uint32Array.of(body.length).buffer).toString('hex')}00000000`,
    ]);
  });
});

const name = fc.constantFrom('main', 'read@libc.so', 'κλ', 'x{kernel}', 'y{jit}', 'z@[jit]{jit}');
const stack = fc.array(name, { minLength: 1, maxLength: 12 });
const value = fc.oneof(fc.nat(1000), fc.constantFrom(0.1, 2 ** 32 - 1, 2 ** 32, 2 ** 52));
const folded = fc
  .array(fc.tuple(stack, value), { maxLength: 40 })
  .map((rows) => rows.map(([frames, count]) => `${frames.join(';')} ${count}`).join('\n'));

test('what is encoded comes back, at any alignment', () => {
  fc.assert(
    fc.property(folded, fc.option(folded), fc.nat(7), (text, base, shift) => {
      const graph = parseGraphText(text, base ?? undefined);
      const body = encodeFg1(graph);
      const moved = new Uint8Array(body.length + shift);
      moved.set(body, shift);
      expect(plain(decodeFg1(moved.subarray(shift)))).toEqual(plain(graph));
    }),
    { seed: 7, numRuns: 300 },
  );
});

describe('refused', () => {
  const body = encodeFg1(parseGraphText('main;a 2\nmain;b 0.5', 'main 1'));
  const entry = (id: number): { at: number; offset: number } => {
    const view = new DataView(body.buffer);
    let at = 64;
    while (view.getUint32(at, true) !== id) at += 16;
    return { at, offset: view.getUint32(at + 8, true) };
  };
  const at = (offset: number, value: number) => (view: DataView) =>
    view.setUint32(offset, value, true);
  const float = (offset: number, value: number) => (view: DataView) =>
    view.setFloat64(offset, value, true);
  const rows: [problem: string, edit: (view: DataView) => void][] = [
    ['does not begin with', at(0, 0)],
    ['version other than 1', at(4, 2)],
    ['flags that are not known', at(4, 0x00080001)],
    ['states another length', at(56, 8)],
    ['claims 4294967295 nodes', at(8, 0xffffffff)],
    ['has no nodes', at(8, 0)],
    ['claims 5 frames', at(12, 5)],
    ['claims 26 strings', at(16, 26)],
    ['claims 65 sections', at(20, 65)],
    ['multiplies by 0', float(24, 0)],
    ['multiplies by NaN', float(32, Number.NaN)],
    ['states 7, its nodes 2.5', float(40, 7)],
    ['states 7, its nodes 1', float(48, 7)],
    ['has depth 9 where no parent is', (view) => view.setUint16(entry(1).offset + 2, 9, true)],
    ['has depth 0 where no parent is', (view) => view.setUint16(entry(1).offset + 2, 0, true)],
    ['does not begin with its root', (view) => view.setUint16(entry(1).offset, 1, true)],
    ['refers to row 4 in section 2', at(entry(2).offset, 4)],
    ['refers to row 99 in section 16', at(entry(16).offset, 99)],
    ['has the value -1', float(entry(3).offset, -1)],
    ['has the value Infinity', float(entry(3).offset, Number.POSITIVE_INFINITY)],
    ['has the value 0.5 among integers', (view) => view.setUint16(6, 1, true)],
    ['has kind 77', (view) => view.setUint8(entry(23).offset, 77)],
    ['string 0 that is not empty', at(entry(32).offset + 4, 1)],
    ['string offsets that fall', at(entry(32).offset + 8, 0xffff)],
    ['section 2 outside the body', at(entry(2).at + 8, 0xfffffff8)],
    ['section 2 at an unaligned offset', at(entry(2).at + 8, 129)],
    ['section 3 over another', at(entry(2).at + 8, entry(3).offset)],
    ['section 2 twice', at(entry(3).at, 2)],
    ['lacks section 3', at(entry(3).at, 99)],
    ['section 1 in encoding 2', at(entry(1).at + 4, 2)],
    ['section 2 in encoding 1', at(entry(2).at + 4, 1)],
    ['12 bytes in section 2', at(entry(2).at + 12, 12)],
    ['JSON section is malformed', (view) => view.setUint8(entry(40).offset, 0x5b)],
  ];
  test.each(rows)('%s', (problem, edit) => {
    const copy = body.slice();
    edit(new DataView(copy.buffer));
    expect(() => decodeFg1(copy)).toThrow(problem);
    expect(() => decodeFg1(copy)).toThrow(EverflameError);
  });

  test('every shorter body', () => {
    for (let length = 0; length < body.length; length++) {
      expect(() => decodeFg1(body.subarray(0, length))).toThrow(EverflameError);
    }
  });

  test('bytes after the last section', () => {
    const longer = new Uint8Array(body.length + 8);
    longer.set(body);
    new DataView(longer.buffer).setUint32(56, longer.length, true);
    expect(() => decodeFg1(longer)).toThrow('after its last section');
  });
});

test('2,000 damaged bodies raise nothing but EverflameError', async () => {
  const line = await fuzzFg1({ seed: 1, runs: 2000, log: () => undefined });
  expect(line).toMatch(/^2000 bodies/);
});
