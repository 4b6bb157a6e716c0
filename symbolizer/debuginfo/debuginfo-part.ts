/** Receiving a file in parts, so that an upload goes on after a lost connection or a restart. */
import { type FileHandle, open } from 'node:fs/promises';
import { EverflameError } from '../../profile/errors.ts';
import type { EpochMs } from '../../profile/units.ts';
import type { UploadRequest } from '../symbolizer.ts';
import type { EntryFiles } from './debuginfo-entry.ts';
import { diskFull, isDiskFull } from './disk-full.ts';

/** After this much, what was received is made durable: what a crash can cost. */
const SYNC_BYTES = 16 * 2 ** 20;

/**
 * Appends a request's body to the upload under way, or begins a new one at offset 0. A part may
 * begin before the end of what is held: it is the same file, sent again from there. `checkpoint` is
 * told after each sync what came since the last one. Returns the bytes held, of which none is lost
 * if the body breaks off.
 */
export async function receivePart(
  files: EntryFiles,
  request: UploadRequest,
  clock: () => EpochMs,
  checkpoint: (newBytes: number) => void,
): Promise<number> {
  files.make();
  checkOffset(files, request);
  const handle = await open(files.part, request.offset === 0 ? 'w' : 'r+');
  const { kind, totalBytes } = request;
  let receivedBytes = request.offset;
  let synced = receivedBytes;
  const save = async (): Promise<void> => {
    await handle.datasync();
    files.savePart({ kind, totalBytes, receivedBytes, updatedMs: clock() });
    checkpoint(receivedBytes - synced);
    synced = receivedBytes;
  };
  try {
    if (request.offset === 0) await save();
    try {
      for await (const chunk of request.body) {
        if (receivedBytes + chunk.length > totalBytes) throw tooLong(totalBytes);
        await writeAt(handle, chunk, receivedBytes);
        receivedBytes += chunk.length;
        if (receivedBytes - synced >= SYNC_BYTES) await save();
      }
    } finally {
      await save();
    }
    return receivedBytes;
  } finally {
    await handle.close();
  }
}

/** Whether a file that was received can be one of split DWARF: its units are read much later. */
export async function isSplitFile(path: string): Promise<boolean> {
  const handle = await open(path);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(8), 0, 8, 0);
    const start = buffer.toString('latin1', 0, bytesRead);
    return start.startsWith('!<arch>\n') || start.startsWith('\x7fELF');
  } finally {
    await handle.close();
  }
}

function checkOffset(files: EntryFiles, { offset, kind, totalBytes }: UploadRequest): void {
  if (offset === 0) return;
  const part = files.readPart();
  const held = part?.kind === kind && part.totalBytes === totalBytes ? part.receivedBytes : 0;
  if (offset <= held) return;
  throw new EverflameError('conflict', `${held} bytes are here, the part begins at ${offset}`, {
    field: 'Content-Range',
    remedy: 'Ask where to resume with POST /api/v1/debuginfo/wanted.',
  });
}

async function writeAt(handle: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    const { bytesWritten } = await handle.write(chunk, at, chunk.length - at, position + at);
    at += bytesWritten;
  }
}

function tooLong(totalBytes: number): EverflameError {
  return new EverflameError('invalid', `the body goes on after ${totalBytes} bytes`, {
    field: 'Content-Range',
    remedy: 'Send the size of the whole file after the slash.',
  });
}

/** Any error of an upload, told as such where the disk is full. */
export function toUploadError(error: unknown): unknown {
  return isDiskFull(error) ? diskFull('debug information', error) : error;
}
