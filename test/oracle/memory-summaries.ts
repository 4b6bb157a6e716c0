/** What a store in memory tells of selections beside their sums: profiles, windows, agents. */
import type { Labels } from '../../profile/select/labels.ts';
import {
  aggregationOf,
  formatProfileType,
  type ProfileType,
} from '../../profile/select/profile-type.ts';
import { compileMatchers, labelValue } from '../../profile/select/selector.ts';
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
import { countEvents, inRange, profilesOfType, selectRows } from './memory-deltas.ts';
import { unionMs } from './memory-gauges.ts';

export function summarizeRows(content: MemoryContent, selection: Selection): SelectionSummary {
  const profiles = profilesOfType(content, selection).filter(({ tsMs }) =>
    inRange(tsMs, selection),
  );
  const rows = selectRows(content, selection);
  const isGauge = aggregationOf(selection.type) === 'gauge';
  const samples = isGauge || rows.length === 0 ? null : countEvents(content, rows, selection);
  const hosts = new Set(profiles.map(({ series }) => labelValue(series.labels, 'host')));
  const windows = windowsIn(content, selection.range).filter(({ agent }) => hosts.has(agent.host));
  const rates = new Set(windows.map(({ window }) => window.frequencyHz));
  const [nominalHz = null] = rates.size === 1 ? rates : [];
  return {
    series: new Set(profiles.map(({ series }) => series)).size,
    profiles: profiles.length,
    samples,
    windows: windows.length === 0 ? null : { ...totalsOf(windows), nominalHz },
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
    all.sort((a, b) => a.window.startMs - b.window.startMs);
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
  const accepts = compileMatchers(selection.matchers);
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
      (row) =>
        row.profile === profile &&
        readsAs(row.type, selection.type) !== null &&
        accepts(row.labels),
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

/** Profiles of the selection with the labels that each of them and its samples have. */
function metaProfiles(content: MemoryContent, selection: MetaSelection) {
  const accepts = compileMatchers(selection.matchers);
  const { type, range } = selection;
  return [...content.profiles.values()].flatMap((profile) => {
    const hasType =
      type === undefined || profile.types.some((stored) => readsAs(stored, type) !== null);
    if (!hasType || (range !== undefined && !inRange(profile.tsMs, { range }))) return [];
    const rows = content.rows.filter((row) => row.profile === profile);
    const labels: Labels[] = [profile.series.labels, ...rows.map((row) => row.labels)];
    const accepted = labels.filter(accepts);
    return accepted.length === 0 ? [] : [{ profile, labels: accepted }];
  });
}

export function listTypes(content: MemoryContent, selection: MetaSelection): ProfileType[] {
  const found = metaProfiles(content, selection);
  return sortedTypes(found.flatMap(({ profile }) => publicTypes(profile)));
}

export function listLabelNames(content: MemoryContent, selection: MetaSelection): string[] {
  const names = metaProfiles(content, selection).flatMap(({ labels }) =>
    labels.flatMap(Object.keys),
  );
  return [...new Set(names)].sort();
}

export function listLabelValues(
  content: MemoryContent,
  name: string,
  selection: MetaSelection,
): string[] {
  const found = metaProfiles(content, selection).flatMap(({ labels }) =>
    labels.map((own) => labelValue(own, name)),
  );
  return [...new Set(found)].filter((value) => value !== '').sort();
}

/** Time that the profiles cover together; of one that began before, the part in the range. */
export function coveredTime(content: MemoryContent, selection: Selection): number | null {
  const { from, to } = selection.range;
  const rows = selectRows(content, selection);
  const spans: [number, number][] = [];
  for (const profile of profilesOfType(content, selection)) {
    const { tsMs, durationMs } = profile;
    const begins = inRange(tsMs, selection);
    if (!begins && !rows.some((row) => row.profile === profile)) continue;
    if (durationMs <= 0) return null;
    const end = tsMs + durationMs;
    spans.push(begins ? [tsMs, end] : [Math.max(tsMs, from), Math.min(end, to)]);
  }
  return unionMs(spans, {
    from: Number.NEGATIVE_INFINITY as TimeRange['from'],
    to: Number.POSITIVE_INFINITY as TimeRange['to'],
  });
}
