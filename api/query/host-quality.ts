/** The quality block: what the store knows of a selection; the trees add theirs in the worker. */
import { emptySeriesQuality, type HostQuality, type Quality } from '../../profile/flame/quality.ts';
import {
  BUSY_CPU_NS,
  EXCLUDED,
  INCOMPLETE_PREFIX,
  LOST_PREFIX,
  SAMPLED,
  SENT,
} from '../../profile/window-counters.ts';
import type { SelectionSummary } from '../../store/store.ts';

export function qualityOf(summary: SelectionSummary): Quality {
  const { profiles, series, samples, damaged } = summary;
  return {
    ...(damaged === undefined ? {} : { damaged }),
    series: { ...emptySeriesQuality(), profiles, series, samples },
    hosts: summary.windows === null ? null : hostQuality(summary.windows),
  };
}

function hostQuality(windows: NonNullable<SelectionSummary['windows']>): HostQuality {
  const { counters } = windows;
  const sampled = counters[SAMPLED] ?? 0;
  const busyNs = counters[BUSY_CPU_NS] ?? 0;
  return {
    hosts: windows.hosts,
    windows: windows.windows,
    missingWindows: windows.missingWindows,
    sampled,
    excluded: counters[EXCLUDED] ?? 0,
    sent: counters[SENT] ?? 0,
    lost: withPrefix(counters, LOST_PREFIX),
    incomplete: withPrefix(counters, INCOMPLETE_PREFIX),
    nominalHz: windows.nominalHz,
    effectiveHz: busyNs > 0 ? sampled / (busyNs / 1e9) : null,
  };
}

function withPrefix(counters: Readonly<Record<string, number>>, prefix: string) {
  const named = Object.entries(counters)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, count]): [string, number] => [name.slice(prefix.length), count]);
  return Object.fromEntries(named);
}
