import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EpochMs } from '../../../profile/units.ts';
import { drawBatch } from '../../../test/conformance/drawn-batch.ts';
import type { SqlSnapshot } from '../../store.ts';
import type { EmbeddedStore } from '../duck-store.ts';
import { openDuckStore } from '../open-store.ts';
import { openSandbox, runJob } from './run-job.ts';
import type { SqlFormat } from './sandbox-job.ts';

const CPU =
  'process_cpu:samples:count:cpu:nanoseconds=>process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const HEAP = 'memory:inuse_space:bytes::';
const LIMITS = {
  rows: 100,
  answerBytes: 2 ** 20,
  memoryBytes: 2 ** 28,
  threads: 1,
  timeoutMs: 1e4,
};

let dataDir = '';
let store: EmbeddedStore;
let snapshot: SqlSnapshot;

/** One profile in a block, one among the hot rows, and a window that was reported twice. */
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'sql-'));
  store = await openDuckStore({ dataDir });
  const { idKey } = store;
  const agent = { id: 'agent-1', host: 'h1', version: '1', kernel: '6.1' };
  const window = (seq: number, sampled: number) => {
    const startMs = (1000 * seq) as EpochMs;
    return { seq, startMs, lengthMs: 10_000, frequencyHz: 19, counters: { sampled } };
  };
  const web = { labels: { service_name: 'web', host: 'h1' }, tsMs: 1000, period: 1e7 };
  const comments = ['a "comment"', 'two'];
  const types = { [CPU]: 'main;work 5\n[thread=x] main;a+b 2' };
  await store.write(
    drawBatch(idKey, {
      id: 'a',
      agent,
      windows: [window(1, 5)],
      profiles: [{ ...web, comments, seq: 1, types }],
    }),
  );
  await store.seal();
  await store.write(
    drawBatch(idKey, {
      id: 'b',
      agent,
      windows: [window(1, 7), window(2, 9)],
      profiles: [
        { labels: { service_name: 'db' }, tsMs: 61_000, types: { [HEAP]: 'main;alloc 7' } },
      ],
    }),
  );
  snapshot = await store.sqlSnapshot();
});
afterAll(async () => {
  snapshot.release();
  await store.close();
  rmSync(dataDir, { recursive: true });
});

async function run(sql: string, format: SqlFormat = 'json', limits = {}) {
  const job = { sql, format, files: snapshot.files, hotAgeMs: 5, damaged: null };
  const { done, body } = await runJob({ ...job, limits: { ...LIMITS, ...limits } });
  return { done, bytes: Buffer.concat(body) };
}

async function rowsOf(sql: string): Promise<string[]> {
  const { rows } = JSON.parse((await run(sql)).bytes.toString()) as { rows: unknown[][] };
  return rows.map((row) => row.map((value) => JSON.stringify(value)).join(' '));
}

describe('the views', () => {
  test.each([
    [
      `SELECT split_part(type, ':', 2), series, ts, ts_ms, sample_labels['thread'], value FROM samples
       ORDER BY ts, 1, value`,
      [
        '"cpu" 0 "1970-01-01T00:00:01Z" 1000 "x" 20000000',
        '"cpu" 0 "1970-01-01T00:00:01Z" 1000 null 50000000',
        '"samples" 0 "1970-01-01T00:00:01Z" 1000 "x" 2',
        '"samples" 0 "1970-01-01T00:00:01Z" 1000 null 5',
        '"inuse_space" 1 "1970-01-01T00:01:01Z" 61000 null 7',
      ],
    ],
    [
      'SELECT depth, leaf, functions FROM stacks ORDER BY stack',
      ['2 "work" ["work","main"]', '2 "b" ["b","a","main"]', '2 "alloc" ["alloc","main"]'],
    ],
    [
      'SELECT name, system_name, file, start_line FROM functions ORDER BY name LIMIT 2',
      ['"a" "a" "" 0', '"alloc" "alloc" "" 0'],
    ],
    [
      "SELECT service_name, labels['host'], period FROM series ORDER BY series",
      ['"web" "h1" 10000000', '"db" null 0'],
    ],
    [
      'SELECT series, ts_ms, len(types), agent, host, seq, comments FROM profiles ORDER BY series',
      [
        String.raw`0 1000 2 "agent-1" "h1" 1 ["a \"comment\"","two"]`,
        '1 61000 1 "agent-1" "h1" null []',
      ],
    ],
    [
      'SELECT agent, host, seq, ts_ms, length_ms, frequency_hz, counter, value FROM windows ORDER BY seq',
      ['"agent-1" "h1" 1 1000 10000 19 "sampled" 7', '"agent-1" "h1" 2 2000 10000 19 "sampled" 9'],
    ],
    [
      `SELECT functions[1], sum(value) FROM samples JOIN stacks USING (stack)
       WHERE type LIKE 'process_cpu:cpu:%' GROUP BY ALL ORDER BY 2 DESC`,
      ['"work" 50000000', '"b" 20000000'],
    ],
  ])('%s', async (sql, rows) => {
    expect(await rowsOf(sql)).toEqual(rows);
  });
});

describe('what is allowed', () => {
  test.each([
    'SELECT 1;',
    '-- a comment\nSELECT /* ; */ 1',
    'FROM samples',
    'VALUES (1), (2)',
    'TABLE series',
    'WITH a AS (SELECT 1 AS x), b AS (FROM a) SELECT x FROM b',
    'WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) FROM r',
    'SELECT * FROM range(3) t(i), generate_series(1, 2), unnest([1, 2])',
    'SELECT value, row_number() OVER (PARTITION BY type ORDER BY value) FROM samples',
    'SELECT list_transform([1, 2], lambda x: x + 1), [y * 2 for y in [1, 2] if y > 1]',
    "SELECT CASE WHEN 'a' LIKE 'A%' COLLATE NOCASE THEN 1 END, 1 IN (SELECT 2), 3 BETWEEN 1 AND 4",
    'SELECT DISTINCT ON (type) type FROM samples ORDER BY type LIMIT 50%',
    'SELECT type, sum(value) FILTER (WHERE value > 2) FROM samples GROUP BY ROLLUP (type)',
    'PIVOT samples ON series IN (0, 1) USING sum(value)',
    'SELECT * EXCLUDE (ts) REPLACE (value + 1 AS value) FROM samples QUALIFY rank() OVER () = 1',
    'SELECT * FROM samples s ASOF JOIN profiles p ON s.series = p.series AND s.ts >= p.ts',
    'SELECT COLUMNS(\'t.*\'), "value" FROM samples TABLESAMPLE 50%',
    "SELECT date_trunc('hour', ts), ts + INTERVAL 1 DAY, epoch_ms(ts), extract(hour FROM ts) FROM samples",
    "SELECT to_json(labels), labels->>'$.host', {'a': 1}.a, MAP {'k': 1}['k'] FROM series",
    'SELECT 1 UNION ALL SELECT 2 EXCEPT SELECT 3 ORDER BY 1',
    'SELECT x::DECIMAL(10, 2)[], CAST(NULL AS STRUCT(a INTEGER)) FROM (SELECT [1] AS x)',
  ])('%s', async (sql) => {
    await expect(run(sql)).resolves.toMatchObject({ done: { truncated: null } });
  });
});

describe('what is refused', () => {
  test.each([
    // More or less than one SELECT.
    ['', 'there are 0 statements'],
    ['SELECT 1; SELECT 2', 'there are 2 statements'],
    ['SELECT 1; DROP VIEW samples', 'only SELECT'],
    ['SELECT ?', 'parameters'],
    ['SELECT 1\0; DROP VIEW samples', 'unterminated'],
    ["SELECT 'a\0b'", 'unterminated'],
    ['EXPLAIN SELECT 1', 'only SELECT'],
    ['EXPLAIN ANALYZE SELECT 1', 'only SELECT'],
    ["COPY (SELECT 1) TO '/tmp/x.csv'", 'only SELECT'],
    ["COPY samples FROM '/etc/passwd'", 'only SELECT'],
    ["EXPORT DATABASE '/tmp/x'", 'only SELECT'],
    ["IMPORT DATABASE '/tmp/x'", 'only SELECT'],
    ["ATTACH '/tmp/x.duckdb'", 'only SELECT'],
    ['USE stored', 'only SELECT'],
    ['INSTALL httpfs', 'only SELECT'],
    ['LOAD httpfs', 'only SELECT'],
    ['SET threads = 64', 'only SELECT'],
    ['RESET ALL', 'only SELECT'],
    ['PRAGMA show_tables', 'only SELECT'],
    ["PRAGMA table_info('samples')", 'only SELECT'],
    ['CALL range(3)', 'only SELECT'],
    ['CREATE TABLE x AS SELECT 1', 'only SELECT'],
    ['CREATE MACRO f() AS 1', 'only SELECT'],
    ['INSERT INTO samples SELECT * FROM samples', 'only SELECT'],
    ['WITH x AS (INSERT INTO y VALUES (1) RETURNING *) SELECT * FROM x', 'CTE needs a SELECT'],
    ['PREPARE p AS SELECT 1', 'only SELECT'],
    ['EXECUTE p', 'only SELECT'],
    ['BEGIN', 'only SELECT'],
    ['PIVOT samples ON type USING sum(value)', 'only SELECT'],
    ['SHOW TABLES', 'DESCRIBE, SHOW and SUMMARIZE'],
    ['DESCRIBE samples', 'DESCRIBE, SHOW and SUMMARIZE'],
    ['FROM (SUMMARIZE samples)', 'DESCRIBE, SHOW and SUMMARIZE'],
    // Tables that are no views.
    ["FROM '/etc/passwd'", 'no view'],
    ["FROM 'BLOCK'", 'no view'],
    ["FROM '/dev/stdin'", 'no view'],
    ["FROM 'http://localhost/x.parquet'", 'no view'],
    ['FROM duckdb_settings', 'no view'],
    ['FROM sqlite_master', 'no view'],
    ['FROM pg_catalog.pg_class', 'no view'],
    ['FROM information_schema.tables', 'no view'],
    ['FROM stored.samples', 'no view'],
    ['FROM main.samples', 'no view'],
    ['FROM memory.main.samples', 'no view'],
    ['SELECT (SELECT count(*) FROM stored.strings)', 'no view'],
    ['SELECT 1 WHERE EXISTS (FROM stored.strings)', 'no view'],
    ['SELECT * FROM samples JOIN (FROM stored.strings) USING (id)', 'no view'],
    ['SELECT 1 ORDER BY (SELECT max(text) FROM stored.strings)', 'no view'],
    ['SELECT 1 LIMIT (SELECT count(*) FROM stored.strings)', 'no view'],
    ['SELECT list_transform([1], lambda x: (SELECT max(text) FROM stored.strings))', 'no view'],
    // A table expression must not open a name elsewhere in the statement.
    [
      'SELECT * FROM (WITH sqlite_master AS (SELECT 1) FROM sqlite_master), sqlite_master',
      'WITH may not define',
    ],
    [`WITH "/etc/x.csv" AS (SELECT 1) FROM "/etc/x.csv"`, 'WITH may not define'],
    ['WITH PG_class AS (SELECT 1) FROM pg_class', 'WITH may not define'],
    // Functions.
    ["FROM read_text('/etc/passwd')", 'read_text'],
    ["FROM read_blob('/proc/self/environ')", 'read_blob'],
    ["FROM read_csv('/etc/passwd')", 'read_csv'],
    ["FROM read_parquet('BLOCK')", 'read_parquet'],
    ["FROM parquet_metadata('BLOCK')", 'parquet_metadata'],
    ["FROM read_json('/etc/passwd')", 'read_json'],
    ["FROM read_duckdb('x')", 'read_duckdb'],
    ["FROM glob('/etc/*')", 'glob'],
    ["FROM sniff_csv('/etc/passwd')", 'sniff_csv'],
    ["FROM query('SELECT 1')", 'query'],
    ["FROM query_table('samples')", 'query_table'],
    ['FROM duckdb_settings()', 'duckdb_settings'],
    ['FROM duckdb_secrets()', 'duckdb_secrets'],
    ['FROM duckdb_views()', 'duckdb_views'],
    ["FROM pragma_table_info('samples')", 'pragma_table_info'],
    ['CALL enable_logging()', 'only SELECT'],
    ['FROM enable_logging()', 'enable_logging'],
    ['FROM checkpoint()', 'checkpoint'],
    ["FROM json_execute_serialized_sql('{}')", 'json_execute_serialized_sql'],
    ["FROM seq_scan('samples')", 'seq_scan'],
    ["FROM main.glob('/etc/*')", 'glob'],
    ["SELECT * FROM samples, LATERAL (FROM read_text('/etc/passwd'))", 'read_text'],
    ["SELECT getenv('PATH')", 'getenv'],
    ["SELECT current_setting('home_directory')", 'current_setting'],
    ["SELECT getvariable('x')", 'getvariable'],
    ['SELECT current_query()', 'current_query'],
    ["SELECT nextval('x')", 'nextval'],
    ["SELECT write_log('x')", 'write_log'],
    ['SELECT sleep_ms(1)', 'sleep_ms'],
    ['SELECT pg_sleep(1)', 'pg_sleep'],
    ['SELECT pg_catalog.pg_get_viewdef(1)', 'pg_get_viewdef'],
    ["SELECT pg_catalog.upper('x')", 'upper'],
    ["SELECT json_serialize_sql('SELECT 1')", 'json_serialize_sql'],
    ['SELECT version()', 'version'],
    // Mistakes, in DuckDB's words.
    ['SELECT 1 FROM', 'syntax error'],
    ['SELECT nope FROM samples', 'nope'],
    ["SELECT 'x'::INTEGER", 'Could not convert'],
    ["SELECT TIME '10:00:00+02'::TIMETZ AS t", 'the column t cannot be sent'],
  ])('%s: %s', async (sql, message) => {
    const block = snapshot.files.samples?.[0] ?? '';
    const refused = run(sql.replace('BLOCK', block));
    await expect(refused).rejects.toMatchObject({
      kind: 'invalid',
      field: 'sql',
      message: expect.stringContaining(message),
    });
  });

  test('the fault has its place', async () => {
    await expect(run('SELECT 1 FROM nowhere')).rejects.toMatchObject({ position: 14 });
    await expect(run('SELECT 1 WHERE FROM')).rejects.toMatchObject({ position: 15 });
  });

  test('words about a file do not say where it is', async () => {
    const path = join(dataDir, 'torn.parquet');
    writeFileSync(path, 'PAR1 torn');
    const files = { ...snapshot.files, strings: [path] };
    const job = {
      sql: 'SELECT 1',
      format: 'json' as const,
      files,
      hotAgeMs: 0,
      damaged: null,
      limits: LIMITS,
    };
    const error = await runJob(job).catch((cause: Error) => cause);
    expect(String(error)).toContain('torn.parquet');
    expect(String(error)).not.toContain(dataDir);
  });
});

/**
 * Statements that came past the check would still have this before them. It has a hole, COPY TO the
 * very files that may be read (USE_TMP_FILE false), which the process' own limits close.
 */
describe('the second barrier, without the first', () => {
  test.each([
    ["SELECT * FROM read_text('/etc/passwd')", 'file system operations are disabled'],
    ["SELECT * FROM read_blob('/proc/self/environ')", 'file system operations are disabled'],
    ["FROM '/etc/passwd.csv'", 'file system operations are disabled'],
    ["SELECT * FROM glob('/etc/*')", 'file system operations are disabled'],
    ["SELECT * FROM sniff_csv('/etc/passwd')", 'file system operations are disabled'],
    ["FROM 'http://127.0.0.1:1/x.parquet'", 'file system operations are disabled'],
    ["COPY (SELECT 1) TO 'FOLDER/new.csv'", 'file system operations are disabled'],
    ["COPY (SELECT 1) TO 'BLOCK'", 'file system operations are disabled'],
    ["EXPORT DATABASE 'FOLDER/new'", 'file system operations are disabled'],
    ["ATTACH 'FOLDER/everflame.duckdb' AS stolen", 'file system operations are disabled'],
    ['INSTALL httpfs', 'disabled by configuration'],
    ['LOAD httpfs', 'disabled through configuration'],
    ['SET enable_external_access = true', 'locked'],
    ["SET allowed_paths = ['/etc/passwd']", 'locked'],
    ["SET temp_directory = '/tmp'", 'locked'],
    ["SET memory_limit = '100GB'", 'locked'],
    ['SET lock_configuration = false', 'locked'],
    ["CREATE SECRET s (TYPE http, BEARER_TOKEN 'x')", 'disabled by configuration'],
  ])('%s', async (sql, message) => {
    const connection = await openSandbox({ files: snapshot.files, limits: LIMITS });
    const block = snapshot.files.samples?.[0] ?? '';
    const before = readFileSync(block);
    const refused = duckdb.query(
      connection,
      sql.replace('BLOCK', block).replace('FOLDER', dataDir),
    );
    await expect(refused).rejects.toThrow(message);
    expect(readFileSync(block).equals(before)).toBe(true);
  });
});

describe('answers', () => {
  const EVERY_TYPE = `SELECT * FROM (VALUES
    (9007199254740993, 255::UTINYINT, 12345678901234567890123::HUGEINT, -1.05::DECIMAL(9, 2),
     0.1::FLOAT, 'nan'::DOUBLE, 'a "b", c', true, DATE '2020-02-29', TIMESTAMP '1969-12-31 23:59:59.5',
     INTERVAL '1 month -2 days 90 seconds', UUID '123e4567-e89b-12d3-a456-426614174000', '\\xC3\\xA9'::BLOB,
     'hi'::ENUM ('lo', 'hi'), [1, NULL], {'x': 1, 'y': ''}, MAP {'k': 2}, [1, 2]::TINYINT[2],
     TIME '01:02:03'),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL),
    (-1, 0, -1, 0, -2.5, 1e300, '', false, DATE '0001-01-01', TIMESTAMP '2020-01-01', INTERVAL '0',
     UUID '00000000-0000-0000-0000-000000000000', ''::BLOB, 'lo', [], {'x': NULL, 'y': 'z'}, MAP {},
     [3, NULL], TIME '00:00:00.000001'))`;

  test('JSON', async () => {
    const { bytes } = await run(EVERY_TYPE);
    const rows = bytes
      .toString()
      .split('\n')
      .filter((line) => line.startsWith('['));
    expect(rows).toMatchInlineSnapshot(`
      [
        "["9007199254740993",255,"12345678901234567890123",-1.05,0.1,"NaN","a \\"b\\", c",true,"2020-02-29","1969-12-31T23:59:59.500Z","P1M-2DT90S","123e4567-e89b-12d3-a456-426614174000","c3a9","hi",[1,null],{"x":1,"y":""},{"k":2},[1,2],"01:02:03"],",
        "[null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null],",
        "[-1,0,-1,0.00,-2.5,1e300,"",false,"0001-01-01","2020-01-01T00:00:00Z","PT0S","00000000-0000-0000-0000-000000000000","","lo",[],{"x":null,"y":"z"},{},[3,null],"00:00:00.000001"]",
      ]
    `);
  });

  test('CSV', async () => {
    const { bytes } = await run(EVERY_TYPE, 'csv');
    expect(bytes.toString().split('\r\n')).toMatchInlineSnapshot(`
      [
        "col0,col1,col2,col3,col4,col5,col6,col7,col8,col9,col10,col11,col12,col13,col14,col15,col16,col17,col18",
        "9007199254740993,255,12345678901234567890123,-1.05,0.1,NaN,"a ""b"", c",true,2020-02-29,1969-12-31T23:59:59.500Z,P1M-2DT90S,123e4567-e89b-12d3-a456-426614174000,c3a9,hi,"[1,null]","{""x"":1,""y"":""""}","{""k"":2}","[1,2]",01:02:03",
        ",,,,,,,,,,,,,,,,,,",
        "-1,0,-1,0.00,-2.5,1e300,"",false,0001-01-01,2020-01-01T00:00:00Z,PT0S,00000000-0000-0000-0000-000000000000,"",lo,[],"{""x"":null,""y"":""z""}",{},"[3,null]",00:00:00.000001",
        "",
      ]
    `);
  });

  test('Arrow, the same bytes as those that pyarrow 26 and apache-arrow 21 have read', async () => {
    const { bytes } = await run(EVERY_TYPE, 'arrow');
    const golden = new URL('../../../test/fixtures/formats/sql-types.arrow', import.meta.url);
    if (process.env.UPDATE_GOLDENS === '1') writeFileSync(golden, bytes);
    expect(bytes.equals(readFileSync(golden))).toBe(true);
  });

  test('names of columns that are no names, twice, and none of the rows', async () => {
    const sql = `SELECT 1 AS "a ""b""", 2 AS "a ""b""" WHERE false`;
    expect((await run(sql)).bytes.toString()).toContain(
      String.raw`{"columns":[{"name":"a \"b\"","type":"INTEGER"},{"name":"a \"b\"","type":"INTEGER"}],"rows":[`,
    );
    expect((await run(sql, 'csv')).bytes.toString()).toBe('"a ""b""","a ""b"""\r\n');
  });

  test.each<[SqlFormat, object, number, string | null]>([
    ['json', { rows: 7 }, 7, 'limit = 7'],
    ['csv', { rows: 2_050 }, 2_050, 'limit = 2050'],
    ['arrow', { rows: 2_050 }, 2_050, 'limit = 2050'],
    ['json', { answerBytes: 100 }, 18, 'MAX_SQL_ANSWER_BYTES = 100'],
    ['csv', { answerBytes: 100, rows: 5_000 }, 27, 'MAX_SQL_ANSWER_BYTES = 100'],
    ['arrow', { answerBytes: 10_000, rows: 5_000 }, 1_152, 'MAX_SQL_ANSWER_BYTES = 10000'],
    ['json', { rows: 5_000, answerBytes: 2 ** 20 }, 3_000, null],
  ])('%s with %o: %i rows', async (format, limits, rows, truncated) => {
    const { done } = await run('FROM range(3000) ORDER BY 1', format, limits);
    expect(done).toMatchObject({ rows, truncated });
  });
});
