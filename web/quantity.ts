/** What a profile type measures, in words a reader knows, and how its figures are printed. */

import { formatValue } from '../profile/format-value.ts';
import type { ProfileTypeJson } from '../wire/http.ts';
import { formatNumber } from './format.ts';

export interface Quantity {
  /** "CPU time"; what the type menu shows. */
  title: string;
  /** What a share is a share of: "CPU". */
  whole: string;
  /** Follows the average figure: "cores on average". */
  averageWords: string;
  /** Heads a table column: "cores", "per second". */
  averageUnit: string;
  /** Turns units per second (delta) or units (gauge) into the printed average. */
  formatAverage: (value: number) => string;
  /** The same as a plain number, for axes. */
  averageScale: number;
  formatTotal: (value: number) => string;
  /** Whether an average is total / seconds (delta) or the value itself (gauge). */
  gauge: boolean;
}

type Words = Pick<Quantity, 'title' | 'whole' | 'averageWords' | 'averageUnit'>;

const words = (
  title: string,
  whole: string,
  averageUnit: string,
  averageWords?: string,
): Words => ({
  title,
  whole,
  averageUnit,
  averageWords: averageWords ?? `${averageUnit} on average`,
});

/** Keyed by `name:sample_type`, then by the sample type alone. */
const KNOWN: Record<string, Words> = {
  'process_cpu:cpu': words('CPU time', 'CPU', 'cores'),
  'process_cpu:samples': words('CPU samples', 'CPU samples', 'per second', 'samples per second'),
  'off_cpu:off_cpu': words('Off-CPU time', 'off-CPU time', 'threads', 'threads waiting on average'),
  'wall:wall': words('Wall time', 'wall time', 'threads'),
  'wall:samples': words('Wall samples', 'wall samples', 'per second', 'samples per second'),
  'mutex:delay': words('Lock wait time', 'lock wait time', 'threads', 'threads waiting on average'),
  'mutex:contentions': words('Lock contentions', 'contentions', 'per second'),
  'block:delay': words('Blocked time', 'blocked time', 'threads', 'threads blocked on average'),
  'block:contentions': words('Blocking events', 'blocking events', 'per second'),
  alloc_space: words('Allocated bytes', 'allocated bytes', 'per second'),
  alloc_objects: words('Allocated objects', 'allocated objects', 'per second'),
  inuse_space: words('Memory in use', 'memory in use', 'in use', 'in use on average'),
  inuse_objects: words('Objects in use', 'objects in use', 'in use', 'in use on average'),
  space: words('Heap memory', 'heap memory', 'in use', 'in use on average'),
  objects: words('Heap objects', 'heap objects', 'in use', 'in use on average'),
  goroutine: words('Goroutines', 'goroutines', 'goroutines'),
  goroutines: words('Goroutines', 'goroutines', 'goroutines'),
};

/** Words and number formats of a type; a type nobody has heard of is spelt from its own fields. */
export function quantityOf(type: ProfileTypeJson): Quantity {
  const gauge = type.aggregation === 'gauge';
  const plain = `${type.name} ${type.sample_type}`.replace(/_/g, ' ');
  const known =
    KNOWN[`${type.name}:${type.sample_type}`] ??
    KNOWN[type.sample_type] ??
    words(plain, plain, gauge ? type.sample_unit : `${type.sample_unit} per second`);
  const time = type.sample_unit === 'nanoseconds';
  const averageScale = time && !gauge ? 1e-9 : 1;
  const unit = type.sample_unit;
  return {
    ...known,
    gauge,
    averageScale,
    formatAverage: (value) =>
      time && !gauge ? formatNumber(value * averageScale) : formatValue(value, unit),
    formatTotal: (value) => formatValue(value, unit),
  };
}

const RANK = ['process_cpu:cpu', 'off_cpu:off_cpu', 'wall:wall', 'process_cpu:samples'];

/** The type a page opens with: CPU time where there is any. */
export function defaultType(types: readonly ProfileTypeJson[]): ProfileTypeJson | undefined {
  const rank = (type: ProfileTypeJson) => {
    const at = RANK.indexOf(`${type.name}:${type.sample_type}`);
    return at < 0 ? RANK.length : at;
  };
  return [...types].sort((p, q) => rank(p) - rank(q) || (p.type < q.type ? -1 : 1))[0];
}
