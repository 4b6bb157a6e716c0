/** The .dwo files that a program built with -gsplit-dwarf names. */
import { statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { readSection } from '../symbolizer/elf/debug-sections.ts';
import type { ElfFile } from '../symbolizer/elf/elf-file.ts';

/** The skeletons of split units have few strings; a program with more is not split. */
const MAX_STRINGS_BYTES = 64 * 2 ** 20;
/** Folders in which its units were compiled, and files. */
const MAX_FOLDERS = 256;
const MAX_FILES = 65_536;

/**
 * Absolute paths of those that are here, in the order of their names. The names are read from the
 * string sections, where skeleton units keep them and the folders they were compiled in; which unit
 * a file is for, its id tells.
 */
export async function findDwoFiles(path: string, elf: ElfFile): Promise<string[]> {
  // Where a split unit finds its addresses; no program is split without it.
  if (elf.section('.debug_addr') === undefined) return [];
  const names = new Set<string>();
  const folders = new Set([dirname(resolve(path)), process.cwd()]);
  for (const name of ['.debug_str', '.debug_line_str']) {
    if ((elf.section(name)?.size ?? 0) > MAX_STRINGS_BYTES) continue;
    for (const text of stringsOf(await readSection(elf, name))) {
      if (text.endsWith('.dwo') && names.size < MAX_FILES) names.add(text);
      else if (text.startsWith('/') && folders.size < MAX_FOLDERS) folders.add(text);
    }
  }
  const found = new Set<string>();
  for (const name of names) {
    const candidates = isAbsolute(name) ? [name] : [...folders].map((folder) => join(folder, name));
    for (const file of candidates) if (isFile(file)) found.add(file);
  }
  return [...found].sort();
}

function* stringsOf(bytes: Uint8Array): Generator<string> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < buffer.length; ) {
    const end = buffer.indexOf(0, at);
    const last = end < 0 ? buffer.length : end;
    if (last > at) yield buffer.toString('utf8', at, last);
    at = last + 1;
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
