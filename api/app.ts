/** The HTTP application: every endpoint behind one door, one way to fail, one way to be counted. */
import { randomUUID } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { Hono } from 'hono';
import { EverflameError } from '../profile/errors.ts';
import { describeApi } from './openapi.ts';
import { describeProblem, methodProblem, PROBLEM_MEDIA_TYPE } from './problem.ts';
import { sendJson } from './routes/answer.ts';
import type { DebuginfoUploadServices } from './routes/debuginfo.ts';
import { debuginfoUploadEndpoints } from './routes/debuginfo.ts';
import type { DebuginfoStatusServices } from './routes/debuginfo-status.ts';
import { debuginfoStatusEndpoints } from './routes/debuginfo-status.ts';
import { debuginfodEndpoints } from './routes/debuginfod.ts';
import { guardDoors } from './routes/doors.ts';
import type { AppContext, AppEnv, AppServices, Endpoint } from './routes/endpoint.ts';
import { routerPath } from './routes/endpoint.ts';
import type { HealthServices } from './routes/health.ts';
import { healthEndpoints } from './routes/health.ts';
import type { WebFiles } from './routes/pages.ts';
import { mountPages } from './routes/pages.ts';
import type { PushServices } from './routes/push.ts';
import { pushEndpoints } from './routes/push.ts';
import { queryEndpoints } from './routes/queries.ts';
import type { QueryServices } from './routes/query-services.ts';
import type { RetentionServices } from './routes/retention.ts';
import { retentionEndpoints } from './routes/retention.ts';
import type { SelfProfileServices } from './routes/self-profile.ts';
import { selfProfileEndpoints } from './routes/self-profile.ts';
import type { SqlServices } from './routes/sql.ts';
import { sqlEndpoints } from './routes/sql.ts';
import type { UpkeepServices } from './routes/upkeep.ts';
import { upkeepEndpoints } from './routes/upkeep.ts';
import { inRequestSpan } from './telemetry/spans.ts';

export interface AppOptions
  extends AppServices,
    HealthServices,
    PushServices,
    QueryServices,
    RetentionServices,
    SelfProfileServices,
    UpkeepServices,
    SqlServices,
    DebuginfoUploadServices,
    DebuginfoStatusServices {
  version: string;
  webFiles: WebFiles;
}

export function createApp(options: AppOptions): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const endpoints = listEndpoints(options);
  app.use(answerHeaders());
  app.use(guardDoors(options.doors));
  for (const endpoint of endpoints) mountEndpoint(app, endpoint, options);
  const findMethods = methodFinder(endpoints, options.pathPrefix);
  const isEndpoint = (path: string) => findMethods(path).length > 0;
  mountPages(app, options.webFiles, options.pathPrefix, isEndpoint);
  app.notFound((context) => answerNotFound(context, findMethods(context.req.path)));
  app.onError((error, context) => answerError(context, error, options, 'none'));
  return app;
}

/** All endpoints, the document that lists them included. */
export function listEndpoints(options: AppOptions): Endpoint[] {
  const endpoints: Endpoint[] = [
    ...pushEndpoints(options),
    ...queryEndpoints(options),
    ...debuginfoUploadEndpoints(options),
    ...debuginfoStatusEndpoints(options),
    ...debuginfodEndpoints(options),
    ...selfProfileEndpoints(options),
    ...upkeepEndpoints(options),
    ...retentionEndpoints(options),
    ...sqlEndpoints(options),
    ...healthEndpoints(options),
  ];
  endpoints.push({
    method: 'GET',
    path: '/api/openapi.json',
    summary: 'This document.',
    answers: { 'application/json': null },
    handle: (context) =>
      sendJson(context, describeApi(endpoints, options.version, options.pathPrefix)),
  });
  return endpoints;
}

function mountEndpoint(app: Hono<AppEnv>, endpoint: Endpoint, services: AppServices): void {
  const path = `${services.pathPrefix}${routerPath(endpoint.path)}`;
  const { path: route, method } = endpoint;
  app.on(method, path, async (context) => {
    const startedMs = performance.now();
    const { requests, requestSeconds, requestsInFlight } = services.metrics;
    requestsInFlight.add(1);
    const header = (name: string) => context.req.header(name);
    const response = await inRequestSpan({ method, route, header }, async (span) => {
      const answer = await answerOf(endpoint, context, services);
      span.setAttribute('http.response.status_code', answer.status);
      return answer;
    });
    requestsInFlight.add(-1);
    requests.add(1, { route, method, status: response.status });
    requestSeconds.record((performance.now() - startedMs) / 1000, { route });
    return response;
  });
}

async function answerOf(
  endpoint: Endpoint,
  context: AppContext,
  services: AppServices,
): Promise<Response> {
  try {
    return await endpoint.handle(context);
  } catch (error) {
    return answerError(context, error, services, endpoint.path);
  }
}

/**
 * A request id in and out, and what every answer says to a browser. Set before the answer is made:
 * changing a finished one makes the server's adapter build a web stream for it.
 */
function answerHeaders(): MiddlewareHandler<AppEnv> {
  return async (context, next) => {
    const sent = context.req.header('x-request-id') ?? '';
    const requestId = /^[\w.-]{1,64}$/.test(sent) ? sent : randomUUID();
    context.set('requestId', requestId);
    context.header('X-Request-Id', requestId);
    context.header('X-Content-Type-Options', 'nosniff');
    context.header('Cross-Origin-Resource-Policy', 'same-origin');
    await next();
  };
}

function answerError(
  context: AppContext,
  error: unknown,
  services: AppServices,
  route: string,
): Response {
  const { problem, retryAfterS } = describeProblem(error, context.get('requestId'));
  const reason = problem.type.slice(problem.type.lastIndexOf(':') + 1);
  services.metrics.refused.add(1, { route, reason });
  if (problem.status === 500) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    services.log(`request ${problem.request_id} ${context.req.method} ${route} failed: ${stack}`);
  }
  if (retryAfterS !== null) context.header('Retry-After', String(retryAfterS));
  return sendProblem(context, problem);
}

function sendProblem(context: AppContext, problem: { status: number }): Response {
  context.header('Content-Type', PROBLEM_MEDIA_TYPE);
  context.header('Cache-Control', 'no-store');
  return context.body(JSON.stringify(problem), problem.status as 400);
}

function answerNotFound(context: AppContext, methods: readonly string[]): Response {
  const requestId = context.get('requestId');
  if (methods.length > 0) {
    context.header('Allow', methods.join(', '));
    return sendProblem(context, methodProblem(context.req.method, methods, requestId));
  }
  const missing = new EverflameError(
    'not-found',
    `there is nothing at ${context.req.path.slice(0, 200)}`,
    { remedy: 'GET /api/openapi.json lists the endpoints.' },
  );
  return sendProblem(context, describeProblem(missing, requestId).problem);
}

/** Path -> the methods of the endpoint there; empty where there is none. */
function methodFinder(endpoints: readonly Endpoint[], pathPrefix: string) {
  const patterns = endpoints.map(({ path, method }) => {
    const literal = `${pathPrefix}${path}`.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+');
    return { method, pattern: new RegExp(`^${literal}$`) };
  });
  return (path: string): string[] =>
    patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
}
