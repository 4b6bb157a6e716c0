/** OpenTelemetry's SDK, read through Prometheus' text format. */
import type { Meter } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';

export interface SelfMetrics {
  meter: Meter;
  /** All figures as of now, in Prometheus' text format. */
  render(): Promise<string>;
  close(): Promise<void>;
}

/** A meter of its own per program, not the process-wide one: tests run several servers at once. */
export function createSelfMetrics(version: string): SelfMetrics {
  // Everflame serves /metrics itself; the exporter only collects.
  const reader = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [reader] });
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  return {
    meter: provider.getMeter('everflame', version),
    render: async () => {
      const { resourceMetrics, errors } = await reader.collect();
      if (errors.length > 0) throw new AggregateError(errors, 'a metric could not be read');
      return serializer.serialize(resourceMetrics);
    },
    close: () => provider.shutdown(),
  };
}
