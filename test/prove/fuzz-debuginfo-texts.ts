/** Whether what a symbol file says was said by the files it is made from. */

import { EverflameError } from '../../profile/errors.ts';
import { bytesSource } from '../../symbolizer/elf/byte-reader.ts';
import { DebugSectionReader } from '../../symbolizer/elf/debug-sections.ts';
import { openElfFile } from '../../symbolizer/elf/elf-file.ts';
import { openMiniDebuginfo } from '../../symbolizer/elf/mini-debuginfo.ts';
import type { ObjectSource } from './fuzz-debuginfo-objects.ts';

/** Added to a symbol's name for its PLT stub. */
const STUB = '@plt';

/** The text that nobody wrote, or null. Names occur as they are, paths are joins of what occurs. */
export async function findInvented(
  texts: readonly Buffer[],
  known: ReadonlySet<string>,
  sources: readonly ObjectSource[],
): Promise<Buffer | null> {
  const unknown = texts.filter((text) => !known.has(text.toString('latin1')));
  if (unknown.length === 0) return null;
  const plain = sources.map(({ bytes }) => bytes);
  const rest = unknown.filter((text) => !occurs(text, plain));
  if (rest.length === 0) return null;
  const all = [...plain, ...(await packedBytes(sources))];
  return rest.find((text) => !occurs(text, all)) ?? null;
}

function occurs(text: Buffer, haystacks: readonly Buffer[]): boolean {
  const has = (part: Buffer) => haystacks.some((bytes) => bytes.includes(part));
  if (has(text)) return true;
  const name = text.toString('latin1');
  const stub = name.endsWith(STUB) ? name.slice(0, -STUB.length) : name;
  return stub.split('/').every((part) => has(Buffer.from(part, 'latin1')));
}

async function packedBytes(sources: readonly ObjectSource[]): Promise<Buffer[]> {
  const found: Buffer[] = [];
  for (const { bytes } of sources) {
    try {
      const elf = openElfFile(bytesSource(bytes));
      for (const name of new Set(elf.names)) {
        if (!/^\.z?debug_/.test(name)) continue;
        const reader = new DebugSectionReader(elf);
        const plain = await readOrNothing(() => reader.read(name.replace('.z', '.')));
        found.push(Buffer.from(plain));
      }
      const mini = await readOrNothing(async () => {
        const inner = await openMiniDebuginfo(elf);
        return inner === null ? nothing() : inner.source.read(0, inner.source.size);
      });
      found.push(Buffer.from(mini));
    } catch (error) {
      if (!(error instanceof EverflameError)) throw error;
    }
  }
  return found;
}

function nothing(): Uint8Array {
  return new Uint8Array(0);
}

async function readOrNothing(read: () => Promise<Uint8Array>): Promise<Uint8Array> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof EverflameError) return nothing();
    throw error;
  }
}
