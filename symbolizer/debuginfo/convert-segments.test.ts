import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildElf, type NmSymbol, nmSymbols } from '../../test/fixtures/elf-builds.ts';
import { bytesSource } from '../elf/byte-reader.ts';
import { type LoadSegment, readElfIdentity, SEGMENT_EXEC, SegmentType } from '../elf/elf.ts';
import { openElfFile } from '../elf/elf-file.ts';
import { planStrip } from '../elf/strip.ts';
import { openSymbolFile, type SymbolFile } from '../symbol-file/symbol-file.ts';
import { type ConversionSourceKind, convertSources } from './convert.ts';
import { placeSegments } from './convert-segments.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'convert-segments-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** A symbol file made from a debug file alone. */
async function convert(path: string): Promise<SymbolFile> {
  const source = bytesSource(readFileSync(path));
  const target = `${path}.esf`;
  const { buildId } = readElfIdentity(source);
  const job = { buildId, target, knownSegments: [], symbolsOnly: true };
  await convertSources(job, [{ kind: 'debuginfo', source }]);
  return openSymbolFile(target);
}

const keepDebug = (tool: string) => (path: string) => {
  execFileSync(tool, ['--only-keep-debug', path, `${path}.debug`], { stdio: 'pipe' });
};
const TOOLS: Record<string, (path: string) => void> = {
  objcopy: keepDebug('objcopy'),
  'llvm-objcopy': keepDebug('/usr/lib/llvm-19/bin/llvm-objcopy'),
  // Not to /dev/null, which eu-strip deletes where it may.
  'eu-strip': (path) => {
    execFileSync('eu-strip', ['-f', `${path}.debug`, '-o', `${path}.stripped`, path]);
  },
};

describe.each(Object.keys(TOOLS))('a debug file alone, as %s makes it, names offsets', (tool) => {
  test.each([
    ['exec', []],
    ['pie', []],
    ['library', ['-Wl,-z,noseparate-code']],
    ['library', ['-fuse-ld=lld']],
    ['clang-pie', ['-fuse-ld=lld', '-Wl,-z,separate-code']],
    ['32-bit', ['-fuse-ld=lld']],
  ] as const)('%s %j', async (name, options) => {
    const path = buildElf(directory, name, [...options, '-Wl,--build-id']);
    TOOLS[tool]?.(path);
    const isCode = ({ flags }: LoadSegment) => (flags & SEGMENT_EXEC) !== 0;
    const { loadSegments } = readElfIdentity(bytesSource(readFileSync(path)));
    const code = loadSegments.find(isCode) as LoadSegment;
    const file = await convert(`${path}.debug`);
    expect(file.segments.filter(isCode)).toEqual([code]);
    const symbol = nmSymbols(path).find((row) => row.name === 'local_function') as NmSymbol;
    const found = file.lookup(symbol.address - code.vaddr + code.offset, 'file');
    expect(found).toMatchObject({ kind: 'symbol', lines: [{ name: 'local_function' }] });
    file.close();
  });
});

describe('a kernel module and its debug file', () => {
  const MODULE = `
    __attribute__((section(".init.text"))) int beta(int x) { return x * 5; }
    int alpha(int x) { return x * 3; }`;
  const build = (tool: string): string => {
    const path = join(directory, `${tool}.ko`);
    writeFileSync(`${path}.c`, MODULE);
    const options = ['-g', '-O1', '-r', '-nostdlib', '-Wl,--build-id'];
    execFileSync('gcc', [...options, '-o', path, `${path}.c`]);
    TOOLS[tool]?.(path);
    execFileSync('objcopy', ['--strip-debug', path, `${path}.bare`]);
    return path;
  };
  /** What the symbol file says at the beginning of each section with code. */
  const draw = async (path: string, sources: [ConversionSourceKind, string][]) => {
    const program = openElfFile(bytesSource(readFileSync(path)));
    const { buildId } = readElfIdentity(program.source);
    const target = `${path}.esf`;
    const job = { buildId, target, knownSegments: [], symbolsOnly: false };
    const { problems } = await convertSources(
      job,
      sources.map(([kind, ending]) => {
        return { kind, source: bytesSource(readFileSync(`${path}${ending}`)) };
      }),
    );
    const file = openSymbolFile(target);
    const rows = ['.text', '.init.text'].map((name) => {
      const found = file.lookup(program.section(name)?.offset ?? -1, 'file');
      if (found.kind !== 'symbol') return found.reason;
      return `${found.lines[0]?.name}:${found.lines[0]?.line}`;
    });
    file.close();
    return { rows, problems };
  };
  /** What an agent sends of it. */
  const extract = async (path: string) => {
    const source = bytesSource(readFileSync(path));
    const chunks: Buffer[] = [];
    const read = async (offset: number, length: number) => source.read(offset, length);
    for await (const chunk of planStrip(source)?.chunks(read, 0) ?? []) {
      chunks.push(Buffer.from(chunk));
    }
    return Buffer.concat(chunks);
  };
  const NAMES = { rows: ['alpha:3', 'beta:2'], problems: [] };

  test.each(Object.keys(TOOLS))('%s', async (tool) => {
    const path = build(tool);
    const both: [ConversionSourceKind, string][] = [
      ['executable', '.bare'],
      ['debuginfo', '.debug'],
    ];
    expect(await draw(path, both)).toEqual(NAMES);
    expect(await draw(path, both.toReversed())).toEqual(NAMES);
    expect(await draw(path, [['executable', '']])).toEqual(NAMES);
    writeFileSync(`${path}.sent`, await extract(path));
    expect(await draw(path, [['executable', '.sent']])).toMatchObject({ rows: NAMES.rows });
    const alone = await draw(path, [['debuginfo', '.debug']]);
    expect(alone.rows).toEqual(['no-offsets', 'no-offsets']);
    expect(alone.problems).toEqual([expect.stringMatching(/Upload the module itself/)]);
  });
});

describe('segments by address and size alone, at which offset', () => {
  const FLAGS: Record<string, number> = { r: 4, x: 5, w: 6 };

  /** `x 1000+439` is executable, from address 0x1000 on, 0x439 bytes. */
  function place(text: string, align: number): string {
    const segments = text.split(', ').map((part) => {
      const [, letter = '', vaddr = '', size = ''] = /^(.) (\w+)\+(\w+)$/.exec(part) ?? [];
      const memSize = Number.parseInt(size, 16);
      const sizes = { offset: 0, fileSize: 0, memSize, vaddr: Number.parseInt(vaddr, 16) };
      return { type: SegmentType.load, flags: FLAGS[letter] ?? 0, align, ...sizes };
    });
    return placeSegments(segments)
      .map(({ offset, flags }) => `${(flags & 1) !== 0 ? 'x' : 'r'} ${offset.toString(16)}`)
      .join(', ');
  }

  test.each([
    ['GNU ld', 'r 0+898, x 1000+439, r 2000+201, w 3db0+1260', 0x1000, 'r 0, x 1000'],
    ['one segment for all', 'x 400000+d29, w 401dd8+1238', 0x1000, 'x 0'],
    ['LLD', 'r 0+9cc, x 19d0+430, w 2e00+1f8', 0x1000, 'r 0, x 9d0'],
    ['huge pages', 'r 0+9cc, x 200000+430', 0x200000, 'r 0, x 200000'],
    ['a page left out of the addresses', 'r 0+1e90, x 3000+5000', 0x1000, ''],
    ['code after data that may have a .bss', 'w 0+500, x 1000+20', 0x1000, ''],
    ['no alignment', 'r 0+10, x 10+20', 0, 'r 0, x 10'],
    ['forged sizes', 'r 0+1fffffffffffff, x 1fffffffffffff+1fffffffffffff', 0x1000, ''],
  ])('%s', (_, segments, align, offsets) => {
    expect(place(segments, align)).toBe(offsets);
  });
});
