/**
 * Pointers that the dynamic linker would write (R_*_RELATIVE): a position-independent program may
 * hold zeros in their place. Only entries with addends (RELA) matter; where relocations have none,
 * the addend is in place.
 */
import type { ElfFile } from '../elf/elf-file.ts';

const RELA = 4;
/** As GNU ld and lld call them, and as Go's own linker does. */
const SECTIONS = ['.rela.dyn', '.rela'];
const ENTRY_BYTES = 24;
const CHUNK_BYTES = ENTRY_BYTES * 2 ** 13;
/** 5 million relocations; a program of 100 MB has 500,000. */
const MAX_BYTES = 2 ** 27;
/** R_X86_64_RELATIVE and R_AARCH64_RELATIVE, by e_machine. */
const RELATIVE = new Map([
  [62, 8],
  [183, 1027],
]);

/** Writes the pointers that lie within `bytes`, which are those of the file at `start`. */
export function applyRelative(elf: ElfFile, start: number, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const last = start + bytes.length - 8;
  eachRelative(elf, (address, addend) => {
    if (address >= start && address <= last) {
      view.setUint32(address - start, addend % 2 ** 32, true);
      view.setUint32(address - start + 4, Math.floor(addend / 2 ** 32), true);
    }
    return true;
  });
}

/** The addresses of at most `limit` pointers to `target`. */
export function relativePointersTo(elf: ElfFile, target: number, limit: number): number[] {
  const found: number[] = [];
  eachRelative(elf, (address, addend) => {
    if (addend === target) found.push(address);
    return found.length < limit;
  });
  return found;
}

/** Calls `take` for each until it returns false. */
function eachRelative(elf: ElfFile, take: (address: number, addend: number) => boolean): void {
  const relative = RELATIVE.get(elf.header.machine);
  if (relative === undefined || !elf.header.is64) return;
  for (const name of SECTIONS) {
    const section = elf.section(name);
    if (section === undefined || section.type !== RELA) continue;
    const { offset } = section;
    if (offset + section.size > elf.source.size) continue;
    const size = Math.min(section.size, MAX_BYTES);
    for (let at = 0; at + ENTRY_BYTES <= size; at += CHUNK_BYTES) {
      const rest = size - at - ((size - at) % ENTRY_BYTES);
      const bytes = elf.source.read(offset + at, Math.min(CHUNK_BYTES, rest));
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let row = 0; row < view.byteLength; row += ENTRY_BYTES) {
        if (view.getUint32(row + 8, true) !== relative) continue;
        const address = view.getUint32(row + 4, true) * 2 ** 32 + view.getUint32(row, true);
        const addend = view.getUint32(row + 20, true) * 2 ** 32 + view.getUint32(row + 16, true);
        if (!take(address, addend)) return;
      }
    }
  }
}
