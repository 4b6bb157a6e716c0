import { expect, test } from 'vitest';
import { bytesSource } from './byte-reader.ts';
import { SectionFlag, SectionType } from './elf.ts';
import { openElfFile } from './elf-file.ts';
import { readCodeSymbols } from './elf-symbols.ts';

const HEADER_BYTES = 64;
const SYMBOL_BYTES = 24;
const CODE = { type: SectionType.nobits, flags: SectionFlag.exec, address: 0x1000, size: 2 ** 24 };

/** Sections and functions, all of which have the one name `names` from its second byte on. */
function forge(names: Buffer, sections: number, functions: number): Buffer {
  const symbols = Buffer.alloc(functions * SYMBOL_BYTES);
  for (let at = 0; at < symbols.length; at += SYMBOL_BYTES) {
    symbols.writeUInt32LE(1, at);
    symbols.writeUInt32LE(0x2_0012, at + 4); // A global function in section 2.
    symbols.writeUInt32LE(0x1000 + at, at + 8);
    symbols.writeUInt32LE(SYMBOL_BYTES, at + 16);
  }
  const front = Buffer.alloc(HEADER_BYTES);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(front);
  front.writeUInt32LE(HEADER_BYTES + symbols.length + names.length, 40);
  for (const [at, value] of Object.entries({ 16: 3, 18: 62, 58: 64, 60: sections, 62: 1 })) {
    front.writeUInt16LE(value, Number(at));
  }
  const [symbolsAt, namesAt] = [HEADER_BYTES, HEADER_BYTES + symbols.length];
  const headers = Array.from({ length: sections }, (_, number) => {
    if (number === 1) return sectionHeader({ type: SectionType.strtab }, namesAt, names);
    if (number === 3) return sectionHeader({ type: SectionType.symtab }, symbolsAt, symbols);
    return sectionHeader(CODE, 0);
  });
  return Buffer.concat([front, symbols, names, ...headers]);
}

function sectionHeader(
  { type, flags = 0, address = 0, size = 0 }: Partial<Record<keyof typeof CODE, number>>,
  offset: number,
  bytes?: Buffer,
): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  const words = { 0: 1, 4: type ?? 0, 8: flags, 16: address, 24: offset, 40: 1, 56: SYMBOL_BYTES };
  for (const [at, value] of Object.entries(words)) header.writeUInt32LE(value, Number(at));
  header.writeUInt32LE(bytes?.length ?? size, 32);
  return header;
}

function read(file: Buffer) {
  const { source, header, sections, names } = openElfFile(bytesSource(file));
  return { names, symbols: readCodeSymbols(source, header, sections) };
}

test('every section and symbol may have the same name', () => {
  const { names, symbols } = read(forge(Buffer.from('\0name\0'), 6, 3));
  expect(names).toEqual(Array(6).fill('name'));
  expect(symbols).toMatchObject({ count: 3, skipped: 0 });
});

test.each([
  ['without an end', Buffer.alloc(4_000_000, 'a')],
  ['as long as a name may be', Buffer.from(`\0${'a'.repeat(65_535)}\0`)],
])('names %s are not read for each section and symbol', (_, strings) => {
  const { names, symbols } = read(forge(strings, 20_000, 20_000));
  expect(new Set(names.map(({ length }) => length))).toEqual(new Set([256]));
  expect(symbols.count).toBeLessThan(2_000);
  expect(symbols.count + symbols.skipped).toBe(20_000);
});
