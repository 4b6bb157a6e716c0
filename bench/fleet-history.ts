/** Copies of a closed store's blocks, each some days earlier: history of the same series. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import {
  BLOCKS_FOLDER,
  type Block,
  type BlockFile,
  fileOf,
  ROW_TABLES,
} from '../store/duckdb/blocks/block.ts';
import { type BlockChange, changeBlocks } from '../store/duckdb/blocks/block-change.ts';
import { openBlocks } from '../store/duckdb/blocks/open-blocks.ts';
import { writeSpans } from '../store/duckdb/blocks/spans.ts';
import { SUM_TABLES, writeSums } from '../store/duckdb/blocks/sums.ts';
import { openDuckStore } from '../store/duckdb/open-store.ts';
import { openDatabase } from '../store/duckdb/sql/database.ts';
import { parquetRows } from '../store/duckdb/sql/parquet-source.ts';

const DAY_MS = 24 * 3_600_000;

/** Adds `copies` times what is there before it, with all its rows. Returns the rows added. */
export async function copyHistory(dataDir: string, copies: number): Promise<number> {
  if (readdirSync(join(dataDir, BLOCKS_FOLDER)).length === 0) {
    const store = await openDuckStore({ dataDir });
    await store.seal();
    await store.close();
  }
  const database = await openDatabase({ dataDir });
  const connection = await database.connect();
  try {
    const { place } = await openBlocks(database, connection, (line) => console.log(line));
    const originals = place.lists.current.blocks.filter(({ kind }) => kind === 'rows');
    const days = originals.map(({ fromMs, toMs }) => [
      Math.floor(fromMs / DAY_MS),
      Math.ceil(toMs / DAY_MS),
    ]);
    // So many days that no day has blocks of two copies.
    const spanMs =
      (Math.max(...days.map(([, last = 0]) => last)) -
        Math.min(...days.map(([first = 0]) => first))) *
      DAY_MS;
    let rows = 0;
    for (let copy = 1; copy <= copies; copy++) {
      await changeBlocks(place, new AbortController().signal, async (change) => {
        for (const block of originals) {
          await copyBlock(change, block, copy * spanMs, dataDir);
          rows += block.samples;
        }
      });
      console.log(`  copy ${copy} of ${copies}`);
    }
    return rows;
  } finally {
    duckdb.disconnect_sync(connection);
    database.close();
  }
}

async function copyBlock(change: BlockChange, block: Block, byMs: number, dataDir: string) {
  const id = change.newId();
  const files = [];
  for (const table of ROW_TABLES) {
    const file = fileOf(block, table);
    if (file === undefined) continue;
    const source = parquetRows([join(dataDir, file.name)]);
    const copied = await change.copy(
      id,
      table,
      `SELECT * REPLACE (ts_ms - ${byMs} AS ts_ms) FROM ${source}`,
    );
    if (copied === null) continue;
    files.push(copied);
    const derived: (BlockFile | null)[] = [];
    if (table === 'samples') {
      for (const sums of SUM_TABLES) derived.push(await writeSums(change, id, sums, copied));
    }
    if (table === 'profiles') derived.push(await writeSpans(change, id, copied));
    files.push(...derived.filter((file) => file !== null));
  }
  change.add({ ...block, id, fromMs: block.fromMs - byMs, toMs: block.toMs - byMs, files });
  const columns = await change.query(
    `SELECT table_name, string_agg(column_name, ',') FROM duckdb_columns()
     WHERE table_name IN (SELECT table_name FROM duckdb_columns() WHERE column_name = 'block')
     GROUP BY table_name`,
  );
  const names = columns.texts(1);
  for (const [row, table] of columns.texts(0).entries()) {
    const moved = (names[row] ?? '')
      .split(',')
      .filter((column) => column === 'first_ms' || column === 'last_ms')
      .map((column) => `, ${column} - ${byMs} AS ${column}`);
    await change.query(
      `INSERT INTO ${table} SELECT * REPLACE (${id} AS block${moved.join('')})
       FROM ${table} WHERE block = ${block.id}`,
    );
  }
}
