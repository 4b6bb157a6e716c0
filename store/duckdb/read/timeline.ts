/** Time series: sums (deltas) or means (gauges) by step and group, with the sampled events. */
import { EverflameError } from '../../../profile/errors.ts';
import { MAX_TIMELINE_POINTS, MAX_TIMELINE_STEPS } from '../../../profile/limits.ts';
import type { Labels } from '../../../profile/select/labels.ts';
import { aggregationOf } from '../../../profile/select/profile-type.ts';
import type { EpochMs, TimeRange } from '../../../profile/units.ts';
import type { Selection, TimelineGroup } from '../../store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { Turn } from '../catalogue/turn.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { eventSources } from './events.ts';
import {
  coveredMs,
  eachStep,
  fillHolds,
  GAUGE_LOOK_BACK_MS,
  planGauges,
  samplesWithHolds,
} from './gauges.ts';
import { valueTypes } from './row-types.ts';
import { areStepsHourly, keyColumns, rowsToSum } from './rows-to-sum.ts';
import { type Plan, planSelection, sqlTime, timeCondition } from './selection.ts';

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
  await addCoverage(session, catalogue, selection, stepMs, timeline);
  await addValues(session, catalogue, selection, stepMs, timeline);
  await addEvents(session, catalogue, selection, stepMs, timeline);
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

/** A profile covers its steps with at least zero, from its time for its duration. */
async function addCoverage(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
  stepMs: number,
  timeline: Timeline,
): Promise<void> {
  const { from, to } = selection.range;
  const range = { from: (from - GAUGE_LOOK_BACK_MS) as EpochMs, to };
  const types = valueTypes(catalogue, selection.type);
  const plan = await planSelection(session, catalogue, types, { ...selection, range }, timeline.by);
  if (plan === null) return;
  const end = 'p.ts_ms + greatest(ceil(p.duration_ms)::BIGINT, 1)';
  const rows = await session.query(
    `SELECT DISTINCT ${plan.group.sql},
       (greatest(p.ts_ms - ${sqlTime(from)}, 0) // ${stepMs})::UINTEGER,
       ((least(${end}, ${sqlTime(to)}) - ${sqlTime(from)} - 1) // ${stepMs})::UINTEGER
     FROM ${plan.profilesFrom} AND ${timeCondition('p.ts_ms', range)} AND ${end} > ${sqlTime(from)}
     LIMIT ${MAX_TIMELINE_POINTS + 1}`,
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
  const source = await rowsToSum(session, plan, range, areStepsHourly(range, stepMs));
  const keys = keyColumns(plan);
  const rows = await session.query(
    `SELECT ${keys.group}, ((ts_ms - ${sqlTime(range.from)}) // ${stepMs})::UINTEGER AS step,
       ${keys.factor}, sum(value)::DOUBLE FROM ${source}
     GROUP BY ${['step', ...keys.varying].join(', ')} LIMIT ${MAX_TIMELINE_POINTS + 1}`,
  );
  if (rows.rows > MAX_TIMELINE_POINTS) throw tooManyPoints();
  return { plan, group: rows.u32(0), step: rows.u32(1), factor: rows.u32(2), sum: rows.f64(3) };
}

async function addValues(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
  stepMs: number,
  timeline: Timeline,
): Promise<void> {
  const types = valueTypes(catalogue, selection.type);
  const plan = await planSelection(session, catalogue, types, selection, timeline.by);
  if (plan === null) return;
  const rows = await sumBySteps(session, plan, selection.range, stepMs);
  const groups = await timeline.rowsOf(plan);
  const turn = new Turn();
  for (let row = 0; row < rows.sum.length; row++) {
    if (row % ROWS_PER_LOOK === 0 && turn.isOver()) await turn.next();
    const value = groups[rows.group[row] as number]?.value;
    const factor = plan.factors[rows.factor[row] as number] ?? 1;
    if (value !== undefined) {
      addTo(value, rows.step[row] as number, (rows.sum[row] as number) * factor);
    }
  }
}

async function addEvents(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
  stepMs: number,
  timeline: Timeline,
): Promise<void> {
  const sources = eventSources(catalogue, selection);
  if (sources === null) return;
  const known = timeline.groups();
  // Where profiles are and no event was, there were none: the value's zeros are events' zeros.
  const turn = new Turn();
  for (const { value, samples } of known) {
    if (turn.isOver()) await turn.next();
    for (let step = 0; step < value.length; step++) {
      if (!Number.isNaN(value[step] as number)) samples[step] = 0;
    }
  }
  const unknown: { samples: Float64Array; step: number }[] = [];
  for (const { types, only } of sources) {
    const plan = await planSelection(session, catalogue, types, selection, timeline.by, only);
    if (plan === null) continue;
    const rows = await sumBySteps(session, plan, selection.range, stepMs);
    const groups = await timeline.rowsOf(plan);
    for (let row = 0; row < rows.sum.length; row++) {
      if (row % ROWS_PER_LOOK === 0 && turn.isOver()) await turn.next();
      const samples = groups[rows.group[row] as number]?.samples;
      if (samples === undefined) continue;
      const step = rows.step[row] as number;
      const period = plan.factors[rows.factor[row] as number] ?? 1;
      if (period > 0) addTo(samples, step, (rows.sum[row] as number) / period);
      else unknown.push({ samples, step });
    }
  }
  // Rows without a period leave the number of events of their step unknown.
  for (const { samples, step } of unknown) samples[step] = Number.NaN;
}

async function addGauges(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
  stepMs: number,
  timeline: Timeline,
): Promise<void> {
  const gauges = await planGauges(session, catalogue, selection, timeline.by);
  if (gauges === null) return;
  const { plan, holds } = gauges;
  const { range } = selection;
  const groups = await timeline.rowsOf(plan);
  const covered = coveredMs(holds, range, stepMs);
  for (const hold of holds) {
    for (const group of plan.groupsOf(hold.series)) {
      const value = groups[group]?.value;
      if (value === undefined) continue;
      eachStep(hold.startMs, hold.endMs, range.from, stepMs, (step) => addTo(value, step, 0));
    }
  }
  await fillHolds(session, holds, range, stepMs);
  const keys = plan.group.constant ? [] : [plan.group.sql];
  const rows = await session.query(
    `SELECT ${plan.group.sql}, h.step, sum(s.value * h.weight)
     FROM ${samplesWithHolds(gauges)} GROUP BY ${['h.step', ...keys].join(', ')}
     LIMIT ${MAX_TIMELINE_POINTS + 1}`,
  );
  if (rows.rows > MAX_TIMELINE_POINTS) throw tooManyPoints();
  const [group, steps, sums] = [rows.u32(0), rows.u32(1), rows.f64(2)];
  for (let row = 0; row < rows.rows; row++) {
    const step = steps[row] as number;
    const value = groups[group[row] as number]?.value;
    if (value !== undefined) addTo(value, step, (sums[row] as number) / (covered[step] as number));
  }
}
