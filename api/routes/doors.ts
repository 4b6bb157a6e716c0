/** The one middleware that decides who may ask; no route does it for itself. */
import type { MiddlewareHandler } from 'hono';
import type { DoorPolicy } from '../doors.ts';
import { checkDoors } from '../doors.ts';
import type { AppEnv } from './endpoint.ts';

export function guardDoors(policy: DoorPolicy): MiddlewareHandler<AppEnv> {
  return async (context, next) => {
    const header = (name: string) => context.req.header(name);
    checkDoors(
      {
        method: context.req.method,
        host: header('host') ?? new URL(context.req.url).host,
        origin: header('origin'),
        fetchSite: header('sec-fetch-site'),
        fetchMode: header('sec-fetch-mode'),
        fetchDest: header('sec-fetch-dest'),
      },
      policy,
    );
    await next();
  };
}
