/**
 * A statement that is run often and whose work one of DuckDB's threads does. Whoever waits inside
 * DuckDB for that asks without a pause whether it is done, which can cost more than the work:
 * for a COMMIT two to four times as much on a busy machine. This one asks every millisecond.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import duckdb from '@duckdb/node-bindings';
import { ResultColumns } from './result-columns.ts';

/** Then it waits inside DuckDB after all, where it lends a hand if all threads are busy. */
const MAX_PATIENCE_MS = 100;
const POLL_MS = 1;
/** For what another thread has finished, DuckDB says ERROR as for what failed. */
const DONE: readonly duckdb.PendingState[] = [
  duckdb.PendingState.RESULT_READY,
  duckdb.PendingState.ERROR,
];

export class PatientStatement {
  readonly #connection: duckdb.Connection;
  readonly #sql: string;
  #statement: duckdb.PreparedStatement | null = null;
  /** Without a second thread nobody would do the work. */
  #isAlone = true;

  constructor(connection: duckdb.Connection, sql: string) {
    this.#connection = connection;
    this.#sql = sql;
  }

  async run(): Promise<void> {
    this.#statement ??= await this.#prepare();
    if (this.#isAlone) {
      await duckdb.query(this.#connection, this.#sql);
      return;
    }
    const pending = duckdb.pending_prepared(this.#statement);
    const endMs = performance.now() + MAX_PATIENCE_MS;
    await nextTurn();
    while (!DONE.includes(duckdb.pending_execute_check_state(pending))) {
      if (performance.now() >= endMs) break;
      await sleep(POLL_MS);
    }
    // Rejects with the error where there was one.
    await duckdb.execute_pending(pending);
  }

  /** To be called before the connection is closed: a statement keeps its database open. */
  close(): void {
    if (this.#statement !== null) duckdb.destroy_prepare_sync(this.#statement);
    this.#statement = null;
  }

  async #prepare(): Promise<duckdb.PreparedStatement> {
    const sql = "SELECT current_setting('threads')::DOUBLE";
    const result = new ResultColumns(await duckdb.query(this.#connection, sql));
    this.#isAlone = result.f64(0)[0] === 1;
    return duckdb.prepare(this.#connection, this.#sql);
  }
}
