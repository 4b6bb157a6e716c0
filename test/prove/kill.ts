/**
 * kill -9 of the server while clients push: every acknowledged profile is there afterwards, once;
 * one whose acknowledgement was lost is there at most once, also after its retry with the same key.
 */

import { createRandom, type Random } from '../../bench/random.ts';
import type { FunctionsJson } from '../../wire/http.ts';
import {
  getJson,
  type ServerProcess,
  startServerProcess,
  withFolder,
} from '../e2e/server-process.ts';
import { pprofFromText } from '../pprof-text.ts';
import type { ProofOptions } from './proof.ts';

const CLIENTS = 8;
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

interface Push {
  number: number;
  acknowledged: boolean;
}

/** Each profile has a function of its own name, so that the answer tells it from every other. */
async function push(url: string, number: number, timeMs: number): Promise<void> {
  const service = `service-${number % 5}`;
  const body = pprofFromText(`main;work;profile_${number} ${weightOf(number)}`, { timeMs });
  const query = new URLSearchParams({
    name: `${service}{host="host-${number % 7}"}`,
    from: String(Math.floor(timeMs / 1000)),
    until: String(Math.floor(timeMs / 1000) + 10),
  });
  const response = await fetch(`${url}/ingest?${query}`, {
    method: 'POST',
    headers: { 'idempotency-key': `push-${number}` },
    body,
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
}

const weightOf = (number: number) => 1 + (number % 1000);

async function runClients(server: ServerProcess, pushes: Push[], random: Random, timeMs: number) {
  let running = true;
  const clients = Array.from({ length: CLIENTS }, async () => {
    while (running) {
      // Half of what went unacknowledged is sent again with its key, as a client would.
      const retry = random.fraction() < 0.5 ? pushes.find((p) => !p.acknowledged) : undefined;
      const mine = retry ?? { number: pushes.length, acknowledged: false };
      if (retry === undefined) pushes.push(mine);
      try {
        await push(server.url, mine.number, timeMs);
        mine.acknowledged = true;
      } catch (error) {
        if (running) throw error;
      }
    }
  });
  await new Promise((done) => setTimeout(done, random.between(50, 900)));
  running = false;
  await server.kill();
  await Promise.all(clients);
}

async function readTotals(url: string, timeMs: number): Promise<Map<number, number>> {
  const totals = new Map<number, number>();
  const page = 1_000;
  for (let offset = 0; ; offset += page) {
    const answer = await getJson<FunctionsJson>(url, '/api/v1/functions', {
      query: `${TYPE}{}`,
      from: String(timeMs - 60_000),
      to: String(timeMs + 60_000),
      search: '^profile_',
      sort: 'name',
      limit: String(page),
      offset: String(offset),
    });
    for (const fn of answer.functions) totals.set(Number(fn.name.slice(8)), fn.self);
    if (answer.functions.length < page) return totals;
  }
}

/** `runs` kills over one data directory. */
export async function proveKill({ seed, runs, log }: ProofOptions): Promise<string> {
  const random = createRandom(seed);
  const timeMs = Date.now() - 120_000;
  return withFolder(async (dataDir) => {
    const pushes: Push[] = [];
    for (let round = 0; round < runs; round++) {
      const server = await startServerProcess(dataDir);
      await runClients(server, pushes, random, timeMs);
      log(`kill ${round + 1}: ${pushes.filter((p) => p.acknowledged).length} acknowledged`);
    }
    const server = await startServerProcess(dataDir);
    const totals = await readTotals(server.url, timeMs);
    await server.stop();
    let stored = 0;
    for (const { number, acknowledged } of pushes) {
      const total = totals.get(number) ?? 0;
      if (total !== 0 && total !== weightOf(number)) throw new Error(`profile ${number}: ${total}`);
      if (total === 0 && acknowledged)
        throw new Error(`profile ${number} was acknowledged and lost`);
      if (total !== 0) stored++;
    }
    const acknowledged = pushes.filter((p) => p.acknowledged).length;
    return (
      `${runs} kills: ${acknowledged} of ${pushes.length} profiles acknowledged, ${stored} stored, ` +
      'none lost, none doubled'
    );
  });
}
