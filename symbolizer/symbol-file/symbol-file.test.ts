import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BuildId } from '../../profile/units.ts';
import {
  buildElf,
  ELF_NAMES,
  type NmSymbol,
  nmSymbols,
  onlyDebug,
  stripped,
} from '../../test/fixtures/elf-builds.ts';
import { convertSources } from '../debuginfo/convert.ts';
import { bytesSource } from '../elf/byte-reader.ts';
import { type LoadSegment, readElfHeader, readElfIdentity, readSections } from '../elf/elf.ts';
import type { CodeSymbols } from '../elf/elf-symbols.ts';
import { checkSymbolFile, openSymbolFile, type SymbolFile } from './symbol-file.ts';
import { SymbolFileBuilder } from './symbol-file-builder.ts';
import { SymbolQuality } from './symbol-quality.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'symbol-file-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

async function convert(
  path: string,
  knownSegments: readonly LoadSegment[] = [],
): Promise<SymbolFile> {
  const source = bytesSource(readFileSync(path));
  const target = join(directory, 'converted.esf');
  const { buildId } = readElfIdentity(source);
  const job = { buildId, target, knownSegments, symbolsOnly: true };
  await convertSources(job, [{ kind: 'executable', source }]);
  return openSymbolFile(target);
}

/** Symbols at whose start or last byte the look-up disagrees with nm, as text. */
function disagreements(file: SymbolFile, symbols: readonly NmSymbol[]): string[] {
  const names = new Map<number, Set<string>>();
  for (const { address, name } of symbols) {
    names.set(address, (names.get(address) ?? new Set()).add(name));
  }
  const faults: string[] = [];
  for (const { address, size, name, isLabel } of symbols) {
    const found = file.lookup(address, 'elf');
    const isRight = found.kind === 'symbol' && names.get(address)?.has(found.lines[0]?.name ?? '');
    const isCovered = isLabel && found.kind === 'symbol';
    if (!isRight && !isCovered) faults.push(`${name}: ${JSON.stringify(found)}`);
    const last = size > 0 ? file.lookup(address + size - 1, 'elf') : null;
    if (last?.kind === 'unknown') faults.push(`end of ${name}: ${last.reason}`);
  }
  return faults;
}

describe('against nm', () => {
  test.each(ELF_NAMES.filter((name) => name !== 'object'))('%s', async (name) => {
    const path = buildElf(directory, name);
    const file = await convert(path);
    const symbols = nmSymbols(path);
    expect(symbols.length).toBeGreaterThan(5);
    expect(disagreements(file, symbols)).toEqual([]);
    expect(file.quality).toBe(SymbolQuality.symbols);
    file.close();
  });

  test('stripped: what it exports', async () => {
    const path = stripped(buildElf(directory, 'library'));
    const file = await convert(path);
    expect(file.quality).toBe(SymbolQuality.exported);
    expect(disagreements(file, nmSymbols(path, ['-D']))).toEqual([]);
    expect(file.lookup(2 ** 40, 'elf')).toEqual({ kind: 'unknown', reason: 'stripped' });
    file.close();
  });

  test('an object file: by file offset, a section per function', async () => {
    const path = buildElf(directory, 'object');
    const file = await convert(path);
    const source = bytesSource(readFileSync(path));
    const sections = readSections(source, readElfHeader(source));
    const found = sections
      .filter(({ flags, size }) => (flags & 4) !== 0 && size > 0)
      .map(({ offset }) => file.lookup(offset, 'file'))
      .map((answer) => (answer.kind === 'symbol' ? answer.lines[0]?.name : answer.reason));
    expect(found).toEqual([
      'label_without_type',
      'local_function',
      'alias_of_global',
      'weak_function',
      'main',
      '_start_for_libc_free',
    ]);
    file.close();
  });

  test.each([process.execPath, '/lib/x86_64-linux-gnu/libc.so.6'])('%s', async (path) => {
    const file = await convert(path);
    const symbols = nmSymbols(path, ['-D']);
    expect(symbols.length).toBeGreaterThan(1_000);
    expect(disagreements(file, symbols)).toEqual([]);
    file.close();
  });
});

test('addresses by file offset, also of a debug file', async () => {
  const path = buildElf(directory, 'exec');
  const file = await convert(path);
  const main = nmSymbols(path).find(({ name }) => name === 'main') as NmSymbol;
  const code = file.segments.find(({ flags }) => (flags & 1) !== 0);
  const offset = main.address - (code?.vaddr ?? 0) + (code?.offset ?? 0);
  expect(file.lookup(offset, 'file')).toEqual({
    kind: 'symbol',
    lines: [{ name: 'main', file: '', line: 0 }],
  });
  expect(file.lookup(2 ** 40, 'file')).toEqual({ kind: 'unknown', reason: 'unmapped' });
  expect(file.lookup(2 ** 40, 'elf')).toEqual({ kind: 'unknown', reason: 'not-covered' });
  const { segments } = file;
  const debug = await convert(onlyDebug(path));
  expect(debug.lookup(offset, 'file').kind).toBe('symbol');
  expect(debug.lookup(main.address, 'elf').kind).toBe('symbol');
  const mapped = await convert(`${path}.debug`, segments);
  expect(mapped.lookup(offset, 'file').kind).toBe('symbol');
});

describe('the file', () => {
  /** Functions `f0`, `f1`, ... of 16 bytes at 16-byte steps; one name is longer than a page. */
  function synthetic(count: number): string {
    const names = Array.from({ length: count }, (_, i) => (i === 700 ? 'x'.repeat(9000) : `f${i}`));
    const text = Buffer.from(`${names.join('\0')}\0`);
    const nameOffset = new Uint32Array(count);
    for (let i = 1; i < count; i++) {
      nameOffset[i] = (nameOffset[i - 1] as number) + (names[i - 1] as string).length + 1;
    }
    const symbols: CodeSymbols = {
      count,
      start: Float64Array.from(names, (_, i) => 2 ** 33 + i * 32),
      size: new Float64Array(count).fill(16),
      sectionEnd: new Float64Array(count).fill(2 ** 40),
      table: new Uint8Array(count),
      nameOffset,
      nameLength: Uint32Array.from(names, (name) => name.length),
      rank: new Uint8Array(count).fill(7),
      tables: [text],
      fromSymtab: true,
      fromDynsym: false,
      skipped: 3,
    };
    const path = join(directory, `synthetic-${count}.esf`);
    const head = {
      buildId: 'aabbccdd' as BuildId,
      elfType: 3,
      machine: 62,
      segments: [{ offset: 0, fileSize: 2 ** 40, vaddr: 2 ** 33, memSize: 2 ** 40, flags: 5 }],
      fromDwarf: false,
      fromPclntab: false,
      leftOut: {},
    };
    new SymbolFileBuilder().finish(path, head, symbols);
    return path;
  }

  test('many pages', () => {
    const file = openSymbolFile(synthetic(20_000));
    expect([file.functions, file.skippedSymbols, file.buildId]).toEqual([20_000, 3, 'aabbccdd']);
    for (let i = 0; i < 20_000; i++) {
      const found = file.lookup(2 ** 33 + i * 32 + 15, 'elf');
      const name = i === 700 ? 'x'.repeat(9000) : `f${i}`;
      if (found.kind !== 'symbol' || found.lines[0]?.name !== name) expect(found).toBe(name);
      if (file.lookup(2 ** 33 + i * 32 + 16, 'elf').kind !== 'unknown') expect(i).toBe('a gap');
    }
    file.close();
  });

  test('the same input, the same bytes', () => {
    const first = readFileSync(synthetic(1_000));
    expect(readFileSync(synthetic(1_000)).equals(first)).toBe(true);
  });

  test('a flipped bit anywhere is found out, and never a wrong name', () => {
    const path = synthetic(1_000);
    const good = readFileSync(path);
    const original = openSymbolFile(path);
    const truth = original.lookup(2 ** 33, 'elf');
    let opened = 0;
    for (let at = 0; at < good.length; at += 211) {
      const bad = Buffer.from(good);
      bad.writeUInt8(bad.readUInt8(at) ^ (1 << (at % 8)), at);
      writeFileSync(path, bad);
      try {
        const file = openSymbolFile(path);
        opened++;
        const found = file.lookup(2 ** 33, 'elf');
        if (found.kind === 'symbol') expect(found).toEqual(truth);
        else expect(found.reason).toBe('damaged');
        file.close();
      } catch (error) {
        expect(error).toHaveProperty('kind', 'invalid');
      }
    }
    expect(opened).toBeGreaterThan(10);
  });

  test('a cut file is refused', () => {
    const path = synthetic(1_000);
    const good = readFileSync(path);
    for (const length of [0, 100, 4096, good.length - 1]) {
      writeFileSync(path, good.subarray(0, length));
      expect(() => openSymbolFile(path)).toThrow(/esf/);
      expect(() => checkSymbolFile(path)).toThrow(/esf/);
    }
  });
});
