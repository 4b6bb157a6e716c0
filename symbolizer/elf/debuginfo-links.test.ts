import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildElf, nmSymbols, onlyDebug } from '../../test/fixtures/elf-builds.ts';
import { symbolName } from '../symbol-file/symbol-ranges.ts';
import { bytesSource } from './byte-reader.ts';
import { hasCrc, readDebugaltlink, readDebuglink } from './debuglink.ts';
import { type ElfFile, openElfFile } from './elf-file.ts';
import { readCodeSymbols } from './elf-symbols.ts';
import { openMiniDebuginfo } from './mini-debuginfo.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'links-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function open(path: string): ElfFile {
  return openElfFile(bytesSource(readFileSync(path)));
}

/** A stripped program with a section of that content. */
function withSection(name: string, content: Uint8Array): ElfFile {
  const path = buildElf(directory, 'exec', ['-s']);
  const file = join(directory, 'content');
  writeFileSync(file, content);
  execFileSync('objcopy', ['--add-section', `${name}=${file}`, path], { stdio: 'pipe' });
  return open(path);
}

describe('.gnu_debuglink', () => {
  test('as objcopy writes it', () => {
    const path = buildElf(directory, 'exec', ['-g']);
    const debug = onlyDebug(path);
    execFileSync('strip', [path]);
    execFileSync('objcopy', [`--add-gnu-debuglink=${debug}`, path]);
    const link = readDebuglink(open(path));
    expect(link?.file).toBe('exec-g.debug');
    const bytes = readFileSync(debug);
    expect(hasCrc(bytesSource(bytes), link?.crc ?? 0)).toBe(true);
    bytes.writeUInt8(1, bytes.length - 1);
    expect(hasCrc(bytesSource(bytes), link?.crc ?? 0)).toBe(false);
  });

  test.each([
    ['a.debug\0\x01\x02\x03\x04', 'a.debug 4030201'],
    ['aa.debug\0\0\0\0\x01\x02\x03\x04', 'aa.debug 4030201'],
    ['a.debug\0\x01\x02\x03', 'none'],
    ['a.debug', 'none'],
    ['\0\0\0\0\x01\x02\x03\x04', 'none'],
    ['', 'none'],
  ])('%j: %s', (content, answer) => {
    const link = readDebuglink(withSection('.gnu_debuglink', Buffer.from(content, 'latin1')));
    expect(link === null ? 'none' : `${link.file} ${link.crc.toString(16)}`).toBe(answer);
  });
});

describe('.gnu_debugaltlink', () => {
  test('as dwz writes it', () => {
    const paths = ['exec', 'pie'].map((name) => buildElf(directory, name, ['-g']));
    const common = join(directory, 'common.dwz');
    execFileSync('dwz', ['-m', common, '-M', '/usr/lib/debug/.dwz/common', ...paths]);
    const note = execFileSync('readelf', ['-n', common]).toString();
    const buildId = /Build ID: ([0-9a-f]+)/.exec(note)?.[1];
    expect(readDebugaltlink(open(paths[0] ?? ''))).toEqual({
      file: '/usr/lib/debug/.dwz/common',
      buildId,
    });
  });

  test.each(['a.dwz\0', 'a.dwz\0\x01\x02', '\0\x01\x02\x03\x04', 'a.dwz'])('%j: none', (text) => {
    const elf = withSection('.gnu_debugaltlink', Buffer.from(text, 'latin1'));
    expect(readDebugaltlink(elf)).toBeNull();
  });
});

describe('MiniDebugInfo', () => {
  /** A program's symbol table, compressed. */
  function miniDebuginfo(path: string, options: readonly string[] = []): Buffer {
    const mini = `${path}.mini`;
    execFileSync('objcopy', ['--only-keep-debug', path, mini]);
    execFileSync('strip', ['--strip-debug', mini]);
    return execFileSync('xz', ['-c', ...options, mini], { maxBuffer: 2 ** 26 });
  }

  test.each([[[]], [['-9e']], [['--check=none']], [['--block-size=4096']]])(
    'xz %j: the symbols that nm has of the original',
    async (options) => {
      const path = buildElf(directory, 'exec');
      const inner = await openMiniDebuginfo(
        withSection('.gnu_debugdata', miniDebuginfo(path, options)),
      );
      if (inner === null) throw new Error('no MiniDebugInfo');
      const symbols = readCodeSymbols(inner.source, inner.header, inner.sections);
      const names = Array.from({ length: symbols.count }, (_, row) => {
        const name = Buffer.from(symbolName(symbols, row)).toString();
        return `${symbols.start[row]} ${symbols.size[row]} ${name}`;
      });
      const expected = nmSymbols(path).map((s) => `${s.address} ${s.size} ${s.name}`);
      expect(expected.length).toBeGreaterThan(10);
      expect(names).toEqual(expect.arrayContaining(expected));
      expect(symbols.fromSymtab).toBe(true);
    },
  );

  test('a file without has none', async () => {
    expect(await openMiniDebuginfo(open(buildElf(directory, 'exec')))).toBeNull();
  });

  test('damage is an error, and the next file is read all the same', async () => {
    const good = miniDebuginfo(buildElf(directory, 'exec'));
    const flipped = Buffer.from(good);
    flipped.writeUInt8(flipped.readUInt8(200) ^ 1, 200);
    for (const bytes of [good.subarray(0, good.length - 9), Buffer.from('no xz'), flipped]) {
      const elf = withSection('.gnu_debugdata', bytes);
      await expect(openMiniDebuginfo(elf)).rejects.toThrow('cannot be decompressed');
    }
    const bomb = execFileSync('xz', ['-c', '-9'], {
      input: Buffer.alloc(30 * 2 ** 20),
      maxBuffer: 2 ** 26,
    });
    const elf = withSection('.gnu_debugdata', bomb);
    await expect(openMiniDebuginfo(elf)).rejects.toThrow('bytes or more');
    expect(await openMiniDebuginfo(withSection('.gnu_debugdata', good))).not.toBeNull();
  });
});
