/** Sections of debug information that are stored compressed: zlib, zstd, and GNU's .zdebug_*. */
import { inflateSync } from 'node:zlib';
import type { ZSTDDecoder } from 'zstddec/stream';
import { assert, EverflameError } from '../../profile/errors.ts';
import { MAX_DEBUG_SECTION_BYTES } from '../../profile/limits.ts';
import { ByteReader } from './byte-reader.ts';

/** ch_type (System V gABI, chapter 4, "Section compression"). */
const Compression = { zlib: 1, zstd: 2 } as const;
/** Deflate makes at most 1,032 bytes of one; zstd's blocks of one repeated byte, 128 KiB of 4. */
const MAX_ZLIB_RATIO = 1_040;
const MAX_ZSTD_RATIO = 40_000;
/** What the smallest input can make, over the ratio: headers cost bytes too. */
const RATIO_SLACK_BYTES = 4_096;
/** Chunks without a byte of output, after which the decoder is not going to make any. */
const MAX_EMPTY_CHUNKS = 16;
const INPUT_CHUNK_BYTES = 2 ** 18;
const ZDEBUG_MAGIC = 'ZLIB';

/** The header before a compressed section's bytes. */
export interface CompressionHeader {
  type: number;
  /** Of the section as it was. */
  size: number;
  headerSize: number;
}

/** The header of a section with SHF_COMPRESSED. */
export function readCompressionHeader(bytes: Uint8Array, is64: boolean): CompressionHeader {
  const reader = new ByteReader(bytes);
  const type = reader.u32();
  if (is64) reader.skip(4);
  const size = is64 ? reader.u64() : reader.u32();
  return { type, size, headerSize: is64 ? 24 : 12 };
}

/** The header of a .zdebug_* section: `ZLIB` and the size, big-endian; null without the magic. */
export function readZdebugHeader(bytes: Uint8Array): CompressionHeader | null {
  if (bytes.length < 12) return null;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, 12);
  if (view.toString('latin1', 0, 4) !== ZDEBUG_MAGIC) return null;
  const size = view.readUInt32BE(4) * 2 ** 32 + view.readUInt32BE(8);
  return { type: Compression.zlib, size, headerSize: 12 };
}

let zstd: ZSTDDecoder | null = null;

/** Must have resolved once before a zstd section is decompressed: WebAssembly is compiled. */
export async function prepareZstd(): Promise<void> {
  // Few files need it.
  const zstddec = await import('zstddec/stream');
  const decoder = new zstddec.ZSTDDecoder();
  await decoder.init();
  zstd = decoder;
}

export function isZstd({ type }: CompressionHeader): boolean {
  return type === Compression.zstd;
}

/** The bytes of a compressed section; `bytes` begin with their header. */
export function decompress(name: string, bytes: Uint8Array, header: CompressionHeader): Uint8Array {
  const { type, size, headerSize } = header;
  const isZlib = type === Compression.zlib;
  if (!isZlib && type !== Compression.zstd) {
    throw new EverflameError('unsupported', `${name} is compressed by method ${type}`, {
      field: 'file',
      remedy: 'Compress it with zlib or zstd.',
    });
  }
  const input = bytes.subarray(headerSize);
  // Checked before anything is allocated, so that a forged size costs nothing.
  checkSectionSize(name, size);
  const ratio = isZlib ? MAX_ZLIB_RATIO : MAX_ZSTD_RATIO;
  if (size > input.length * ratio + RATIO_SLACK_BYTES) throw damaged(name, 'a forged size');
  if (size === 0) return new Uint8Array(0);
  const output = isZlib ? inflate(name, input, size) : decodeZstd(name, input, size);
  if (output.length !== size) throw damaged(name, `${output.length} bytes, not ${size}`);
  return output;
}

export function checkSectionSize(name: string, size: number): void {
  if (size <= MAX_DEBUG_SECTION_BYTES) return;
  throw new EverflameError('too-large', `${name} has ${size} bytes`, {
    field: 'file',
    limit: `MAX_DEBUG_SECTION_BYTES = ${MAX_DEBUG_SECTION_BYTES}`,
    remedy: 'Build with less debug information (-g1), or split it (-gsplit-dwarf).',
  });
}

function inflate(name: string, input: Uint8Array, size: number): Uint8Array {
  try {
    // One byte more than needed, so that one buffer takes all of it.
    const options = { chunkSize: Math.max(size + 1, 64), maxOutputLength: size };
    const output = inflateSync(input, options);
    return new Uint8Array(output.buffer, output.byteOffset, output.length);
  } catch (error) {
    throw damaged(name, 'no zlib data', error);
  }
}

/** In small chunks, because WebAssembly never gives memory back. */
function decodeZstd(name: string, input: Uint8Array, size: number): Uint8Array {
  assert(zstd !== null, 'prepareZstd comes first');
  const output = new Uint8Array(size);
  let filled = 0;
  let empty = 0;
  try {
    for (const chunk of zstd.decodeStreaming(inputChunks(input))) {
      // After an error the decoder makes empty chunks for ever.
      empty = chunk.length === 0 ? empty + 1 : 0;
      if (empty > MAX_EMPTY_CHUNKS) throw damaged(name, 'no zstd data');
      if (chunk.length > size - filled) throw damaged(name, `more than ${size} bytes`);
      output.set(chunk, filled);
      filled += chunk.length;
    }
  } catch (error) {
    throw error instanceof EverflameError ? error : damaged(name, 'no zstd data', error);
  }
  return filled === size ? output : output.subarray(0, filled);
}

function* inputChunks(input: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < input.length; at += INPUT_CHUNK_BYTES) {
    yield input.subarray(at, at + INPUT_CHUNK_BYTES);
  }
}

function damaged(name: string, what: string, cause?: unknown): EverflameError {
  return new EverflameError('invalid', `${name} is compressed, but holds ${what}`, {
    field: 'file',
    remedy: 'Send the file as its linker wrote it, complete.',
    cause,
  });
}
