/** What operators do with a running store. */
import { z } from 'zod';
import type { StoreUpkeep } from '../../store/store.ts';
import { readUrlParameters } from '../parameters.ts';
import { storeCheckJson } from '../store-check.ts';
import { sendJson } from './answer.ts';
import type { Endpoint } from './endpoint.ts';
import { searchOf } from './read.ts';
import { storeCheckJson as storeCheckSchema } from './schemas.ts';

export interface UpkeepServices {
  upkeep: StoreUpkeep;
}

const noParameters = z.strictObject({});

export function upkeepEndpoints({ upkeep }: UpkeepServices): Endpoint[] {
  return [
    {
      method: 'POST',
      path: '/api/v1/store/check',
      summary: 'Reads everything stored and says what is damaged; that is then left out.',
      parameters: noParameters,
      answers: { 'application/json': storeCheckSchema },
      handle: async (context) => {
        readUrlParameters(noParameters, searchOf(context));
        const checked = await upkeep.check(context.req.raw.signal);
        return sendJson(context, storeCheckJson(checked));
      },
    },
  ];
}
