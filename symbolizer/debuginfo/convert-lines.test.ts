import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesSource } from '../elf/byte-reader.ts';
import { findSection } from '../elf/debug-sections.ts';
import { readElfIdentity } from '../elf/elf.ts';
import { openElfFile } from '../elf/elf-file.ts';
import { openSymbolFile } from '../symbol-file/symbol-file.ts';
import { convertSources } from './convert.ts';

let directory = '';
/** Two units of DWARF and no symbols; addresses of their functions. */
let program: Buffer;
let first = 0;
let second = 0;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'convert-lines-'));
  const at = (name: string) => join(directory, name);
  writeFileSync(at('a.c'), 'int other(int); int main(int n) { return other(n) + 1; }\n');
  writeFileSync(at('b.c'), 'int other(int n) { return n * 3; }\n');
  const run = (tool: string, ...args: string[]) => execFileSync(tool, args, { cwd: directory });
  run('gcc', '-g', '-O0', '-o', 'whole', 'a.c', 'b.c');
  const symbols = run('nm', 'whole').toString();
  const addressOf = (name: string) =>
    Number.parseInt(new RegExp(`^(\\w+) T ${name}$`, 'm').exec(symbols)?.[1] ?? '', 16);
  first = addressOf('main');
  second = addressOf('other');
  run('objcopy', '--strip-all', '--keep-section=.debug*', 'whole', 'bare');
  program = readFileSync(at('bare'));
});
afterAll(() => rmSync(directory, { recursive: true }));

async function convert(bytes: Buffer) {
  const source = bytesSource(bytes);
  const { buildId } = readElfIdentity(source);
  const target = join(directory, 'converted.esf');
  const job = { buildId, target, knownSegments: [], symbolsOnly: false };
  const conversion = await convertSources(job, [{ kind: 'executable', source }]);
  const file = openSymbolFile(target);
  const names = [first, second].map((address) => {
    const found = file.lookup(address, 'elf');
    return found.kind === 'symbol' ? found.lines[0]?.name : found.reason;
  });
  file.close();
  return { conversion, names };
}

/** The last unit's offset of abbreviations, which then are none. */
function damageLastUnit(bytes: Buffer): Buffer {
  const damaged = Buffer.from(bytes);
  const elf = openElfFile(bytesSource(bytes));
  const info = elf.sections[findSection(elf, '.debug_info')];
  let unit = info?.offset ?? 0;
  const end = unit + (info?.size ?? 0);
  let last = unit;
  for (; unit < end; unit += 4 + damaged.readUInt32LE(unit)) last = unit;
  // DWARF 5, 7.5.1.1: length, version, type, address size, then the offset.
  damaged.writeUInt32LE(0x7fff_ffff, last + 8);
  return damaged;
}

describe('what a conversion leaves out', () => {
  test('nothing of a sound program is damage', async () => {
    const { conversion, names } = await convert(program);
    expect(names).toEqual(['main', 'other']);
    expect(Object.keys(conversion.leftOut).filter((reason) => /damage|miss/.test(reason))).toEqual(
      [],
    );
  });

  test('a damaged unit is counted, and its code has that as its reason', async () => {
    const { conversion, names } = await convert(damageLastUnit(program));
    expect(names).toEqual(['main', 'source-damaged']);
    expect(conversion.leftOut).toMatchObject({ damaged_units: 1 });
    expect(conversion.problems.join()).toMatch(/1 of 2 units were not read/);
  });
});
