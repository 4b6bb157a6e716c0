import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { planArchive } from './file-archive.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'archive-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

async function read(paths: readonly string[], from = 0): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of planArchive(paths).chunks(from)) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks);
}

test('ar lists and extracts what is in it; from any offset it is the same', async () => {
  const contents: Record<string, string> = {
    'a.dwo': 'odd',
    'a name that is longer than sixteen.dwo': 'even',
    'empty.dwo': '',
    'large.dwo': 'x'.repeat(600_001),
  };
  const paths = Object.entries(contents).map(([name, text]) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  });
  const whole = await read(paths);
  expect(whole.length).toBe(planArchive(paths).sizeBytes);
  for (const from of [0, 1, 8, 70, 250, 1_000, 600_000, whole.length - 1]) {
    expect((await read(paths, from)).equals(whole.subarray(from)), `from ${from}`).toBe(true);
  }
  writeFileSync(join(dir, 'all.a'), whole);
  const listed = execFileSync('ar', ['t', join(dir, 'all.a')]).toString();
  expect(listed.trim().split('\n')).toEqual(Object.keys(contents));
  mkdirSync(join(dir, 'out'));
  execFileSync('ar', ['x', join(dir, 'all.a')], { cwd: join(dir, 'out') });
  for (const [name, text] of Object.entries(contents)) {
    expect(readFileSync(join(dir, 'out', name), 'utf8') === text, name).toBe(true);
  }
});
