/**
 * The time that profiles of a selection cover: out of the profiles, or of what blocks tell of them
 * by service and minute (blocks/spans.ts) where nothing of a series but its service decides.
 */
import type { EpochMs, TimeRange } from '../../../profile/units.ts';
import type { Selection } from '../../store.ts';
import { type Block, derivedOf, MINUTE_MS, meets } from '../blocks/block.ts';
import { COVER_END, LOOK_BACK_MS, SPAN_KIND, SpanKind } from '../blocks/spans.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { valueTypes } from './row-types.ts';
import { idList, type Plan, planSelection, sqlTime, timeCondition } from './selection.ts';
import type { Sources } from './sources.ts';

/** The range and the time before it from which a profile may reach into it. */
export function lookBackFrom({ from, to }: TimeRange): TimeRange {
  return { from: (from - LOOK_BACK_MS) as EpochMs, to };
}

/**
 * SQL: a source with the columns grp, start_ms and end_ms: profiles of a plan of the range with
 * look-back, or what is equal to them, as far as they reach into the range.
 */
export async function coverSource(
  session: ReadSession,
  plan: Plan,
  range: TimeRange,
): Promise<string> {
  const { sources } = session;
  const wider = lookBackFrom(range);
  const profilesIn = (source: string, from: number): string =>
    `SELECT ${plan.group.sql} AS grp, p.ts_ms AS start_ms, ${COVER_END} AS end_ms
     FROM ${plan.profilesIn(source)}
       AND ${timeCondition('p.ts_ms', { from: from as EpochMs, to: range.to })}
       AND ${COVER_END} > ${sqlTime(range.from)}`;
  if (plan.sums === null) return `(${profilesIn(sources.profiles(wider), wider.from)})`;
  // Profiles of its first minute that lie before the range with look-back do not reach into it.
  const fromMs = Math.floor(wider.from / MINUTE_MS) * MINUTE_MS;
  const minutes = { from: fromMs as EpochMs, to: range.to };
  const parts = sources.partsBy('spans', MINUTE_MS, sources.blocksIn(wider), minutes);
  const units = { from: minutes.from, to: parts.toMs as EpochMs };
  const branches = [
    profilesIn(sources.rowsOf('profiles', parts.others, true) ?? 'profiles', wider.from),
  ];
  const tail = sources.rowsOf('profiles', parts.tail, false);
  if (tail !== null) branches.push(profilesIn(tail, units.to));
  const spans = [
    [sources.derivedFrom('spans', parts.whole), 'true'],
    [sources.derivedFrom('spans', parts.inner), timeCondition('s.minute_ms', units)],
  ] as const;
  for (const [source, time] of spans) {
    if (source === null) continue;
    branches.push(
      `SELECT ${plan.group.sql} AS grp, s.start_ms, s.end_ms
       FROM ${spansIn(source, plan)} AND ${time} AND s.end_ms > ${sqlTime(range.from)}`,
    );
  }
  if (branches.length > 1) await fillGroups(session, plan);
  return `(${branches.join(' UNION ALL ')})`;
}

/** SQL: spans `s` of the plan's types and services, with the group as `c.grp` where groups differ. */
function spansIn(source: string, { group, sums }: Plan): string {
  const join = group.constant ? '' : 'JOIN span_groups c ON s.service = c.service';
  const services = sums?.services ?? null;
  const among = services === null ? '' : ` AND s.service IN ${idList(services)}`;
  return `${source} s ${join} WHERE ${sums?.types ?? 'false'}${among}`;
}

async function fillGroups(session: ReadSession, { group, sums }: Plan): Promise<void> {
  if (group.constant) return;
  const groups = new Map(sums?.keys?.map((key) => [key.service, key.group]));
  const services = Uint32Array.from(groups.keys());
  const numbers = Uint32Array.from(groups.values());
  await session.fill(
    'span_groups',
    'service UINTEGER, grp UINTEGER',
    ['u32', 'u32'],
    groups.size,
    (writer) => {
      writer.numbers(0, services);
      writer.numbers(1, numbers);
    },
  );
}

/**
 * The union of the profiles' times, in ms; null where one does not say how long it took. A profile
 * whose samples have no times of their own counts as a whole where it begins, so its time does too.
 */
export async function readCoveredMs(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
): Promise<number | null> {
  const range = lookBackFrom(selection.range);
  const types = valueTypes(catalogue, selection.type);
  const plan = await planSelection(session, catalogue, types, { ...selection, range }, []);
  if (plan === null) return 0;
  // Profiles of a second or more that begin in one second overlap: one span, and far less to sort.
  const rows = await session.query(
    `WITH profile_spans AS (${spanBranches(session.sources, plan, selection.range)}),
     spans AS (
       SELECT min(start) AS start, max(stop) AS stop, min(duration_ms) AS shortest
       FROM profile_spans
       GROUP BY stop - start >= 1000,
         CASE WHEN stop - start >= 1000 THEN start // 1000 ELSE start END),
     parts AS (
       SELECT shortest, stop, greatest(start, coalesce(max(stop) OVER (
         ORDER BY start ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), start)) AS start
       FROM spans)
     SELECT coalesce(sum(greatest(stop - start, 0)), 0)::DOUBLE,
       coalesce(min(shortest), 1)::DOUBLE FROM parts`,
  );
  const shortestMs = rows.f64(1)[0] ?? 0;
  return shortestMs > 0 ? (rows.f64(0)[0] ?? 0) : null;
}

/** SQL: spans with the columns start, stop and duration_ms, the last zero where it is not known. */
function spanBranches(sources: Sources, plan: Plan, range: TimeRange): string {
  const [from, to] = [sqlTime(range.from), sqlTime(range.to)];
  const wider = lookBackFrom(range);
  const end = 'p.ts_ms + p.duration_ms';
  const profilesIn = (source: string, time: string): string =>
    `SELECT CASE WHEN p.span_ms > 0 THEN greatest(p.ts_ms, ${from}) ELSE p.ts_ms END AS start,
       CASE WHEN p.span_ms > 0 THEN least(${end}, ${to}) ELSE ${end} END AS stop, p.duration_ms
     FROM ${plan.profilesIn(source)} AND ${time}`;
  const reaching = `${timeCondition('p.ts_ms', wider)}
    AND (p.ts_ms >= ${from} OR (p.span_ms > 0 AND ${end} > ${from}))`;
  if (plan.sums === null) return profilesIn(sources.profiles(wider), reaching);
  const blocks = sources.blocksIn(wider);
  const hasSpans = (block: Block): boolean => derivedOf(block, 'spans') !== undefined;
  const bare = blocks.filter((block) => !hasSpans(block));
  const spanned = blocks.filter(hasSpans);
  const inRange = spanned.filter((block) => meets(block, range));
  const parts = sources.partsBy('spans', MINUTE_MS, inRange, range);
  const units = { from: parts.fromMs as EpochMs, to: parts.toMs as EpochMs };
  const branches = [profilesIn(sources.rowsOf('profiles', bare, true) ?? 'profiles', reaching)];
  // Spans whose profiles have times of their own are cut at the range; of the others, those count
  // that begin in it, and of a minute that it cuts only the profiles tell.
  const byBegin = `(${SPAN_KIND}) <> ${SpanKind.ofItsSamples}`;
  const edges: [readonly Block[], TimeRange][] = [
    [parts.head, { from: range.from, to: units.from }],
    [parts.tail, { from: units.to, to: range.to }],
    [parts.others, range],
  ];
  for (const [list, time] of edges) {
    const source = sources.rowsOf('profiles', list, false);
    if (source === null) continue;
    branches.push(profilesIn(source, `${timeCondition('p.ts_ms', time)} AND ${byBegin}`));
  }
  const cut = `s.kind = ${SpanKind.ofItsSamples}`;
  const used = new Set([...parts.whole, ...parts.inner]);
  const lists: [readonly Block[], string][] = [
    [parts.whole, 'true'],
    [parts.inner, timeCondition('s.minute_ms', units)],
    [spanned.filter((block) => !used.has(block)), 'false'],
  ];
  for (const [list, begins] of lists) {
    const source = sources.derivedFrom('spans', list);
    if (source === null) continue;
    branches.push(
      `SELECT CASE WHEN ${cut} THEN greatest(s.start_ms, ${from}) ELSE s.start_ms END AS start,
         CASE WHEN ${cut} THEN least(s.stop_ms, ${to}) ELSE s.stop_ms END AS stop,
         CASE WHEN s.kind = ${SpanKind.unknown} THEN 0 ELSE 1 END AS duration_ms
       FROM ${spansIn(source, plan)} AND CASE WHEN ${cut}
         THEN s.start_ms < ${to} AND s.stop_ms > ${from} ELSE ${begins} END`,
    );
  }
  return branches.join(' UNION ALL ');
}
