import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toolPath } from '../../test/fixtures/debuginfo-tools.ts';
import { inputOf, PieceList } from '../../test/fixtures/dwarf-bytes.ts';
import { bytesSource } from '../elf/byte-reader.ts';
import { readDwarfSections } from '../elf/debug-sections.ts';
import { openElfFile } from '../elf/elf-file.ts';
import { readDwarf } from './dwarf.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'dwarf-'));
  writeFileSync(join(directory, 'main.c'), SOURCE);
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Calls inlined into calls, a function in two parts, and one that nobody calls. */
const SOURCE = `volatile int sink;
static inline __attribute__((always_inline)) int inner(int x) {
  sink += x;
  return sink * 3;
}
static inline __attribute__((always_inline)) int middle(int x) {
  if (x > 2)
    return inner(x) + inner(x + 1);
  return x;
}
__attribute__((noinline)) int outer(int x) {
  int sum = 0;
  for (int i = 0; i < x; i++)
    sum += middle(i);
  if (__builtin_expect(sum == 77, 0)) {
    sink = inner(sum);
    __builtin_trap();
  }
  return sum;
}
int unused(int x) { return middle(x); }
int _start(int x) { return outer(x) + inner(1); }
`;

/** Rows as text: `401000 inner main.c:3 < middle main.c:8 < outer main.c:14`. */
function symbolize(program: string, addresses: readonly string[]): string[] {
  const options = ['--no-demangle', '--functions=linkage', '--output-style=GNU', '--basenames'];
  const input = addresses.map((address) => `0x${address}`).join('\n');
  const args = [...options, '--inlines', '--addresses', `--obj=${program}`];
  const text = execFileSync(toolPath('llvm-symbolizer'), args, { input }).toString();
  const blocks = text.split(/^(?=0x)/m).filter((block) => block.trim() !== '');
  return blocks.map((block) => {
    const [address = '', ...lines] = block.trim().split('\n');
    const frames: string[] = [];
    for (let i = 0; i + 1 < lines.length; i += 2) {
      // The second part's name is from the symbol table.
      const name = lines[i]?.replace(/\.cold$/, '');
      frames.push(`${name} ${lines[i + 1]?.replace(/ \(discriminator.*/, '')}`);
    }
    return `${Number(address).toString(16)} ${frames.join(' < ')}`;
  });
}

describe('every row of every function as llvm-symbolizer has it', () => {
  test.each([
    ['gcc', '-gdwarf-2', '-gstrict-dwarf', '-O1'],
    ['gcc', '-gdwarf-3', '-gstrict-dwarf', '-O2'],
    ['gcc', '-gdwarf-4', '-O2', '-ffunction-sections', '-Wl,--gc-sections'],
    ['gcc', '-gdwarf-5', '-O2', '-ffunction-sections', '-Wl,--gc-sections'],
    ['gcc', '-gdwarf-5', '-gdwarf64', '-O2'],
    ['gcc', '-gdwarf-5', '-O2', '-fdebug-types-section', '-flto'],
    ['clang', '-gdwarf-2', '-O2'],
    ['clang', '-gdwarf-3', '-O1'],
    ['clang', '-gdwarf-4', '-O2', '-fuse-ld=lld', '-ffunction-sections', '-Wl,--gc-sections'],
    ['clang', '-gdwarf-5', '-O2', '-fuse-ld=lld', '-ffunction-sections', '-Wl,--gc-sections'],
    ['clang', '-gdwarf-5', '-gdwarf64', '-O1', '-fuse-ld=lld'],
    ['clang', '-gline-tables-only', '-O1'],
    ['clang', '-gdwarf-5', '-O2', '-m32', '-fuse-ld=lld'],
    ['clang', '-gdwarf-5', '-O2', '--target=aarch64-linux-gnu', '-fuse-ld=lld'],
  ])('%s %s %s %s %s', async (compiler, ...options) => {
    const program = join(directory, 'program');
    const args = ['-nostdlib', '-static', ...options, '-o', program, 'main.c'];
    execFileSync(compiler, args, { cwd: directory, stdio: 'pipe' });
    const elf = openElfFile(bytesSource(readFileSync(program)));
    const problems: string[] = [];
    const sections = await readDwarfSections(elf, { dwo: false }, problems);
    const pieces = new PieceList();
    const report = readDwarf(inputOf(sections), pieces);
    expect([problems, report.firstProblem, report.damagedNames]).toEqual([[], '', 0]);
    expect(report.functions).toBeGreaterThanOrEqual(2);
    expect(report.inlinedCalls).toBeGreaterThanOrEqual(4);
    const named = pieces.pieces.filter(({ name }) => name !== '?');
    const rows = named.flatMap((piece) => piece.rows.map(framesOf));
    const addresses = rows.map((row) => row.replace(/ .*/, ''));
    expect(rows).toEqual(symbolize(program, addresses));
  });
});

/** `401000 inner(8) < outer /tmp/main.c:3`: a call's line is that of the frame around it. */
function framesOf(row: string): string {
  const [, address = '', stack = '', file = '', line = ''] =
    /^(\S+) (.*) \S*?([^/ ]+):(\d+)$/.exec(row) ?? [];
  let place = `${file}:${line}`;
  const frames = stack.split(' < ').map((frame) => {
    const [, name = '', call = ''] = /^(.*?)(?:\((\d+)\))?$/.exec(frame) ?? [];
    const drawn = `${name} ${place}`;
    // Strict DWARF 2 does not say where calls are.
    place = call === '0' ? '??:0' : `${file}:${call}`;
    return drawn;
  });
  return `${address} ${frames.join(' < ')}`;
}
