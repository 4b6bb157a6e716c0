/** The binaries of an answer as rows: which are shown, in which order, in which words. Pure. */
import type { DebuginfoJson, DebuginfoRowJson, SymbolQualityName } from '../../wire/http.ts';
import { wordsOfReason } from '../parts/reason-words.ts';
import type { BinaryFilter, BinarySort, BinaryState, SymbolsState } from '../url-state.ts';

export interface BinaryRow extends DebuginfoRowJson {
  /** The build id; of a binary without one, its name after a word that is none. */
  key: string;
  /** Weight of frames without names, all reasons together. */
  unnamed: number;
  /** Of all files that the server keeps for it; those of --debuginfo-path it only finds. */
  sizeBytes: number;
}

export function readRows(answer: DebuginfoJson): BinaryRow[] {
  return answer.debuginfo.map((row) => ({
    ...row,
    key: row.build_id || `file ${row.file}`,
    unnamed: Object.values(row.unsymbolized).reduce((sum, weight) => sum + weight, 0),
    sizeBytes: row.sources
      .filter(({ origin }) => origin !== 'local')
      .reduce((sum, source) => sum + source.size_bytes, row.symbol_file_bytes),
  }));
}

/** From best to worst; the level is how many of the three marks are full. */
export const QUALITIES: Record<SymbolQualityName, { level: number; title: string; short: string }> =
  {
    lines: { level: 3, title: 'Lines and inlined calls', short: 'Lines, inlines' },
    symbols: { level: 2, title: 'Names of all functions', short: 'Functions' },
    exported: { level: 1, title: 'Names of exported functions only', short: 'Exported only' },
    none: { level: 0, title: 'No names', short: 'None' },
  };

export const STATES: Record<BinaryState, string> = {
  ready: 'Ready',
  converting: 'Converting',
  receiving: 'Receiving',
  failed: 'Failed',
  absent: 'Not here',
};

/** What wants a look comes first. */
const STATE_RANK: Record<BinaryState, number> = {
  failed: 4,
  absent: 3,
  receiving: 2,
  converting: 1,
  ready: 0,
};

const SORT_VALUE: Record<Exclude<BinarySort, 'file'>, (row: BinaryRow) => number> = {
  unnamed: (row) => row.unnamed,
  self: (row) => row.self,
  total: (row) => row.total,
  quality: (row) => QUALITIES[row.quality].level,
  state: (row) => STATE_RANK[row.state],
  size: (row) => row.sizeBytes,
  functions: (row) => row.functions,
};

/** Numbers fall, names rise; equals stand by their own weight, then by name. */
export function sortRows(rows: readonly BinaryRow[], sort: BinarySort): BinaryRow[] {
  const byFile = (a: BinaryRow, b: BinaryRow) => compare(a.file, b.file) || compare(a.key, b.key);
  if (sort === 'file') return [...rows].sort(byFile);
  const value = SORT_VALUE[sort];
  return [...rows].sort((a, b) => value(b) - value(a) || b.self - a.self || byFile(a, b));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Where labels narrow the profiles, what they do not name is listed only if that is asked for. */
export function listedRows(
  rows: readonly BinaryRow[],
  narrowed: boolean,
  filter: BinaryFilter,
): readonly BinaryRow[] {
  return narrowed && filter !== 'known' ? rows.filter(({ total }) => total > 0) : rows;
}

export function passes(row: BinaryRow, filter: BinaryFilter): boolean {
  if (filter === '' || filter === 'known') return true;
  return filter === 'unnamed' ? row.unnamed > 0 : row.state === filter;
}

/** Rows that all of the page's filters let through. The search looks at every text of a row. */
export function filterRows(
  rows: readonly BinaryRow[],
  { find, filter, reason }: Pick<SymbolsState, 'find' | 'filter' | 'reason'>,
): BinaryRow[] {
  const wanted = find.trim().toLowerCase();
  return rows.filter(
    (row) =>
      passes(row, filter) &&
      (reason === '' || (row.unsymbolized[reason] ?? 0) > 0) &&
      (wanted === '' || textOf(row).includes(wanted)),
  );
}

function textOf(row: BinaryRow): string {
  const sources = row.sources.map(({ origin, file, from }) => `${origin} ${file} ${from}`);
  return [row.file, row.build_id, row.problem, ...sources].join('\n').toLowerCase();
}

/** How many binaries a choice of the filter would show. */
export function countBy(rows: readonly BinaryRow[], filter: BinaryFilter): number {
  return rows.reduce((count, row) => count + Number(passes(row, filter)), 0);
}

/** Weight without a name by reason over all binaries, the heaviest first. */
export function sumReasons(rows: readonly BinaryRow[]): [reason: string, weight: number][] {
  const sums = new Map<string, number>();
  for (const row of rows) {
    for (const [reason, weight] of Object.entries(row.unsymbolized)) {
      if (weight > 0) sums.set(reason, (sums.get(reason) ?? 0) + weight);
    }
  }
  return [...sums].sort((a, b) => b[1] - a[1]);
}

const ORIGINS = { upload: 'Upload', local: 'Local path', debuginfod: 'debuginfod' } as const;
const KINDS = {
  executable: 'Binary',
  debuginfo: 'Debug file',
  split: 'Split DWARF',
  supplementary: 'Supplementary file',
} as const;

export function describeSource({ kind, origin }: DebuginfoRowJson['sources'][number]) {
  return { kind: KINDS[kind], origin: ORIGINS[origin] };
}

/** Where a binary's symbols are from, in a word or two. */
export function originsOf({ sources }: BinaryRow): string {
  return [...new Set(sources.map(({ origin }) => ORIGINS[origin]))].join(', ');
}

/** Why frames of this binary have no names, the heaviest reason first. */
export function reasonsOf(row: BinaryRow) {
  return Object.entries(row.unsymbolized)
    .filter(([, weight]) => weight > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([reason, weight]) => ({ reason, weight, ...wordsOfReason(reason) }));
}

/** Digits of a build id that stand for a name. */
const NAME_DIGITS = 20;

/** What a row is called: a binary that nobody named has the beginning of its build id. */
export function nameOf({ file, build_id: id }: Pick<BinaryRow, 'file' | 'build_id'>): string {
  if (file !== '') return file;
  return id.length > NAME_DIGITS ? `${id.slice(0, NAME_DIGITS)}…` : id;
}

/** Who could send its symbols, from what; `none` where no file can be told to be its own. */
export function sendableAs({
  build_id: id,
}: Pick<BinaryRow, 'build_id'>): 'any' | 'exact' | 'none' {
  if (id === '') return 'none';
  return id.startsWith('htl:') ? 'exact' : 'any';
}

/** Enough of a build id to tell it from the others on a page. */
export function shortBuildId(buildId: string): string {
  return buildId.replace(/^(go|htl):/, '').slice(0, 10);
}

/** Whether the server is at work on any of them: the page then asks more often. */
export function isBusy(answer: DebuginfoJson | undefined): boolean {
  return (
    answer?.debuginfo.some(({ state }) => state === 'converting' || state === 'receiving') ?? false
  );
}
