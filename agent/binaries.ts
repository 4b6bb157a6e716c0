/**
 * Mapped ELF files: their build ids and how file offsets become ELF addresses. One entry per file
 * content, known by device, inode, size and time of change, shared by all processes.
 */
import { type Stats, statSync } from 'node:fs';
import { EverflameError } from '../profile/errors.ts';
import type { BuildId } from '../profile/units.ts';
import { openByteSource } from '../symbolizer/elf/byte-reader.ts';
import { type ElfIdentity, readElfIdentity } from '../symbolizer/elf/elf.ts';
import type { Frame, FrameMapping } from './frames.ts';
import type { MemoryMapping } from './proc-files.ts';

/** Files of one host that are in use at a time; the least recently used go first. */
const MAX_BINARIES = 4_096;
/** Addresses of one file that keep their frame; sampled code is a small part of any program. */
const MAX_FRAMES_PER_BINARY = 32_768;

export type BinaryProblem = 'binary unreadable' | 'not an ELF file';

export class Binary {
  readonly buildId: BuildId;
  readonly mapping: FrameMapping;
  readonly sizeBytes: number;
  /** Under which it can be opened as long as a process has it mapped. */
  openPath: string;
  readonly #segments: ElfIdentity['loadSegments'];
  readonly #frames = new Map<number, Frame>();

  constructor(file: string, openPath: string, sizeBytes: number, identity: ElfIdentity) {
    this.buildId = identity.buildId;
    this.openPath = openPath;
    this.sizeBytes = sizeBytes;
    this.#segments = identity.loadSegments;
    const first = identity.loadSegments[0];
    const end = Math.max(0, ...identity.loadSegments.map((s) => s.vaddr + s.memSize));
    this.mapping = {
      file,
      buildId: identity.buildId,
      start: BigInt(first?.vaddr ?? 0),
      limit: BigInt(end),
      offset: BigInt(first?.offset ?? 0),
    };
  }

  /** The frame at a position in the file, or null where no segment is loaded from there. */
  frameAt(fileOffset: number): Frame | null {
    const known = this.#frames.get(fileOffset);
    if (known !== undefined) return known;
    const segment = this.#segments.find(
      (s) => s.offset <= fileOffset && fileOffset < s.offset + s.fileSize,
    );
    if (segment === undefined) return null;
    const address = segment.vaddr + (fileOffset - segment.offset);
    const frame = { mapping: this.mapping, name: '', address };
    if (this.#frames.size >= MAX_FRAMES_PER_BINARY) this.#frames.clear();
    this.#frames.set(fileOffset, frame);
    return frame;
  }
}

export class Binaries {
  /** By content key; in order of last use. */
  readonly #known = new Map<string, Binary | BinaryProblem>();

  /** The binary behind a mapping of a live process, or why there is none. */
  open(pid: number, mapping: MemoryMapping): Binary | BinaryProblem {
    const opened = statMapped(pid, mapping);
    if (opened === null) return 'binary unreadable';
    const { path, stat } = opened;
    const key = `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`;
    let binary = this.#known.get(key);
    if (binary === undefined) binary = readBinary(mapping.path, path, stat.size);
    else this.#known.delete(key);
    if (binary instanceof Binary) binary.openPath = path;
    this.#known.set(key, binary);
    if (this.#known.size > MAX_BINARIES) {
      const oldest = this.#known.keys().next();
      if (oldest.done !== true) this.#known.delete(oldest.value);
    }
    return binary;
  }
}

/**
 * The mapped file itself through map_files, which also reaches deleted and replaced files and those
 * of containers; without the capability for that, the path in the process' root, if it still is the
 * mapped inode. A path may have been replaced by anything: what is no regular file is not opened.
 */
function statMapped(pid: number, mapping: MemoryMapping): { path: string; stat: Stats } | null {
  const range = `${mapping.start.toString(16)}-${mapping.end.toString(16)}`;
  const direct = `/proc/${pid}/map_files/${range}`;
  for (const path of [direct, `/proc/${pid}/root${mapping.path}`]) {
    const stat = statOrNull(path);
    if (stat?.isFile() && String(stat.ino) === mapping.inode) return { path, stat };
  }
  return null;
}

function statOrNull(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    // Gone, or not ours to see: the next path is tried, and then the frame says so.
    return null;
  }
}

function readBinary(file: string, path: string, sizeBytes: number): Binary | BinaryProblem {
  let source: ReturnType<typeof openByteSource>;
  try {
    source = openByteSource(path);
  } catch {
    // Gone, or not ours to read: the frame says so.
    return 'binary unreadable';
  }
  try {
    return new Binary(file, path, sizeBytes, readElfIdentity(source));
  } catch (error) {
    if (error instanceof EverflameError) return 'not an ELF file';
    if (error instanceof Error && 'code' in error) return 'binary unreadable';
    throw error;
  } finally {
    source.close();
  }
}
