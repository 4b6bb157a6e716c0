/**
 * Preloaded into a server: the work on blocks that has its hour or its day is done every few
 * seconds, so that a short run sees much of it.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isMainThread } from 'node:worker_threads';

const INTERVAL_MS = 10_000;
const KEPT_HOT_MS = 30_000;

if (isMainThread) {
  const path = resolve('dist/store/duckdb/blocks/block-keeper.js');
  const { BlockKeeper } = await import(pathToFileURL(path).href);
  const workedMs = new WeakMap();
  BlockKeeper.prototype.checkSize = async function () {
    const now = Date.now();
    if (now < (workedMs.get(this) ?? 0) + INTERVAL_MS) return;
    workedMs.set(this, Number.POSITIVE_INFINITY);
    // Failures are the store's to report; a store that closes aborts the work.
    await Promise.allSettled([this.seal({ beforeMs: now - KEPT_HOT_MS })]);
    workedMs.set(this, Date.now());
  };
}
