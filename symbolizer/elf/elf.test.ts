import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildElf } from '../../test/fixtures/elf-builds.ts';
import { buildIdFileName, isBuildId } from './build-id.ts';
import { bytesSource, openByteSource } from './byte-reader.ts';
import { readElfIdentity } from './elf.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'elf-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function identityOf(path: string) {
  const source = openByteSource(path);
  try {
    return readElfIdentity(source);
  } finally {
    source.close();
  }
}

function readelf(option: string, path: string): string {
  return execFileSync('readelf', ['-W', option, path]).toString();
}

describe('build ids', () => {
  test.each(['exec', 'library', 'object', '32-bit'])('%s as readelf prints it', (name) => {
    const path = buildElf(directory, name);
    const id = /Build ID: ([0-9a-f]+)/.exec(readelf('-n', path))?.[1];
    if (id === undefined) expect(identityOf(path).buildId).toMatch(/^htl:[0-9a-f]{32}$/);
    else expect(identityOf(path).buildId).toBe(id);
  });

  test('a Go binary without a GNU id', () => {
    const source = join(directory, 'main.go');
    writeFileSync(source, 'package main\nfunc main() {}\n');
    const path = join(directory, 'go-program');
    const env = { ...process.env, GO111MODULE: 'off', CGO_ENABLED: '0' };
    execFileSync('go', ['build', '-o', path, source], { env, stdio: 'pipe' });
    const id = execFileSync('go', ['tool', 'buildid', path]).toString().trim();
    execFileSync('objcopy', ['--remove-section=.note.gnu.build-id', path]);
    expect(identityOf(path).buildId).toBe(`go:${id}`);
  });

  test('without any: a hash of both ends and the size', () => {
    const path = buildElf(directory, 'no-build-id');
    const bytes = readFileSync(path);
    const size = Buffer.alloc(8);
    size.writeUInt32BE(bytes.length, 4);
    const input = Buffer.concat([bytes.subarray(0, 4096), bytes.subarray(-4096), size]);
    const sum = execFileSync('sha256sum', { input }).toString();
    expect(identityOf(path).buildId).toBe(`htl:${sum.slice(0, 32)}`);
  });

  test.each([
    ['0123456789abcdef0123456789abcdef01234567', true],
    ['01234567', true],
    ['012345', false],
    ['0123456', false],
    ['0123456G', false],
    ['00000000000000000000', false],
    ['ABCDEF0123456789', false],
    ['go:abcdefghijklmnopqrst/ABC-_', true],
    ['go:redacted', false],
    ['go:../../../../../../etc/passwd', false],
    ['htl:0123456789abcdef0123456789abcdef', true],
    ['htl:0123', false],
    ['../../etc/passwd', false],
    ['', false],
    ['ab'.repeat(65), false],
  ])('%s', (text, valid) => {
    expect(isBuildId(text)).toBe(valid);
    if (isBuildId(text)) expect(buildIdFileName(text)).toMatch(/^[0-9a-z-]{8,128}$/);
  });
});

describe('segments', () => {
  test.each(['exec', 'pie', '32-bit', 'static'])('%s as readelf prints them', (name) => {
    const path = buildElf(directory, name);
    const expected = [...readelf('-l', path).matchAll(/^ +LOAD +(\S+) (\S+) \S+ (\S+) (\S+)/gm)];
    const segments = identityOf(path).loadSegments.map((s) =>
      [s.offset, s.vaddr, s.fileSize, s.memSize].join(' '),
    );
    expect(segments).toEqual(expected.map((m) => m.slice(1).map(Number).join(' ')));
    expect(segments.length).toBeGreaterThan(1);
  });
});

describe('what is no ELF file is refused in one sentence', () => {
  const good = () => readFileSync(buildElf(directory, 'exec'));
  test.each([
    ['empty', () => Buffer.alloc(0), /ELF magic/],
    ['text', () => Buffer.from('#!/bin/sh\n'.repeat(20)), /magic/],
    ['big-endian', () => withByte(good(), 5, 2), /little-endian/],
    ['cut in the header', () => good().subarray(0, 40), /bytes wanted/],
    ['cut in the program headers', () => good().subarray(0, 200), /not in a file/],
    ['odd program headers', () => withByte(good(), 54, 55), /program header of 55 bytes/],
    [
      'forged number of program headers',
      () => withByte(good(), 57, 0x20),
      /MAX_ELF_SEGMENTS|claims/,
    ],
  ])('%s', (_, bytes, message) => {
    expect(() => readElfIdentity(bytesSource(bytes()))).toThrow(message);
  });
});

function withByte(bytes: Buffer, at: number, value: number): Buffer {
  bytes.writeUInt8(value, at);
  return bytes;
}
