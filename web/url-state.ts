/**
 * The URL is the state of a page: everything that makes two people see the same is in it, defaults
 * left out. `v` is the version of this layout; a link from a newer version is not guessed at.
 */
import type { ChangeKind, DiffMode } from '../profile/diff.ts';
import { DEFAULT_RANGE, type Range, type RangeText, resolveTime } from './time.ts';

export const URL_VERSION = 1;
/** A page in a URL stays below what servers and mail programs pass on. */
const MAX_URL_TEXT = 4096;

export type PageName = 'explore' | 'compare';
export type PaneName = 'table' | 'graph' | 'labels';
export type FunctionSort = 'self' | 'total' | 'name';
export type ChangeFilter = '' | ChangeKind;

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
  pane: PaneName;
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
  pane: 'table',
};

const SORTS: readonly FunctionSort[] = ['self', 'total', 'name'];
const PANES: readonly PaneName[] = ['table', 'graph', 'labels'];
const MODES: readonly DiffMode[] = ['share', 'absolute', 'rate'];
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
    pane: oneOf(PANES, params.get('pane'), DEFAULT_COMPARE.pane),
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
  set('pane', state.pane, DEFAULT_COMPARE.pane);
  return params;
}

/** The page a path names: its last segment; anything else is the first page. */
export function pageOf(pathname: string): PageName {
  return pathname.split('/').at(-1) === 'compare' ? 'compare' : 'explore';
}
