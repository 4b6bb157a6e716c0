/**
 * Checks all that is stored: the files of blocks byte by byte and row by row, the tables of the
 * database file, and that whatever a row refers to is there. Changes nothing.
 */
import { join } from 'node:path';
import type { EpochMs } from '../../../profile/units.ts';
import type { StoreCheck, StoreFault } from '../../store.ts';
import { type Block, type BlockFile, DICTIONARY_TABLES, ROW_TABLES } from '../blocks/block.ts';
import { contentFaultOf } from '../blocks/block-files.ts';
import { COUNTED_DEPTH, DEPTH } from '../blocks/dictionary-file.ts';
import { TABLE_NAMES, type TableName } from '../schema.ts';
import { columnFactsSql, parquetRows } from '../sql/parquet-source.ts';
import type { ResultColumns } from '../sql/result-columns.ts';

export interface CheckInput {
  /** All these queries see the store as of one moment, that of `blocks`. */
  query(sql: string): Promise<ResultColumns>;
  /** Queries of files alone: one that fails must not end the others' transaction. */
  queryFile(sql: string): Promise<ResultColumns>;
  dataDir: string;
  blocks: readonly Block[];
}

export interface CheckedStore {
  result: StoreCheck;
  /** Blocks whose files are not what was written, and that are not set aside yet. */
  damaged: ReadonlySet<Block>;
}

export async function checkStore(input: CheckInput): Promise<CheckedStore> {
  const check = new Check(input);
  await check.files();
  await check.tables();
  await check.references();
  return check;
}

/** What refers to rows of which table; `sql` yields the ids that a table's rows name. */
const REFERENCES: { from: TableName; to: TableName; sql: (source: string) => string }[] = [
  refersTo('samples', 'stacks', 'stack'),
  refersTo('samples', 'series', 'series'),
  refersTo('samples', 'types', 'type'),
  {
    from: 'samples',
    to: 'labelsets',
    sql: (source) => `SELECT labelset - 1 AS ref FROM ${source} WHERE labelset > 0`,
  },
  refersTo('profiles', 'series', 'series'),
  refersTo('profiles', 'typesets', 'types'),
  refersTo('windows', 'agents', 'agent'),
  refersTo('stacks', 'locations', 'unnest(locations)'),
  refersTo('locations', 'functions', 'unnest(line_function)'),
  refersTo('locations', 'strings', 'unnest([binary_path, build_id])'),
  refersTo('functions', 'strings', 'unnest([name, system_name, file])'),
];

function refersTo(from: TableName, to: TableName, ref: string) {
  return { from, to, sql: (source: string) => `SELECT ${ref} AS ref FROM ${source}` };
}

class Check implements CheckedStore {
  readonly damaged = new Set<Block>();
  readonly result: StoreCheck = { files: 0, bytes: 0, rows: 0, faults: [] };
  readonly #input: CheckInput;
  /** Files that can be read, by table. */
  readonly #good = new Map<string, string[]>();

  constructor(input: CheckInput) {
    this.#input = input;
  }

  async files(): Promise<void> {
    for (const block of this.#input.blocks) {
      if (block.damaged !== '') this.#fault(block, `block ${block.id}`, block.damaged);
      if (block.damaged !== '' && block.kind === 'rows') continue;
      for (const file of block.files) {
        if (file.lost !== true) await this.#file(block, file);
      }
    }
  }

  async #file(block: Block, file: BlockFile): Promise<void> {
    this.result.files++;
    this.result.bytes += file.bytes;
    const fault =
      (await contentFaultOf(this.#input.dataDir, file)) || (await this.#rows(block, file));
    if (fault !== '') {
      this.damaged.add(block);
      this.#fault(block, file.name, fault);
      return;
    }
    const table = tableOf(file);
    const paths = this.#good.get(table) ?? [];
    paths.push(join(this.#input.dataDir, file.name));
    this.#good.set(table, paths);
  }

  /** What is wrong with rows whose bytes are as they were written; empty where nothing is. */
  async #rows({ fromMs, toMs }: Block, file: BlockFile): Promise<string> {
    const table = tableOf(file);
    const isDictionary = (DICTIONARY_TABLES as readonly string[]).includes(table);
    const [first, end] = file.ids ?? [0, 0];
    const hasTime = (ROW_TABLES as readonly string[]).includes(table);
    let outside = 'false';
    if (isDictionary) outside = `id < ${first} OR id >= ${end}`;
    else if (hasTime) outside = `ts_ms < ${fromMs} OR ts_ms >= ${toMs}`;
    const [read] = await Promise.allSettled([this.#count(file, table, outside)]);
    if (read.status === 'rejected') return `cannot be read: ${String(read.reason)}`;
    const { rows, strays, misfits } = read.value;
    this.result.rows += rows;
    if (rows !== file.rows) return `has ${rows} rows, ${file.rows} were written`;
    if (misfits > 0) return `has ${misfits} stacks of another depth than it says`;
    return strays === 0 ? '' : `has ${strays} rows outside of its ${isDictionary ? 'ids' : 'time'}`;
  }

  /** Reads every row of a file; `strays` are those `outside`. */
  async #count(
    { name }: BlockFile,
    table: string,
    outside: string,
  ): Promise<{ rows: number; strays: number; misfits: number }> {
    const path = join(this.#input.dataDir, name);
    let misfit = 'false';
    if (table === 'stacks') {
      const facts = await this.#input.queryFile(columnFactsSql(path, DEPTH, 'locations'));
      if ((facts.f64(0)[0] ?? 0) > 0) misfit = `${DEPTH} <> ${COUNTED_DEPTH}`;
    }
    const counted = await this.#input.queryFile(countSql(parquetRows([path]), outside, misfit));
    const [rows = 0, strays = 0, misfits = 0] = [0, 1, 2].map((at) => counted.f64(at)[0]);
    return { rows, strays, misfits };
  }

  /** Reads every row of the database file, whose pages DuckDB checks by their sums. */
  async tables(): Promise<void> {
    for (const table of TABLE_NAMES) {
      const [read] = await Promise.allSettled([
        this.#input.query(countSql(table, 'false', 'false')),
      ]);
      if (read.status === 'fulfilled') this.result.rows += read.value.f64(0)[0] ?? 0;
      else this.#fault(null, `table ${table}`, `cannot be read: ${String(read.reason)}`);
    }
  }

  async references(): Promise<void> {
    for (const { from, to, sql } of REFERENCES) {
      const refs = sql(this.#source(from));
      const [read] = await Promise.allSettled([
        this.#input.query(
          `SELECT count(*)::DOUBLE, coalesce(sum(n), 0)::DOUBLE
           FROM (SELECT ref, count(*) AS n FROM (${refs}) GROUP BY ref) r
             ANTI JOIN (SELECT id FROM ${this.#source(to)}) t ON t.id = r.ref`,
        ),
      ]);
      if (read.status === 'rejected') {
        this.#fault(null, from, `cannot be compared with ${to}: ${String(read.reason)}`);
        continue;
      }
      const [missing, rows] = [read.value.f64(0)[0] ?? 0, read.value.f64(1)[0] ?? 0];
      if (missing > 0) {
        this.#fault(null, from, `${rows} rows name ${missing} rows of ${to} that are not there`);
      }
    }
  }

  /** A table's rows in the database file and in the files that can be read. */
  #source(table: TableName): string {
    const paths = this.#good.get(table) ?? [];
    if (paths.length === 0) return table;
    return `(FROM ${table} UNION ALL BY NAME FROM ${parquetRows(paths)})`;
  }

  #fault(block: Block | null, place: string, what: string): void {
    const rows = block?.kind === 'rows' ? block : null;
    const fault: StoreFault = {
      place,
      what,
      range: rows && { from: rows.fromMs as EpochMs, to: rows.toMs as EpochMs },
      samples: rows?.samples ?? 0,
    };
    this.result.faults.push(fault);
  }
}

/** Counts rows, and those that meet conditions; the hash makes DuckDB read every column. */
function countSql(source: string, outside: string, misfit: string): string {
  return `SELECT count(*)::DOUBLE, count(*) FILTER (${outside})::DOUBLE,
      count(*) FILTER (${misfit})::DOUBLE, bit_xor(hash(t))
    FROM ${source} t`;
}

/** `blocks/000000000012.samples.parquet`: samples. */
function tableOf({ name }: BlockFile): string {
  return name.split('.').at(-2) ?? '';
}
