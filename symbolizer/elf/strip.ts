/**
 * What symbolization reads of an ELF file, as an ELF file: headers, symbol tables, debug
 * information, notes, and what a Go program knows of itself. Every other section keeps its header,
 * with type NOBITS, so that section numbers hold and its offset still says where the original has
 * its bytes. Equal input, equal bytes; the size is known before the first byte is sent, and nothing
 * is copied to disk.
 */
import { EverflameError } from '../../profile/errors.ts';
import type { BuildId } from '../../profile/units.ts';
import { type GoExtract, planGoExtract } from '../go/go-extract.ts';
import { GO_EXTRACT_TYPE } from '../go/sections.ts';
import type { DebuginfoKind, QualityName } from '../symbolizer.ts';
import type { ByteSource } from './byte-reader.ts';
import {
  type ElfHeader,
  type ElfSection,
  IDENTITY_NOTE_OWNER,
  IDENTITY_NOTE_TYPE,
  PLT_EXTRACT_TYPE,
  readElfIdentity,
  SectionType,
  SegmentType,
} from './elf.ts';
import { type ElfFile, openElfFile } from './elf-file.ts';
import { isPltCode, keptSections, sectionsQuality } from './strip-sections.ts';

/** Reads of the original while it is streamed; asynchronous, so that nobody waits for a disk. */
export type ReadBytes = (offset: number, length: number) => Promise<Uint8Array>;

export interface StripPlan {
  buildId: BuildId;
  /** `executable` where there are only exported symbols, else `debuginfo`. */
  kind: DebuginfoKind;
  /** The most that it can say. */
  quality: QualityName;
  sizeBytes: number;
  /** The bytes from `from` on. `read` must give the bytes of the file that was planned for. */
  chunks(read: ReadBytes, from: number): AsyncGenerator<Uint8Array>;
}

const CHUNK_BYTES = 2 ** 18;
const ALIGNMENT = 8;
/** What an extraction may have more than its original: one note, its header, and padding. */
const MAX_ADDED_BYTES = 4_096;

/** A piece of the result: bytes made here, or a stretch of the original. */
type Piece = { at: number; length: number } & ({ bytes: Uint8Array } | { source: number });

/**
 * Null for a file that says nothing of its code. `owner` is the id of the program that a debug file
 * without an id is known to belong to. Throws EverflameError for what is no ELF file.
 */
export function planStrip(source: ByteSource, owner: BuildId | null = null): StripPlan | null {
  const elf = openElfFile(source);
  let quality = sectionsQuality(elf);
  const go = quality === 'lines' ? null : planGoExtract(elf);
  if (go !== null) quality = 'lines';
  if (quality === 'none') return null;
  const { buildId: own } = readElfIdentity(source);
  const buildId = own.startsWith('htl:') ? (owner ?? own) : own;
  const pieces = layOutPieces(elf, buildId, go);
  const last = pieces.at(-1) as Piece;
  const sizeBytes = last.at + last.length;
  // Sections that overlap could ask for the same bytes many times over.
  if (sizeBytes > source.size + MAX_ADDED_BYTES) {
    throw new EverflameError('invalid', 'the sections overlap', { field: 'file' });
  }
  return {
    buildId,
    kind: quality === 'exported' ? 'executable' : 'debuginfo',
    quality,
    sizeBytes,
    chunks: (read, from) => streamPieces(pieces, read, from),
  };
}

function layOutPieces(elf: ElfFile, buildId: BuildId, go: GoExtract | null): Piece[] {
  const { header, source, sections } = elf;
  const segments = programHeaders(source, header);
  const pieces: Piece[] = [];
  let end = header.headerSize + segments.length;
  const place = (length: number): number => {
    const at = aligned(end);
    end = at + length;
    return at;
  };
  const places = new Map<number, number>();
  const added: Uint8Array[] = [];
  for (const number of [...keptSections(elf)].sort((a, b) => a - b)) {
    const { offset, size } = sections[number] as ElfSection;
    checkInside(source, offset, size, `section ${number}`);
    const at = place(size);
    pieces.push({ at, length: size, source: offset });
    if (isPltCode(elf, number)) {
      added.push(addedHeader(header, PLT_EXTRACT_TYPE, { at, length: size, info: number }));
    } else {
      places.set(number, at);
    }
  }
  if (buildId.startsWith('htl:')) {
    const bytes = identityNote(buildId);
    const at = place(bytes.length);
    pieces.push({ at, length: bytes.length, bytes });
    added.push(addedHeader(header, SectionType.note, { at, length: bytes.length }));
  }
  if (go !== null) {
    const at = place(go.sizeBytes);
    pieces.push(...goPieces(source, go, at));
    added.push(addedHeader(header, GO_EXTRACT_TYPE, { at, length: go.sizeBytes }));
  }
  const tableAt = aligned(end);
  const table = sectionHeaders(source, header, sections, places);
  const bytes = withCounts(header, Buffer.concat([table, ...added]), added.length);
  pieces.push({ at: tableAt, length: bytes.length, bytes });
  const front = fileHeader(source, header, tableAt, added.length);
  const start = Buffer.concat([front, segments]);
  return [{ at: 0, length: start.length, bytes: start }, ...pieces];
}

/** The content of the section that holds a Go program's own tables. */
function goPieces(source: ByteSource, go: GoExtract, sectionAt: number): Piece[] {
  const pieces: Piece[] = [{ at: sectionAt, length: go.header.length, bytes: go.header }];
  let at = sectionAt + go.header.length;
  for (const { offset, length } of go.stretches) {
    checkInside(source, offset, length, "a Go program's table");
    pieces.push({ at, length, source: offset });
    at += length;
  }
  return pieces;
}

function checkInside(source: ByteSource, offset: number, length: number, what: string): void {
  if (offset + length <= source.size) return;
  throw new EverflameError('invalid', `${what} ends after the file`, {
    field: 'file',
    position: offset,
  });
}

function aligned(offset: number): number {
  return Math.ceil(offset / ALIGNMENT) * ALIGNMENT;
}

/** An ELF header that points to where the tables are now. */
function fileHeader(
  source: ByteSource,
  header: ElfHeader,
  tableAt: number,
  added: number,
): Uint8Array {
  const { is64, headerSize } = header;
  const bytes = Uint8Array.from(source.read(0, headerSize));
  const view = new DataView(bytes.buffer);
  setWord(view, is64 ? 32 : 28, header.segmentCount === 0 ? 0 : headerSize, is64);
  setWord(view, is64 ? 40 : 32, tableAt, is64);
  const counts = is64 ? 60 : 48;
  const sectionCount = view.getUint16(counts, true);
  if (sectionCount !== 0) view.setUint16(counts, sectionCount + added, true);
  return bytes;
}

/**
 * Segments that are loaded keep offset and size: they tell where the original has its code. What
 * the others point to is not here, so their type becomes PT_NULL; notes are found by section.
 */
function programHeaders(source: ByteSource, header: ElfHeader): Uint8Array {
  const { segmentCount, segmentSize, segmentsOffset } = header;
  if (segmentCount === 0) return new Uint8Array(0);
  const bytes = Uint8Array.from(source.read(segmentsOffset, segmentCount * segmentSize));
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += segmentSize) {
    if (view.getUint32(at, true) !== SegmentType.load) view.setUint32(at, 0, true);
  }
  return bytes;
}

function sectionHeaders(
  source: ByteSource,
  header: ElfHeader,
  sections: readonly ElfSection[],
  places: ReadonlyMap<number, number>,
): Uint8Array {
  const { is64, sectionSize, sectionCount, sectionsOffset } = header;
  const bytes = Uint8Array.from(source.read(sectionsOffset, sectionCount * sectionSize));
  const view = new DataView(bytes.buffer);
  sections.forEach(({ type }, number) => {
    const at = number * sectionSize;
    const place = places.get(number);
    if (place !== undefined) setWord(view, at + (is64 ? 24 : 16), place, is64);
    else if (type !== 0) view.setUint32(at + 4, SectionType.nobits, true);
  });
  return bytes;
}

/** Files with very many sections keep their count in the first section's size. */
function withCounts(header: ElfHeader, table: Uint8Array, added: number): Uint8Array {
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  const at = header.is64 ? 32 : 20;
  const extended = view.getUint32(at, true);
  if (extended === header.sectionCount) setWord(view, at, extended + added, header.is64);
  return table;
}

/** A file that is known by its hash carries the hash along, because its bytes are others now. */
function identityNote(buildId: BuildId): Uint8Array {
  const owner = Buffer.from(`${IDENTITY_NOTE_OWNER}\0`, 'latin1');
  const text = Buffer.from(buildId, 'latin1');
  const ownerPadded = Math.ceil(owner.length / 4) * 4;
  const note = Buffer.alloc(12 + ownerPadded + Math.ceil(text.length / 4) * 4);
  note.writeUInt32LE(owner.length, 0);
  note.writeUInt32LE(text.length, 4);
  note.writeUInt32LE(IDENTITY_NOTE_TYPE, 8);
  owner.copy(note, 12);
  text.copy(note, 12 + ownerPadded);
  return note;
}

function addedHeader(
  header: ElfHeader,
  type: number,
  { at, length, info = 0 }: { at: number; length: number; info?: number },
): Uint8Array {
  const { is64 } = header;
  const view = new DataView(new ArrayBuffer(header.sectionSize));
  view.setUint32(4, type, true);
  setWord(view, is64 ? 24 : 16, at, is64);
  setWord(view, is64 ? 32 : 20, length, is64);
  view.setUint32(is64 ? 44 : 28, info, true);
  setWord(view, is64 ? 48 : 32, 4, is64); // alignment
  return new Uint8Array(view.buffer);
}

function setWord(view: DataView, at: number, value: number, is64: boolean): void {
  view.setUint32(at, value % 2 ** 32, true);
  if (is64) view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

async function* streamPieces(
  pieces: readonly Piece[],
  read: ReadBytes,
  from: number,
): AsyncGenerator<Uint8Array> {
  let position = from;
  for (const piece of pieces) {
    if (position < piece.at) {
      yield new Uint8Array(piece.at - position);
      position = piece.at;
    }
    while (position < piece.at + piece.length) {
      const within = position - piece.at;
      const length = Math.min(CHUNK_BYTES, piece.length - within);
      const chunk =
        'bytes' in piece
          ? piece.bytes.subarray(within, within + length)
          : await read(piece.source + within, length);
      yield chunk;
      position += length;
    }
  }
}
