/** How long the main thread kept others waiting: all that is not on a worker waits with it. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Gauge } from './metrics.ts';

/** Time between two looks; what comes on top of it is delay. */
const RESOLUTION_MS = 10;
const QUANTILES = [0.5, 0.99, 1];

export interface EventLoopDelay {
  gauges: Gauge[];
  close(): void;
}

/** Measures from now on. Each scrape tells the delays since the one before it. */
export function measureEventLoopDelay(): EventLoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  return {
    gauges: [
      {
        name: 'everflame_event_loop_delay_seconds',
        description: 'Time that work of the main thread kept other work waiting, since last asked.',
        read: () => {
          const rows = QUANTILES.map((quantile): [number, { quantile: string }] => {
            const ns = histogram.count === 0 ? 0 : histogram.percentile(quantile * 100);
            const seconds = Math.max(0, ns / 1e9 - RESOLUTION_MS / 1000);
            return [seconds, { quantile: String(quantile) }];
          });
          histogram.reset();
          return rows;
        },
      },
    ],
    close: () => void histogram.disable(),
  };
}
