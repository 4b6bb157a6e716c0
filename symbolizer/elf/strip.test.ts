import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildElf, ELF_NAMES, nmSymbols, stripped } from '../../test/fixtures/elf-builds.ts';
import { convertSources } from '../debuginfo/convert.ts';
import { bytesSource } from './byte-reader.ts';
import { readDwarfSections } from './debug-sections.ts';
import { readElfIdentity } from './elf.ts';
import { openElfFile } from './elf-file.ts';
import { readCodeSymbols } from './elf-symbols.ts';
import { planStrip, type StripPlan } from './strip.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'strip-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

async function extract(original: Buffer, plan: StripPlan, from = 0): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const read = async (at: number, length: number) => original.subarray(at, at + length);
  for await (const chunk of plan.chunks(read, from)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function planOf(bytes: Buffer): StripPlan {
  const plan = planStrip(bytesSource(bytes));
  if (plan === null) throw new Error('no symbols');
  return plan;
}

/** All that a conversion reads of symbols and DWARF, as one hash each. */
async function digest(bytes: Buffer): Promise<Record<string, string>> {
  const elf = openElfFile(bytesSource(bytes));
  const { tables, ...symbols } = readCodeSymbols(elf.source, elf.header, elf.sections);
  const sections = await readDwarfSections(elf, { dwo: false }, []);
  const parts = { ...symbols, ...sections, names: Buffer.concat(tables) };
  const hashed = Object.entries(parts).map(([name, part]) => {
    const content = typeof part === 'object' ? part : String(part);
    return [name, createHash('md5').update(content).digest('hex')];
  });
  return Object.fromEntries(hashed);
}

/** The symbol file that a conversion makes of a file. */
async function convert(elf: Buffer, { buildId }: StripPlan): Promise<Buffer> {
  const target = join(directory, 'any.esf');
  const job = { buildId, target, knownSegments: [], symbolsOnly: false };
  await convertSources(job, [{ kind: 'executable', source: bytesSource(elf) }]);
  return readFileSync(target);
}

describe('the extraction', () => {
  test.each(ELF_NAMES)('%s: same id, same names, same symbol file', async (name) => {
    const path = buildElf(directory, name);
    const original = readFileSync(path);
    const plan = planOf(original);
    const bytes = await extract(original, plan);
    expect([bytes.length, plan.kind]).toEqual([plan.sizeBytes, 'debuginfo']);
    expect(readElfIdentity(bytesSource(bytes)).buildId).toBe(plan.buildId);
    writeFileSync(`${path}.extracted`, bytes);
    expect(nmSymbols(`${path}.extracted`)).toEqual(nmSymbols(path));
    expect((await convert(bytes, plan)).equals(await convert(original, plan))).toBe(true);
  });

  test.each([
    ['lines', 'exec', ['-g'], 'debuginfo lines'],
    ['lines of an object file', 'object', ['-g'], 'debuginfo lines'],
    ['.zdebug', 'exec', ['-g', '-gz=zlib-gnu'], 'debuginfo lines'],
    ['split', 'exec', ['-g', '-gsplit-dwarf'], 'debuginfo lines'],
    ['symbols', 'exec', [], 'debuginfo symbols'],
    ['stripped', 'library', ['-s'], 'executable exported'],
  ])('%s', async (_, name, options, kind) => {
    const original = readFileSync(buildElf(directory, name, options));
    const plan = planOf(original);
    const bytes = await extract(original, plan);
    expect(`${plan.kind} ${plan.quality}`).toBe(kind);
    expect(await digest(bytes)).toEqual(await digest(original));
    expect((await convert(bytes, plan)).equals(await convert(original, plan))).toBe(true);
  });

  test('of a stripped Go program has its own table', async () => {
    const source = join(directory, 'main.go');
    writeFileSync(source, 'package main\nimport "fmt"\nfunc main() { fmt.Println(1) }\n');
    const path = join(directory, 'go-program');
    const env = { ...process.env, GO111MODULE: 'off', CGO_ENABLED: '0' };
    execFileSync('go', ['build', '-ldflags=-s -w', '-o', path, source], { env, stdio: 'pipe' });
    const original = readFileSync(path);
    const plan = planOf(original);
    const bytes = await extract(original, plan);
    expect([bytes.length, plan.quality]).toEqual([plan.sizeBytes, 'lines']);
    expect((await convert(bytes, plan)).equals(await convert(original, plan))).toBe(true);
    expect(bytes.length).toBeLessThan(original.length * 0.6);
  });

  test('links and compressed symbols go along', async () => {
    const path = buildElf(directory, 'exec', ['-s']);
    for (const [name, content] of [
      ['.gnu_debuglink', 'exec.debug'],
      ['.gnu_debugaltlink', 'exec.alt'],
      ['.gnu_debugdata', 'xz'],
    ]) {
      writeFileSync(join(directory, 'content'), content ?? '');
      const section = `${name}=${join(directory, 'content')}`;
      execFileSync('objcopy', ['--add-section', section, path], { stdio: 'pipe' });
    }
    const original = readFileSync(path);
    const plan = planOf(original);
    const elf = openElfFile(bytesSource(await extract(original, plan)));
    const contents = ['.gnu_debuglink', '.gnu_debugaltlink', '.gnu_debugdata'].map((name) => {
      const { offset, size } = elf.section(name) ?? { offset: 0, size: 0 };
      return Buffer.from(elf.source.read(offset, size)).toString();
    });
    expect([plan.quality, ...contents]).toEqual(['symbols', 'exec.debug', 'exec.alt', 'xz']);
  });

  test('of a stripped library has what it exports', async () => {
    const original = readFileSync(stripped(buildElf(directory, 'library')));
    expect(planOf(original).kind).toBe('executable');
  });

  test('of a file without symbols is none', () => {
    expect(
      planStrip(bytesSource(readFileSync(stripped(buildElf(directory, 'static'))))),
    ).toBeNull();
  });

  test('is small, and readelf has no complaint', async () => {
    const original = readFileSync(process.execPath);
    const plan = planOf(original);
    expect(plan.sizeBytes).toBeLessThan(original.length / 4);
    const path = join(directory, 'node.extracted');
    writeFileSync(path, await extract(original, plan));
    const warnings = execFileSync('readelf', ['-hlSn', path], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(warnings.toString()).not.toMatch(/error|warning/i);
    expect(warnings.toString()).toContain(plan.buildId);
  });

  test('goes on from any offset', async () => {
    const original = readFileSync(buildElf(directory, 'no-build-id'));
    const plan = planOf(original);
    const whole = await extract(original, plan);
    for (let from = 0; from < whole.length; from += 37) {
      expect((await extract(original, plan, from)).equals(whole.subarray(from))).toBe(true);
    }
  });
});
