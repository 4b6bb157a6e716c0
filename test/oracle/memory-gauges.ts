/** How long each value of a gauge holds (docs/adr/0001-gauges.md), and the means that follow. */
import type { TimeRange } from '../../profile/units.ts';
import type { Selection } from '../../store/store.ts';
import type { MemoryContent, MemoryProfile } from './memory-content.ts';
import { lookBack, profilesOfType } from './memory-deltas.ts';

const HOUR_MS = 3_600_000;
const LONE_SPACING_MS = 10_000;

/** A profile and the time for which its values hold, within the range. */
export interface Hold {
  profile: MemoryProfile;
  fromMs: number;
  toMs: number;
}

export function holdsOf(content: MemoryContent, selection: Selection): Hold[] {
  const { from, to } = selection.range;
  const looked = profilesOfType(content, lookBack(selection)).filter(
    ({ tsMs }) => tsMs >= from - HOUR_MS && tsMs < to,
  );
  const holds: Hold[] = [];
  for (const series of new Set(looked.map((profile) => profile.series))) {
    const own = looked.filter((profile) => profile.series === series);
    own.sort((a, b) => a.tsMs - b.tsMs);
    const longest = 2 * spacingOf(own);
    for (const [row, profile] of own.entries()) {
      const next = own[row + 1]?.tsMs ?? Number.POSITIVE_INFINITY;
      const fromMs = Math.max(from, profile.tsMs);
      const toMs = Math.min(to, next, profile.tsMs + longest);
      if (toMs > fromMs) holds.push({ profile, fromMs, toMs });
    }
  }
  return holds;
}

/** The median gap. Of a lone profile its duration. */
function spacingOf(profiles: readonly MemoryProfile[]): number {
  const times = profiles.map(({ tsMs }) => tsMs);
  const gaps = times.slice(1).map((tsMs, row) => tsMs - (times[row] as number));
  gaps.sort((a, b) => a - b);
  if (gaps.length === 0) return profiles[0]?.durationMs || LONE_SPACING_MS;
  const middle = (gaps.length - 1) / 2;
  const [below, above] = [gaps[Math.floor(middle)], gaps[Math.ceil(middle)]];
  return ((below as number) + (above as number)) / 2;
}

/** Milliseconds for which a hold lies in a range. */
export function heldMs({ fromMs, toMs }: Hold, { from, to }: TimeRange): number {
  return Math.max(0, Math.min(toMs, to) - Math.max(fromMs, from));
}

/** Milliseconds of a range in which at least one of the spans lies. */
export function unionMs(
  spans: readonly [fromMs: number, toMs: number][],
  range: TimeRange,
): number {
  const inside = spans
    .map(([fromMs, toMs]) => [Math.max(fromMs, range.from), Math.min(toMs, range.to)] as const)
    .filter(([fromMs, toMs]) => toMs > fromMs)
    .sort(([a], [b]) => a - b);
  let covered = 0;
  let reached = Number.NEGATIVE_INFINITY;
  for (const [fromMs, toMs] of inside) {
    covered += Math.max(0, toMs - Math.max(fromMs, reached));
    reached = Math.max(reached, toMs);
  }
  return covered;
}
