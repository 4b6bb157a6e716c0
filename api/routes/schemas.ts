/** zod schemas of wire/http.ts for the OpenAPI document; the types below hold the two together. */
import { z } from 'zod';
import type {
  AgentsJson,
  DebuginfoJson,
  DebuginfoStateJson,
  EstimateJson,
  FunctionsJson,
  MergeJson,
  NamesJson,
  Problem,
  ProfilesJson,
  ProfileTypesJson,
  PushJson,
  SandwichJson,
  SelfProfileJson,
  SeriesJson,
  StoreCheckJson,
  UploadJson,
  WantedJson,
} from '../../wire/http.ts';

const count = z.int().min(0);
const epochMs = z.number().describe('Milliseconds since the epoch.');
const byReason = z.record(z.string(), z.number());
const labels = z.record(z.string(), z.string());
const valuesOrNull = z.array(z.number().nullable());

export const problemJson = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  parameter: z.string().exactOptional().describe('The parameter or message field at fault.'),
  limit: z.string().exactOptional().describe('The limit that was hit, with its name.'),
  position: z.number().exactOptional().describe('0-based offset of the fault in the parameter.'),
  remedy: z.string().exactOptional().describe('What the sender can do.'),
  request_id: z.string(),
}) satisfies z.ZodType<Problem>;

/** The answer of a command. */
export const doneJson = z.object({ done: z.literal(true) });

export const healthJson = z.object({ status: z.literal('ok') });
export const readyJson = healthJson.extend({
  refused_pushes: z.string().nullable().describe('Why pushes are refused; null: they are not.'),
});

const qualityJson = z.object({
  damaged: z.object({ blocks: count, samples: count }).exactOptional(),
  series: z.object({
    profiles: count,
    series: count,
    samples: z.number().nullable(),
    incomplete: byReason,
    unsymbolized: byReason,
    truncated: z.number(),
  }),
  hosts: z
    .object({
      hosts: count,
      windows: count,
      missingWindows: count,
      sampled: count,
      excluded: count,
      sent: count,
      lost: byReason,
      incomplete: byReason,
      nominalHz: z.number().nullable(),
      effectiveHz: z.number().nullable(),
    })
    .nullable(),
});

export const profileTypesJson = z.object({
  profile_types: z.array(
    z.object({
      type: z.string(),
      name: z.string(),
      sample_type: z.string(),
      sample_unit: z.string(),
      period_type: z.string(),
      period_unit: z.string(),
      aggregation: z.enum(['delta', 'gauge']),
    }),
  ),
}) satisfies z.ZodType<ProfileTypesJson>;

export const namesJson = z.object({
  values: z.array(z.string()),
  omitted: count,
}) satisfies z.ZodType<NamesJson>;

const seriesLine = z.object({
  labels,
  total: z.number(),
  value: valuesOrNull,
  rate: valuesOrNull,
  samples: valuesOrNull,
});

export const seriesJson = z.object({
  type: z.string(),
  unit: z.string(),
  aggregation: z.enum(['delta', 'gauge']),
  from_ms: epochMs,
  to_ms: epochMs,
  covered_ms: z.number().nullable(),
  step_ms: z.number(),
  ts_ms: z.array(epochMs),
  series: z.array(seriesLine),
  rest: seriesLine.extend({ count }).nullable(),
  quality: qualityJson,
}) satisfies z.ZodType<SeriesJson>;

const weights = z.array(z.number());

const graphJson = z.object({
  nodes: z.object({
    depth: z.array(count),
    frame: z.array(count),
    self: weights,
    total: weights,
    folded: weights.describe('Of children that are left out.'),
  }),
  frames: z.array(
    z.object({
      name: z.string(),
      system_name: z.string(),
      binary: z.string(),
      build_id: z.string(),
      file: z.string(),
      line: count,
      address: z.string(),
      kind: z.string(),
      reason: z.string(),
    }),
  ),
});

/** What an answer about stacks says of all of them. */
const stacksJson = z.object({
  type: z.string(),
  unit: z.string(),
  from_ms: epochMs,
  to_ms: epochMs,
  total_before_filters: z.number().describe('Of the selection.'),
  total: z.number().describe('After filters.'),
  quality: qualityJson,
});

export const mergeJson = stacksJson.extend({
  nodes: graphJson.shape.nodes.extend({
    self_base: weights.exactOptional(),
    total_base: weights.exactOptional(),
    folded_base: weights.exactOptional(),
  }),
  frames: graphJson.shape.frames,
  base: stacksJson.omit({ unit: true }).exactOptional(),
  mode: z.enum(['share', 'absolute', 'rate']).exactOptional(),
}) satisfies z.ZodType<MergeJson>;

export const sandwichJson = stacksJson.extend({
  function: z
    .object({ self: z.number(), total: z.number() })
    .describe('Weight of the function; a stack counts once, however often it has it.'),
  callers: graphJson.describe('From the function outwards: below each node are its callers.'),
  callees: graphJson,
}) satisfies z.ZodType<SandwichJson>;

export const estimateJson = z.object({
  series: count.describe('Series that may have data in the range.'),
  blocks: count.describe('Sealed blocks whose times meet the range.'),
  bytes: count.describe('Size of their files, of which parts are read.'),
  rows: count.describe(
    'Rows expected to match: each block by the part of its time and of its series asked for.',
  ),
  max_rows: count.describe('Rows of these blocks and not yet sealed: no query looks at more.'),
  hot_rows: count.describe('Of them, those not yet sealed.'),
  lane: z.enum(['light', 'heavy']).describe('The queries that this one takes turns with.'),
}) satisfies z.ZodType<EstimateJson>;

export const profilesJson = z.object({
  profiles: z.array(
    z.object({
      id: z.string().describe('For /api/v1/profiles/{id}, and for `profile` in merge and others.'),
      ts_ms: epochMs,
      duration_ms: z.number(),
      labels,
      types: z.array(z.string()),
      samples: count,
      comments: z.array(z.string()),
    }),
  ),
}) satisfies z.ZodType<ProfilesJson>;

export const functionsJson = stacksJson.extend({
  count,
  functions: z.array(
    z.object({
      name: z.string(),
      system_name: z.string(),
      binary: z.string(),
      file: z.string(),
      kind: z.string(),
      reason: z.string(),
      self: z.number(),
      total: z.number(),
      inlined_self: z.number(),
    }),
  ),
}) satisfies z.ZodType<FunctionsJson>;

export const agentsJson = z.object({
  agents: z.array(
    z.object({
      id: z.string(),
      host: z.string(),
      version: z.string(),
      kernel: z.string(),
      first_seen_ms: epochMs,
      last_seen_ms: epochMs,
      windows: count,
      missing_windows: count,
      counters: byReason,
    }),
  ),
}) satisfies z.ZodType<AgentsJson>;

const symbolQuality = z
  .enum(['lines', 'symbols', 'exported', 'none'])
  .describe('Lines and inlined calls, names of all functions, of exported ones, or nothing.');
const debuginfoState = z.enum(['ready', 'converting', 'receiving', 'failed', 'absent']);

export const debuginfoStateJson = z.object({
  build_id: z.string(),
  file: z.string(),
  quality: symbolQuality,
  state: debuginfoState,
  sources: z.array(
    z.object({
      kind: z.enum(['executable', 'debuginfo', 'split', 'supplementary']),
      file: z.string(),
      origin: z.enum(['upload', 'local', 'debuginfod']),
      from: z.string(),
      size_bytes: count,
      received_ms: epochMs,
    }),
  ),
  symbol_file_bytes: count,
  functions: count,
  inlined_calls: count,
  left_out: byReason.describe('What the symbol file lacks of its sources, by reason.'),
  problem: z.string(),
  remedy: z.string(),
  retry_ms: epochMs.nullable(),
}) satisfies z.ZodType<DebuginfoStateJson>;

export const debuginfoJson = z.object({
  debuginfo: z.array(
    debuginfoStateJson.extend({ self: z.number(), total: z.number(), unsymbolized: byReason }),
  ),
  omitted: count,
  bytes_on_disk: count,
  max_bytes: count,
  local_paths: z.array(z.string()),
  debuginfod_urls: z.array(z.string()),
  type: z.string(),
  unit: z.string(),
  from_ms: epochMs,
  to_ms: epochMs,
  total: z.number(),
}) satisfies z.ZodType<DebuginfoJson>;

export const wantedJson = z.object({
  wanted: z.array(
    z.object({
      build_id: z.string(),
      wanted: z.enum(['executable', 'debuginfo', 'split', 'no']),
      why: z.string(),
      lease: z.string(),
      offset: count,
    }),
  ),
}) satisfies z.ZodType<WantedJson>;

export const pushJson = z.object({
  batch_id: z.string(),
  profiles: count,
  samples: count,
  samples_without_labels: count,
}) satisfies z.ZodType<PushJson>;

export const storeCheckJson = z.object({
  files: count,
  bytes: count,
  rows: count,
  faults: z.array(
    z.object({
      place: z.string(),
      what: z.string(),
      from_ms: epochMs.nullable(),
      to_ms: epochMs.nullable(),
      samples: count,
    }),
  ),
}) satisfies z.ZodType<StoreCheckJson>;

export const selfProfileJson = z.object({
  query: z.string(),
  from_ms: epochMs,
  to_ms: epochMs,
  samples: count,
  threads: z.array(z.object({ thread: z.string(), active_ns: count })),
  missing_threads: z.array(z.string()),
}) satisfies z.ZodType<SelfProfileJson>;

export const uploadJson = z.object({
  received_bytes: count,
  complete: z.boolean(),
  state: debuginfoState,
  quality: symbolQuality,
}) satisfies z.ZodType<UploadJson>;
