/**
 * Preloaded into a server: after each commit, unless it is at work already, the store seals, so
 * that a kill at any moment meets the work on blocks as often as anything else.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  const path = resolve('dist/store/duckdb/blocks/block-keeper.js');
  const { BlockKeeper } = await import(pathToFileURL(path).href);
  const busy = new WeakSet();
  BlockKeeper.prototype.checkSize = async function () {
    if (busy.has(this)) return;
    busy.add(this);
    // Failures are the store's to report; a store that closes aborts the work.
    await Promise.allSettled([this.seal('oldest-half')]);
    busy.delete(this);
  };
}
