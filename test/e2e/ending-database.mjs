/** Preloaded into a server: its database fails for good soon after each time it is opened. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import duckdb from '@duckdb/node-bindings';

if (isMainThread) {
  const path = resolve('dist/store/duckdb/sql/database.js');
  const { Database } = await import(pathToFileURL(path).href);
  const { connect } = Database.prototype;
  /** Those that end already. */
  const ending = new WeakSet();
  Database.prototype.connect = async function () {
    if (!ending.has(this)) {
      ending.add(this);
      setTimeout(end, 500, this);
    }
    return connect.call(this);
  };

  async function end(database) {
    const connection = await database.connect();
    await duckdb.query(connection, "SET GLOBAL debug_checkpoint_abort = 'before_header'");
    await duckdb.query(connection, "UPDATE meta SET value = '1' WHERE name = 'probed_ms'");
    const [written] = await Promise.allSettled([duckdb.query(connection, 'CHECKPOINT')]);
    database.noteFailure(written.reason);
    duckdb.disconnect_sync(connection);
  }
}
