/** What a store in memory tells of selections beside their sums: profiles, windows, agents. */
import type { Labels } from '../../profile/select/labels.ts';
import {
  aggregationOf,
  formatProfileType,
  type ProfileType,
} from '../../profile/select/profile-type.ts';
import { labelValue } from '../../profile/select/selector.ts';
import type { TimeRange } from '../../profile/units.ts';
import type { WindowTotals } from '../../profile/window-counters.ts';
import type {
  AgentRow,
  MetaSelection,
  ProfileContent,
  ProfileId,
  Selection,
  SelectionSummary,
  StoredProfile,
} from '../../store/store.ts';
import {
  type MemoryContent,
  type MemoryProfile,
  type MemoryRow,
  type MemoryWindow,
  readsAs,
} from './memory-content.ts';
import {
  countsEvents,
  inRange,
  listEvents,
  lookBack,
  profilesOfType,
  selectRows,
  selectSeries,
  sumEvents,
  tellsEvents,
} from './memory-deltas.ts';
import { unionMs } from './memory-gauges.ts';

const ALWAYS = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY } as TimeRange;

export function summarizeRows(content: MemoryContent, selection: Selection): SelectionSummary {
  const profiles = profilesOfType(content, selection).filter(({ tsMs }) =>
    inRange(tsMs, selection),
  );
  const holders = new Set(selectRows(content, selection).map(({ profile }) => profile));
  for (const profile of profiles) holders.add(profile);
  const isKnown =
    aggregationOf(selection.type) === 'delta' &&
    holders.size > 0 &&
    [...holders].every(
      (profile) => tellsEvents(profile, selection.type) && countsEvents(profile, selection.type),
    );
  const samples = isKnown ? sumEvents(listEvents(content, selection)) : null;
  const hosts = new Set(profiles.map(({ series }) => labelValue(series.labels, 'host')));
  const windows = windowsIn(content, selection.range).filter(({ agent }) => hosts.has(agent.host));
  const { lengthMs, ...totals } = totalsOf(windows);
  const turns = windows.map(({ window }) => window.frequencyHz * window.lengthMs);
  const nominalHz = turns.reduce((sum, each) => sum + each, 0) / lengthMs;
  return {
    series: new Set(profiles.map(({ series }) => series)).size,
    profiles: profiles.length,
    samples,
    windows: windows.length === 0 ? null : { ...totals, lengthMs, nominalHz },
  };
}

function windowsIn(content: MemoryContent, range: TimeRange): MemoryWindow[] {
  return [...content.windows.values()].filter(({ window }) => inRange(window.startMs, { range }));
}

function totalsOf(windows: readonly MemoryWindow[]): WindowTotals {
  const counters: Record<string, number> = {};
  for (const { window } of windows) {
    for (const [name, count] of Object.entries(window.counters)) {
      counters[name] = (counters[name] ?? 0) + count;
    }
  }
  return {
    windows: windows.length,
    missingWindows: missingOf(windows),
    hosts: new Set(windows.map(({ agent }) => agent.host)).size,
    lengthMs: windows.reduce((sum, { window }) => sum + window.lengthMs, 0),
    counters,
  };
}

/** Gaps in the numbers of each agent; a number that falls is an agent that started anew. */
function missingOf(windows: readonly MemoryWindow[]): number {
  let missing = 0;
  for (const id of new Set(windows.map(({ agent }) => agent.id))) {
    const own = windows.filter(({ agent }) => agent.id === id).map(({ window }) => window);
    own.sort((a, b) => a.startMs - b.startMs || a.seq - b.seq);
    for (const [row, { seq }] of own.entries()) {
      const before = own[row - 1]?.seq ?? seq;
      missing += Math.max(0, seq - before - 1);
    }
  }
  return missing;
}

export function listAgents(content: MemoryContent, range: TimeRange): AgentRow[] {
  const windows = windowsIn(content, range);
  const ids = [...new Set(windows.map(({ agent }) => agent.id))].sort();
  return ids.map((id) => {
    const all = [...content.windows.values()].filter(({ agent }) => agent.id === id);
    all.sort((a, b) => a.window.startMs - b.window.startMs || a.window.seq - b.window.seq);
    const { agent, window: last } = all.at(-1) as MemoryWindow;
    const ends = all.map(({ window }) => window.startMs + window.lengthMs);
    return {
      ...agent,
      firstSeenMs: (all[0] as MemoryWindow).window.startMs,
      lastSeenMs: Math.max(...ends) as AgentRow['lastSeenMs'],
      lastSeq: last.seq,
      totals: totalsOf(windows.filter((window) => window.agent.id === id)),
    };
  });
}

/** Oldest first. */
export function listProfiles(
  content: MemoryContent,
  selection: Selection,
  limit: number,
): StoredProfile[] {
  const found = profilesOfType(content, selection).filter(({ tsMs }) => inRange(tsMs, selection));
  found.sort((a, b) => a.tsMs - b.tsMs);
  return found.slice(0, limit).map((profile) => ({
    series: profile.series.id,
    tsMs: profile.tsMs as StoredProfile['tsMs'],
    lastMs: lastTime(content, profile),
    durationMs: profile.durationMs,
    labels: profile.series.labels,
    types: publicTypes(profile),
    samples: content.rows.filter(
      (row) => row.profile === profile && readsAs(row.type, selection.type) !== null,
    ).length,
    comments: profile.comments,
  }));
}

/** Gauges have no times of their own. */
function lastTime(content: MemoryContent, profile: MemoryProfile): StoredProfile['lastMs'] {
  const rows = content.rows.filter(
    (row) => row.profile === profile && aggregationOf(row.type.type) === 'delta',
  );
  return Math.max(profile.tsMs, ...rows.map(({ tsMs }) => tsMs)) as StoredProfile['lastMs'];
}

/** A profile with its rows, those of one type, stack and label set as one. */
export function profileContent(content: MemoryContent, id: ProfileId): ProfileContent | null {
  const profile = content.profiles.get(`${id.series.join(':')} ${id.tsMs}`);
  if (profile === undefined) return null;
  const typeTexts = profile.types.map((type) => JSON.stringify(type));
  const typeOf = ({ type }: MemoryRow) => typeTexts.indexOf(JSON.stringify(type));
  const sums = new Map<string, { row: MemoryRow; value: number }>();
  for (const row of content.rows.filter((one) => one.profile === profile)) {
    const key = JSON.stringify([typeOf(row), row.stack, row.labelset]);
    const value = (sums.get(key)?.value ?? 0) + Number(row.value);
    sums.set(key, { row, value });
  }
  const rows = [...sums.values()];
  return {
    durationMs: profile.durationMs,
    period: profile.series.period,
    types: profile.types,
    comments: profile.comments,
    labelsets: rows.map(({ row }) => row.labelset),
    type: Uint16Array.from(rows, ({ row }) => typeOf(row)),
    stack: Uint32Array.from(rows, ({ row }) => row.stack),
    labelset: Uint32Array.from(rows, (_, row) => row),
    value: Float64Array.from(rows, ({ value }) => value),
  };
}

function publicTypes(profile: MemoryProfile): ProfileType[] {
  const types = profile.types.flatMap(({ type, derived }) => [type, derived]);
  return sortedTypes(types.filter((type) => type !== null));
}

function sortedTypes(types: readonly ProfileType[]): ProfileType[] {
  const byText = new Map(types.map((type) => [formatProfileType(type), type]));
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, type]) => type);
}

/** Types of which the selection has a series, whichever type it names. */
export function listTypes(content: MemoryContent, selection: MetaSelection): ProfileType[] {
  return sortedTypes([...content.profiles.values()].flatMap(publicTypes)).filter(
    (type) => metaLabels(content, { ...selection, type }).length > 0,
  );
}

/** Label sets of the series of a selection; without a type, those of every type. */
function metaLabels(content: MemoryContent, selection: MetaSelection): Labels[] {
  const { type, matchers, range = ALWAYS } = selection;
  const all = sortedTypes([...content.profiles.values()].flatMap(publicTypes));
  const types = type === undefined ? all : [type];
  return types.flatMap((each) =>
    selectSeries(content, { type: each, matchers, range }).flatMap(({ labels }) => labels),
  );
}

export function listLabelNames(content: MemoryContent, selection: MetaSelection): string[] {
  return [...new Set(metaLabels(content, selection).flatMap(Object.keys))].sort();
}

export function listLabelValues(
  content: MemoryContent,
  name: string,
  selection: MetaSelection,
): string[] {
  const found = metaLabels(content, selection).map((labels) => labelValue(labels, name));
  return [...new Set(found)].filter((value) => value !== '').sort();
}

/**
 * Time that the profiles cover together: those that begin in the range as a whole, but of those
 * whose samples have times of their own the part in the range.
 */
export function coveredTime(content: MemoryContent, selection: Selection): number | null {
  const { from, to } = selection.range;
  const spans: [number, number][] = [];
  for (const profile of profilesOfType(content, lookBack(selection))) {
    const { tsMs, durationMs } = profile;
    const end = tsMs + durationMs;
    const isSpread = content.rows.some((row) => row.profile === profile && row.tsMs !== tsMs);
    const begins = inRange(tsMs, selection);
    if (!begins && !(isSpread && tsMs < to && end > from)) continue;
    if (durationMs <= 0) return null;
    spans.push(isSpread ? [Math.max(tsMs, from), Math.min(end, to)] : [tsMs, end]);
  }
  return unionMs(spans, ALWAYS);
}
