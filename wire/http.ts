/** The JSON of /api/v1, shared by `api/` and `web/`. Field names are snake_case on the wire. */
import type { DiffMode } from '../profile/flame/diff.ts';
import type { Quality } from '../profile/flame/quality.ts';
import type { Aggregation } from '../profile/select/profile-type.ts';

/** RFC 9457. `parameter`, `limit` and `position` say where the fault is and what was exceeded. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  parameter?: string;
  limit?: string;
  /** 0-based, in characters of the parameter's text. */
  position?: number;
  remedy?: string;
  request_id: string;
}

export interface ProfileTypeJson {
  type: string;
  name: string;
  sample_type: string;
  sample_unit: string;
  period_type: string;
  period_unit: string;
  aggregation: Aggregation;
}

export interface ProfileTypesJson {
  profile_types: ProfileTypeJson[];
}

export interface NamesJson {
  /** Label names or the values of one, sorted. */
  values: string[];
  /** How many more there are than `limit` let through. */
  omitted: number;
}

export interface SeriesJson {
  type: string;
  unit: string;
  aggregation: Aggregation;
  from_ms: number;
  to_ms: number;
  /** Time that the profiles cover together; null where one of them does not tell its length. */
  covered_ms: number | null;
  step_ms: number;
  /** Starts of the steps. */
  ts_ms: number[];
  /** By total, largest first. */
  series: SeriesLineJson[];
  /** All series beyond `limit` as one; null where there are none. */
  rest: (SeriesLineJson & { count: number }) | null;
  quality: Quality;
}

export interface SeriesLineJson {
  labels: Record<string, string>;
  total: number;
  /** Per step, in the type's unit; null where no profile covers it. */
  value: (number | null)[];
  /** Value per second of the step (deltas); the value itself for gauges. */
  rate: (number | null)[];
  /** Sampled events, where known. */
  samples: (number | null)[];
}

/** The columns of docs/formats.md section 2 with totals derived; all values are in one unit. */
export interface GraphJson {
  nodes: {
    depth: number[];
    frame: number[];
    self: number[];
    total: number[];
    folded: number[];
  };
  frames: FrameJson[];
}

/** `merge?format=json` and `diff`. */
export interface MergeJson extends GraphJson {
  type: string;
  unit: string;
  from_ms: number;
  to_ms: number;
  total_before_filters: number;
  /** After filters. */
  total: number;
  nodes: GraphJson['nodes'] & {
    /** Side A; only in a diff. */
    self_base?: number[];
    total_base?: number[];
    folded_base?: number[];
  };
  quality: Quality;
  base?: {
    type: string;
    from_ms: number;
    to_ms: number;
    total_before_filters: number;
    total: number;
    quality: Quality;
  };
  /** What a diff's values measure: `unit` is `share`, the unit, or the unit per second. */
  mode?: DiffMode;
}

/** Callers and callees of one function. */
export interface SandwichJson {
  type: string;
  unit: string;
  from_ms: number;
  to_ms: number;
  /** Of the selection, and of what filters leave of it. */
  total_before_filters: number;
  total: number;
  /** Weight of the stacks that have the function, and its own; each stack counts once. */
  function: { self: number; total: number };
  /** From the function outwards: below each node are its callers. */
  callers: GraphJson;
  callees: GraphJson;
  quality: Quality;
}

/** What a query would read; `/api/v1/estimate`. */
export interface EstimateJson {
  series: number;
  blocks: number;
  bytes: number;
  rows: number;
  max_rows: number;
  hot_rows: number;
  lane: 'light' | 'heavy';
}

export interface ProfilesJson {
  profiles: {
    id: string;
    ts_ms: number;
    duration_ms: number;
    labels: Record<string, string>;
    types: string[];
    samples: number;
    comments: string[];
  }[];
}

export interface FrameJson {
  name: string;
  system_name: string;
  binary: string;
  build_id: string;
  file: string;
  line: number;
  /** Hexadecimal with 0x; empty where the frame has a name. */
  address: string;
  kind: string;
  reason: string;
}

export interface FunctionsJson {
  type: string;
  unit: string;
  from_ms: number;
  to_ms: number;
  total_before_filters: number;
  /** After filters. */
  total: number;
  /** Functions that match `search`, of which `functions` is one page. */
  count: number;
  functions: FunctionJson[];
  quality: Quality;
}

export interface FunctionJson {
  name: string;
  system_name: string;
  binary: string;
  file: string;
  kind: string;
  /** Why it has no name; empty where it has one. */
  reason: string;
  /** In the type's unit. A recursive function counts once per stack in `total`. */
  self: number;
  total: number;
  /** Part of `self` where it was inlined into its caller. */
  inlined_self: number;
}

export interface AgentsJson {
  agents: AgentJson[];
}

export interface AgentJson {
  id: string;
  host: string;
  version: string;
  kernel: string;
  first_seen_ms: number;
  last_seen_ms: number;
  windows: number;
  missing_windows: number;
  counters: Record<string, number>;
}

/** `GET /api/v1/debuginfo`: what is known of each binary, and of those that profiles name. */
export interface DebuginfoJson {
  /** Those first whose weight has the least names. */
  debuginfo: DebuginfoRowJson[];
  /** Rows over the limit. */
  omitted: number;
  /** Of all files kept, and their budget (--debuginfo-bytes). */
  bytes_on_disk: number;
  max_bytes: number;
  /** Where else this server looks, in order: local directories, then --debuginfod-urls. */
  local_paths: string[];
  debuginfod_urls: string[];
  /** Of the profiles whose weight is told: their type and unit, and their whole weight. */
  type: string;
  unit: string;
  from_ms: number;
  to_ms: number;
  total: number;
}

/** What an answer can say: lines and inlined calls, names of all functions, of exported ones. */
export type SymbolQualityName = 'lines' | 'symbols' | 'exported' | 'none';

export interface DebuginfoRowJson {
  /** Empty where profiles give none: then all files of that name together, always `absent`. */
  build_id: string;
  /** Basename as profiles have it; else as the first sender calls it. */
  file: string;
  quality: SymbolQualityName;
  /**
   * `ready`: converted. `converting`: at work or waiting for it. `receiving`: an upload or download
   * is under way. `failed`: see `problem`. `absent`: nobody has sent it.
   */
  state: 'ready' | 'converting' | 'receiving' | 'failed' | 'absent';
  /** The files that the symbol file is made from. */
  sources: {
    kind: 'executable' | 'debuginfo' | 'split' | 'supplementary';
    /** As its sender calls it; empty where that is not known. */
    file: string;
    origin: 'upload' | 'local' | 'debuginfod';
    /** Who sent it, or its path or address. */
    from: string;
    size_bytes: number;
    received_ms: number;
  }[];
  symbol_file_bytes: number;
  functions: number;
  inlined_calls: number;
  /**
   * What the symbol file lacks of its sources, counted by reason; the reasons stand in
   * docs/debuginfo.md. Those that count nothing are not there.
   */
  left_out: Record<string, number>;
  /** Weight of stacks whose innermost frame, or any frame, is in this binary. */
  self: number;
  total: number;
  /** Part of `self` without a name, by reason. */
  unsymbolized: Record<string, number>;
  /** What went wrong, or is missing, and what to do; empty where nothing is. */
  problem: string;
  remedy: string;
  /** When it is looked for or converted again by itself; null = not planned. */
  retry_ms: number | null;
}

/** `GET /api/v1/debuginfo/{build_id}`: the same without what profiles say. */
export type DebuginfoStateJson = Omit<DebuginfoRowJson, 'self' | 'total' | 'unsymbolized'>;

export interface WantedJson {
  wanted: {
    build_id: string;
    wanted: 'executable' | 'debuginfo' | 'split' | 'no';
    why: string;
    lease: string;
    offset: number;
  }[];
}

/** What a deletion has removed, or would remove. */
export interface DeletedJson {
  profiles: number;
  /** Rows. */
  samples: number;
  /** Written anew or dropped. */
  blocks: number;
  dry_run: boolean;
}

/** What a check of everything stored has found. */
export interface StoreCheckJson {
  files: number;
  bytes: number;
  rows: number;
  /** `from_ms`, `to_ms` and `samples` are those of a block's rows; null and 0 elsewhere. */
  faults: {
    place: string;
    what: string;
    from_ms: number | null;
    to_ms: number | null;
    samples: number;
  }[];
}

/** A profile that the server recorded of itself. */
export interface SelfProfileJson {
  /** A selector of what was stored, and the range it lies in. */
  query: string;
  from_ms: number;
  to_ms: number;
  /** Rows of samples. */
  samples: number;
  /** Wall-clock time that a thread did not wait for events. */
  threads: { thread: string; active_ns: number }[];
  /** Threads that did not hand over their profile. */
  missing_threads: string[];
}

/** What a push has stored, durably. */
export interface PushJson {
  batch_id: string;
  profiles: number;
  /** Rows of samples. */
  samples: number;
  /** Samples over a limit on labels: kept with their value and without their labels. */
  samples_without_labels: number;
}

export interface UploadJson {
  /** Bytes of the file that the server has; where an interrupted upload goes on. */
  received_bytes: number;
  /** All bytes are there and the file has been taken. */
  complete: boolean;
  /** What the build id has now; `converting` where that goes on after the answer. */
  state: DebuginfoRowJson['state'];
  quality: SymbolQualityName;
}
