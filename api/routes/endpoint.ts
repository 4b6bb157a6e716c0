/** What a route is: one entry for the router, the OpenAPI document and the metrics alike. */
import type { Readable } from 'node:stream';
import type { Context } from 'hono';
import type { z } from 'zod';
import type { BodyBudget, BodySource } from '../body.ts';
import type { DoorPolicy } from '../doors.ts';
import type { Metrics } from '../metrics.ts';

/** Under Node's server, `incoming` is the request as Node has it. */
export interface AppEnv {
  Bindings: { incoming?: Readable & { socket?: { remoteAddress?: string | undefined } } };
  Variables: { requestId: string };
}
export type AppContext = Context<AppEnv>;

export interface AppServices {
  metrics: Metrics;
  bodies: BodyBudget;
  doors: DoorPolicy;
  /** Empty, or with a leading and without a trailing slash. */
  pathPrefix: string;
  /** One line about a request that failed through a fault of ours. */
  log(line: string): void;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface Endpoint {
  method: Method;
  /** From the prefix on, with `{name}` for a part that varies: `/api/v1/labels/{name}/values`. */
  path: string;
  summary: string;
  /** URL parameters. */
  parameters?: z.ZodObject;
  /** Media type of the request body -> its schema, or null where it is not JSON. */
  body?: Record<string, z.ZodType | null>;
  /** Media type of a good answer -> its schema, or null where it is not JSON. */
  answers: Record<string, z.ZodType | null>;
  handle(context: AppContext): Response | Promise<Response>;
}

/** The variable parts of an endpoint's path, in order. */
export function pathParameters(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
}

/** The path as Hono's router takes it. */
export function routerPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

/** The request's body for api/body.ts. */
export function bodySource(context: AppContext): BodySource {
  return {
    headers: { get: (name) => context.req.header(name) ?? null },
    incoming: context.env?.incoming,
    body: () => context.req.raw.body,
  };
}
