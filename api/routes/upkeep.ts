/** What operators do with a running store. */
import { z } from 'zod';
import type { StoreCopy, StoreUpkeep } from '../../store/store.ts';
import type { BackupSource } from '../folder-streams.ts';
import { FolderStreams, makeBackup } from '../folder-streams.ts';
import { readUrlParameters } from '../parameters.ts';
import { readSelection } from '../query/selection.ts';
import { storeCheckJson } from '../store-check.ts';
import { sendJson } from './answer.ts';
import type { AppContext, Endpoint } from './endpoint.ts';
import { exportParameters, rangeOf } from './query-parameters.ts';
import { searchOf } from './read.ts';
import { storeCheckJson as storeCheckSchema } from './schemas.ts';

export interface UpkeepServices extends BackupSource {
  upkeep: StoreUpkeep;
  clock(): number;
}

const TAR = 'application/x-tar';

const noParameters = z.strictObject({});

export function upkeepEndpoints(services: UpkeepServices): Endpoint[] {
  const streams = new FolderStreams();
  return [
    {
      method: 'POST',
      path: '/api/v1/store/check',
      summary: 'Reads everything stored and says what is damaged; that is then left out.',
      parameters: noParameters,
      answers: { 'application/json': storeCheckSchema },
      handle: async (context) => {
        readUrlParameters(noParameters, searchOf(context));
        const checked = await services.upkeep.check(context.req.raw.signal);
        return sendJson(context, storeCheckJson(checked));
      },
    },
    {
      method: 'GET',
      path: '/api/v1/store/backup',
      summary: 'All that is stored, as of one moment: a tar of a data directory.',
      parameters: noParameters,
      answers: { [TAR]: null },
      handle: async (context) => {
        readUrlParameters(noParameters, searchOf(context));
        const make = () => makeBackup(services, context.req.raw.signal);
        return sendFolder(context, streams, 'everflame-backup.tar', make);
      },
    },
    {
      method: 'GET',
      path: '/api/v1/export',
      summary: 'A selection as Parquet: a tar of samples, series and stacks.',
      parameters: exportParameters,
      answers: { [TAR]: null },
      handle: async (context) => {
        const { query, from, to } = readUrlParameters(exportParameters, searchOf(context));
        const range = rangeOf(from, to, services.clock());
        const selection = readSelection(query, range, 'query');
        const make = () => services.upkeep.export(selection, context.req.raw.signal);
        return sendFolder(context, streams, 'everflame-export.tar', make);
      },
    },
  ];
}

async function sendFolder(
  context: AppContext,
  streams: FolderStreams,
  fileName: string,
  make: () => Promise<StoreCopy>,
): Promise<Response> {
  const headers = {
    'Content-Type': TAR,
    'Content-Disposition': `attachment; filename="${fileName}"`,
    'Cache-Control': 'no-store',
  };
  // The body of an answer to HEAD is never read: nobody would end its stream.
  if (context.req.method === 'HEAD') return context.body(null, 200, headers);
  return context.body(await streams.send(make), 200, headers);
}
