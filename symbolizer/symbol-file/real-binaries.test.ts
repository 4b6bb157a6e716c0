/** A sample of `npm run prove -- real-binaries`: what a Debian with a compiler has. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localBinary, type RealBinary } from '../../test/prove/real-binaries/local.ts';
import { buildObject } from '../../test/prove/real-binaries/objects.ts';
import { checkBinary, describeFound } from '../../test/prove/real-binaries.ts';

const ADDRESSES = 1_000;
const SEED = 5;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'real-binaries-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function expectAgreement(binary: RealBinary): Promise<void> {
  const found = await checkBinary(binary, folder, ADDRESSES, SEED);
  expect(found.addresses).toBeGreaterThan(ADDRESSES / 2);
  const differences = found.unexplained.length + found.nmWrong.length;
  if (differences > 0) expect(describeFound(binary, found)).toBe('');
}

const LIBRARIES = '/usr/lib/x86_64-linux-gnu';
const PATHS = [`${LIBRARIES}/libc.so.6`, `${LIBRARIES}/libstdc++.so.6`, '/usr/bin/python3'];

describe("a library's answers are those of llvm-symbolizer and nm", () => {
  test.each(PATHS.filter((path) => existsSync(path)))(
    '%s',
    async (path) => {
      await expectAgreement(localBinary(path, folder));
    },
    60_000,
  );
});

describe("an object file's addresses are file offsets, its debug information is relocated", () => {
  test.each([['-ffunction-sections'], ['-fno-function-sections']])(
    '%s',
    async (sections) => {
      await expectAgreement(buildObject(folder, 'gcc', 'shapes.cpp', ['-O2', sections]));
    },
    60_000,
  );
});
