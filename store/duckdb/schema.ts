/** The tables, their version, and the raw column types that their appenders write. */
import type { ColumnType } from './sql/table-appender.ts';

/** Grows with every change of the tables; a file of another version is refused. */
export const SCHEMA_VERSION = 2;

/**
 * Columns in order, each with its raw type and its SQL type. Refs are dense u32 numbers, given in
 * order of first writing and never given again. No table has a key or an index: uniqueness is kept
 * by the writer in memory, where it costs nothing. Times are epoch milliseconds as BIGINT, which
 * prunes by zone maps; TIMESTAMP_MS compared with TIMESTAMP does not.
 */
const TABLES = {
  strings: { id: 'u32', hash: 'u64', text: 'text' },
  functions: {
    id: 'u32',
    hash: 'u64',
    name: 'u32',
    system_name: 'u32',
    file: 'u32',
    start_line: 'u32',
  },
  locations: {
    id: 'u32',
    hash: 'u64',
    binary_path: 'u32',
    build_id: 'u32',
    address_space: 'u8',
    kind: 'u8',
    flags: 'u8',
    address: 'u64',
    line_function: 'u32list',
    line_number: 'u32list',
    line_column: 'u32list',
  },
  stacks: { id: 'u32', hash: 'u64', locations: 'u32list' },
  /** JSON as in docs/formats.md 1.2. */
  labelsets: { id: 'u32', hash: 'u64', labels: 'text' },
  /** `service`: number of its service_name, in order of first appearance. */
  series: { id: 'u32', hash: 'u64', labels: 'text', period: 'f64', service: 'u32' },
  /** `derived` is empty where the rows are of one type only. */
  types: { id: 'u16', type: 'text', derived: 'text' },
  /** Sets of types that profiles hold, as JSON arrays of ids of `types`. */
  typesets: { id: 'u16', types: 'text' },
  /** A row per agent and state of it: an upgrade adds one. */
  agents: { id: 'u32', agent: 'text', host: 'text', version: 'text', kernel: 'text' },
  /** Not yet in a block, as are `profiles`, `windows` and the rows of the four dictionaries. */
  samples: {
    type: 'u16',
    service: 'u32',
    series: 'u32',
    ts_ms: 'i64',
    stack: 'u32',
    labelset: 'u32',
    value: 'i64',
  },
  /**
   * `span_ms`: time of its last sample - ts_ms. `agent`: 0 for none, else the agent's id + 1.
   * `seq`: -1 for none. `comments`: a JSON array, several of them
   * in lines of their own, or empty.
   */
  profiles: {
    series: 'u32',
    ts_ms: 'i64',
    duration_ms: 'f64',
    span_ms: 'f64',
    types: 'u16',
    agent: 'u32',
    seq: 'i64',
    comments: 'text',
  },
  /** A row per counter of a window, `sampled` always among them. */
  windows: {
    agent: 'u32',
    seq: 'i64',
    report: 'i64',
    host: 'text',
    ts_ms: 'i64',
    length_ms: 'f64',
    frequency: 'f64',
    counter: 'text',
    value: 'i64',
  },
  /**
   * Windows that were reported again (same agent, seq and time): rows of `windows` with a lower
   * `report`, in a block or not, do not count.
   */
  replaced_windows: { agent: 'u32', seq: 'i64', ts_ms: 'i64', report: 'i64' },
  /**
   * Files that are sealed. `kind`: `rows` or `dictionary`. Times of rows are from_ms <= t < to_ms.
   * `files`: JSON (blocks/block.ts). `damaged`: why the block is left out, or empty.
   */
  blocks: {
    id: 'i64',
    kind: 'text',
    level: 'u8',
    from_ms: 'i64',
    to_ms: 'i64',
    sealed_ms: 'i64',
    samples: 'i64',
    profiles: 'i64',
    windows: 'i64',
    files: 'text',
    damaged: 'text',
  },
  /**
   * What a block has of a series and type set: rows of `profiles`, the first one's time and the
   * last one's end.
   */
  activity: {
    block: 'i64',
    series: 'u32',
    types: 'u16',
    first_ms: 'i64',
    last_ms: 'f64',
    profiles: 'i64',
  },
  /**
   * What a block has of an agent's windows: when the first begins and the last ends, their numbers
   * by time, how many there are, their length together and times the frequency, and the numbers
   * that are missing between them.
   */
  agent_activity: {
    block: 'i64',
    agent: 'u32',
    first_ms: 'i64',
    last_ms: 'f64',
    first_seq: 'i64',
    last_seq: 'i64',
    windows: 'i64',
    length_ms: 'f64',
    weighted: 'f64',
    missing: 'i64',
  },
  /** Sums over these windows. */
  agent_counters: { block: 'i64', agent: 'u32', counter: 'text', value: 'i64' },
  /** `hash`: of the batch id under the store's key. `ts_ms`: when it was stored. */
  batches: { hash: 'u64', ts_ms: 'i64' },
} as const satisfies Record<string, Record<string, ColumnType>>;

export type TableName = keyof typeof TABLES;
export const TABLE_NAMES = Object.keys(TABLES) as TableName[];

const SQL_TYPES: Record<ColumnType, string> = {
  u8: 'UTINYINT',
  u16: 'USMALLINT',
  u32: 'UINTEGER',
  u64: 'UBIGINT',
  i64: 'BIGINT',
  f64: 'DOUBLE',
  text: 'VARCHAR',
  u32list: 'UINTEGER[]',
};

export function columnTypes(table: TableName): ColumnType[] {
  return Object.values(TABLES[table]);
}

export function columnNames(table: TableName): string[] {
  return Object.keys(TABLES[table]);
}

export function createTableSql(table: TableName): string {
  const columns = Object.entries(TABLES[table]).map(
    ([name, type]) => `${name} ${SQL_TYPES[type as ColumnType]} NOT NULL`,
  );
  return `CREATE TABLE ${table} (${columns.join(', ')})`;
}

/**
 * SQL: sequence numbers that are skipped from one row `w` of an agent to its next in time, where a
 * row ends with the number `lastSeq`. A number that does not grow means that the agent was started
 * again.
 */
export function missingBefore(lastSeq: 'w.seq' | 'w.last_seq'): string {
  const before = `lag(${lastSeq}) OVER (PARTITION BY w.agent ORDER BY w.ts_ms, w.seq)`;
  return `greatest(0, coalesce(w.seq - ${before} - 1, 0))`;
}

/** SQL: each window has exactly one row of this counter, which stands for the window. */
export const ONE_PER_WINDOW = "w.counter = 'sampled'";

/** SQL: whether the row `r` of replaced_windows takes the place of the row `w` of windows. */
export const REPLACES =
  'w.agent = r.agent AND w.seq = r.seq AND w.ts_ms = r.ts_ms AND w.report < r.report';

/** For texts of ours in SQL: label values never are. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
