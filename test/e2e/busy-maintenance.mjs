/**
 * Preloaded into a server: the store seals, merges and expires far more often than it would, so
 * that whatever happens at any moment meets this work as often as anything else. Set by
 * MAINTENANCE_PAUSE_MS: between two rounds of it, none by default; MAINTENANCE_HOT_MS: rows that
 * are younger are not sealed, by default the newer half; MAINTENANCE_RETENTION_MS: rows that are
 * older go, by default none.
 */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { isMainThread } from 'node:worker_threads';

/** How often the store looks whether there is something to do, and how often it does here. */
const TICK_MS = 30_000;
const SHORT_TICK_MS = 50;

const { MAINTENANCE_PAUSE_MS, MAINTENANCE_HOT_MS, MAINTENANCE_RETENTION_MS } = process.env;

async function load(name) {
  const path = resolve('dist/store/duckdb/blocks', name);
  return import(pathToFileURL(path).href);
}

if (isMainThread) {
  const { BlockKeeper } = await load('block-keeper.js');
  const { Upkeep } = await load('upkeep.js');
  const { setInterval } = globalThis;
  globalThis.setInterval = (run, ms, ...more) =>
    setInterval(run, ms === TICK_MS ? SHORT_TICK_MS : ms, ...more);

  /** The open store's; its first tick merges. */
  let upkeep = null;
  const { merge } = Upkeep.prototype;
  Upkeep.prototype.merge = function () {
    upkeep = this;
    if (MAINTENANCE_RETENTION_MS !== undefined)
      this.limits.ageMs = Number(MAINTENANCE_RETENTION_MS);
    return merge.call(this);
  };

  /** Keepers at work, and those among them that were asked for more meanwhile. */
  const busy = new WeakSet();
  const asked = new WeakSet();
  BlockKeeper.prototype.checkSize = async function () {
    asked.add(this);
    if (busy.has(this)) return;
    busy.add(this);
    while (asked.delete(this)) {
      const request =
        MAINTENANCE_HOT_MS === undefined
          ? 'oldest-half'
          : { beforeMs: Date.now() - Number(MAINTENANCE_HOT_MS) };
      // Failures are the store's to report; a store that closes aborts the work.
      await Promise.allSettled([this.seal(request)]);
      if (upkeep !== null) await Promise.allSettled([upkeep.merge()]);
      if (upkeep !== null) await Promise.allSettled([upkeep.expire()]);
      await sleep(Number(MAINTENANCE_PAUSE_MS ?? 0));
    }
    busy.delete(this);
  };
}
