/** The agents' windows: totals of counters, and windows that never arrived. */
import type { EpochMs, TimeRange } from '../../../profile/units.ts';
import type { WindowTotals } from '../../../profile/window-counters.ts';
import type { AgentRow } from '../../store.ts';
import { HOUR_MS } from '../blocks/block.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { missingBefore, ONE_PER_WINDOW, REPLACES } from '../schema.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { timesOfHotRows } from './profile-counts.ts';
import { idList, isAmong, timeCondition } from './selection.ts';

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
  const { states, counters } = await readTotals(session, range, agents);
  if (states.length === 0) return null;
  const totals = { windows: 0, missingWindows: 0, lengthMs: 0 };
  const seen = new Set<string>();
  let weighted = 0;
  for (const { agent, windows, lengthMs, weightedMs, missing } of states) {
    seen.add(catalogue.agents.items[agent]?.host ?? '');
    totals.windows += windows;
    totals.missingWindows += missing;
    totals.lengthMs += lengthMs;
    weighted += weightedMs;
  }
  const sums = new Map<string, number>();
  for (const { counter, sum } of counters) sums.set(counter, (sums.get(counter) ?? 0) + sum);
  return {
    ...totals,
    hosts: seen.size,
    counters: Object.fromEntries([...sums].sort(([a], [b]) => (a < b ? -1 : 1))),
    nominalHz: totals.lengthMs > 0 ? weighted / totals.lengthMs : null,
  };
}

interface StateTotals {
  /** A state of an agent. */
  agent: number;
  windows: number;
  lengthMs: number;
  /** Length times frequency. */
  weightedMs: number;
  missing: number;
}

interface Totals {
  states: StateTotals[];
  counters: { agent: number; counter: string; sum: number }[];
}

/** Totals by agent; of blocks that lie wholly in the range they are known already. */
async function readTotals(
  session: ReadSession,
  range: TimeRange,
  agents: readonly number[] | null,
): Promise<Totals> {
  const source = await windowParts(session, range);
  const among = agents === null ? 'true' : isAmong('w.agent', agents);
  const time = timeCondition('w.ts_ms', range);
  const parts = [
    `SELECT w.agent, w.ts_ms, w.seq, w.seq AS last_seq, 1 AS windows, w.length_ms,
       w.frequency * w.length_ms AS weighted, 0 AS missing
     FROM ${source.rows} w WHERE ${ONE_PER_WINDOW} AND ${time} AND ${among}`,
    `SELECT w.agent, w.first_ms, w.first_seq, w.last_seq, w.windows, w.length_ms, w.weighted,
       w.missing
     FROM agent_activity w WHERE w.block IN ${source.whole} AND ${among}`,
  ];
  const rows = await session.query(
    `SELECT agent, sum(windows)::DOUBLE, sum(length_ms), sum(weighted),
       sum(missing + gap)::DOUBLE
     FROM (SELECT w.*, ${missingBefore('w.last_seq')} AS gap FROM (${parts.join(' UNION ALL ')}) w)
     GROUP BY agent`,
  );
  const counters = await session.query(
    `SELECT agent, counter, sum(value)::DOUBLE FROM (
       SELECT w.agent, w.counter, w.value FROM ${source.rows} w WHERE ${time} AND ${among}
       UNION ALL SELECT w.agent, w.counter, w.value FROM agent_counters w
         WHERE w.block IN ${source.whole} AND ${among})
     GROUP BY agent, counter ORDER BY counter`,
  );
  const [windows, lengthMs, weightedMs, missing] = [1, 2, 3, 4].map((at) => rows.f64(at));
  const [names, sums] = [counters.texts(1), counters.f64(2)];
  return {
    states: Array.from(rows.u32(0), (agent, row) => ({
      agent,
      windows: windows?.[row] as number,
      lengthMs: lengthMs?.[row] as number,
      weightedMs: weightedMs?.[row] as number,
      missing: missing?.[row] as number,
    })),
    counters: Array.from(counters.u32(0), (agent, row) => ({
      agent,
      counter: names[row] ?? '',
      sum: sums[row] as number,
    })),
  };
}

/**
 * SQL: windows that have to be read, without what was reported again later; and the ids of the
 * blocks whose totals hold. A window that was reported again may be in any of them.
 */
async function windowParts(
  session: ReadSession,
  range: TimeRange,
): Promise<{ rows: string; whole: string }> {
  const { sources } = session;
  const replaced = await session.query('SELECT 1::UINTEGER FROM replaced_windows LIMIT 1');
  if (replaced.rows > 0) {
    const rows = `(SELECT w.* FROM ${sources.windows(range)} w
      ANTI JOIN replaced_windows r ON ${REPLACES})`;
    return { rows, whole: '(NULL)' };
  }
  const hot = await timesOfHotRows(session, 'windows', range, HOUR_MS);
  const { whole, edges, shared } = sources.partsOf(range, hot);
  const rows = sources.rowsOf('windows', [...edges, ...shared], true) ?? 'windows';
  return { rows, whole: idList(whole.map(({ id }) => id)) };
}

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
  const totals = await readTotals(session, range, null);
  const rows = new AgentRows(catalogue);
  for (const { agent: state, windows, lengthMs, missing } of totals.states) {
    const agent = rows.of(state);
    agent.totals.windows += windows;
    agent.totals.lengthMs += lengthMs;
    agent.totals.missingWindows += missing;
  }
  rows.addLives(lives.u32(0), lives.f64(1), lives.f64(2), lives.f64(3));
  for (const { agent, counter, sum } of totals.counters) {
    const { counters } = rows.of(agent).totals;
    // Not ??, because a counter may be called as a property of every object.
    const before = Object.hasOwn(counters, counter) ? (counters[counter] as number) : 0;
    counters[counter] = before + sum;
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
