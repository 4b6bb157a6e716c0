/** The JSON section of fg1: reads `FlameMeta` and refuses what does not have its shape. */
import { EverflameError } from '../errors.ts';
import type { FlameMeta } from './flame-graph.ts';
import type { HostQuality, Quality, SeriesQuality } from './quality.ts';

const BEFORE = 'totalBeforeFilters';

type Shape = Record<string, unknown>;

/** Parses and checks; unknown fields of newer writers are left out. */
export function parseFlameMeta(text: string): FlameMeta {
  const meta = object(parseJson(text), 'meta');
  const read: FlameMeta = {
    type: string(meta, 'type'),
    unit: string(meta, 'unit'),
    fromMs: number(meta, 'fromMs'),
    toMs: number(meta, 'toMs'),
    totalBeforeFilters: number(meta, BEFORE),
    totalAfterFilters: number(meta, 'totalAfterFilters'),
    quality: quality(meta),
  };
  if (meta.base === undefined) return read;
  const base = object(meta.base, 'base');
  read.base = {
    type: string(base, 'type'),
    fromMs: number(base, 'fromMs'),
    toMs: number(base, 'toMs'),
    total: number(base, 'total'),
    quality: quality(base),
    ...(base[BEFORE] === undefined ? {} : { totalBeforeFilters: number(base, BEFORE) }),
  };
  return read;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    return refuse('its JSON section is malformed', cause);
  }
}

function refuse(problem: string, cause?: unknown): never {
  throw new EverflameError('invalid', `the flame graph's description: ${problem}`, {
    field: 'fg1.meta',
    cause,
  });
}

function quality(holder: Shape): Quality {
  const read = object(holder.quality, 'quality');
  const known = { series: seriesQuality(read), hosts: hostQuality(read) };
  if (read.damaged === undefined) return known;
  const damaged = object(read.damaged, 'quality.damaged');
  return {
    ...known,
    damaged: { blocks: number(damaged, 'blocks'), samples: number(damaged, 'samples') },
  };
}

function seriesQuality(holder: Shape): SeriesQuality {
  const series = object(holder.series, 'quality.series');
  return {
    profiles: number(series, 'profiles'),
    series: number(series, 'series'),
    samples: numberOrNull(series, 'samples'),
    incomplete: weights(series, 'incomplete'),
    unsymbolized: weights(series, 'unsymbolized'),
    truncated: number(series, 'truncated'),
  };
}

function hostQuality(holder: Shape): HostQuality | null {
  if (holder.hosts === null) return null;
  const hosts = object(holder.hosts, 'quality.hosts');
  return {
    hosts: number(hosts, 'hosts'),
    windows: number(hosts, 'windows'),
    missingWindows: number(hosts, 'missingWindows'),
    sampled: number(hosts, 'sampled'),
    excluded: number(hosts, 'excluded'),
    sent: number(hosts, 'sent'),
    lost: weights(hosts, 'lost'),
    incomplete: weights(hosts, 'incomplete'),
    nominalHz: numberOrNull(hosts, 'nominalHz'),
    effectiveHz: numberOrNull(hosts, 'effectiveHz'),
  };
}

function object(value: unknown, field: string): Shape {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse(`${field} is not an object`);
  }
  return value as Shape;
}

function string(holder: Shape, field: string): string {
  const value = holder[field];
  return typeof value === 'string' ? value : refuse(`${field} is not text`);
}

function number(holder: Shape, field: string): number {
  const value = holder[field];
  return typeof value === 'number' ? value : refuse(`${field} is not a number`);
}

function numberOrNull(holder: Shape, field: string): number | null {
  return holder[field] === null ? null : number(holder, field);
}

function weights(holder: Shape, field: string): Record<string, number> {
  const read = object(holder[field], field);
  return Object.fromEntries(Object.keys(read).map((reason) => [reason, number(read, reason)]));
}
