/** `debuginfo convert` and `debuginfo lookup` as a person types them. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runMain } from './main.ts';

const SOURCE = `static inline int square(int x) {
  return x * x * x;
}
__attribute__((noinline)) int work(int x) {
  return square(x) + 1;
}
int main(int count, char **words) { return work(count) + !words; }
`;

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'debuginfo-offline-'));
  writeFileSync(join(dir, 'work.c'), SOURCE);
  execFileSync('gcc', ['-O1', '-g', '-fcf-protection=none', '-o', 'work', 'work.c'], { cwd: dir });
  const program = readFileSync(join(dir, 'work'));
  writeFileSync(join(dir, 'cut'), program.subarray(0, 3_000));
  writeFileSync(join(dir, 'text'), 'something else\n');
  writeFileSync(join(dir, 'empty'), '');
  mkdirSync(join(dir, 'folder'));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** The exit code, and what was written without the folder's name. */
async function run(...argv: string[]) {
  let [out, err] = ['', ''];
  const code = await runMain(
    argv.map((text) => text.replace('DIR', dir)),
    {},
    {
      out: (chunk) => {
        out += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
      },
      err: (line) => {
        err += `${line}\n`;
      },
    },
  );
  return { code, out: out.replaceAll(dir, 'DIR'), err: err.replaceAll(dir, 'DIR') };
}

/** The address of `work`'s first instruction, which is of the call inlined into it. */
function addressOfWork(): string {
  const symbols = execFileSync('nm', [join(dir, 'work')]).toString();
  return /^([0-9a-f]+) T work$/m.exec(symbols)?.[1] ?? '';
}

const ANSWER = 'square\nDIR/work.c:2\nwork\nDIR/work.c:5\n\n';
const findAnswer = (text: string) => text.replaceAll(/^\S*\/work\.c/gm, 'DIR/work.c');

describe('convert', () => {
  test('writes a symbol file beside the program, or where it is told to', async () => {
    const { code, out } = await run('debuginfo', 'convert', 'DIR/work');
    expect([code, out.replaceAll(/\d+/g, 'N')]).toEqual([
      0,
      'DIR/work.esf: lines and inlined calls; N functions; N inlined calls; ' +
        'N bytes of code named; N with lines\n',
    ]);
    const told = await run('debuginfo', 'convert', 'DIR/work', '--output', 'DIR/told');
    expect(told.code).toBe(0);
    expect(readFileSync(join(dir, 'told')).equals(readFileSync(join(dir, 'work.esf')))).toBe(true);
  });

  test('takes a debug file along', async () => {
    execFileSync('sh', ['-c', 'cp work linked && objcopy --only-keep-debug linked linked.debug'], {
      cwd: dir,
    });
    execFileSync('objcopy', ['--strip-all', '--add-gnu-debuglink=linked.debug', 'linked'], {
      cwd: dir,
    });
    const { out } = await run('debuginfo', 'convert', 'DIR/linked');
    expect(out).toContain('lines and inlined calls');
  });

  test.each([
    [['DIR/cut'], /^everflame: DIR\/cut: bytes \d+ to \d+ are not in a file of 3000\. /],
    [['DIR/text'], /^everflame: DIR\/text: the file does not begin with the ELF magic\. /],
    [['DIR/empty'], /^everflame: DIR\/empty: the file does not begin with the ELF magic\. /],
    [['DIR/folder'], /^everflame: DIR\/folder is not a regular file\. /],
    [['DIR/missing'], /^everflame: ENOENT: no such file or directory, open 'DIR\/missing'\n$/],
    [[], /^everflame: debuginfo convert needs one ELF file\n$/],
    [['DIR/work', 'DIR/text'], /^everflame: debuginfo convert needs one ELF file\n$/],
    [['DIR/work', '--output', 'DIR/no/such'], /ENOENT: no such file or directory, open 'DIR\/no/],
    [['DIR/work', '--output', 'DIR/folder'], /EISDIR: .*, rename 'DIR\/folder\.tmp'/],
  ])('%s ends with one line and 2', async (argv, message) => {
    const before = readdirSync(dir);
    const { code, out, err } = await run('debuginfo', 'convert', ...argv);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(message);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(readdirSync(dir)).toEqual(before);
  });

  test('a file that may not be read ends with one line and 2', async () => {
    writeFileSync(join(dir, 'secret'), readFileSync(join(dir, 'work')));
    chmodSync(join(dir, 'secret'), 0);
    const { code, err } = await run('debuginfo', 'convert', 'DIR/secret');
    expect(code).toBe(2);
    // Root finds its build id; the child without privileges may not read it either.
    expect(err).toMatch(/^everflame: .*EACCES: permission denied, open 'DIR\/secret'\n$/);
    expect(existsSync(join(dir, 'secret.esf'))).toBe(false);
  });
});

describe('lookup', () => {
  test('of a program and of what was made of it: the same', async () => {
    await run('debuginfo', 'convert', 'DIR/work', '--output', 'DIR/made');
    for (const file of ['DIR/work', 'DIR/made']) {
      const { code, out, err } = await run('debuginfo', 'lookup', file, addressOfWork());
      expect([code, findAnswer(out), err]).toEqual([0, ANSWER, '']);
    }
  });

  test('addresses may have 0x; what is not covered says so', async () => {
    const found = await run('debuginfo', 'lookup', 'DIR/work', `0x${addressOfWork()}`, '7fffffff');
    expect(findAnswer(found.out)).toBe(`${ANSWER}?? [not-covered]\n??:0\n\n`);
    expect(found.code).toBe(0);
  });

  test('one JSON object for each address', async () => {
    const argv = ['DIR/work', addressOfWork(), '7fffffff', '--json', '--names', 'raw'];
    const { out } = await run('debuginfo', 'lookup', ...argv);
    const rows = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const file = expect.stringMatching(/work\.c$/);
    expect(rows).toEqual([
      {
        address: `0x${addressOfWork().replace(/^0+/, '')}`,
        lines: [
          { function: 'square', file, line: 2 },
          { function: 'work', file, line: 5 },
        ],
      },
      { address: '0x7fffffff', unknown: 'not-covered' },
    ]);
  });

  test('addresses from standard input; those before a bad one are answered', () => {
    const input = `\n ${addressOfWork()} \nwork\n${addressOfWork()}\n`;
    const argv = ['debuginfo', 'lookup', join(dir, 'work')];
    const main = ['--import', 'tsx', 'cli/main.ts', ...argv];
    const { status, stdout, stderr } = spawnSync(process.execPath, main, { input });
    expect(stderr.toString()).toBe('everflame: work is not a hexadecimal address\n');
    expect([status, findAnswer(stdout.toString())]).toEqual([2, ANSWER]);
  });

  test.each([
    [['DIR/text', '1'], /^everflame: DIR\/text is neither an ELF file nor a symbol file\n$/],
    [['DIR/empty', '1'], /^everflame: DIR\/empty is neither an ELF file nor a symbol file\n$/],
    [['DIR/cut', '1'], /^everflame: DIR\/cut: bytes /],
    [['DIR/folder', '1'], /^everflame: DIR\/folder is not a regular file\. /],
    [['DIR/missing', '1'], /ENOENT: no such file or directory, open 'DIR\/missing'\n$/],
    [['DIR/work', 'work'], /^everflame: work is not a hexadecimal address\n$/],
    [['DIR/work', 'ffffffffffffffff'], /is not a hexadecimal address\n$/],
    [['DIR/work', '--names', 'short', '1'], /--names short: is none of full, raw\n$/],
    [[], /^everflame: debuginfo lookup needs a file\n$/],
  ])('%s ends with one line and 2', async (argv, message) => {
    const { code, out, err } = await run('debuginfo', 'lookup', ...argv);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(message);
  });

  test('a damaged symbol file says how to make it again', async () => {
    await run('debuginfo', 'convert', 'DIR/work', '--output', 'DIR/short.esf');
    writeFileSync(join(dir, 'short.esf'), readFileSync(join(dir, 'short.esf')).subarray(0, 9_000));
    const { code, err } = await run('debuginfo', 'lookup', 'DIR/short.esf', '1');
    expect(code).toBe(2);
    expect(err).toMatch(
      /9000 bytes, where .* Make it again with `everflame debuginfo convert`\.\n$/,
    );
  });
});

test.each([
  ['convert', /usage: everflame debuginfo convert \[flags\] FILE\n(.|\n)*--output FILE/],
  ['lookup', /usage: everflame debuginfo lookup \[flags\] FILE \[ADDRESS\.\.\.\]\n(.|\n)*--json/],
])('%s --help', async (command, text) => {
  const { code, out } = await run('debuginfo', command, '--help');
  expect(code).toBe(0);
  expect(out).toMatch(text);
});

test('debuginfo --help lists its commands', async () => {
  const { code, out } = await run('debuginfo', '--help');
  expect([code, out.split('\n').map((line) => line.slice(0, 20).trim())]).toEqual([
    0,
    [
      'usage: everflame deb',
      '',
      'debuginfo upload',
      'debuginfo lookup',
      'debuginfo convert',
      '',
      '`everflame debuginfo',
      '',
    ],
  ]);
});

test('debuginfo alone is no command', async () => {
  expect((await run('debuginfo')).err).toMatch(/^everflame: there is no command debuginfo\. /);
});
