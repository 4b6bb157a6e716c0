/** The server's profile of itself. */
import { z } from 'zod';
import { MAX_SELF_PROFILE_SECONDS } from '../../profile/limits.ts';
import { readUrlParameters } from '../parameters.ts';
import type { SelfProfiler } from '../self-profile/self-profile.ts';
import { sendJson } from './answer.ts';
import type { Endpoint } from './endpoint.ts';
import { searchOf } from './read.ts';
import { selfProfileJson } from './schemas.ts';

export interface SelfProfileServices {
  selfProfiler: SelfProfiler;
}

const DEFAULT_SECONDS = 10;

const selfProfileParameters = z.strictObject({
  seconds: z
    .number()
    .positive()
    .max(MAX_SELF_PROFILE_SECONDS)
    .default(DEFAULT_SECONDS)
    .describe('How long to record; the answer comes after it.'),
});

export function selfProfileEndpoints({ selfProfiler }: SelfProfileServices): Endpoint[] {
  return [
    {
      method: 'POST',
      path: '/api/v1/self_profile',
      summary: "Records what the server's own threads do and stores it as service everflame.",
      parameters: selfProfileParameters,
      answers: { 'application/json': selfProfileJson },
      handle: async (context) => {
        const { seconds } = readUrlParameters(selfProfileParameters, searchOf(context));
        const answer = await selfProfiler.run(seconds * 1000, context.req.raw.signal);
        return sendJson(context, answer);
      },
    },
  ];
}
