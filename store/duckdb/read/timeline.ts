/** Time series: sums (deltas) or means (gauges) by step and group, with the sampled events. */
import { EverflameError } from '../../../profile/errors.ts';
import { MAX_TIMELINE_POINTS, MAX_TIMELINE_STEPS } from '../../../profile/limits.ts';
import type { Labels } from '../../../profile/select/labels.ts';
import { aggregationOf } from '../../../profile/select/profile-type.ts';
import type { TimeRange } from '../../../profile/units.ts';
import type { Selection, TimelineGroup } from '../../store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { Turn } from '../catalogue/turn.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { coverSource, lookBackFrom } from './coverage.ts';
import { type EventSource, eventSources } from './events.ts';
import { planGauges, samplesWithHolds } from './gauges.ts';
import { valueTypes } from './row-types.ts';
import { keyColumns, rowsToSum, sumsOfSteps } from './rows-to-sum.ts';
import { type Plan, planSelection, sqlTime, type TypeIds } from './selection.ts';

/** Rows between two looks at the clock. */
const ROWS_PER_LOOK = 1_024;

export async function readTimeline(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
  by: readonly string[],
  stepMs: number,
): Promise<TimelineGroup[]> {
  const steps = countSteps(selection.range, stepMs);
  const timeline = new Timeline(steps, by);
  if (aggregationOf(selection.type) === 'gauge') {
    await addGauges(session, catalogue, selection, stepMs, timeline);
    return timeline.groups();
  }
  await addDeltas(session, catalogue, selection, stepMs, timeline);
  return timeline.groups();
}

function countSteps(range: TimeRange, stepMs: number): number {
  const steps = Math.ceil((range.to - range.from) / stepMs);
  if (!Number.isSafeInteger(stepMs) || stepMs < 1 || !(steps >= 0)) {
    throw new EverflameError('invalid', 'the range or the step of the time series is empty', {
      field: 'step',
      remedy: 'Ask for a step of whole milliseconds and a range with from before to.',
    });
  }
  if (steps > MAX_TIMELINE_STEPS) {
    throw new EverflameError('too-large', `the time series has ${steps} steps`, {
      field: 'step',
      limit: `MAX_TIMELINE_STEPS = ${MAX_TIMELINE_STEPS}`,
      remedy: 'Ask for a longer step or a shorter range.',
    });
  }
  return steps;
}

/** Groups by the text of their labels, because each query numbers its groups on its own. */
class Timeline {
  readonly steps: number;
  readonly by: readonly string[];
  readonly #groups = new Map<string, TimelineGroup>();

  constructor(steps: number, by: readonly string[]) {
    this.steps = steps;
    this.by = by;
    if (by.length === 0) this.#rowOf({});
  }

  /** The rows of a plan's groups, made where they are new. */
  async rowsOf({ groups }: Pick<Plan, 'groups'>): Promise<TimelineGroup[]> {
    const rows: TimelineGroup[] = [];
    const turn = new Turn();
    for (const labels of groups) {
      rows.push(this.#rowOf(labels));
      if (turn.isOver()) await turn.next();
    }
    return rows;
  }

  #rowOf(labels: Labels): TimelineGroup {
    const key = JSON.stringify(Object.entries(labels));
    let group = this.#groups.get(key);
    if (group === undefined) {
      if ((this.#groups.size + 1) * this.steps > MAX_TIMELINE_POINTS) throw tooManyPoints();
      const nothing = (): Float64Array => new Float64Array(this.steps).fill(Number.NaN);
      group = { labels, value: nothing(), samples: nothing() };
      this.#groups.set(key, group);
    }
    return group;
  }

  groups(): TimelineGroup[] {
    return [...this.#groups.values()];
  }
}

function tooManyPoints(): EverflameError {
  return new EverflameError('too-large', 'the time series has too many groups', {
    field: 'by',
    limit: `MAX_TIMELINE_POINTS = ${MAX_TIMELINE_POINTS}`,
    remedy: 'Ask for a longer step, fewer groups or a shorter range.',
  });
}

/** Sums are over nothing (NaN) until something is added. */
function addTo(column: Float64Array, step: number, value: number): void {
  const before = column[step] as number;
  column[step] = Number.isNaN(before) ? value : before + value;
}

/** Sums of a selection's rows and where its profiles are, then the sampled events. */
async function addDeltas(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
  stepMs: number,
  timeline: Timeline,
): Promise<void> {
  const types = valueTypes(catalogue, selection.type);
  const events = eventSources(catalogue, selection);
  const both = sameRows(types, events);
  const range = lookBackFrom(selection.range);
  const read = both ?? types;
  const plan = await planSelection(session, catalogue, read, { ...selection, range }, timeline.by);
  let sums: StepRows | null = null;
  if (plan !== null) {
    await addCoverage(session, plan, selection.range, stepMs, timeline);
    sums = await sumBySteps(session, plan, selection.range, stepMs);
    await addValues(sums, both === null || types.scaled.length > 0, timeline);
  }
  if (events === null) return;
  await addNoEvents(timeline);
  const unknown: UnknownEvents[] = [];
  for (const source of events) {
    if (both !== null) {
      if (sums !== null) await addEvents(sums, source, timeline, unknown);
      continue;
    }
    const { types: counts, only } = source;
    const counted = await planSelection(session, catalogue, counts, selection, timeline.by, only);
    if (counted === null) continue;
    const rows = await sumBySteps(session, counted, selection.range, stepMs);
    await addEvents(rows, source, timeline, unknown);
  }
  // Rows without a period leave the number of events of their step unknown.
  for (const { samples, step } of unknown) samples[step] = Number.NaN;
}

/** Types that both values and events are read from, if one query does for both; else null. */
function sameRows(types: TypeIds, events: readonly EventSource[] | null): TypeIds | null {
  const [source, ...others] = events ?? [];
  if (source === undefined || others.length > 0 || source.only !== undefined) return null;
  if (types.plain.length > 0 && types.scaled.length > 0) return null;
  const values = [...types.plain, ...types.scaled];
  const counts = [...source.types.plain, ...source.types.scaled];
  if (values.length !== counts.length || !values.every((id) => counts.includes(id))) return null;
  const isPlain = types.scaled.length === 0 && source.types.scaled.length === 0;
  return isPlain ? { plain: values, scaled: [] } : { plain: [], scaled: values };
}

/** A profile covers its steps with at least zero, from its time for its duration. */
async function addCoverage(
  session: ReadSession,
  plan: Plan,
  range: TimeRange,
  stepMs: number,
  timeline: Timeline,
): Promise<void> {
  const [from, to] = [sqlTime(range.from), sqlTime(range.to)];
  const source = await coverSource(session, plan, range);
  const rows = await session.query(
    `SELECT DISTINCT grp, (greatest(start_ms - ${from}, 0) // ${stepMs})::UINTEGER,
       ((least(end_ms, ${to}) - ${from} - 1) // ${stepMs})::UINTEGER
     FROM ${source} LIMIT ${MAX_TIMELINE_POINTS + 1}`,
  );
  if (rows.rows > MAX_TIMELINE_POINTS) throw tooManyPoints();
  const groups = await timeline.rowsOf(plan);
  const [group, first, last] = [rows.u32(0), rows.u32(1), rows.u32(2)];
  const turn = new Turn();
  for (let row = 0; row < rows.rows; row++) {
    if (row % ROWS_PER_LOOK === 0 && turn.isOver()) await turn.next();
    const value = groups[group[row] as number]?.value;
    for (let step = first[row] as number; step <= (last[row] as number); step++) {
      if (value !== undefined) addTo(value, step, 0);
    }
  }
}

interface StepRows {
  plan: Plan;
  group: Uint32Array;
  step: Uint32Array;
  factor: Uint32Array;
  sum: Float64Array;
}

async function sumBySteps(
  session: ReadSession,
  plan: Plan,
  range: TimeRange,
  stepMs: number,
): Promise<StepRows> {
  const source = await rowsToSum(session, plan, range, sumsOfSteps(range, stepMs));
  const keys = keyColumns(plan);
  const rows = await session.query(
    `SELECT ${keys.group}, ((ts_ms - ${sqlTime(range.from)}) // ${stepMs})::UINTEGER AS step,
       ${keys.factor}, sum(value)::DOUBLE FROM ${source}
     GROUP BY ${['step', ...keys.varying].join(', ')} LIMIT ${MAX_TIMELINE_POINTS + 1}`,
  );
  if (rows.rows > MAX_TIMELINE_POINTS) throw tooManyPoints();
  return { plan, group: rows.u32(0), step: rows.u32(1), factor: rows.u32(2), sum: rows.f64(3) };
}

/** `isScaled`: values are the sums times their factors, which may be 1. */
async function addValues(rows: StepRows, isScaled: boolean, timeline: Timeline): Promise<void> {
  const { factors } = rows.plan;
  const groups = await timeline.rowsOf(rows.plan);
  const turn = new Turn();
  for (let row = 0; row < rows.sum.length; row++) {
    if (row % ROWS_PER_LOOK === 0 && turn.isOver()) await turn.next();
    const value = groups[rows.group[row] as number]?.value;
    const factor = isScaled ? (factors[rows.factor[row] as number] ?? 1) : 1;
    if (value !== undefined) {
      addTo(value, rows.step[row] as number, (rows.sum[row] as number) * factor);
    }
  }
}

/** Where profiles are and no event was, there were none: the value's zeros are events' zeros. */
async function addNoEvents(timeline: Timeline): Promise<void> {
  const turn = new Turn();
  for (const { value, samples } of timeline.groups()) {
    if (turn.isOver()) await turn.next();
    for (let step = 0; step < value.length; step++) {
      if (!Number.isNaN(value[step] as number)) samples[step] = 0;
    }
  }
}

interface UnknownEvents {
  samples: Float64Array;
  step: number;
}

async function addEvents(
  rows: StepRows,
  { types }: EventSource,
  timeline: Timeline,
  unknown: UnknownEvents[],
): Promise<void> {
  const isScaled = types.scaled.length > 0;
  const { factors } = rows.plan;
  const groups = await timeline.rowsOf(rows.plan);
  const turn = new Turn();
  for (let row = 0; row < rows.sum.length; row++) {
    if (row % ROWS_PER_LOOK === 0 && turn.isOver()) await turn.next();
    const samples = groups[rows.group[row] as number]?.samples;
    if (samples === undefined) continue;
    const step = rows.step[row] as number;
    const period = isScaled ? (factors[rows.factor[row] as number] ?? 1) : 1;
    if (period > 0) addTo(samples, step, (rows.sum[row] as number) / period);
    else unknown.push({ samples, step });
  }
}

async function addGauges(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
  stepMs: number,
  timeline: Timeline,
): Promise<void> {
  const gauges = await planGauges(session, catalogue, selection, timeline.by, stepMs);
  if (gauges === null) return;
  const { plan, covered } = gauges;
  const groups = await timeline.rowsOf(plan);
  const held = await session.query('SELECT DISTINCT series, step FROM holds');
  const [series, heldSteps] = [held.u32(0), held.u32(1)];
  const turn = new Turn();
  for (let row = 0; row < held.rows; row++) {
    if (row % ROWS_PER_LOOK === 0 && turn.isOver()) await turn.next();
    for (const group of plan.groupsOf(series[row] as number)) {
      const value = groups[group]?.value;
      if (value !== undefined) addTo(value, heldSteps[row] as number, 0);
    }
  }
  const keys = plan.group.constant ? [] : [plan.group.sql];
  const rows = await session.query(
    `SELECT ${plan.group.sql}, h.step, sum(s.value * h.weight)
     FROM ${samplesWithHolds(gauges)} GROUP BY ${['h.step', ...keys].join(', ')}
     LIMIT ${MAX_TIMELINE_POINTS + 1}`,
  );
  if (rows.rows > MAX_TIMELINE_POINTS) throw tooManyPoints();
  const [group, steps, sums] = [rows.u32(0), rows.u32(1), rows.f64(2)];
  for (let row = 0; row < rows.rows; row++) {
    if (row % ROWS_PER_LOOK === 0 && turn.isOver()) await turn.next();
    const step = steps[row] as number;
    const value = groups[group[row] as number]?.value;
    if (value !== undefined) addTo(value, step, (sums[row] as number) / (covered[step] as number));
  }
}
