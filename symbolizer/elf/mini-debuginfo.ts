/**
 * MiniDebugInfo: .gnu_debugdata holds an xz-compressed ELF file whose .symtab has the functions
 * that .dynsym lacks. Fedora and others ship it in every binary.
 */
import { createRequire } from 'node:module';
import { ReadableStream } from 'node:stream/web';
import { EverflameError } from '../../profile/errors.ts';
import { MAX_MINI_DEBUGINFO_BYTES } from '../../profile/limits.ts';
import { bytesSource } from './byte-reader.ts';
import { SectionType } from './elf.ts';
import { type ElfFile, openElfFile } from './elf-file.ts';

const SECTION = '.gnu_debugdata';
/** Symbol tables become 3 to 10 times smaller; what unpacks to very much more is no such table. */
const MAX_RATIO = 256;
const RATIO_SLACK_BYTES = 65_536;

/**
 * The file inside, whose symbols have the outer file's addresses; null where there is none. Throws
 * EverflameError where it is damaged or too large.
 */
export async function openMiniDebuginfo(elf: ElfFile): Promise<ElfFile | null> {
  const section = elf.section(SECTION);
  if (section === undefined || section.type === SectionType.nobits) return null;
  if (section.size > MAX_MINI_DEBUGINFO_BYTES) throw tooLarge(section.size);
  const bytes = await decompressXz(elf.source.read(section.offset, section.size));
  return openElfFile(bytesSource(bytes));
}

/** In chunks, so that no more than the limit is ever made. */
async function decompressXz(bytes: Uint8Array): Promise<Uint8Array> {
  const limit = Math.min(MAX_MINI_DEBUGINFO_BYTES, bytes.length * MAX_RATIO + RATIO_SLACK_BYTES);
  // Loaded here, as few files need it; `import` makes different things of it in Node and in tsx.
  const xz = createRequire(import.meta.url)('xz-decompress') as typeof import('xz-decompress');
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    const output = new xz.XzReadableStream(ReadableStream.from([bytes]));
    for await (const chunk of output) {
      size += chunk.length;
      if (size > limit) throw tooLarge(size);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof EverflameError) throw error;
    throw new EverflameError('invalid', `${SECTION} cannot be decompressed`, {
      field: 'file',
      remedy: 'Send the file as its linker wrote it; xz without filters and with CRC is read.',
      cause: error,
    });
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

function tooLarge(size: number): EverflameError {
  return new EverflameError('too-large', `${SECTION} has ${size} bytes or more`, {
    field: 'file',
    limit: `MAX_MINI_DEBUGINFO_BYTES = ${MAX_MINI_DEBUGINFO_BYTES}`,
  });
}
