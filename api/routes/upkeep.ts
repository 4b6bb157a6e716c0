/** What operators do with a running store. */
import { z } from 'zod';
import type { StoreCopy, StoreUpkeep } from '../../store/store.ts';
import type { BackupSource } from '../folder-streams.ts';
import { FolderStreams, makeBackup } from '../folder-streams.ts';
import type { MemoryDoor } from '../memory-governor.ts';
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
  memory: MemoryDoor;
  /** Of the DuckDB that makes an export. */
  exportBytes: number;
  clock(): number;
}

const TAR = 'application/x-tar';
/** What a check or a backup takes beside the database: rows in transit, and what is read ahead. */
const COPY_BYTES = 48 * 2 ** 20;
/** What making an export takes beside its DuckDB. */
const EXPORT_REST_BYTES = 40 * 2 ** 20;

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
        const { signal } = context.req.raw;
        const check = () => services.upkeep.check(signal);
        const checked = await withMemory(services, COPY_BYTES, signal, check);
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
        const { signal } = context.req.raw;
        const copy = () => makeBackup(services, signal);
        const make = () => withMemory(services, COPY_BYTES, signal, copy);
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
        const { signal } = context.req.raw;
        const { exportBytes } = services;
        const write = () => services.upkeep.export(selection, exportBytes, signal);
        const bytes = exportBytes + EXPORT_REST_BYTES;
        const make = () => withMemory(services, bytes, signal, write);
        return sendFolder(context, streams, 'everflame-export.tar', make);
      },
    },
  ];
}

/** Runs what takes so much memory when it is its turn. Sending the files takes next to none. */
async function withMemory<T>(
  { memory }: UpkeepServices,
  bytes: number,
  signal: AbortSignal,
  run: () => Promise<T>,
): Promise<T> {
  const release = await memory.reserve('copy', () => bytes, signal);
  try {
    return await run();
  } finally {
    release();
  }
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
