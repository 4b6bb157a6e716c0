import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nmSymbols } from '../test/fixtures/elf-builds.ts';
import { NamedFrames } from './frames.ts';
import { parseMaps } from './proc-files.ts';
import { openVdso, VDSO_PATH } from './vdso.ts';

/** The kernel's own library, as gdb would dump it. */
function dumpVdso(path: string): void {
  const maps = parseMaps(readFileSync('/proc/self/maps', 'utf8'));
  const mapping = maps.find((candidate) => candidate.path === VDSO_PATH);
  if (mapping === undefined) throw new Error('this kernel has no vDSO');
  const bytes = new Uint8Array(mapping.end - mapping.start);
  const fd = openSync('/proc/self/mem', 'r');
  readSync(fd, bytes, 0, bytes.length, mapping.start);
  closeSync(fd);
  writeFileSync(path, bytes);
}

test("every byte of the vDSO's functions has a name that nm has there", () => {
  const folder = mkdtempSync(join(tmpdir(), 'vdso-'));
  try {
    const path = join(folder, 'vdso.so');
    dumpVdso(path);
    const symbols = nmSymbols(path, ['-D']);
    expect(symbols.length).toBeGreaterThan(3);
    const vdso = openVdso(new NamedFrames());
    for (const { address, size } of symbols) {
      for (let at = address; at < address + size; at++) {
        const names = symbols.filter((one) => one.address <= at && at < one.address + one.size);
        const frame = vdso?.frameAt(at);
        expect(names.map(({ name }) => name)).toContain(frame?.name);
        expect(frame?.mapping.file).toBe(VDSO_PATH);
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
