/**
 * Runs one statement in a DuckDB of its own, in memory, over the files of a snapshot. Its answer is
 * kept until it is whole, so that a statement that fails late has not begun to answer.
 */
import { basename } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { assert, EverflameError } from '../../../profile/errors.ts';
import { sqlText } from '../schema.ts';
import { openMemoryDatabase } from '../sql/database.ts';
import { ResultColumns } from '../sql/result-columns.ts';
import type { AnswerWriter } from './answer-writer.ts';
import { createAnswerWriter } from './answer-writer.ts';
import { type Column, columnType } from './column-type.ts';
import { columnReader } from './column-values.ts';
import type { SqlDone, SqlJob, SqlLimits } from './sandbox-job.ts';
import { checkStatement } from './statement-check.ts';
import { viewStatements } from './views.ts';

export interface SqlResult {
  done: SqlDone;
  body: Uint8Array[];
}

/** Throws EverflameError. */
export async function runJob(job: SqlJob): Promise<SqlResult> {
  const startedMs = performance.now();
  try {
    const connection = await openSandbox(job);
    const statement = await prepare(connection, job.sql);
    const writer = createAnswerWriter(job.format, columnsOf(statement), job.limits.answerBytes);
    const truncated = await copyRows(statement, writer, job.limits);
    const elapsedMs = Math.round(performance.now() - startedMs);
    const done = { rows: writer.rows, truncated, elapsedMs };
    return { done, body: writer.end({ ...done, hotAgeMs: job.hotAgeMs, damaged: job.damaged }) };
  } catch (cause) {
    throw toSqlError(cause, job);
  }
}

/**
 * In this order: the views read their files' heads when they are made, then nothing but those
 * files can be opened any more, then no setting can be changed back.
 */
export async function openSandbox({
  files,
  limits,
}: Pick<SqlJob, 'files' | 'limits'>): Promise<duckdb.Connection> {
  const database = await openMemoryDatabase({
    threads: String(limits.threads),
    memory_limit: `${limits.memoryBytes}B`,
    temp_directory: '',
  });
  const connection = await duckdb.connect(database);
  const paths = [...new Set(Object.values(files).flat())];
  const statements = [
    "SET TimeZone = 'UTC'",
    ...viewStatements(files),
    `SET allowed_paths = [${paths.map(sqlText).join(', ')}]`,
    'SET enable_external_access = false',
    'SET lock_configuration = true',
  ];
  for (const statement of statements) await duckdb.query(connection, statement);
  return connection;
}

async function prepare(
  connection: duckdb.Connection,
  sql: string,
): Promise<duckdb.PreparedStatement> {
  const tree = await duckdb.query(connection, `SELECT json_serialize_sql(${sqlText(sql)})`);
  checkStatement(new ResultColumns(tree).texts(0)[0] ?? '{}');
  const { extracted_statements: extracted, statement_count: count } =
    await duckdb.extract_statements(connection, sql);
  if (count !== 1) throw notOneSelect();
  const statement = await duckdb.prepare_extracted_statement(connection, extracted, 0);
  const isSelect = duckdb.prepared_statement_type(statement) === duckdb.StatementType.SELECT;
  if (!isSelect || duckdb.nparams(statement) > 0) throw notOneSelect();
  return statement;
}

function notOneSelect(): EverflameError {
  return new EverflameError('invalid', 'only SELECT statements are allowed', {
    field: 'sql',
    remedy: 'Send exactly one SELECT.',
  });
}

function columnsOf(statement: duckdb.PreparedStatement): Column[] {
  const count = duckdb.prepared_statement_column_count(statement);
  return Array.from({ length: count }, (_, at) => {
    const name = duckdb.prepared_statement_column_name(statement, at);
    const logical = duckdb.prepared_statement_column_logical_type(statement, at);
    return { name, type: columnType(logical, name) };
  });
}

/** Returns the limit that ended it, or null after the last row. */
async function copyRows(
  statement: duckdb.PreparedStatement,
  writer: AnswerWriter,
  limits: SqlLimits,
): Promise<string | null> {
  const result = await duckdb.execute_prepared_streaming(statement);
  for (;;) {
    const chunk = await duckdb.fetch_chunk(result);
    const size = chunk === null ? 0 : duckdb.data_chunk_get_size(chunk);
    if (chunk === null || size === 0) return null;
    const room = limits.rows - writer.rows;
    const columns = writer.columns.map(({ type }, at) =>
      columnReader(duckdb.data_chunk_get_vector(chunk, at), type, size),
    );
    const taken = writer.add(columns, Math.min(size, room));
    // The readers show the chunk's memory, which goes when nothing refers to it any more.
    assert(duckdb.data_chunk_get_size(chunk) === size, 'a chunk that stays as it is');
    if (taken < Math.min(size, room)) return `MAX_SQL_ANSWER_BYTES = ${limits.answerBytes}`;
    if (room < size) return `limit = ${limits.rows}`;
  }
}

/** DuckDB's words are for the person who wrote the statement, without where our files are. */
function toSqlError(cause: unknown, job: SqlJob): EverflameError {
  if (cause instanceof EverflameError) return cause;
  let message = cause instanceof Error ? cause.message : String(cause);
  for (const path of Object.values(job.files).flat()) {
    message = message.replaceAll(path, basename(path));
  }
  const text = message.replace(/\n\nLINE [\s\S]*$/, '').slice(0, 600);
  if (/^Out of Memory|bad_alloc|Allocation failure|memory allocation/i.test(message)) {
    return new EverflameError('too-large', 'the statement needs more memory than it may have', {
      field: 'sql',
      limit: `a part of --memory-limit = ${job.limits.memoryBytes}`,
      remedy: 'Select fewer rows or columns, or aggregate before joining.',
      cause,
    });
  }
  if (/^(IO|Fatal|INTERNAL|Internal)\b/.test(message)) {
    return new EverflameError('unavailable', `the statement failed: ${text}`, { cause });
  }
  return new EverflameError('invalid', text, { field: 'sql', cause });
}
