/**
 * Where each location of a decoded profile is: which frames their writer named, of which kind they
 * are, and in which address space the unnamed ones lie. No address of a named frame and no address
 * without a file gets further than this, so nothing randomized ever enters an id.
 */
import {
  AddressSpace,
  ANON_MAPPING,
  BPF_MAPPING,
  FrameKind,
  JIT_MAPPING,
  unknownFrameName,
  unknownReason,
} from '../../profile/flame/frame.ts';
import { MAX_BUILD_ID_LENGTH } from '../../profile/limits.ts';
import { growTable, type PprofColumns } from '../../profile/pprof/columns.ts';

const encoder = new TextEncoder();
const NO_MAPPING = encoder.encode(unknownFrameName('no mapping'));
const NO_SYMBOL = encoder.encode(unknownFrameName('no symbol'));
const ANON = encoder.encode(ANON_MAPPING);

/** One row per location; text columns are rows of the profile's texts. */
export class LocationSites {
  count = 0;
  /** Lines `firstLine .. firstLine + lineCount` of the profile, each with a function. */
  firstLine = new Uint32Array(4096);
  lineCount = new Uint32Array(4096);
  binary = new Uint32Array(4096);
  buildId = new Uint32Array(4096);
  space = new Uint8Array(4096);
  kind = new Uint8Array(4096);
  /** Low and high halves interleaved. */
  address = new Int32Array(8192);
}

export interface MappingSite {
  file: number;
  buildId: number;
  kind: FrameKind;
  /** Whether its addresses are positions in a file that symbols can be found for. */
  isFile: boolean;
  /** File offset - start, added to an address of a profile that is not normalized. */
  bias: bigint;
}

/** Rows that are made only where a profile needs them. */
interface AddedRows {
  anon: number | null;
  unknownFunctions: Map<Uint8Array, number>;
}

/**
 * Fills `sites` for the profile in `columns`, adding texts, functions and lines of ours to it.
 * `normalized`: every address is one of its ELF file's address space.
 */
export function settleLocations(
  columns: PprofColumns,
  normalized: boolean,
  sites: LocationSites,
): void {
  const { locations, lines } = columns;
  while (sites.binary.length < locations.count) growSites(sites);
  sites.count = locations.count;
  const added: AddedRows = { anon: null, unknownFunctions: new Map() };
  const named = settleFunctions(columns);
  const mappings = mappingSites(columns, normalized);
  for (let i = 0; i < locations.count; i++) {
    const first = locations.lines[i] as number;
    const end = locations.lines[i + 1] as number;
    const row = locations.mapping[i] as number;
    const mapping = row < 0 ? null : (mappings[row] as MappingSite);
    sites.binary[i] = mapping?.file ?? 0;
    sites.buildId[i] = mapping?.buildId ?? 0;
    sites.space[i] = AddressSpace.none;
    sites.address[i * 2] = 0;
    sites.address[i * 2 + 1] = 0;
    sites.firstLine[i] = first;
    sites.lineCount[i] = end - first;
    const kept = countNamed(lines.function, first, end, named);
    if (kept > 0) {
      if (kept < end - first) keepNamedLines(columns, sites, i, named);
      const top = lines.function[sites.firstLine[i] as number] as number;
      sites.kind[i] =
        kept === 1 && isUnknown(columns, top)
          ? FrameKind.unknown
          : (mapping?.kind ?? FrameKind.native);
    } else if (mapping?.isFile) {
      settleAddress(columns, sites, i, mapping, normalized);
    } else {
      settleUnknown(columns, sites, i, mapping, added);
    }
  }
}

function growSites(sites: LocationSites): void {
  const { count, ...table } = sites;
  growTable(table);
  Object.assign(sites, table, { count });
}

/** Gives a function with one name both; returns 1 for each function that has a name. */
function settleFunctions(columns: PprofColumns): Uint8Array {
  const { functions, texts } = columns;
  const named = new Uint8Array(functions.count);
  for (let i = 0; i < functions.count; i++) {
    const name = functions.name[i] as number;
    const systemName = functions.systemName[i] as number;
    if (texts.length[systemName] === 0) functions.systemName[i] = name;
    else if (texts.length[name] === 0) functions.name[i] = systemName;
    named[i] = texts.length[functions.name[i] as number] === 0 ? 0 : 1;
  }
  return named;
}

function countNamed(
  lineFunction: Int32Array,
  first: number,
  end: number,
  named: Uint8Array,
): number {
  let count = 0;
  for (let i = first; i < end; i++) count += named[lineFunction[i] as number] ?? 0;
  return count;
}

/** Copies the lines that have a name behind all others, because some of the location's do not. */
function keepNamedLines(
  columns: PprofColumns,
  sites: LocationSites,
  location: number,
  named: Uint8Array,
): void {
  const { lines } = columns;
  const first = sites.firstLine[location] as number;
  const end = first + (sites.lineCount[location] as number);
  sites.firstLine[location] = lines.count;
  for (let i = first; i < end; i++) {
    const row = lines.function[i] as number;
    if (named[row] !== 1) continue;
    appendLine(columns, row, lines.line[i] as number, lines.column[i] as number);
  }
  sites.lineCount[location] = lines.count - (sites.firstLine[location] as number);
}

function appendLine(columns: PprofColumns, row: number, line: number, column: number): void {
  const { lines } = columns;
  if (lines.count === lines.function.length) growTable(lines);
  lines.function[lines.count] = row;
  lines.line[lines.count] = line;
  lines.column[lines.count] = column;
  lines.count++;
}

const OPENING_BRACKET = 0x5b;

function isUnknown(columns: PprofColumns, row: number): boolean {
  const name = columns.functions.name[row] as number;
  // Nearly every name fails here, without being decoded.
  if (columns.bytes[columns.texts.start[name] as number] !== OPENING_BRACKET) return false;
  return unknownReason(columns.textAt(name)) !== null;
}

/** What each mapping says of its locations. May add texts, for build ids with capitals. */
export function mappingSites(columns: PprofColumns, normalized: boolean): MappingSite[] {
  const { mappings, texts } = columns;
  const lowered = lowerBuildIds(columns);
  const sites: MappingSite[] = [];
  for (let i = 0; i < mappings.count; i++) {
    const file = mappings.file[i] as number;
    // Only names that no path has are read: most mappings have a path.
    const isSpecial = columns.bytes[texts.start[file] as number] === BRACKET;
    const special = isSpecial ? columns.textAt(file) : '';
    const given = mappings.buildId[i] as number;
    const buildId = lowered.get(given) ?? given;
    const hasBuildId = columns.texts.length[buildId] !== 0;
    const bias = wordsToBigint(mappings.offset, i) - wordsToBigint(mappings.start, i);
    sites.push({
      file,
      buildId,
      kind: mappingKind(special),
      isFile: hasBuildId || (texts.length[file] !== 0 && !isSpecial),
      bias: normalized ? 0n : bias,
    });
  }
  return sites;
}

/** Rows of hexadecimal ids with capitals, and those of the same in lower case: a file has one. */
function lowerBuildIds(columns: PprofColumns): ReadonlyMap<number, number> {
  const { mappings, texts } = columns;
  const lowered = new Map<number, Uint8Array>();
  for (let i = 0; i < mappings.count; i++) {
    const row = mappings.buildId[i] as number;
    if ((texts.length[row] as number) > MAX_BUILD_ID_LENGTH || lowered.has(row)) continue;
    if (!hasCapital(columns, row)) continue;
    const text = columns.textAt(row);
    if (/^[0-9a-f]*[A-F][0-9a-fA-F]*$/.test(text)) {
      lowered.set(row, encoder.encode(text.toLowerCase()));
    }
  }
  if (lowered.size === 0) return NONE_LOWERED;
  const first = columns.appendTexts([...lowered.values()]);
  return new Map([...lowered.keys()].map((row, at) => [row, first + at]));
}

/** Asked of the bytes: an agent sends dozens of mappings, and few writers use capitals. */
function hasCapital({ bytes, texts }: PprofColumns, row: number): boolean {
  const start = texts.start[row] as number;
  const end = start + (texts.length[row] as number);
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte >= CAPITAL_A && byte <= CAPITAL_F) return true;
  }
  return false;
}

const BRACKET = 0x5b;
const CAPITAL_A = 0x41;
const CAPITAL_F = 0x46;

const NONE_LOWERED: ReadonlyMap<number, number> = new Map();

/** Other writers call the kernel `[kernel.kallsyms]`, and ours each module `[kernel:MODULE]`. */
function mappingKind(file: string): FrameKind {
  if (file.startsWith('[kernel') || file === BPF_MAPPING) return FrameKind.kernel;
  return file === JIT_MAPPING ? FrameKind.jit : FrameKind.native;
}

function settleAddress(
  columns: PprofColumns,
  sites: LocationSites,
  location: number,
  mapping: MappingSite,
  normalized: boolean,
): void {
  const address = wordsToBigint(columns.locations.address, location) + mapping.bias;
  sites.lineCount[location] = 0;
  sites.kind[location] = mapping.kind;
  sites.space[location] = normalized ? AddressSpace.elf : AddressSpace.file;
  sites.address[location * 2] = Number(BigInt.asIntN(32, address));
  sites.address[location * 2 + 1] = Number(BigInt.asIntN(32, address >> 32n));
}

function wordsToBigint(column: Int32Array, row: number): bigint {
  const low = (column[row * 2] as number) >>> 0;
  const high = (column[row * 2 + 1] as number) >>> 0;
  return (BigInt(high) << 32n) | BigInt(low);
}

/** An address that nobody can name: its reason takes the place of a function. */
function settleUnknown(
  columns: PprofColumns,
  sites: LocationSites,
  location: number,
  mapping: MappingSite | null,
  added: AddedRows,
): void {
  const reason = mapping !== null && mapping.file !== 0 ? NO_SYMBOL : NO_MAPPING;
  if (reason === NO_MAPPING) {
    added.anon ??= columns.appendText(ANON);
    sites.binary[location] = added.anon;
  }
  let row = added.unknownFunctions.get(reason);
  if (row === undefined) {
    row = appendFunction(columns, columns.appendText(reason));
    added.unknownFunctions.set(reason, row);
  }
  sites.firstLine[location] = columns.lines.count;
  sites.lineCount[location] = 1;
  sites.kind[location] = FrameKind.unknown;
  appendLine(columns, row, 0, 0);
}

function appendFunction(columns: PprofColumns, name: number): number {
  const { functions } = columns;
  if (functions.count === functions.id.length) growTable(functions);
  const row = functions.count++;
  functions.id[row] = 0;
  functions.name[row] = name;
  functions.systemName[row] = name;
  functions.file[row] = 0;
  functions.startLine[row] = 0;
  return row;
}
