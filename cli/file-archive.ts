/** Several files as one: an ar archive with GNU's long names, made while it is sent. */
import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { EverflameError } from '../profile/errors.ts';

const MAGIC = '!<arch>\n';
const HEADER_BYTES = 60;
const CHUNK_BYTES = 2 ** 18;

export interface ArchivePlan {
  sizeBytes: number;
  /** The bytes from `from` on; equal files give equal bytes. */
  chunks(from: number): AsyncGenerator<Uint8Array>;
}

/** A stretch of the archive: bytes made here, or a file. */
type Piece = { at: number; length: number } & ({ bytes: Buffer } | { path: string });

export function planArchive(paths: readonly string[]): ArchivePlan {
  const pieces: Piece[] = [];
  let end = 0;
  const add = (bytes: Buffer) => {
    pieces.push({ at: end, length: bytes.length, bytes });
    end += bytes.length;
  };
  const names = paths.map((path) => `${basename(path)}/\n`);
  const table = Buffer.from(names.join(''));
  add(
    Buffer.concat([Buffer.from(MAGIC), header('//', table.length), table, padding(table.length)]),
  );
  let nameAt = 0;
  paths.forEach((path, i) => {
    const length = statSync(path).size;
    add(header(`/${nameAt}`, length));
    nameAt += Buffer.byteLength(names[i] ?? '');
    pieces.push({ at: end, length, path });
    end += length;
    if (length % 2 === 1) add(padding(length));
  });
  return { sizeBytes: end, chunks: (from) => streamPieces(pieces, from) };
}

/** Name, time, owner, group, mode and size as text; the time is none, so that bytes are equal. */
function header(name: string, length: number): Buffer {
  const text = [
    name.padEnd(16),
    '0'.padEnd(12),
    '0'.padEnd(6),
    '0'.padEnd(6),
    '644'.padEnd(8),
    String(length).padEnd(10),
    '`\n',
  ].join('');
  if (text.length !== HEADER_BYTES) {
    throw new EverflameError('too-large', `${length} bytes do not fit an ar archive`);
  }
  return Buffer.from(text);
}

/** Members begin at even offsets. */
function padding(length: number): Buffer {
  return Buffer.from(length % 2 === 1 ? '\n' : '');
}

async function* streamPieces(pieces: readonly Piece[], from: number): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    const skipped = Math.max(0, from - piece.at);
    if (skipped >= piece.length) continue;
    if ('bytes' in piece) yield piece.bytes.subarray(skipped);
    else yield* streamFile(piece.path, skipped, piece.length);
  }
}

async function* streamFile(path: string, from: number, size: number): AsyncGenerator<Uint8Array> {
  const handle = await open(path);
  try {
    for (let at = from; at < size; ) {
      const buffer = new Uint8Array(Math.min(CHUNK_BYTES, size - at));
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) throw new EverflameError('conflict', `${path} shrank while it was read`);
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  } finally {
    await handle.close();
  }
}
