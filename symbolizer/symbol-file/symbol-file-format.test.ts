/** The bytes of a small symbol file, as docs/formats.md section 4 has them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuildId, ElfAddress, FileOffset } from '../../profile/units.ts';
import { FUNCTION_NODE } from '../code-piece.ts';
import { openSymbolFile, type SymbolFile } from './symbol-file.ts';
import { SymbolFileBuilder } from './symbol-file-builder.ts';
import { layOut } from './symbol-file-layout.ts';

const GOLDEN = new URL('../../test/fixtures/formats/symbols-2.txt', import.meta.url);
const ROW_BYTES = 16;

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'symbol-file-format-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** `main` with a call inlined into it, and `_start` of which only the symbol is known. */
function buildFile(path: string): void {
  const builder = new SymbolFileBuilder();
  const text = (value: string) => builder.texts.internText(value);
  const [main, square] = [text('main'), text('square')];
  const [file, header] = [text('/src/main.c'), text('/src/square.h')];
  builder.add({
    start: 0x1010,
    end: 0x1400,
    name: main,
    nodeCount: 1,
    nodeParent: Int32Array.of(FUNCTION_NODE),
    nodeName: Int32Array.of(square),
    nodeCallFile: Int32Array.of(file),
    nodeCallLine: Int32Array.of(12),
    rowCount: 6,
    rowAddress: Float64Array.of(0x1010, 0x1014, 0x1020, 0x1026, 0x1100, 0x1104),
    rowNode: Int32Array.of(FUNCTION_NODE, FUNCTION_NODE, 0, 0, FUNCTION_NODE, 0),
    rowFile: Int32Array.of(file, file, header, header, file, header),
    rowLine: Int32Array.of(10, 11, 3, 4, 2_000, 3),
  });
  const name = Buffer.from('_start');
  const symbols = {
    count: 1,
    start: Float64Array.of(0x1400),
    size: Float64Array.of(0x20),
    sectionEnd: Float64Array.of(0x1500),
    table: new Uint8Array(1),
    nameOffset: new Uint32Array(1),
    nameLength: Uint32Array.of(name.length),
    rank: new Uint8Array(1),
    tables: [name],
    fromSymtab: true,
    fromDynsym: false,
    skipped: 0,
  };
  const head = {
    buildId: '0123456789abcdef' as BuildId,
    elfType: 3,
    machine: 62,
    segments: [
      { offset: 0, fileSize: 0x500, vaddr: 0x1000, memSize: 0x500, flags: 5 },
      { offset: 0x500, fileSize: 0x10, vaddr: 0x2500, memSize: 0x40, flags: 6 },
    ],
    fromDwarf: true,
    fromPclntab: false,
    leftOut: {},
  };
  builder.finish(path, head, symbols);
}

/** Rows of 16 bytes that are not all zero, under the names of their sections. */
function drawBytes(bytes: Buffer): string {
  const count = (at: number) => bytes.readUInt32LE(at);
  const counts = {
    segments: count(16),
    ranges: count(20),
    recordBytes: count(24),
    texts: count(28),
    textBytes: count(32),
  };
  const { indexCount: _, checksumCount: __, end, ...places } = layOut(counts);
  const names = new Map(Object.entries({ header: 0, ...places }).map(([name, at]) => [at, name]));
  let text = '# docs/formats.md section 4: place and bytes; what is not drawn is zero\n';
  for (let at = 0; at < bytes.length; at += ROW_BYTES) {
    const name = names.get(at);
    if (name !== undefined) text += `# ${name}\n`;
    const row = bytes.subarray(at, at + ROW_BYTES);
    if (row.every((byte) => byte === 0)) continue;
    text += `${at.toString(16).padStart(4, '0')} ${row.toString('hex')}\n`;
  }
  return `${text}# end\n${end.toString(16).padStart(4, '0')}\n`;
}

function readDrawing(text: string): Buffer {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const rows = lines.map((line) => line.split(' '));
  const bytes = Buffer.alloc(Number.parseInt(rows.pop()?.[0] ?? '', 16));
  for (const [at = '', hex = ''] of rows) bytes.write(hex, Number.parseInt(at, 16), 'hex');
  return bytes;
}

function linesAt(file: SymbolFile, address: number): string {
  const found = file.lookup(address as ElfAddress, 'elf');
  if (found.kind === 'unknown') return found.reason;
  return found.lines.map(({ name, file: path, line }) => `${name} ${path}:${line}`).join(' < ');
}

test('the golden vector is what is written', () => {
  const path = join(directory, 'written.esf');
  buildFile(path);
  const bytes = readFileSync(path);
  if (process.env.UPDATE_GOLDENS === '1') writeFileSync(GOLDEN, drawBytes(bytes));
  const golden = readFileSync(GOLDEN, 'utf8');
  expect(drawBytes(bytes)).toBe(golden);
  expect(readDrawing(golden).equals(bytes)).toBe(true);
});

test('the golden vector says what it was made from', () => {
  const path = join(directory, 'golden.esf');
  writeFileSync(path, readDrawing(readFileSync(GOLDEN, 'utf8')));
  const file = openSymbolFile(path);
  const { buildId, quality, functions, inlinedCalls, segments } = file;
  expect([buildId, quality, functions, inlinedCalls]).toEqual(['0123456789abcdef', 3, 2, 1]);
  expect(segments.map(({ offset, vaddr }) => [offset, vaddr])).toEqual([
    [0, 0x1000],
    [0x500, 0x2500],
  ]);
  const inlined = (line: number) => `square /src/square.h:${line} < main /src/main.c:12`;
  const lines: [number, string][] = [
    [0x100f, 'not-covered'],
    [0x1010, 'main /src/main.c:10'],
    [0x101f, 'main /src/main.c:11'],
    [0x1020, inlined(3)],
    [0x1026, inlined(4)],
    [0x10ff, inlined(4)],
    [0x1100, 'main /src/main.c:2000'],
    [0x13ff, inlined(3)],
    [0x1400, '_start :0'],
    [0x1420, 'not-covered'],
  ];
  expect(lines.map(([address]) => [address, linesAt(file, address)])).toEqual(lines);
  expect(file.lookup(0x20 as FileOffset, 'file')).toEqual(file.lookup(0x1020 as ElfAddress, 'elf'));
  file.close();
});
