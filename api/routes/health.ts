/** Liveness, readiness and metrics. */
import { EverflameError } from '../../profile/errors.ts';
import type { Store, StoreUpkeep } from '../../store/store.ts';
import { sendJson, sendText } from './answer.ts';
import type { Endpoint } from './endpoint.ts';
import { healthJson, readyJson } from './schemas.ts';

export interface HealthServices {
  store: Pick<Store, 'ready'>;
  upkeep: StoreUpkeep;
  /** All metrics in Prometheus' text format. */
  renderMetrics(): Promise<string>;
}

const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8';

export function healthEndpoints({ store, upkeep, renderMetrics }: HealthServices): Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/healthz',
      summary: 'The process answers.',
      answers: { 'application/json': healthJson },
      handle: (context) => sendJson(context, { status: 'ok' }),
    },
    {
      method: 'GET',
      path: '/readyz',
      summary: 'A write and a read go through, or why pushes are refused while reads go on.',
      answers: { 'application/json': readyJson },
      handle: async (context) => {
        if (!(await store.ready())) {
          throw new EverflameError('unavailable', 'the store does not take a write and a read');
        }
        return sendJson(context, {
          status: 'ok',
          refused_pushes: upkeep.refusal()?.message ?? null,
        });
      },
    },
    {
      method: 'GET',
      path: '/metrics',
      summary: "The server's own figures in Prometheus' text format.",
      answers: { 'text/plain': null },
      handle: async (context) => sendText(context, await renderMetrics(), PROMETHEUS_TEXT),
    },
  ];
}
