/** From older schema versions to this one, in place. */
import duckdb from '@duckdb/node-bindings';
import { Catalogue } from '../catalogue/catalogue.ts';
import { createTableSql, SCHEMA_VERSION, sqlText } from '../schema.ts';
import { ResultColumns } from './result-columns.ts';
import { TableAppender } from './table-appender.ts';

/** What `meta` says of blocks where there are none yet. */
export const NEW_BLOCK_META = { blocks_version: '1', next_block: '1', next_report: '0' };

export const NEW_TABLES = [
  'replaced_windows',
  'blocks',
  'activity',
  'agent_activity',
  'agent_counters',
] as const;

/** Version 2 has blocks, and the number of the service in series and samples. */
export async function upgradeFrom1(connection: duckdb.Connection): Promise<void> {
  const query = async (sql: string): Promise<ResultColumns> =>
    new ResultColumns(await duckdb.query(connection, sql));
  await query('BEGIN');
  try {
    await query('CREATE TEMP TABLE service_of (series UINTEGER, service UINTEGER)');
    const services = await servicesOf(query);
    const appender = new TableAppender(connection, 'temp', 'service_of', ['u32', 'u32']);
    appender.append(services.length, (writer) => {
      writer.sequence(0, 0);
      writer.numbers(1, services);
    });
    appender.close();
    for (const table of ['series', 'samples'] as const) {
      await query(`ALTER TABLE ${table} RENAME TO old_${table}`);
      await query(createTableSql(table));
    }
    await query(`INSERT INTO series SELECT o.id, o.hash, o.labels, o.period, n.service
      FROM old_series o JOIN service_of n ON o.id = n.series ORDER BY o.id`);
    await query(`INSERT INTO samples
      SELECT o.type, n.service, o.series, o.ts_ms, o.stack, o.labelset, o.value
      FROM old_samples o JOIN service_of n ON o.series = n.series`);
    for (const table of ['series', 'samples']) await query(`DROP TABLE old_${table}`);
    for (const table of NEW_TABLES) {
      await query(createTableSql(table));
    }
    const meta = Object.entries(NEW_BLOCK_META).map(
      ([name, value]) => `(${sqlText(name)}, ${sqlText(value)})`,
    );
    await query(`INSERT INTO meta VALUES ${meta.join(', ')}`);
    await query(`UPDATE meta SET value = '${SCHEMA_VERSION}' WHERE name = 'schema_version'`);
    await query('DROP TABLE service_of');
    await query('COMMIT');
  } catch (cause) {
    await Promise.allSettled([query('ROLLBACK')]);
    throw cause;
  }
}

/** Numbers as the catalogue gives them, by series. */
async function servicesOf(query: (sql: string) => Promise<ResultColumns>): Promise<Uint32Array> {
  const catalogue = new Catalogue();
  const series = await query('SELECT hash, labels, period FROM series ORDER BY id');
  const hashes = series.words(0);
  const periods = series.f64(2);
  for (const [row, text] of series.texts(1).entries()) {
    catalogue.addSeries({
      id: [hashes[2 * row] as number, hashes[2 * row + 1] as number],
      labels: Object.fromEntries(JSON.parse(text) as [string, string][]),
      period: periods[row] as number,
    });
  }
  return catalogue.service.first(catalogue.series.count).slice();
}
