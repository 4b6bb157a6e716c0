/**
 * From a selection to SQL: matchers are evaluated in memory, over distinct label values, and what
 * they select becomes a condition on dense series numbers or a join with a temporary table.
 */
import { assert, EverflameError } from '../../../profile/errors.ts';
import { MAX_LABELSET_PAIRS } from '../../../profile/limits.ts';
import type { Labels } from '../../../profile/select/labels.ts';
import { compileMatchers, labelValue, type Matcher } from '../../../profile/select/selector.ts';
import type { TimeRange } from '../../../profile/units.ts';
import type { Selection } from '../../store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { Turn } from '../catalogue/turn.ts';
import type { ReadSession } from '../sql/reader-pool.ts';

/** Comparing so many series one after the other costs as much as the hash join that IN becomes. */
const MAX_COMPARED_SERIES = 16;
const NO_LABELS: Labels = {};
/** Up to so many series are written into the query itself. */
const MAX_LISTED_SERIES = 64;

/** Ids of row types: those that count as they are, and those that count times their period. */
export interface TypeIds {
  plain: number[];
  scaled: number[];
}

export interface Pair {
  series: number;
  labelset: number;
  type: number;
}

/** How the rows of `samples s` (or of `profiles p`) are chosen, grouped and scaled. */
export interface Plan {
  groups: Labels[];
  /** Groups that a series contributes to. */
  groupsOf: (series: number) => readonly number[];
  /** SQL: number of the group, of the factor; `constant` if it is one number for all rows. */
  group: SqlNumber;
  factor: SqlNumber;
  /** By number; 0 is the factor 1. */
  factors: number[];
  /** SQL: joins and conditions on type, service, series and label set; without time. */
  samplesFrom: string;
  /** The same with one more join of `s`. */
  samplesJoined: (join: string) => string;
  /** The same of another source `s` with the columns of samples. */
  samplesIn: (source: string) => string;
  /** The same for profiles; with the group as `c.grp` where groups differ. */
  profilesFrom: string;
  /** The same of another source `p` with series and types. */
  profilesIn: (source: string) => string;
  series: number[];
  /** How sums of samples may take their place; null where they must not. */
  sums: SumPlan | null;
}

/** How sums `s` by type, service and period are chosen: of these, group and factor are functions. */
export interface SumPlan {
  /** SQL, as those of the samples are. */
  group: string;
  factor: string;
  types: string;
  /** One row for each service and period, or null: group and factor are the same for all. */
  keys: SumKey[] | null;
  /** Services, or null: all. */
  services: number[] | null;
}

export interface SumKey {
  service: number;
  period: number;
  group: number;
  factor: number;
}

export interface SqlNumber {
  sql: string;
  constant: boolean;
}

/** Times as SQL literals; `ts >= from` holds for a whole number exactly if it holds for ceil(from). */
export function sqlTime(timeMs: number): string {
  const bounded = Math.min(Math.max(Math.ceil(timeMs), -(2 ** 52)), 2 ** 52);
  return String(bounded);
}

export function timeCondition(column: string, range: TimeRange): string {
  return `${column} >= ${sqlTime(range.from)} AND ${column} < ${sqlTime(range.to)}`;
}

export function idList(ids: Iterable<number>): string {
  const text = [...ids].join(', ');
  return text === '' ? '(NULL)' : `(${text})`;
}

/**
 * SQL: whether the column is one of the numbers, which ascend. Of few, the comparison is part of
 * the scan, and BETWEEN lets whole row groups be left out.
 */
export function isAmong(column: string, numbers: readonly number[]): string {
  assert(numbers.length > 0, 'there is a number to compare with');
  if (numbers.length === 1) return `${column} = ${numbers[0]}`;
  if (numbers.length > MAX_COMPARED_SERIES) return `${column} IN ${idList(numbers)}`;
  const among = `list_contains([${numbers.join(', ')}]::UINTEGER[], ${column})`;
  return `${column} BETWEEN ${numbers[0]} AND ${numbers.at(-1)} AND ${among}`;
}

/** Ids of the type sets that hold any of the types. */
export function typesetsWith(catalogue: Catalogue, types: ReadonlySet<number>): Set<number> {
  const found = new Set<number>();
  for (const [id, members] of catalogue.typesets.items.entries()) {
    if (members.some((type) => types.has(type))) found.add(id);
  }
  return found;
}

export function needsSampleLabels(
  catalogue: Catalogue,
  matchers: readonly Matcher[],
  by: readonly string[],
): boolean {
  const { sampleLabels } = catalogue;
  return [...matchers.map(({ name }) => name), ...by].some((name) => sampleLabels.mayHave(name));
}

/** Series that have data of the types in the range and may satisfy the matchers, ascending. */
export function activeSeries(
  catalogue: Catalogue,
  types: ReadonlySet<number>,
  matchers: readonly Matcher[],
  range: TimeRange,
): { selected: number[]; active: number } {
  const certain = matchers.filter(({ name }) => !catalogue.sampleLabels.mayHave(name));
  const accepted = catalogue.series.select(certain);
  const typesets = typesetsWith(catalogue, types);
  const isActive = new Uint8Array(accepted.length);
  catalogue.activity.eachIn(range.from, range.to, (series, typeset) => {
    if (typesets.has(typeset)) isActive[series] = 1;
  });
  const selected: number[] = [];
  let active = 0;
  for (let series = 0; series < isActive.length; series++) {
    if (isActive[series] === 0) continue;
    active++;
    if (accepted[series] === 1) selected.push(series);
  }
  return { selected, active };
}

/**
 * Distinct (series, label set, type) of the rows that satisfy the matchers over both; of all rows,
 * or of those that have a label set, which is far less to read. Among all, a series that has the
 * type and no row of it (a gauge that fell to zero) stands with its own labels.
 */
export async function selectPairs(
  session: ReadSession,
  catalogue: Catalogue,
  types: ReadonlySet<number>,
  { matchers, range }: { matchers: readonly Matcher[]; range: TimeRange },
  rowsOf: 'all' | 'labelled' = 'all',
): Promise<Pair[]> {
  const { selected, active } = activeSeries(catalogue, types, matchers, range);
  let source = `${session.sources.samples(range)} s`;
  if (selected.length < active) {
    await fillChosen(
      session,
      selected.map((series) => ({ series, group: 0, factor: 0 })),
    );
    source += ' JOIN chosen c ON s.series = c.series';
  }
  const rows = await session.query(
    `SELECT DISTINCT s.series, s.labelset, s.type FROM ${source}
     WHERE s.type IN ${idList(types)} AND ${timeCondition('s.ts_ms', range)}
       ${rowsOf === 'labelled' ? 'AND s.labelset <> 0' : ''}
     LIMIT ${MAX_LABELSET_PAIRS + 1}`,
  );
  if (rows.rows > MAX_LABELSET_PAIRS) {
    throw new EverflameError('too-large', 'the selection has too many sample label sets', {
      limit: `MAX_LABELSET_PAIRS = ${MAX_LABELSET_PAIRS}`,
      remedy: 'Ask for a shorter range, or match fewer series.',
    });
  }
  const accepts = compileMatchers(matchers);
  const [series, labelsets, types16] = [rows.u32(0), rows.u32(1), rows.u16(2)];
  const pairs: Pair[] = [];
  const withRows = new Set<number>();
  const turn = new Turn();
  for (let row = 0; row < rows.rows; row++) {
    if (turn.isOver()) await turn.next();
    const pair = {
      series: series[row] as number,
      labelset: labelsets[row] as number,
      type: types16[row] as number,
    };
    withRows.add(typeKey(pair.series, pair.type));
    if (accepts(unionOf(catalogue, pair))) pairs.push(pair);
  }
  if (rowsOf === 'labelled') return pairs;
  const chosen = new Set(selected);
  catalogue.activity.eachIn(range.from, range.to, (series, typeset) => {
    if (!chosen.has(series)) return;
    for (const type of catalogue.typesets.items[typeset] ?? []) {
      if (!types.has(type) || withRows.has(typeKey(series, type))) continue;
      if (accepts(catalogue.series.labels(series))) pairs.push({ series, labelset: 0, type });
    }
  });
  return pairs;
}

function typeKey(series: number, type: number): number {
  return series * 65_536 + type;
}

export function unionOf(catalogue: Catalogue, pair: Pair): Labels {
  return catalogue.sampleLabels.union(catalogue.series.labels(pair.series), pair.labelset);
}

interface ChosenRow {
  series: number;
  group: number;
  /** Number of the series' period among the factors. */
  factor: number;
  labelset?: number;
}

async function fillChosen(session: ReadSession, rows: readonly ChosenRow[]): Promise<void> {
  const column = (of: (row: ChosenRow) => number): Uint32Array => Uint32Array.from(rows, of);
  const series = column((row) => row.series);
  const groups = column((row) => row.group);
  const factors = column((row) => row.factor);
  const labelsets = column((row) => row.labelset ?? 0);
  await session.fill(
    'chosen',
    'series UINTEGER, grp UINTEGER, factor UINTEGER, labelset UINTEGER',
    ['u32', 'u32', 'u32', 'u32'],
    rows.length,
    (writer) => {
      writer.numbers(0, series);
      writer.numbers(1, groups);
      writer.numbers(2, factors);
      writer.numbers(3, labelsets);
    },
  );
}

/** Numbers groups and periods in order of first appearance. */
class Grouping {
  readonly groups: Labels[] = [];
  readonly factors = [1];
  readonly #byKey = new Map<string, number>();
  readonly #byPeriod = new Map<number, number>();
  readonly #by: readonly string[];

  constructor(by: readonly string[]) {
    this.#by = by;
    if (by.length === 0) this.groupOf({});
  }

  groupOf(labels: Labels): number {
    const values = this.#by.map((name) => labelValue(labels, name));
    const key = values.length === 1 ? (values[0] ?? '') : JSON.stringify(values);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const pairs = this.#by.map((name, at) => [name, values[at] ?? ''] as const);
    this.groups.push(Object.fromEntries(pairs.filter(([, value]) => value !== '')));
    this.#byKey.set(key, this.groups.length - 1);
    return this.groups.length - 1;
  }

  factorOf(period: number): number {
    let number = this.#byPeriod.get(period);
    if (number === undefined) {
      number = this.factors.length;
      this.factors.push(period);
      this.#byPeriod.set(period, number);
    }
    return number;
  }
}

/** Null where nothing can be selected. `only`: no other series. */
export async function planSelection(
  session: ReadSession,
  catalogue: Catalogue,
  types: TypeIds,
  selection: Pick<Selection, 'matchers' | 'range' | 'series'>,
  by: readonly string[],
  only?: ReadonlySet<number>,
): Promise<Plan | null> {
  const { matchers, range } = selection;
  const one =
    selection.series === undefined ? null : catalogue.seriesIndex.find(...selection.series);
  const isAllowed = (series: number) =>
    (one === null || one === series) && (only === undefined || only.has(series));
  const typeIds = new Set([...types.plain, ...types.scaled]);
  const grouping = new Grouping(by);
  const pairwise = needsSampleLabels(catalogue, matchers, by);
  let rows: ChosenRow[];
  let whole = false;
  if (pairwise) {
    const pairs = await selectPairs(session, catalogue, typeIds, selection);
    const allowed = distinctPairs(pairs).filter(({ series }) => isAllowed(series));
    rows = allowed.map((pair) => ({
      ...rowOf(catalogue, grouping, pair.series, unionOf(catalogue, pair)),
      labelset: pair.labelset,
    }));
  } else {
    const { selected, active } = activeSeries(catalogue, typeIds, matchers, range);
    const allowed = selected.filter(isAllowed);
    whole = allowed.length === active;
    rows = [];
    const turn = new Turn();
    for (const series of allowed) {
      const labels = by.length === 0 ? NO_LABELS : catalogue.series.labels(series);
      rows.push(rowOf(catalogue, grouping, series, labels));
      if (turn.isOver()) await turn.next();
    }
  }
  if (rows.length === 0) return null;
  const onePeriod = grouping.factors.length <= 2;
  const uniform = !pairwise && grouping.groups.length === 1 && (onePeriod || isPlain(types));
  const chosen = rows.map((row) => row.series);
  const listed = uniform && (whole || chosen.length <= MAX_LISTED_SERIES);
  if (!listed) await fillChosen(session, rows);
  const pairJoin = pairwise ? ' AND s.labelset = c.labelset' : '';
  const among = (column: string) => (whole ? '' : ` AND ${isAmong(column, chosen)}`);
  const typeFilter = `s.type IN ${idList(typeIds)}`;
  const typesets = `p.types IN ${idList(typesetsWith(catalogue, typeIds))}`;
  const oneEach = '(SELECT DISTINCT series, grp FROM chosen)';
  // Hot rows lie in the order of their arrival: comparing services too would leave nothing out.
  const isHot = session.sources.blocksIn(range).length === 0;
  const services = whole || isHot ? '' : serviceFilter(catalogue, chosen);
  const samplesIn = (source: string, join = ''): string =>
    listed
      ? `${source} s ${join} WHERE ${typeFilter}${services}${among('s.series')}`
      : `${source} s ${join} JOIN chosen c ON s.series = c.series${pairJoin}
         WHERE ${typeFilter}${services}`;
  const profilesIn = (source: string): string =>
    listed
      ? `${source} p WHERE ${typesets}${among('p.series')}`
      : `${source} p JOIN ${oneEach} c ON p.series = c.series WHERE ${typesets}`;
  const samples = session.sources.samples(range);
  const group = grouping.groups.length === 1 ? constant(0) : { sql: 'c.grp', constant: false };
  return {
    groups: grouping.groups,
    groupsOf: groupsBySeries(rows),
    group,
    factor: factorOf(types, listed, onePeriod),
    factors: grouping.factors,
    samplesFrom: samplesIn(samples),
    samplesJoined: (join) => samplesIn(samples, join),
    samplesIn,
    profilesFrom: profilesIn(session.sources.profiles(range)),
    profilesIn,
    series: pairwise ? [...new Set(chosen)] : chosen,
    sums:
      !pairwise && by.every(isService) && (whole || isOfServices(selection, only))
        ? {
            group: group.sql,
            factor: factorOf(types, uniform, onePeriod).sql,
            types: typeFilter,
            keys: uniform ? null : sumKeys(catalogue, rows),
            services: whole ? null : servicesOf(catalogue, chosen),
          }
        : null,
  };
}

function isService(name: string): boolean {
  return name === 'service_name';
}

/** Whether a selection is whole services. */
function isOfServices(
  { matchers, series }: Pick<Selection, 'matchers' | 'series'>,
  only: ReadonlySet<number> | undefined,
): boolean {
  const named = matchers.every(({ name }) => isService(name));
  return named && series === undefined && only === undefined;
}

function servicesOf(catalogue: Catalogue, series: readonly number[]): number[] {
  const services = new Set(series.map((ref) => catalogue.service.data[ref] as number));
  return [...services].sort((a, b) => a - b);
}

function sumKeys(catalogue: Catalogue, rows: readonly ChosenRow[]): SumKey[] {
  const keys = new Map<string, SumKey>();
  for (const { series, group, factor } of rows) {
    const service = catalogue.service.data[series] as number;
    const period = catalogue.series.period(series);
    keys.set(`${service} ${period}`, { service, period, group, factor });
  }
  return [...keys.values()];
}

/** SQL: only services of these series, by which blocks are sorted; nothing where there are many. */
function serviceFilter(catalogue: Catalogue, series: readonly number[]): string {
  const services = servicesOf(catalogue, series);
  if (services.length > MAX_COMPARED_SERIES) return '';
  return ` AND ${isAmong('s.service', services)}`;
}

function isPlain(types: TypeIds): boolean {
  return types.scaled.length === 0;
}

function factorOf(types: TypeIds, listed: boolean, onePeriod: boolean): SqlNumber {
  if (isPlain(types)) return constant(0);
  if (types.plain.length === 0 && onePeriod) return constant(1);
  const number = listed ? '1' : 'c.factor';
  if (types.plain.length === 0) return { sql: number, constant: false };
  return {
    sql: `(CASE WHEN s.type IN ${idList(types.scaled)} THEN ${number} ELSE 0 END)::UINTEGER`,
    constant: false,
  };
}

function constant(value: number): SqlNumber {
  return { sql: `${value}::UINTEGER`, constant: true };
}

function rowOf(
  catalogue: Catalogue,
  grouping: Grouping,
  series: number,
  labels: Labels,
): ChosenRow {
  const period = catalogue.series.period(series);
  return { series, group: grouping.groupOf(labels), factor: grouping.factorOf(period) };
}

function distinctPairs(pairs: readonly Pair[]): Pair[] {
  const seen = new Map<string, Pair>();
  for (const pair of pairs) seen.set(`${pair.series} ${pair.labelset}`, pair);
  return [...seen.values()];
}

function groupsBySeries(rows: readonly ChosenRow[]): (series: number) => readonly number[] {
  const groups = new Map<number, number[]>();
  return (series) => {
    // Few queries ask at all.
    if (groups.size === 0) {
      for (const row of rows) {
        const list = groups.get(row.series);
        if (list === undefined) groups.set(row.series, [row.group]);
        else if (!list.includes(row.group)) list.push(row.group);
      }
    }
    return groups.get(series) ?? [];
  };
}
