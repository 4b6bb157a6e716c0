/** The types of a pprof: one name for all of them, found in what its sample types are called. */
import type { ProfileType } from './profile-type.ts';

/** What Pyroscope's clients say about one sample type in `sample_type_config`. */
export interface SampleTypeConfig {
  displayName: string;
  /** `aggregation: average`: the values are levels, not amounts. */
  isAverage: boolean;
}

export interface TypeNaming {
  /** In the pprof's order; none has an empty type. */
  sampleTypes: readonly { type: string; unit: string }[];
  /** Null where the profile has no period. */
  periodType: { type: string; unit: string } | null;
  /** The `__name__` label or the scrape path; empty where there is none. */
  name: string;
  configs: ReadonlyMap<string, SampleTypeConfig>;
}

/** The first rule that any of the sample types meets gives the name. */
const NAME_RULES: readonly (readonly [name: string, sampleType: RegExp])[] = [
  ['process_cpu', /^cpu$/],
  ['memory', /^(alloc_.*|inuse_.*|space|objects)$/],
  ['goroutines', /^goroutines?$/],
  ['contention', /^contentions$/],
];

/** One type per sample type, in the same order. */
export function nameProfileTypes(naming: TypeNaming): ProfileType[] {
  const name = naming.name || inferName(naming);
  return naming.sampleTypes.map(({ type, unit }) => ({
    name,
    sampleType: gaugeName(type, naming.configs.get(type)),
    sampleUnit: unit,
    periodType: naming.periodType?.type ?? '',
    periodUnit: naming.periodType?.unit ?? '',
  }));
}

function inferName({ sampleTypes, configs }: TypeNaming): string {
  const types = sampleTypes.map(({ type }) => type);
  if (types.includes('wall')) return 'wall';
  const displayNames = types.map((type) => configs.get(type)?.displayName ?? '');
  if (displayNames.some((name) => name.startsWith('mutex_'))) return 'mutex';
  if (displayNames.some((name) => name.startsWith('block_'))) return 'block';
  for (const [name, pattern] of NAME_RULES) {
    if (types.some((type) => pattern.test(type))) return name;
  }
  return types[0] ?? '';
}

const GAUGE_TYPES = /^(inuse_.*|goroutines?|objects|space)$/;

/** A level that is not called like one gets `inuse_`, by which aggregationOf knows it. */
function gaugeName(type: string, config: SampleTypeConfig | undefined): string {
  return config?.isAverage && !GAUGE_TYPES.test(type) ? `inuse_${type}` : type;
}
