/**
 * Blocks: rows that left the database file, as Parquet that never changes. The catalogue (table
 * `blocks`) names a block's files; a file that no row of it names does not count.
 */
import type { TimeRange } from '../../../profile/units.ts';

export const ROW_TABLES = ['samples', 'profiles', 'windows'] as const;
export const DICTIONARY_TABLES = ['strings', 'functions', 'locations', 'stacks'] as const;
export type RowTable = (typeof ROW_TABLES)[number];
export type DictionaryTable = (typeof DICTIONARY_TABLES)[number];
/** Made from a block's samples (sums.ts) and profiles (spans.ts), which say the same. */
export const DERIVED_TABLES = ['rollup', 'totals', 'spans'] as const;
export type DerivedTable = (typeof DERIVED_TABLES)[number];
export type FileTable = RowTable | DerivedTable | DictionaryTable;

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;

export const BLOCKS_FOLDER = 'blocks';
export const DICTIONARIES_FOLDER = 'dictionaries';
/** Where files go that are damaged; nothing is ever deleted there. */
export const SET_ASIDE_FOLDER = 'set-aside';

export interface BlockFile {
  /** `blocks/000000000012.samples.parquet`, relative to the data directory. */
  name: string;
  rows: number;
  bytes: number;
  sha256: string;
  /** Of a dictionary's rows: the first id, and the one after the last. */
  ids?: [first: number, end: number];
  /** True where a dictionary's or a derived file is damaged; the block's other files are read. */
  lost?: boolean;
}

export interface Block {
  id: number;
  kind: 'rows' | 'dictionary';
  /** How often rows were merged to get here; 0 as sealed. */
  level: number;
  /** Times of its samples, profiles and windows; `toMs` is exclusive. Both 0 in dictionaries. */
  fromMs: number;
  toMs: number;
  sealedMs: number;
  samples: number;
  profiles: number;
  windows: number;
  files: BlockFile[];
  /** Why it is left out, or, of a dictionary, why files are lost; empty where nothing is wrong. */
  damaged: string;
}

export function blockFileName(id: number, table: FileTable): string {
  const folder = isDictionaryTable(table) ? DICTIONARIES_FOLDER : BLOCKS_FOLDER;
  return `${folder}/${String(id).padStart(12, '0')}.${table}.parquet`;
}

/** A part of a file that is being written. */
export function partFileName(id: number, table: FileTable, part: number): string {
  return `${blockFileName(id, table)}.${part}`;
}

function isDictionaryTable(table: string): table is DictionaryTable {
  return (DICTIONARY_TABLES as readonly string[]).includes(table);
}

/** The block's file of one table, if it has rows of it. */
export function fileOf(block: Block, table: FileTable): BlockFile | undefined {
  return block.files.find(({ name }) => name.endsWith(`.${table}.parquet`));
}

/** The block's derived file, if it has one that can be read. */
export function derivedOf(block: Block, table: DerivedTable): BlockFile | undefined {
  const file = fileOf(block, table);
  return file?.lost === true ? undefined : file;
}

export function isDerived({ name }: BlockFile): boolean {
  return DERIVED_TABLES.some((table) => name.endsWith(`.${table}.parquet`));
}

export function blockBytes({ files }: Block): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

export function meets({ fromMs, toMs }: Block, range: TimeRange): boolean {
  return fromMs < range.to && toMs > range.from;
}
