/** Equal files give equal bytes: again, in another process, and in any order. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildElf, onlyDebug, stripped } from '../../test/fixtures/elf-builds.ts';
import { bytesSource } from '../elf/byte-reader.ts';
import { readElfIdentity } from '../elf/elf.ts';
import { openSymbolFile } from '../symbol-file/symbol-file.ts';
import { type ConversionJob, type ConversionSource, convertFiles } from './convert.ts';
import { CONVERTER_LIMITS, convertInChild } from './converter.ts';

let root = '';
let dir = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'convert-again-'));
});
afterAll(() => rmSync(root, { recursive: true }));

function run(tool: string, ...args: string[]): void {
  execFileSync(tool, args, { cwd: dir, stdio: 'pipe' });
}

const source = (kind: ConversionSource['kind'], path: string): ConversionSource => {
  return { kind, path };
};

const GO = 'package main\n\nfunc main() { println("names") }\n';
/** Long enough that dwz finds it worth sharing. */
const MEMBERS = Array.from({ length: 60 }, (_, i) => `long shared_member_${i};`).join(' ');
const C = `struct shared_record { ${MEMBERS} };
int main(void) { struct shared_record r; return (int)sizeof r + (r.shared_member_1 = 0); }
`;

const FORMS: Record<string, () => ConversionSource[]> = {
  lines: () => [source('executable', buildElf(dir, 'pie', ['-g']))],
  'symbols only': () => [source('executable', buildElf(dir, 'pie'))],
  'exported symbols': () => [source('executable', stripped(buildElf(dir, 'library')))],
  'a program and its debug file': () => {
    const path = buildElf(dir, 'library', ['-g']);
    const debug = onlyDebug(path);
    return [source('executable', stripped(path)), source('debuginfo', debug)];
  },
  'compressed sections': () => {
    const path = buildElf(dir, 'library', ['-g', '-gz=zlib']);
    return [source('executable', stripped(path)), source('debuginfo', path)];
  },
  'split units': () => {
    const path = buildElf(dir, 'pie', ['-g', '-gsplit-dwarf']);
    run('sh', '-c', 'ar rc split.a *.dwo');
    return [source('executable', path), source('split', join(dir, 'split.a'))];
  },
  'a dwz file': () => {
    for (const name of ['one', 'two']) {
      writeFileSync(join(dir, `${name}.c`), C);
      run('gcc', '-g', '-o', name, `${name}.c`);
    }
    run('dwz', '-m', 'common', 'one', 'two');
    return [source('executable', join(dir, 'one')), source('supplementary', join(dir, 'common'))];
  },
  "a stripped Go program's own table": () => {
    writeFileSync(join(dir, 'main.go'), GO);
    run('go', 'build', '-ldflags=-s -w', '-o', 'program', 'main.go');
    return [source('executable', join(dir, 'program'))];
  },
};

test.each(Object.keys(FORMS))('%s', async (form) => {
  dir = mkdtempSync(join(root, 'form-'));
  const sources = FORMS[form]?.() ?? [];
  const [first] = sources;
  const { buildId } = readElfIdentity(bytesSource(readFileSync(first?.path ?? '')));
  const target = join(dir, 'symbols.esf');
  const job = { buildId, target, sources, knownSegments: [], symbolsOnly: false };
  const bytesOf = async (convert: (job: ConversionJob) => Promise<unknown>, change = {}) => {
    await convert({ ...job, ...change });
    return readFileSync(target);
  };
  const bytes = await bytesOf(convertFiles);
  openSymbolFile(target).close();
  const inChild = (given: ConversionJob) =>
    convertInChild(given, CONVERTER_LIMITS, new AbortController().signal);
  expect((await bytesOf(inChild)).equals(bytes)).toBe(true);
  const reversed = { sources: sources.toReversed() };
  expect((await bytesOf(convertFiles, reversed)).equals(bytes)).toBe(true);
});
