import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildElf } from '../../test/fixtures/elf-builds.ts';
import { bytesSource } from '../elf/byte-reader.ts';
import { SectionType } from '../elf/elf.ts';
import { openElfFile } from '../elf/elf-file.ts';
import { readSymbols } from './convert-symbols.ts';

const HEADER_BYTES = 64;
const ENTRY_SIZE_AT = 56;

let directory = '';
let good: Buffer;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'convert-symbols-'));
  good = readFileSync(buildElf(directory, 'library'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Which tables have symbols of a file in which those of some types have odd entries. */
async function readWith(...damaged: number[]) {
  const bytes = Buffer.from(good);
  const { header, sections } = openElfFile(bytesSource(bytes));
  sections.forEach(({ type }, number) => {
    const at = header.sectionsOffset + number * HEADER_BYTES + ENTRY_SIZE_AT;
    if (damaged.includes(type)) bytes.writeUInt32LE(16, at);
  });
  const problems: string[] = [];
  const tables = await readSymbols(openElfFile(bytesSource(bytes)), problems);
  const from = tables.flatMap(({ fromSymtab, fromDynsym }) => [
    ...(fromSymtab ? ['.symtab'] : []),
    ...(fromDynsym ? ['.dynsym'] : []),
  ]);
  return { from: from.join(' '), problems };
}

test.each([
  ['nothing', [], '.symtab .dynsym', []],
  ['.dynsym', [SectionType.dynsym], '.symtab', ['.dynsym']],
  ['.symtab', [SectionType.symtab], '.dynsym', ['.symtab']],
  ['both', [SectionType.symtab, SectionType.dynsym], '', ['.symtab', '.dynsym']],
])('damage in %s costs that', async (_, damaged, from, problems) => {
  expect(await readWith(...damaged)).toEqual({
    from,
    problems: problems.map((name) => `${name}: symbols of 16 bytes, not 24`),
  });
});
