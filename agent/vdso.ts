/**
 * The kernel's library in every process, [vdso]: it lies in no file, is the same in all processes
 * of a kind, and has symbols. Read once from our own memory; its frames are named here.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { EverflameError } from '../profile/errors.ts';
import { bytesSource } from '../symbolizer/elf/byte-reader.ts';
import { readElfHeader, readSections } from '../symbolizer/elf/elf.ts';
import { readCodeSymbols } from '../symbolizer/elf/elf-symbols.ts';
import {
  type SymbolRanges,
  symbolName,
  symbolRanges,
} from '../symbolizer/symbol-file/symbol-ranges.ts';
import type { Frame, NamedFrames } from './frames.ts';
import { type MemoryMapping, parseMaps } from './proc-files.ts';

export const VDSO_PATH = '[vdso]';
/** It has two to four pages; more is something else. */
const MAX_VDSO_BYTES = 2 ** 18;

export class VdsoFrames {
  readonly #frames: NamedFrames;
  readonly #ranges: SymbolRanges;
  readonly #names: string[];

  /** `image` is the whole library; it is linked at 0, so its offsets are its addresses. */
  constructor(image: Uint8Array, frames: NamedFrames) {
    const source = bytesSource(image);
    const header = readElfHeader(source);
    const symbols = readCodeSymbols(source, header, readSections(source, header));
    this.#frames = frames;
    this.#ranges = symbolRanges(symbols);
    this.#names = Array.from({ length: symbols.count }, (_, row) =>
      Buffer.from(symbolName(symbols, row)).toString('utf8'),
    );
  }

  frameAt(offset: number): Frame {
    const { count, starts, symbols } = this.#ranges;
    let row = count - 1;
    while (row >= 0 && (starts[row] as number) > offset) row--;
    const name = row < 0 ? undefined : this.#names[symbols[row] as number];
    return name === undefined
      ? this.#frames.unknown('no symbol', VDSO_PATH)
      : this.#frames.get(VDSO_PATH, name);
  }
}

/** Null where this process has none (vdso=0 on the kernel's command line), or one we cannot read. */
export function openVdso(frames: NamedFrames): VdsoFrames | null {
  const mappings = parseMaps(readFileSync('/proc/self/maps', 'utf8'));
  const vdso = mappings.find((mapping) => mapping.path === VDSO_PATH);
  if (vdso === undefined) return null;
  try {
    return new VdsoFrames(readOwnMemory(vdso), frames);
  } catch (error) {
    // Its frames then say that they have no symbol.
    if (error instanceof EverflameError) return null;
    throw error;
  }
}

function readOwnMemory(mapping: MemoryMapping): Uint8Array {
  const bytes = new Uint8Array(Math.min(mapping.end - mapping.start, MAX_VDSO_BYTES));
  const fd = openSync('/proc/self/mem', 'r');
  try {
    const read = readSync(fd, bytes, 0, bytes.length, mapping.start);
    return bytes.subarray(0, read);
  } finally {
    closeSync(fd);
  }
}
