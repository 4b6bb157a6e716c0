/** What agents say of their samples, added up for `/metrics`: how many, and what was lost and why. */
import type { Counter } from '@opentelemetry/api';
import { INCOMPLETE_PREFIX, LOST_PREFIX, SAMPLED } from '../../profile/window-counters.ts';

/** Agents name the reasons; a series of a metric lives as long as the process. */
const MAX_REASONS = 64;
const OTHER = 'other';

export interface AgentSampleMetrics {
  agentSamples: Counter;
  /** Both by `reason`. */
  agentSamplesLost: Counter;
  agentSamplesIncomplete: Counter;
}

/** Counts the figures of stored windows, by name as in profile/window-counters.ts. */
export type CountAgentSamples = (counters: ReadonlyMap<string, number>) => void;

export function createAgentSampleCount(metrics: AgentSampleMetrics): CountAgentSamples {
  const lost = byReason(metrics.agentSamplesLost);
  const incomplete = byReason(metrics.agentSamplesIncomplete);
  return (counters) => {
    for (const [name, value] of counters) {
      if (name === SAMPLED) metrics.agentSamples.add(value);
      if (name.startsWith(LOST_PREFIX)) lost(name.slice(LOST_PREFIX.length), value);
      if (name.startsWith(INCOMPLETE_PREFIX)) {
        incomplete(name.slice(INCOMPLETE_PREFIX.length), value);
      }
    }
  };
}

function byReason(counter: Counter): (reason: string, value: number) => void {
  const known = new Set<string>();
  return (reason, value) => {
    if (known.size < MAX_REASONS) known.add(reason);
    counter.add(value, { reason: known.has(reason) ? reason : OTHER });
  };
}
