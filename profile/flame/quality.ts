/**
 * How much of the truth an answer holds. Figures of the selected series (what was asked for) and
 * of the windows of the hosts they came from (which cover everything sampled there) stand apart.
 */

export interface SeriesQuality {
  profiles: number;
  series: number;
  /** Sampled events: the count type, else value / period, else null. */
  samples: number | null;
  /** Weight (in the answer's unit) of stacks with an `[unknown: reason]` frame, by reason. */
  incomplete: Record<string, number>;
  /** Weight whose leaf frame has an address and no name, by reason. */
  unsymbolized: Record<string, number>;
  /** Weight that stands in the answer without its own node. */
  truncated: number;
}

export interface HostQuality {
  hosts: number;
  windows: number;
  /** Windows that an agent's sequence numbers say existed and that never arrived. */
  missingWindows: number;
  sampled: number;
  excluded: number;
  sent: number;
  lost: Record<string, number>;
  incomplete: Record<string, number>;
  /** Samples per second of busy CPU: asked for, and reached (null without a busy-time figure). */
  nominalHz: number | null;
  effectiveHz: number | null;
}

export interface Quality {
  series: SeriesQuality;
  /** Null where the profiles were pushed and no agent's window covers them. */
  hosts: HostQuality | null;
  /** Stored rows of the range that are left out because their files are damaged; mostly absent. */
  damaged?: { blocks: number; samples: number };
}

export function emptySeriesQuality(): SeriesQuality {
  return { profiles: 0, series: 0, samples: null, incomplete: {}, unsymbolized: {}, truncated: 0 };
}
