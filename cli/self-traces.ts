/**
 * Sends the program's spans to an OpenTelemetry collector (OTLP over HTTP). Configured by
 * OpenTelemetry's own environment variables, above all OTEL_EXPORTER_OTLP_ENDPOINT; without an
 * endpoint nothing is recorded.
 */
import { readVersion } from './version.ts';

export interface SelfTraces {
  /** Sends what waits, then stops. */
  close(): Promise<void>;
}

/** Null where the environment names no collector. At most one per process is active. */
export async function startSelfTraces(
  service: string,
  env: NodeJS.ProcessEnv,
): Promise<SelfTraces | null> {
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? env.OTEL_EXPORTER_OTLP_ENDPOINT ?? '';
  if (endpoint === '' || env.OTEL_SDK_DISABLED === 'true') return null;
  // The SDK is some megabytes of memory, which only who asked for spans shall pay.
  const { installTracer } = await import('./tracer.ts');
  return installTracer(env.OTEL_SERVICE_NAME ?? service, readVersion());
}
