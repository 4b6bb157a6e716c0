/**
 * The entries of `.eh_frame` (LSB Core 10.6) and `.debug_frame` (DWARF 5, 6.4.1): for each piece of
 * code, which instructions say how to leave its frame. Strangers write these sections.
 */
import { EverflameError } from '../../profile/errors.ts';
import { DwarfCursor } from '../../symbolizer/dwarf/dwarf-cursor.ts';
import { damaged, unsupported } from '../../symbolizer/dwarf/work-budget.ts';

/** DW_EH_PE_*: how a pointer is written (LSB Core 10.5.1). */
const Encoding = { omitted: 0xff, absolute: 0, pcRelative: 0x10, indirect: 0x80 } as const;
const EXTENDED_LENGTH = 0xffffffff;

/** What entries have in common (CIE). */
export interface CommonEntry {
  codeAlign: number;
  dataAlign: number;
  /** The register (or column) of the return address. */
  returnRegister: number;
  /** The frame of a signal handler's trampoline: nothing was called from there. */
  isSignal: boolean;
  pointerEncoding: number;
  /** Its first instructions, as places in the section. */
  instructions: number;
  end: number;
}

/** A piece of code (FDE). Addresses are those of the ELF file. */
export interface FrameEntry {
  start: number;
  end: number;
  common: CommonEntry;
  instructions: number;
  instructionsEnd: number;
}

export interface FrameSection {
  bytes: Uint8Array;
  /** Where it is loaded: pointers may be relative to that. */
  address: number;
  kind: 'eh_frame' | 'debug_frame';
}

export interface FrameEntries {
  entries: FrameEntry[];
  /** Entries that could not be read. */
  damagedEntries: number;
  /** Of the first of these; empty where there is none. */
  firstProblem: string;
}

/** Damage costs the entry that has it, and what follows one whose length is not known. */
export function readFrameEntries(section: FrameSection): FrameEntries {
  const found: FrameEntries = { entries: [], damagedEntries: 0, firstProblem: '' };
  const commons = new Map<number, CommonEntry | null>();
  const cursor = new DwarfCursor(section.bytes, 0, section.bytes.length);
  const note = (error: unknown): void => {
    if (!(error instanceof EverflameError)) throw error;
    found.damagedEntries++;
    if (found.firstProblem === '') found.firstProblem = error.message;
  };
  while (section.bytes.length - cursor.at >= 4) {
    cursor.end = section.bytes.length;
    try {
      const head = readHead(section, cursor);
      if (head === null) continue;
      const next = cursor.end;
      try {
        const entry = readEntry(section, cursor, head, commons);
        if (entry !== null) found.entries.push(entry);
      } catch (error) {
        note(error);
      }
      cursor.at = next;
    } catch (error) {
      note(error);
      break;
    }
  }
  return found;
}

interface Head {
  /** Where its common entry is; null of one that is one itself. */
  common: number | null;
}

/** Leaves the cursor behind the head, its end at that of the entry. Null at a terminator. */
function readHead({ bytes, kind }: FrameSection, cursor: DwarfCursor): Head | null {
  let length = cursor.u32();
  // Each file that was linked may have brought its own.
  if (length === 0) return null;
  const is64 = length === EXTENDED_LENGTH;
  if (is64) length = cursor.u64();
  if (length > bytes.length - cursor.at) {
    throw damaged(`a frame entry of ${length} bytes is not in its section`, cursor.at);
  }
  cursor.end = cursor.at + length;
  const at = cursor.at;
  if (kind === 'eh_frame') {
    const back = cursor.u32();
    return { common: back === 0 ? null : at - back };
  }
  const id = is64 ? cursor.u64() : cursor.u32();
  const isCommon = is64 ? id >= 2 ** 64 - 2 ** 12 : id === 0xffffffff;
  return { common: isCommon ? null : id };
}

function readEntry(
  section: FrameSection,
  cursor: DwarfCursor,
  head: Head,
  commons: Map<number, CommonEntry | null>,
): FrameEntry | null {
  if (head.common === null) return null;
  const common = commonAt(section, head.common, commons);
  if (common === null) throw damaged('the common entry of a frame is damaged', head.common);
  const { pointerEncoding } = common;
  const start = readPointer(section, cursor, pointerEncoding);
  // Of a length only the format counts.
  const length = readPointer(section, cursor, pointerEncoding & 0x0f);
  if (section.kind === 'eh_frame') cursor.skip(cursor.uleb());
  return {
    start,
    end: start + length,
    common,
    instructions: cursor.at,
    instructionsEnd: cursor.end,
  };
}

/** Each is read once, however many refer to it. */
function commonAt(
  section: FrameSection,
  at: number,
  commons: Map<number, CommonEntry | null>,
): CommonEntry | null {
  const known = commons.get(at);
  if (known !== undefined) return known;
  commons.set(at, null);
  if (at < 0 || at >= section.bytes.length) return null;
  const cursor = new DwarfCursor(section.bytes, at, section.bytes.length);
  const head = readHead(section, cursor);
  if (head === null || head.common !== null) return null;
  const common = readCommon(section, cursor);
  commons.set(at, common);
  return common;
}

function readCommon(section: FrameSection, cursor: DwarfCursor): CommonEntry {
  const { end } = cursor;
  const version = cursor.u8();
  if (version !== 1 && version !== 3 && version !== 4) {
    throw unsupported(`frames of version ${version}`, cursor.at);
  }
  const augmentation = readText(cursor);
  if (version === 4) {
    const [addressBytes, segmentBytes] = [cursor.u8(), cursor.u8()];
    if (addressBytes !== 8 || segmentBytes !== 0) {
      throw unsupported(`frames with addresses of ${addressBytes} bytes`, cursor.at);
    }
  }
  const codeAlign = cursor.uleb();
  const dataAlign = cursor.sleb();
  const returnRegister = version === 1 ? cursor.u8() : cursor.uleb();
  const common = { codeAlign, dataAlign, returnRegister, end, isSignal: false, instructions: 0 };
  const more = { pointerEncoding: Encoding.absolute as number };
  if (augmentation.startsWith('z')) {
    const length = cursor.uleb();
    const after = cursor.at + length;
    for (const letter of augmentation.slice(1)) {
      if (letter === 'R') more.pointerEncoding = cursor.u8();
      else if (letter === 'S') common.isSignal = true;
      else if (letter === 'P') readPointer(section, cursor, cursor.u8() & ~Encoding.indirect);
      else if (letter === 'L') cursor.u8();
      // B: return addresses are signed with a key, which the reader of the stack takes off.
      else if (letter !== 'B') throw unsupported(`frames with augmentation ${letter}`, cursor.at);
    }
    cursor.at = after;
  } else if (augmentation !== '') {
    throw unsupported(`frames with augmentation ${augmentation}`, cursor.at);
  }
  if (cursor.at > end) throw damaged('a common entry ends too early', cursor.at);
  return { ...common, ...more, instructions: cursor.at };
}

const MAX_AUGMENTATION_BYTES = 16;

function readText(cursor: DwarfCursor): string {
  const start = cursor.string();
  const end = Math.min(cursor.at - 1, start + MAX_AUGMENTATION_BYTES);
  return String.fromCharCode(...cursor.bytes.subarray(start, end));
}

/** Addresses above 2^53, which no program of ours has, are not exact. */
function readPointer(section: FrameSection, cursor: DwarfCursor, encoding: number): number {
  if (encoding === Encoding.omitted) return 0;
  const at = section.address + cursor.at;
  const value = readValue(cursor, encoding & 0x0f);
  const relativeTo = encoding & 0x70;
  if (relativeTo === Encoding.absolute) return value;
  if (relativeTo === Encoding.pcRelative) return at + value;
  throw unsupported(`pointers with encoding 0x${encoding.toString(16)}`, cursor.at);
}

function readValue(cursor: DwarfCursor, format: number): number {
  switch (format) {
    case 0:
    case 4:
      return cursor.u64();
    case 1:
      return cursor.uleb();
    case 2:
      return cursor.u16();
    case 3:
      return cursor.u32();
    case 9:
      return cursor.sleb();
    case 10:
      return (cursor.u16() << 16) >> 16;
    case 11:
      return cursor.u32() | 0;
    case 12:
      return signed64(cursor);
    default:
      throw unsupported(`pointers with format ${format}`, cursor.at);
  }
}

function signed64(cursor: DwarfCursor): number {
  const low = cursor.u32();
  return low + (cursor.u32() | 0) * 2 ** 32;
}
