/** What the process that runs a user's SQL is told, and what it says of its answer. */
import type { ErrorRecord } from '../../../profile/errors.ts';
import type { DamagedBlocks, SqlFiles } from '../../store.ts';

export type SqlFormat = 'json' | 'csv' | 'arrow';

export interface SqlJob {
  sql: string;
  format: SqlFormat;
  files: SqlFiles;
  /** Age of the newest rows that the files may lack; part of a JSON answer. */
  hotAgeMs: number;
  /** What the files lack; part of a JSON answer. */
  damaged: DamagedBlocks | null;
  limits: SqlLimits;
}

/** The limits of one statement. */
export interface SqlLimits {
  rows: number;
  answerBytes: number;
  /** DuckDB's own; the process has a larger limit on all that it holds. */
  memoryBytes: number;
  threads: number;
  timeoutMs: number;
}

/** The first line of the process' output, as JSON; the answer's bytes follow. */
export type SqlHeader = { error: ErrorRecord } | SqlDone;

export interface SqlDone {
  rows: number;
  /** The limit that cut the rows, with its name; null where all are there. */
  truncated: string | null;
  elapsedMs: number;
}

/** What an answer says of itself. */
export type SqlTail = SqlDone & Pick<SqlJob, 'hotAgeMs' | 'damaged'>;
