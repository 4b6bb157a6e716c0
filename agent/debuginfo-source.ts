/** A mapped binary, opened and planned for extraction; read asynchronously, in parts. */
import { type FileHandle, open } from 'node:fs/promises';
import { EverflameError } from '../profile/errors.ts';
import { MAX_DEBUGINFO_BYTES } from '../profile/limits.ts';
import type { BuildId } from '../profile/units.ts';
import {
  type ByteSource,
  type FileByteSource,
  openByteSource,
} from '../symbolizer/elf/byte-reader.ts';
import { readElfIdentity } from '../symbolizer/elf/elf.ts';
import { planStrip, type ReadBytes, type StripPlan } from '../symbolizer/elf/strip.ts';

export interface OpenedBinary {
  plan: StripPlan;
  /**
   * The extraction from `from` on, cut into parts of `partBytes`, the last one shorter. Each is
   * valid until the next one is asked for.
   */
  parts(from: number, partBytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/**
 * `vanished`: gone, not ours to read, or another file under all paths. `withoutSymbols`: there are
 * none. `unusable`: damaged, of a form that is not read, or larger than any server takes.
 */
export type NothingToSend = 'vanished' | 'withoutSymbols' | 'unusable';

/** The first of the paths that still leads to the file. */
export async function openBinary(
  paths: readonly string[],
  buildId: BuildId,
): Promise<OpenedBinary | NothingToSend> {
  for (const path of paths) {
    const opened = await openPath(path, buildId);
    if (opened !== 'vanished') return opened;
  }
  return 'vanished';
}

async function openPath(path: string, buildId: BuildId): Promise<OpenedBinary | NothingToSend> {
  const plan = planOf(path, buildId);
  if (typeof plan === 'string') return plan;
  if (plan.sizeBytes > MAX_DEBUGINFO_BYTES) return 'unusable';
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
function planOf(path: string, buildId: BuildId): StripPlan | NothingToSend {
  const source = openOrNull(path);
  if (source === null) return 'vanished';
  try {
    if (!isFile(source, buildId)) return 'vanished';
    return planStrip(source) ?? 'withoutSymbols';
  } catch (error) {
    if (error instanceof EverflameError) return 'unusable';
    if (isSystemError(error)) return 'vanished';
    throw error;
  } finally {
    source.close();
  }
}

/** Null where the path leads nowhere, to what is no regular file, or is not ours to read. */
function openOrNull(path: string): FileByteSource | null {
  try {
    return openByteSource(path);
  } catch (error) {
    if (error instanceof EverflameError || isSystemError(error)) return null;
    throw error;
  }
}

/** Whether it is the file that was mapped: by now the path may lead to anything. */
function isFile(source: ByteSource, buildId: BuildId): boolean {
  try {
    return readElfIdentity(source).buildId === buildId;
  } catch (error) {
    if (error instanceof EverflameError) return false;
    throw error;
  }
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

/** What is read and what is sent lie in one buffer each: garbage of a large file adds up. */
async function* cutParts(
  plan: StripPlan,
  handle: FileHandle,
  from: number,
  partBytes: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let left = plan.sizeBytes - from;
  const part = new Uint8Array(Math.min(partBytes, left));
  let filled = 0;
  for await (const chunk of plan.chunks(createReader(handle), from)) {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + part.length - filled);
      part.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled < Math.min(part.length, left)) continue;
      yield part.subarray(0, filled);
      left -= filled;
      filled = 0;
    }
  }
}

/** What it gives is valid until it is called again. */
function createReader(handle: FileHandle): ReadBytes {
  let buffer = new Uint8Array(0);
  return async (offset, length) => {
    if (length > buffer.length) buffer = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await handle.read(buffer, filled, length - filled, offset + filled);
      if (bytesRead === 0) throw new Error('the file shrank while it was read');
      filled += bytesRead;
    }
    return buffer.subarray(0, length);
  };
}
