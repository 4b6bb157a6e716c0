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
import { listByNumber, SAMPLES_SELECT, viewStatements } from '../sandbox/views.ts';
import { sqlText } from '../schema.ts';
import { openMemoryDatabase } from '../sql/database.ts';
import { parquetRows } from '../sql/parquet-source.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { toStoreError } from '../sql/store-error.ts';

const FOLDER = 'export';

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
    const statements = exportStatements(files, dir, selection, chosen);
    for (const statement of statements) {
      signal.throwIfAborted();
      await duckdb.query(connection, statement);
    }
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
    // Alone in a table: joined to others, each of its rows could come to carry the whole list.
    `CREATE TABLE chosen_stacks AS SELECT id, locations FROM stored.stacks
       WHERE id IN (SELECT stack FROM ${written})`,
    copy(
      'stacks',
      `SELECT id AS stack, len(locations) AS depth,
         ${ofLocations('frame_list')} AS functions, ${ofLocations('frame_columns')} AS frames
       FROM chosen_stacks`,
    ),
  ];
}

/** Of each location of a stack, what a list by number has, in one list. */
function ofLocations(list: string): string {
  return `flatten(list_select(
    (SELECT list FROM stored.${list}), list_transform(locations, lambda x: x + 1)))`;
}

const KINDS = `[${FRAME_KIND_NAMES.map(sqlText).join(', ')}]`;

/** Frames by location: innermost first, and one without a function where nobody named it. */
const FRAMES = [
  `CREATE VIEW frame_details AS
    WITH lines AS (
      SELECT id, unnest(line_function) AS function, unnest(line_number) AS line,
        generate_subscripts(line_function, 1) AS place, len(line_function) AS places
      FROM stored.locations),
    named AS (
      SELECT l.id, l.place, l.place < l.places AS inlined, l.line, n.text AS function,
        y.text AS system_name, p.text AS file
      FROM lines l JOIN stored.functions f ON f.id = l.function
        JOIN stored.strings n ON n.id = f.name JOIN stored.strings y ON y.id = f.system_name
        JOIN stored.strings p ON p.id = f.file)
    SELECT l.id, list({
        'function': n.function, 'system_name': n.system_name, 'file': n.file, 'line': n.line,
        'inlined': coalesce(n.inlined, false), 'binary': b.text, 'build_id': i.text,
        'address': l.address, 'kind': ${KINDS}[l.kind + 1]
      } ORDER BY n.place) AS frames
    FROM stored.locations l JOIN stored.strings b ON b.id = l.binary_path
      JOIN stored.strings i ON i.id = l.build_id LEFT JOIN named n ON n.id = l.id
    GROUP BY l.id`,
  listByNumber('frame_columns', 'main.frame_details', 'frames', 'stored.locations'),
];
