/** Breaks a file where it hurts: the fields that fuzz-debuginfo-places.ts found. */
import {
  type FilePlaces,
  type Place,
  type PlacedSection,
  SHF_COMPRESSED,
  SHF_EXEC,
} from './fuzz-debuginfo-fields.ts';
import { oneOf, type Random } from './fuzz-debuginfo-random.ts';
import { makeStorm } from './fuzz-debuginfo-storm.ts';

export interface PlacedFile {
  bytes: Buffer;
  places: FilePlaces;
  /** Keys of `places.fields` that have any. */
  kinds: readonly string[];
}

export interface Mutant {
  bytes: Buffer;
  /** Names of the sections whose bytes differ; '' = bytes outside of sections. */
  touched: Set<string>;
  /** Stretches of the file that hold all bytes that differ; null = they may be anywhere. */
  stretches: Stretch[] | null;
}

export interface Stretch {
  start: number;
  end: number;
}

/** Values at which counts, sizes and offsets go wrong. */
const FORGED = [
  0n,
  1n,
  2n,
  3n,
  0x7fn,
  0x80n,
  0xffn,
  0xffffn,
  0x10000n,
  0x7fffffffn,
  0x80000000n,
  0xfffffff0n,
  0xffffffffn,
  0x100000000n,
  0x1fffffffffffffn,
  0x7fffffffffffffffn,
  0xffffffffffffffffn,
];
/** DW_TAG_*: scopes, units, imports. */
const TAGS = [0x03, 0x0b, 0x11, 0x13, 0x1d, 0x2e, 0x34, 0x39, 0x3c, 0x3d, 0x41, 0x4a];
const ATTRIBUTES = [
  0x01, 0x03, 0x10, 0x11, 0x12, 0x18, 0x31, 0x47, 0x49, 0x55, 0x58, 0x59, 0x6e, 0x72,
];
const FORMS = [...Array.from({ length: 0x2d }, (_, form) => form), 0x16, 0x16];
const REFERENCE = /reference|origin|specification|sibling|import/;
/** Written of a field: the longest are LEB128 numbers that do not end. */
const MAX_FIELD_BYTES = 20;
const MAX_GROWN_BYTES = 65_536;

export function mutate(file: PlacedFile, others: readonly PlacedFile[], random: Random): Mutant {
  const mutant: Mutant = { bytes: Buffer.from(file.bytes), touched: new Set(), stretches: [] };
  const times = 1 + (random(2) === 0 ? 0 : random(4));
  for (let i = 0; i < times; i++) mutateOnce(mutant, file, others, random);
  if (random(30) === 0) {
    mutant.bytes = mutant.bytes.subarray(0, random(mutant.bytes.length + 1));
    mutant.touched.add('');
    mutant.stretches = null;
  }
  return mutant;
}

function mutateOnce(
  mutant: Mutant,
  file: PlacedFile,
  others: readonly PlacedFile[],
  random: Random,
): void {
  const kind = random(100);
  if (kind < 76) forgeField(mutant, file, random);
  else if (kind < 88) flipAnywhere(mutant, file, random);
  else if (kind < 93) splice(mutant, file, oneOf(random, others), random);
  else if (kind < 96) grow(mutant, file, random);
  else storm(mutant, file, random);
}

function forgeField(mutant: Mutant, file: PlacedFile, random: Random): void {
  const kind = oneOf(random, file.kinds);
  const list = file.places.fields.get(kind) as Place[];
  const place = oneOf(random, list);
  const length = place.isLeb ? MAX_FIELD_BYTES : place.length;
  touch(mutant, file, place, place.offset + length);
  if (random(4) === 0) flip(mutant.bytes, place.offset + random(place.length), random);
  else if (place.isLeb && random(2) === 0) forgeLeb(mutant.bytes, place, kind, random);
  else write(mutant.bytes, place, forgedValue(mutant.bytes, file, kind, list, random));
}

/** A number that does not end reaches into the sections behind its own. */
function touch(mutant: Mutant, file: PlacedFile, place: Place, end: number): void {
  mutant.touched.add(place.section);
  for (const { name, offset, size } of file.places.sections) {
    if (offset < end && place.offset < offset + size) mutant.touched.add(name);
  }
  mutant.stretches?.push({ start: place.offset, end });
}

function forgedValue(
  bytes: Buffer,
  file: PlacedFile,
  kind: string,
  list: readonly Place[],
  random: Random,
): bigint {
  const { entries, units, sections } = file.places;
  const choice = random(5);
  if (REFERENCE.test(kind) && entries.length > 0 && choice < 3) {
    const target = oneOf(random, entries) - (random(2) === 0 ? 0 : oneOf(random, units));
    return BigInt(Math.max(0, target));
  }
  if (choice === 0) return BigInt(bytes.length - 16 + random(32));
  if (choice === 1 && sections.length > 0) {
    const { size, offset, address } = oneOf(random, sections);
    return BigInt(Math.max(0, oneOf(random, [size, offset, address]) - 4 + random(8)));
  }
  if (choice === 2) {
    const other = oneOf(random, list);
    return readAt(bytes, other) + BigInt(random(2) === 0 ? 0 : random(16));
  }
  return oneOf(random, FORGED);
}

/** Too long, too large, or another word of the vocabulary. */
function forgeLeb(bytes: Buffer, place: Place, kind: string, random: Random): void {
  const words = kind.endsWith('tag') ? TAGS : kind.endsWith('attribute') ? ATTRIBUTES : FORMS;
  const choice = random(4);
  if (choice < 2 && kind.startsWith('abbreviation')) {
    if (place.offset < bytes.length) bytes.writeUInt8(oneOf(random, words), place.offset);
    return;
  }
  const length = choice === 3 ? 1 + random(20) : place.length;
  const fill = random(2) === 0 ? 0x80 : 0xff;
  const end = Math.min(bytes.length, place.offset + length);
  if (place.offset < end) bytes.fill(fill, place.offset, end);
}

function readAt(bytes: Buffer, { offset, length }: Place): bigint {
  let value = 0n;
  for (let i = Math.min(length, 8) - 1; i >= 0; i--)
    value = value * 256n + BigInt(bytes[offset + i] ?? 0);
  return value;
}

function write(bytes: Buffer, { offset, length }: Place, value: bigint): void {
  let rest = value;
  for (let i = 0; i < Math.min(length, 8) && offset + i < bytes.length; i++) {
    bytes.writeUInt8(Number(rest & 0xffn), offset + i);
    rest >>= 8n;
  }
}

function flip(bytes: Buffer, at: number, random: Random): void {
  if (at < bytes.length) bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random(8)), at);
}

/** In any section, or, rarely, anywhere in the file. */
function flipAnywhere(mutant: Mutant, file: PlacedFile, random: Random): void {
  const sections = file.places.sections.filter(({ size }) => size > 0);
  if (sections.length === 0 || random(8) === 0) {
    flip(mutant.bytes, random(file.bytes.length), random);
    for (const { name } of sections) mutant.touched.add(name);
    mutant.touched.add('');
    mutant.stretches = null;
    return;
  }
  const { name, offset, size } = oneOf(random, sections);
  mutant.touched.add(name);
  const at = offset + random(size);
  mutant.stretches?.push({ start: at, end: at + 1 });
  flip(mutant.bytes, at, random);
}

/** A section of another file in place of the one with its name. */
function splice(mutant: Mutant, file: PlacedFile, other: PlacedFile, random: Random): void {
  const own = oneOf(random, file.places.sections.length > 0 ? file.places.sections : [null]);
  if (own === null) return;
  const found = other.places.sections.find(({ name }) => name === own.name);
  if (found === undefined) return;
  const content = other.bytes.subarray(found.offset, found.offset + found.size);
  replace(mutant, file, own, content, (found.flags & SHF_COMPRESSED) !== 0);
}

/** A section many times over, or cut. */
function grow(mutant: Mutant, file: PlacedFile, random: Random): void {
  const debug = file.places.sections.filter(({ name, size }) => size > 0 && /debug/.test(name));
  if (debug.length === 0) return;
  const section = oneOf(random, debug);
  const content = file.bytes.subarray(section.offset, section.offset + section.size);
  const times = Math.ceil(random(MAX_GROWN_BYTES) / content.length);
  const bytes =
    random(4) === 0
      ? content.subarray(0, random(content.length))
      : Buffer.concat(Array.from({ length: times }, () => content));
  replace(mutant, file, section, bytes, (section.flags & SHF_COMPRESSED) !== 0);
}

function storm(mutant: Mutant, file: PlacedFile, random: Random): void {
  const { sections } = file.places;
  const code = sections.find(({ name, flags }) => name === '.text' && (flags & SHF_EXEC) !== 0);
  const info = sections.find(({ name }) => name === '.debug_info');
  const abbrev = sections.find(({ name }) => name === '.debug_abbrev');
  if (info === undefined || abbrev === undefined) return;
  const { address = 0x401000, size = 4096 } = code ?? {};
  const made = makeStorm(random, { start: address, size: size || 4096 });
  replace(mutant, file, info, made.info, false);
  replace(mutant, file, abbrev, made.abbrev, false);
  for (const name of ['.debug_ranges', '.debug_rnglists']) {
    const ranges = sections.find((section) => section.name === name);
    if (ranges !== undefined) replace(mutant, file, ranges, made.ranges, false);
  }
}

/** Puts new content at the end and points the section's header there. */
function replace(
  mutant: Mutant,
  file: PlacedFile,
  section: PlacedSection,
  content: Buffer,
  isCompressed: boolean,
): void {
  const { is64 } = file.places;
  const inArchive = file.places.fields.has('ar.header');
  if (inArchive || section.header + 64 > mutant.bytes.length) return;
  const offset = mutant.bytes.length;
  mutant.bytes = Buffer.concat([mutant.bytes, content]);
  const word = is64 ? 8 : 4;
  const { header, flags } = section;
  const newFlags = isCompressed ? flags | SHF_COMPRESSED : flags & ~SHF_COMPRESSED;
  const put = (at: number, value: number) =>
    write(mutant.bytes, { offset: at, length: word, section: '', isLeb: false }, BigInt(value));
  put(header + 8, newFlags);
  put(header + 8 + 2 * word, offset);
  put(header + 8 + 3 * word, content.length);
  mutant.touched.add(section.name);
  mutant.stretches = null;
}
