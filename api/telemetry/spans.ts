/**
 * Spans around what a request does. Without an SDK (cli/self-traces.ts) they cost next to nothing:
 * the API then hands out spans that record nothing.
 */
import type { Attributes, Span } from '@opentelemetry/api';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { EverflameError } from '../../profile/errors.ts';

const TRACER = 'everflame';

/** Runs within a span of its own, a child of the one that is active. */
export async function inSpan<T>(
  name: string,
  attributes: Attributes,
  run: (span: Span) => Promise<T>,
): Promise<T> {
  return trace.getTracer(TRACER).startActiveSpan(name, { attributes }, (span) => ended(span, run));
}

/** Says something of the span that is active, if one is. */
export function setSpanAttribute(name: string, value: number): void {
  trace.getActiveSpan()?.setAttribute(name, value);
}

/** The span of an HTTP request, a child of the sender's where it names one (W3C traceparent). */
export async function inRequestSpan<T>(
  request: { method: string; route: string; header(name: string): string | undefined },
  run: (span: Span) => Promise<T>,
): Promise<T> {
  const { method, route } = request;
  const parent = propagation.extract(context.active(), request, {
    get: (from, name) => from.header(name),
    keys: () => [],
  });
  const attributes = { 'http.request.method': method, 'http.route': route };
  const options = { kind: SpanKind.SERVER, attributes };
  const name = `${method} ${route}`;
  return trace.getTracer(TRACER).startActiveSpan(name, options, parent, (span) => ended(span, run));
}

async function ended<T>(span: Span, run: (span: Span) => Promise<T>): Promise<T> {
  try {
    return await run(span);
  } catch (error) {
    recordError(span, error);
    throw error;
  } finally {
    span.end();
  }
}

/** Refusals are answers, not faults: only the latter have a stack trace worth keeping. */
function recordError(span: Span, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
  if (error instanceof EverflameError) span.setAttribute('error.type', error.kind);
  else if (error instanceof Error) span.recordException(error);
}
