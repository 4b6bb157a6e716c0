/** The check of a data directory that no server has open. */
import { existsSync, realpathSync } from 'node:fs';
import duckdb from '@duckdb/node-bindings';
import { EverflameError } from '../../../profile/errors.ts';
import type { StoreCheck } from '../../store.ts';
import { readBlockList } from '../blocks/block-table.ts';
import { openForReading } from '../sql/database.ts';
import { ResultColumns } from '../sql/result-columns.ts';
import { checkStore } from './check.ts';

/** Throws `conflict` where a server has the directory. Writes nothing. */
export async function checkDataDir(dataDir: string): Promise<StoreCheck> {
  if (!existsSync(dataDir)) {
    throw new EverflameError('not-found', `${dataDir} is not there`, { field: '--data-dir' });
  }
  const database = await openForReading(realpathSync(dataDir));
  try {
    const connection = await database.connect();
    try {
      const { blocks } = await readBlockList(connection);
      const query = async (sql: string) => new ResultColumns(await duckdb.query(connection, sql));
      const input = { query, queryFile: query, dataDir: database.dataDir, blocks };
      return (await checkStore(input)).result;
    } finally {
      duckdb.disconnect_sync(connection);
    }
  } finally {
    database.close();
  }
}
