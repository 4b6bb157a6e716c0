/**
 * A selection as Parquet files that any tool reads: samples, their series and their stacks, with
 * the columns of docs/sql.md and, for stacks, all that is known of each frame.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { EverflameError } from '../../../profile/errors.ts';
import { FRAME_KIND_NAMES } from '../../../profile/flame/frame.ts';
import { formatProfileType } from '../../../profile/select/profile-type.ts';
import type { Selection, SqlFiles, SqlSource, StoreCopy } from '../../store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { valueTypes } from '../read/row-types.ts';
import { activeSeries, needsSampleLabels, selectPairs, timeCondition } from '../read/selection.ts';
import { SAMPLES_SELECT, viewStatements } from '../sandbox/views.ts';
import { sqlText } from '../schema.ts';
import { giveBackFreed, openMemoryDatabase } from '../sql/database.ts';
import { parquetRows } from '../sql/parquet-source.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { ResultColumns } from '../sql/result-columns.ts';
import { toStoreError } from '../sql/store-error.ts';

const FOLDER = 'export';
/** Of the stacks that are joined at a time: each frame takes some hundred bytes then. */
const FRAMES_PER_PART = 49_152;
const STACKS_PER_GROUP = 512;
const STACKS_FORMAT = `FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${STACKS_PER_GROUP}`;

/** Rows of these series; where a label set is named, with this one alone. */
export interface ChosenRows {
  series: readonly number[];
  /** One for each of `series`; null where any will do. */
  labelsets: readonly number[] | null;
}

interface ExportJob {
  selection: Selection;
  chosen: ChosenRows;
  /** Beyond it DuckDB works with files beside the export. */
  memoryBytes: number;
}

/** Which rows a selection's matchers choose. */
export async function chooseRows(
  session: ReadSession,
  catalogue: Catalogue,
  { type, matchers, range }: Selection,
): Promise<ChosenRows> {
  const { plain, scaled } = valueTypes(catalogue, type);
  const types = new Set([...plain, ...scaled]);
  if (!needsSampleLabels(catalogue, matchers, [])) {
    const { selected } = activeSeries(catalogue, types, matchers, range);
    return { series: selected, labelsets: null };
  }
  const pairs = await selectPairs(session, catalogue, types, { matchers, range });
  return {
    series: pairs.map((pair) => pair.series),
    labelsets: pairs.map((pair) => pair.labelset),
  };
}

export class Exports {
  readonly #dataDir: string;
  readonly #source: SqlSource;
  #next = 0;

  constructor(dataDir: string, source: SqlSource) {
    this.#dataDir = dataDir;
    this.#source = source;
  }

  async make(job: ExportJob, signal: AbortSignal): Promise<StoreCopy> {
    const dir = join(this.#dataDir, FOLDER, String(this.#next++));
    const release = () => rm(dir, { recursive: true, force: true });
    const snapshot = await this.#source.sqlSnapshot();
    try {
      await mkdir(dir, { recursive: true });
      await writeExport(snapshot.files, dir, job, signal);
      return { dir, release };
    } catch (error) {
      await release();
      throw error;
    } finally {
      snapshot.release();
    }
  }
}

/** What a server that was killed has left. */
export async function removeOldExports(dataDir: string): Promise<void> {
  await rm(join(dataDir, FOLDER), { recursive: true, force: true });
}

async function writeExport(
  files: SqlFiles,
  dir: string,
  { selection, chosen, memoryBytes }: ExportJob,
  signal: AbortSignal,
): Promise<void> {
  const database = await openMemoryDatabase({
    threads: '1',
    memory_limit: `${memoryBytes}B`,
    temp_directory: join(dir, 'spill'),
  });
  const connection = await duckdb.connect(database);
  const interrupt = (): void => duckdb.interrupt(connection);
  signal.addEventListener('abort', interrupt);
  try {
    const run = async (statement: string) => {
      signal.throwIfAborted();
      const result = new ResultColumns(await duckdb.query(connection, statement));
      await giveBackFreed(connection);
      return result;
    };
    for (const statement of exportStatements(files, dir, selection, chosen)) await run(statement);
    await writeStacks(dir, run);
  } catch (cause) {
    if (signal.aborted) throw new EverflameError('cancelled', 'the export was given up', { cause });
    throw toStoreError(cause);
  } finally {
    signal.removeEventListener('abort', interrupt);
    duckdb.disconnect_sync(connection);
    duckdb.close_sync(database);
    await rm(join(dir, 'spill'), { recursive: true, force: true });
  }
}

/**
 * Stacks with everything about each of their frames take some kilobytes each. What DuckDB holds of
 * them at a time is bounded: joined in parts, each a file, which are then one file of small groups.
 */
async function writeStacks(
  dir: string,
  run: (statement: string) => Promise<ResultColumns>,
): Promise<void> {
  const parts = join(dir, 'parts');
  await mkdir(parts);
  const depths = await run('SELECT len(locations)::UINTEGER FROM chosen_stacks ORDER BY row');
  const files: string[] = [];
  for (const rows of partsOf(depths.u32(0))) {
    const path = join(parts, `${files.length}.parquet`);
    for (const statement of partStatements(rows)) await run(statement);
    await run(`COPY (${STACKS_SELECT}) TO ${sqlText(path)} (${STACKS_FORMAT})`);
    files.push(path);
  }
  const whole = sqlText(join(dir, 'stacks.parquet'));
  await run(`COPY (FROM ${parquetRows(files)}) TO ${whole} (${STACKS_FORMAT})`);
  await rm(parts, { recursive: true });
}

/** Where each part begins and where it ends, first row 0; one of no rows where there are none. */
function partsOf(depths: Uint32Array): { from: number; to: number }[] {
  const parts: { from: number; to: number }[] = [];
  let from = 0;
  let frames = 0;
  for (let row = 0; row < depths.length; row++) {
    const depth = depths[row] as number;
    if (frames > 0 && frames + depth > FRAMES_PER_PART) {
      parts.push({ from, to: row });
      from = row;
      frames = 0;
    }
    frames += depth;
  }
  return [...parts, { from, to: depths.length }];
}

const FRAME = `{
    'function': function, 'system_name': system_name, 'file': file, 'line': line,
    'inlined': inlined, 'binary': binary_path, 'build_id': build_id, 'address': address, 'kind': kind
  }`;

/** A part's stacks with their locations as places in the list of the part's frames. */
function partStatements({ from, to }: { from: number; to: number }): string[] {
  return [
    `CREATE OR REPLACE TABLE part AS FROM chosen_stacks WHERE row >= ${from} AND row < ${to}`,
    `CREATE OR REPLACE TABLE part_frames AS
       WITH wanted AS (
         FROM chosen_frames WHERE id IN (SELECT unnest(locations) FROM part))
       SELECT row_number() OVER () AS place, id, frames FROM (
         SELECT id, [${FRAME}] AS frames FROM wanted WHERE places = 1
         UNION ALL
         SELECT id, list(${FRAME} ORDER BY place) FROM wanted WHERE places > 1 GROUP BY id)`,
    `CREATE OR REPLACE TABLE part_stacks AS
       SELECT s.id, len(s.locations) AS depth, coalesce(p.places, []) AS places
       FROM part s LEFT JOIN (
         SELECT l.row, list(f.place ORDER BY l.place) AS places
         FROM (SELECT row, unnest(locations) AS location,
             generate_subscripts(locations, 1) AS place FROM part) l
           JOIN part_frames f ON f.id = l.location GROUP BY l.row) p ON p.row = s.row
       ORDER BY s.id`,
  ];
}

/**
 * The list of a part's frames is looked up, not joined: rows of a join would each carry their own.
 * Functions are named as in the view `stacks` of docs/sql.md.
 */
const STACKS_SELECT = `SELECT stack, depth,
    list_transform(frames, lambda x: coalesce(x."function",
      concat(parse_filename(x."binary"), '+0x', lower(to_hex(x.address))))) AS functions,
    frames
  FROM (SELECT id AS stack, depth, flatten(list_select(
      (SELECT list(frames ORDER BY place) FROM part_frames), places)) AS frames
    FROM part_stacks)`;

function exportStatements(
  files: SqlFiles,
  dir: string,
  { type, range }: Selection,
  { series, labelsets }: ChosenRows,
): string[] {
  const path = (table: string) => join(dir, `${table}.parquet`);
  const copy = (table: string, select: string) =>
    `COPY (${select}) TO ${sqlText(path(table))} (FORMAT parquet, COMPRESSION zstd)`;
  const sets = labelsets === null ? 'NULL' : `unnest([${labelsets.join(', ')}])`;
  const isChosen =
    labelsets === null ? 's.series = c.series' : 's.series = c.series AND s.labelset = c.labelset';
  const written = parquetRows([path('samples')]);
  return [
    "SET TimeZone = 'UTC'",
    ...viewStatements(files),
    `CREATE TABLE chosen AS
       SELECT unnest([${series.join(', ')}]::UINTEGER[]) AS series, ${sets}::UINTEGER AS labelset`,
    copy(
      'samples',
      `${SAMPLES_SELECT} SEMI JOIN chosen c ON ${isChosen}
       WHERE t.type = ${sqlText(formatProfileType(type))} AND ${timeCondition('s.ts_ms', range)}`,
    ),
    copy('series', `FROM series WHERE series IN (SELECT series FROM ${written})`),
    ...FRAMES,
    `CREATE TABLE chosen_stacks AS SELECT row_number() OVER () - 1 AS row, id, locations
       FROM stored.stacks WHERE id IN (SELECT stack FROM ${written})`,
    `CREATE TABLE chosen_frames AS FROM location_frames
       WHERE id IN (SELECT unnest(locations) FROM chosen_stacks)`,
  ];
}

const KINDS = `[${FRAME_KIND_NAMES.map(sqlText).join(', ')}]`;

/** A row per frame of a location; place 1 is innermost. One that nobody named has no function. */
const FRAMES = [
  `CREATE VIEW location_frames AS
    WITH lines AS (
      SELECT id, unnest(line_function) AS function, unnest(line_number) AS line,
        generate_subscripts(line_function, 1) AS place, len(line_function) AS places
      FROM stored.locations),
    named AS (
      SELECT l.id, l.place, l.places, l.place < l.places AS inlined, l.line, n.text AS function,
        y.text AS system_name, p.text AS file
      FROM lines l JOIN stored.functions f ON f.id = l.function
        JOIN stored.strings n ON n.id = f.name JOIN stored.strings y ON y.id = f.system_name
        JOIN stored.strings p ON p.id = f.file)
    SELECT l.id, coalesce(n.places, 1) AS places, n.place, n.function, n.system_name, n.file,
      n.line, coalesce(n.inlined, false) AS inlined, b.text AS binary_path, i.text AS build_id,
      l.address, ${KINDS}[l.kind + 1] AS kind
    FROM stored.locations l JOIN stored.strings b ON b.id = l.binary_path
      JOIN stored.strings i ON i.id = l.build_id LEFT JOIN named n ON n.id = l.id`,
];
