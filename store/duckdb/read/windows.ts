/** The agents' windows: totals of counters, and windows that never arrived. */

import type { EpochMs, TimeRange } from '../../../profile/units.ts';
import { SAMPLED, type WindowTotals } from '../../../profile/window-counters.ts';
import type { AgentRow } from '../../store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { REPLACES, sqlText } from '../schema.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { isAmong, timeCondition } from './selection.ts';

/** Each window has exactly one row of this counter, which stands for the window. */
const ONE_PER_WINDOW = `w.counter = ${sqlText(SAMPLED)}`;

/** SQL: windows of the range's blocks, without what was reported again later. */
async function windowsIn(session: ReadSession, range: TimeRange): Promise<string> {
  const source = session.sources.windows(range);
  const replaced = await session.query('SELECT 1::UINTEGER FROM replaced_windows LIMIT 1');
  if (replaced.rows === 0) return source;
  return `(SELECT w.* FROM ${source} w ANTI JOIN replaced_windows r ON ${REPLACES})`;
}

/** Totals over the windows of some hosts; null where no window lies in the range. */
export async function totalsOfHosts(
  session: ReadSession,
  catalogue: Catalogue,
  hosts: ReadonlySet<string>,
  range: TimeRange,
): Promise<(WindowTotals & { nominalHz: number | null }) | null> {
  const agents = [...catalogue.agents.items.keys()].filter((agent) =>
    hosts.has(catalogue.agents.items[agent]?.host ?? ''),
  );
  if (agents.length === 0) return null;
  const chosen = `${isAmong('w.agent', agents)} AND ${timeCondition('w.ts_ms', range)}`;
  const source = await windowsIn(session, range);
  const windows = await session.query(
    `SELECT count(*)::DOUBLE, count(DISTINCT host)::DOUBLE, coalesce(sum(length_ms), 0),
       coalesce(sum(frequency * length_ms), 0), coalesce(sum(missing), 0)::DOUBLE
     FROM (SELECT w.host, w.length_ms, w.frequency, ${MISSING_BEFORE} AS missing
       FROM ${source} w WHERE ${ONE_PER_WINDOW} AND ${chosen})`,
  );
  const [count, hostCount, lengthMs, weighted, missing] = [0, 1, 2, 3, 4].map(
    (column) => windows.f64(column)[0] ?? 0,
  ) as [number, number, number, number, number];
  if (count === 0) return null;
  const counters = await session.query(
    `SELECT w.counter, sum(w.value)::DOUBLE FROM ${source} w WHERE ${chosen}
     GROUP BY w.counter ORDER BY w.counter`,
  );
  const sums = counters.f64(1);
  return {
    windows: count,
    missingWindows: missing,
    hosts: hostCount,
    lengthMs,
    counters: Object.fromEntries(counters.texts(0).map((name, row) => [name, sums[row] ?? 0])),
    nominalHz: lengthMs > 0 ? weighted / lengthMs : null,
  };
}

/**
 * Sequence numbers that are skipped from one window of an agent to its next in time. A number that
 * does not grow means that the agent was started again.
 */
const MISSING_BEFORE = `greatest(0, coalesce(
  w.seq - lag(w.seq) OVER (PARTITION BY w.agent ORDER BY w.ts_ms, w.seq) - 1, 0))`;

/** Agents with a window in the range, with the totals of those, by host and id. */
export async function readAgents(
  session: ReadSession,
  catalogue: Catalogue,
  range: TimeRange,
): Promise<AgentRow[]> {
  const lives = await session.query(
    `SELECT w.agent, min(w.ts_ms)::DOUBLE, max(w.ts_ms + w.length_ms)::DOUBLE,
       arg_max(w.seq, w.ts_ms)::DOUBLE
     FROM windows w WHERE ${ONE_PER_WINDOW} GROUP BY w.agent
     UNION ALL SELECT agent, first_ms::DOUBLE, last_ms, last_seq::DOUBLE FROM agent_activity`,
  );
  const source = await windowsIn(session, range);
  const time = timeCondition('w.ts_ms', range);
  const totals = await session.query(
    `SELECT agent, count(*)::DOUBLE, sum(length_ms), sum(missing)::DOUBLE
     FROM (SELECT w.agent, w.length_ms, ${MISSING_BEFORE} AS missing
       FROM ${source} w WHERE ${ONE_PER_WINDOW} AND ${time}) GROUP BY agent`,
  );
  const counters = await session.query(
    `SELECT w.agent, w.counter, sum(w.value)::DOUBLE FROM ${source} w WHERE ${time}
     GROUP BY w.agent, w.counter ORDER BY w.counter`,
  );
  const rows = new AgentRows(catalogue);
  const columns = [totals.u32(0), totals.f64(1), totals.f64(2), totals.f64(3)] as const;
  for (let row = 0; row < totals.rows; row++) {
    const agent = rows.of(columns[0][row] as number);
    agent.totals.windows += columns[1][row] as number;
    agent.totals.lengthMs += columns[2][row] as number;
    agent.totals.missingWindows += columns[3][row] as number;
  }
  rows.addLives(lives.u32(0), lives.f64(1), lives.f64(2), lives.f64(3));
  const names = counters.texts(1);
  const sums = counters.f64(2);
  for (const [row, state] of counters.u32(0).entries()) {
    const sum = rows.of(state).totals.counters;
    const name = names[row] ?? '';
    // Not ??, because a counter may be called as a property of every object.
    sum[name] = (Object.hasOwn(sum, name) ? (sum[name] as number) : 0) + (sums[row] as number);
  }
  return rows.sorted();
}

/** One row per agent id: the states of an agent (versions, kernels) are added up. */
class AgentRows {
  readonly #catalogue: Catalogue;
  readonly #rows = new Map<string, AgentRow>();

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
  }

  of(state: number): AgentRow {
    const info = this.#catalogue.agents.items[state] ?? UNKNOWN_AGENT;
    let row = this.#rows.get(info.id);
    if (row === undefined) {
      row = {
        ...info,
        firstSeenMs: Number.POSITIVE_INFINITY as EpochMs,
        lastSeenMs: 0 as EpochMs,
        lastSeq: 0,
        totals: { windows: 0, missingWindows: 0, hosts: 1, lengthMs: 0, counters: {} },
      };
      this.#rows.set(info.id, row);
    }
    return row;
  }

  /** The state seen last says what the agent is now. Agents without windows in range stay out. */
  addLives(
    states: Uint32Array,
    firstMs: Float64Array,
    lastMs: Float64Array,
    lastSeq: Float64Array,
  ): void {
    for (const [at, state] of states.entries()) {
      const info = this.#catalogue.agents.items[state] ?? UNKNOWN_AGENT;
      const row = this.#rows.get(info.id);
      if (row === undefined) continue;
      row.firstSeenMs = Math.min(row.firstSeenMs, firstMs[at] as number) as EpochMs;
      if ((lastMs[at] as number) < row.lastSeenMs) continue;
      Object.assign(row, info);
      row.lastSeenMs = lastMs[at] as EpochMs;
      row.lastSeq = lastSeq[at] as number;
    }
  }

  sorted(): AgentRow[] {
    const key = ({ host, id }: AgentRow): string => JSON.stringify([host, id]);
    return [...this.#rows.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  }
}

const UNKNOWN_AGENT = { id: '', host: '', version: '', kernel: '' };
