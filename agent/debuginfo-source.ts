/** A mapped binary, opened and planned for extraction; read asynchronously, in parts. */
import { type FileHandle, open } from 'node:fs/promises';
import { EverflameError } from '../profile/errors.ts';
import { MAX_DEBUGINFO_BYTES } from '../profile/limits.ts';
import type { BuildId } from '../profile/units.ts';
import { openByteSource } from '../symbolizer/elf/byte-reader.ts';
import { planStrip, type StripPlan } from '../symbolizer/elf/strip.ts';

export interface OpenedBinary {
  plan: StripPlan;
  /** The extraction from `from` on, cut into parts of `partBytes`, the last one shorter. */
  parts(from: number, partBytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** `vanished`: gone, unreadable or another file; `withoutSymbols`: none, or too many to send. */
export async function openBinary(
  path: string,
  buildId: BuildId,
): Promise<OpenedBinary | 'vanished' | 'withoutSymbols'> {
  const plan = planOf(path);
  if (plan === 'vanished') return 'vanished';
  if (plan === null || plan.sizeBytes > MAX_DEBUGINFO_BYTES) return 'withoutSymbols';
  if (plan.buildId !== buildId) return 'vanished';
  let handle: FileHandle;
  try {
    handle = await open(path);
  } catch (error) {
    if (isSystemError(error)) return 'vanished';
    throw error;
  }
  return {
    plan,
    parts: (from, partBytes) => cutParts(plan, handle, from, partBytes),
    close: () => handle.close(),
  };
}

/** Headers only: a few kB, from the page cache, because the file is mapped and running. */
function planOf(path: string): StripPlan | null | 'vanished' {
  try {
    const source = openByteSource(path);
    try {
      return planStrip(source);
    } finally {
      source.close();
    }
  } catch (error) {
    if (error instanceof EverflameError || isSystemError(error)) return 'vanished';
    throw error;
  }
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

async function* cutParts(
  plan: StripPlan,
  handle: FileHandle,
  from: number,
  partBytes: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let position = from;
  let part = new Uint8Array(Math.min(partBytes, plan.sizeBytes - position));
  let filled = 0;
  for await (const chunk of plan.chunks((offset, length) => readAt(handle, offset, length), from)) {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + part.length - filled);
      part.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled < part.length) continue;
      yield part;
      position += filled;
      part = new Uint8Array(Math.min(partBytes, plan.sizeBytes - position));
      filled = 0;
    }
  }
}

async function readAt(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) throw new Error('the file shrank while it was read');
    filled += bytesRead;
  }
  return bytes;
}
