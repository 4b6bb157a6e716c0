/** Figures of the queries under way. */
import type { Gauge } from './metrics.ts';
import type { LaneName, LaneStats } from './query/query-lanes.ts';

export function queryGauges(read: () => Record<LaneName, LaneStats>): Gauge[] {
  const byLane = (figure: keyof LaneStats): [number, { lane: string }][] =>
    Object.entries(read()).map(([lane, stats]) => [stats[figure], { lane }]);
  return [
    {
      name: 'everflame_queries_running',
      description: 'Queries that run, by weight.',
      read: () => byLane('running'),
    },
    {
      name: 'everflame_queries_waiting',
      description: 'Queries that wait for others to end, by weight.',
      read: () => byLane('waiting'),
    },
  ];
}
