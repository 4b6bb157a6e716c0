/** The catalogue of blocks in the database file. */
import duckdb from '@duckdb/node-bindings';
import { sqlText } from '../schema.ts';
import { ResultColumns } from '../sql/result-columns.ts';
import type { Block, BlockFile } from './block.ts';
import type { BlockList } from './block-lists.ts';

export const BLOCKS_VERSION = 'blocks_version';
export const NEXT_BLOCK = 'next_block';

export async function readMetaNumber(
  connection: duckdb.Connection,
  name: typeof BLOCKS_VERSION | typeof NEXT_BLOCK,
): Promise<number> {
  const sql = `SELECT value FROM meta WHERE name = ${sqlText(name)}`;
  const rows = new ResultColumns(await duckdb.query(connection, sql));
  return Number(rows.texts(0)[0] ?? 0);
}

export async function readBlockList(connection: duckdb.Connection): Promise<BlockList> {
  const version = await readMetaNumber(connection, BLOCKS_VERSION);
  const rows = new ResultColumns(
    await duckdb.query(
      connection,
      `SELECT kind, files, damaged, id::DOUBLE, level::DOUBLE, from_ms::DOUBLE, to_ms::DOUBLE,
         sealed_ms::DOUBLE, samples::DOUBLE, profiles::DOUBLE, windows::DOUBLE
       FROM blocks ORDER BY from_ms, id`,
    ),
  );
  const [kinds, files, damaged] = [rows.texts(0), rows.texts(1), rows.texts(2)];
  const numbers = Array.from({ length: 8 }, (_, at) => rows.f64(3 + at));
  const blocks = kinds.map((kind, row): Block => {
    const number = (at: number): number => numbers[at]?.[row] as number;
    return {
      id: number(0),
      kind: kind === 'dictionary' ? 'dictionary' : 'rows',
      level: number(1),
      fromMs: number(2),
      toMs: number(3),
      sealedMs: number(4),
      samples: number(5),
      profiles: number(6),
      windows: number(7),
      files: JSON.parse(files[row] ?? '[]') as BlockFile[],
      damaged: damaged[row] ?? '',
    };
  });
  return { version, blocks };
}

export function insertBlockSql(block: Block): string {
  const { id, kind, level, fromMs, toMs, sealedMs, samples, profiles, windows } = block;
  const files = sqlText(JSON.stringify(block.files));
  return `INSERT INTO blocks VALUES (${id}, ${sqlText(kind)}, ${level}, ${fromMs}, ${toMs},
    ${sealedMs}, ${samples}, ${profiles}, ${windows}, ${files}, ${sqlText(block.damaged)})`;
}

export function setMetaSql(name: typeof BLOCKS_VERSION | typeof NEXT_BLOCK, value: number): string {
  return `UPDATE meta SET value = '${value}' WHERE name = ${sqlText(name)}`;
}
