/**
 * The URL is the state of a page: everything that makes two people see the same is in it, defaults
 * left out. `v` is the version of this layout; a link from a newer version is not guessed at.
 */
import type { ChangeKind, DiffMode } from '../profile/flame/diff.ts';
import type { DebuginfoRowJson } from '../wire/http.ts';
import { DEFAULT_RANGE, type Range, type RangeText, resolveTime } from './time.ts';

export const URL_VERSION = 1;
/** A page in a URL stays below what servers and mail programs pass on. */
const MAX_URL_TEXT = 4096;

export type PageName = 'explore' | 'compare' | 'debuginfo';
export type PaneName = 'table' | 'graph' | 'labels';
export type FunctionSort = 'self' | 'total' | 'name';
export type ChangeFilter = '' | ChangeKind;
/** How a function's name is shown; empty for the way this browser showed it last. */
export type NamesChoice = '' | 'short' | 'full' | 'raw';
export type BinaryState = DebuginfoRowJson['state'];
/** Which binaries are listed: all, those with frames without names, those in one state. */
export type BinaryFilter = '' | 'known' | 'unnamed' | BinaryState;
export type BinarySort = (typeof BINARY_SORTS)[number];
export type BinaryColumn = (typeof BINARY_COLUMNS)[number];

export interface ExploreState {
  /** A selector; empty for the default type and all series. */
  query: string;
  range: RangeText;
  /** The part of the range that the graph and the tables are about; null for all of it. */
  brush: Range | null;
  /** The label that the labels panel groups by. */
  by: string;
  paused: boolean;
  find: string;
  /** Only this binary's frames are strong. */
  binary: string;
  /** flame-keys.ts paths. */
  zoom: string;
  select: string;
  sort: FunctionSort;
  names: NamesChoice;
  /** A frame per line of a function, not one for all of it. */
  lines: boolean;
  /** Which pane a phone shows. */
  pane: PaneName;
}

export interface CompareSide {
  query: string;
  range: RangeText;
}

export interface CompareState {
  a: CompareSide;
  b: CompareSide;
  mode: DiffMode;
  find: string;
  change: ChangeFilter;
  zoom: string;
  select: string;
  names: NamesChoice;
  /** A frame per line of a function, not one for all of it. */
  lines: boolean;
  pane: PaneName;
}

/** The page of binaries and their symbols. */
export interface SymbolsState {
  query: string;
  range: RangeText;
  paused: boolean;
  find: string;
  filter: BinaryFilter;
  /** Only binaries with frames that have no name for this reason. */
  reason: string;
  sort: BinarySort;
  /** Columns that are not shown. */
  hidden: readonly BinaryColumn[];
  /** Build id of the binary whose details are shown; of one without, the key of its row. */
  select: string;
}

export type ReadResult<State> =
  | { kind: 'state'; state: State }
  | { kind: 'unknown-version'; version: string };

export const DEFAULT_EXPLORE: ExploreState = {
  query: '',
  range: DEFAULT_RANGE,
  brush: null,
  by: 'service_name',
  paused: false,
  find: '',
  binary: '',
  zoom: '',
  select: '',
  sort: 'self',
  names: '',
  lines: false,
  pane: 'table',
};

/** The previous hour against the last one. */
export const DEFAULT_COMPARE: CompareState = {
  a: { query: '', range: { from: 'now-2h', to: 'now-1h' } },
  b: { query: '', range: DEFAULT_RANGE },
  mode: 'share',
  find: '',
  change: '',
  zoom: '',
  select: '',
  names: '',
  lines: false,
  pane: 'table',
};

/** What weighs most without names comes first. */
export const DEFAULT_SYMBOLS: SymbolsState = {
  query: '',
  range: DEFAULT_RANGE,
  paused: false,
  find: '',
  filter: '',
  reason: '',
  sort: 'unnamed',
  hidden: [],
  select: '',
};

const SORTS: readonly FunctionSort[] = ['self', 'total', 'name'];
const PANES: readonly PaneName[] = ['table', 'graph', 'labels'];
const MODES: readonly DiffMode[] = ['share', 'absolute', 'rate'];
const NAMES: readonly NamesChoice[] = ['short', 'full', 'raw'];
const BINARY_FILTERS: readonly BinaryFilter[] = [
  'known',
  'unnamed',
  'ready',
  'converting',
  'receiving',
  'failed',
  'absent',
];
const BINARY_SORTS = [
  'unnamed',
  'self',
  'total',
  'file',
  'quality',
  'state',
  'size',
  'functions',
] as const;
/** Those that can be hidden; a binary's name and its weight without names always stand there. */
export const BINARY_COLUMNS = [
  'build-id',
  'quality',
  'state',
  'source',
  'size',
  'functions',
  'total',
  'self',
] as const;
const CHANGES: readonly ChangeFilter[] = ['grew', 'shrank', 'new', 'gone', 'same'];

function oneOf<T extends string>(allowed: readonly T[], text: string | null, fallback: T): T {
  return allowed.find((value) => value === text) ?? fallback;
}

function textOf(params: URLSearchParams, name: string, fallback = ''): string {
  return (params.get(name) ?? fallback).slice(0, MAX_URL_TEXT);
}

function rangeOf(params: URLSearchParams, suffix: string, fallback: RangeText): RangeText {
  const range = {
    from: params.get(`from${suffix}`) ?? fallback.from,
    to: params.get(`to${suffix}`) ?? fallback.to,
  };
  // Any moment will do to see whether the texts can be read.
  const any = Date.UTC(2026, 0);
  const readable = resolveTime(range.from, any) !== null && resolveTime(range.to, any) !== null;
  return readable ? range : fallback;
}

function brushOf(text: string | null): Range | null {
  const found = /^(\d{10,15})-(\d{10,15})$/.exec(text ?? '');
  if (!found) return null;
  const [fromMs, toMs] = [Number(found[1]), Number(found[2])];
  return fromMs < toMs ? { fromMs, toMs } : null;
}

function unknownVersion(params: URLSearchParams): string | null {
  const version = params.get('v') ?? String(URL_VERSION);
  return version === String(URL_VERSION) ? null : version;
}

export function readExplore(params: URLSearchParams): ReadResult<ExploreState> {
  const version = unknownVersion(params);
  if (version !== null) return { kind: 'unknown-version', version };
  const state: ExploreState = {
    query: textOf(params, 'query'),
    range: rangeOf(params, '', DEFAULT_EXPLORE.range),
    brush: brushOf(params.get('sel')),
    by: textOf(params, 'by', DEFAULT_EXPLORE.by),
    paused: params.get('live') === '0',
    find: textOf(params, 'find'),
    binary: textOf(params, 'binary'),
    zoom: textOf(params, 'zoom'),
    select: textOf(params, 'select'),
    sort: oneOf(SORTS, params.get('sort'), DEFAULT_EXPLORE.sort),
    names: oneOf(NAMES, params.get('names'), ''),
    lines: params.get('lines') === '1',
    pane: oneOf(PANES, params.get('pane'), DEFAULT_EXPLORE.pane),
  };
  return { kind: 'state', state };
}

export function readCompare(params: URLSearchParams): ReadResult<CompareState> {
  const version = unknownVersion(params);
  if (version !== null) return { kind: 'unknown-version', version };
  const side = (suffix: '_a' | '_b', fallback: CompareSide): CompareSide => ({
    query: textOf(params, `query${suffix}`),
    range: rangeOf(params, suffix, fallback.range),
  });
  const state: CompareState = {
    a: side('_a', DEFAULT_COMPARE.a),
    b: side('_b', DEFAULT_COMPARE.b),
    mode: oneOf(MODES, params.get('mode'), DEFAULT_COMPARE.mode),
    find: textOf(params, 'find'),
    change: oneOf(CHANGES, params.get('change'), ''),
    zoom: textOf(params, 'zoom'),
    select: textOf(params, 'select'),
    names: oneOf(NAMES, params.get('names'), ''),
    lines: params.get('lines') === '1',
    pane: oneOf(PANES, params.get('pane'), DEFAULT_COMPARE.pane),
  };
  return { kind: 'state', state };
}

export function readSymbols(params: URLSearchParams): ReadResult<SymbolsState> {
  const version = unknownVersion(params);
  if (version !== null) return { kind: 'unknown-version', version };
  const hidden = textOf(params, 'hide').split(',');
  const state: SymbolsState = {
    query: textOf(params, 'query'),
    range: rangeOf(params, '', DEFAULT_SYMBOLS.range),
    paused: params.get('live') === '0',
    find: textOf(params, 'find'),
    filter: oneOf(BINARY_FILTERS, params.get('filter'), ''),
    reason: textOf(params, 'reason'),
    sort: oneOf(BINARY_SORTS, params.get('sort'), DEFAULT_SYMBOLS.sort),
    hidden: BINARY_COLUMNS.filter((column) => hidden.includes(column)),
    select: textOf(params, 'select'),
  };
  return { kind: 'state', state };
}

/** Sets what differs from the default, so that a plain page has a plain URL. */
function writer() {
  const params = new URLSearchParams({ v: String(URL_VERSION) });
  const set = (name: string, value: string, fallback = '') => {
    if (value !== fallback) params.set(name, value);
  };
  const setRange = (suffix: string, range: RangeText, fallback: RangeText) => {
    if (range.from === fallback.from && range.to === fallback.to) return;
    params.set(`from${suffix}`, range.from);
    params.set(`to${suffix}`, range.to);
  };
  return { params, set, setRange };
}

export function writeExplore(state: ExploreState): URLSearchParams {
  const { params, set, setRange } = writer();
  set('query', state.query);
  setRange('', state.range, DEFAULT_EXPLORE.range);
  if (state.brush) params.set('sel', `${state.brush.fromMs}-${state.brush.toMs}`);
  set('by', state.by, DEFAULT_EXPLORE.by);
  if (state.paused) params.set('live', '0');
  set('find', state.find);
  set('binary', state.binary);
  set('zoom', state.zoom);
  set('select', state.select);
  set('sort', state.sort, DEFAULT_EXPLORE.sort);
  set('names', state.names);
  if (state.lines) params.set('lines', '1');
  set('pane', state.pane, DEFAULT_EXPLORE.pane);
  return params;
}

export function writeCompare(state: CompareState): URLSearchParams {
  const { params, set, setRange } = writer();
  set('query_a', state.a.query);
  setRange('_a', state.a.range, DEFAULT_COMPARE.a.range);
  set('query_b', state.b.query);
  setRange('_b', state.b.range, DEFAULT_COMPARE.b.range);
  set('mode', state.mode, DEFAULT_COMPARE.mode);
  set('find', state.find);
  set('change', state.change);
  set('zoom', state.zoom);
  set('select', state.select);
  set('names', state.names);
  if (state.lines) params.set('lines', '1');
  set('pane', state.pane, DEFAULT_COMPARE.pane);
  return params;
}

export function writeSymbols(state: SymbolsState): URLSearchParams {
  const { params, set, setRange } = writer();
  set('query', state.query);
  setRange('', state.range, DEFAULT_SYMBOLS.range);
  if (state.paused) params.set('live', '0');
  set('find', state.find);
  set('filter', state.filter);
  set('reason', state.reason);
  set('sort', state.sort, DEFAULT_SYMBOLS.sort);
  set('hide', state.hidden.join(','));
  set('select', state.select);
  return params;
}

/** The page a path names: its last segment; anything else is the first page. */
export function pageOf(pathname: string): PageName {
  return oneOf(['compare', 'debuginfo'], pathname.split('/').at(-1) ?? '', 'explore');
}
