/**
 * Nothing is lost silently: over a run with exiting processes and a server that is away for a while,
 * sampled = excluded + stored + lost by named reason, to the sample.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bpfUsage } from '../../bench/process-usage.ts';
import { EXCLUDED, LOST_PREFIX, SAMPLED, SENT } from '../../profile/window-counters.ts';
import type { AgentsJson, MergeJson } from '../../wire/http.ts';
import { EVERFLAME, getJson, startServerProcess, withFolder } from './server-process.ts';

const STATS_SWITCH = '/proc/sys/kernel/bpf_stats_enabled';
const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

test('sampled = excluded + stored + lost by reason, exactly', async () => {
  writeFileSync(STATS_SWITCH, '1');
  await withFolder(async (folder) => {
    const from = Date.now() - 1_000;
    let server = await startServerProcess(join(folder, 'data'));
    const address = new URL(server.url).host;
    const churn = spawn('sh', ['-c', 'while :; do cat /proc/*/stat; done'], {
      stdio: 'ignore',
      detached: true,
    });
    const agent = spawn(
      EVERFLAME,
      ['agent', '--server', server.url, '--frequency', '99', '--window', '2s'],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let log = '';
    agent.stdout.on('data', (chunk) => (log += chunk));
    agent.stderr.on('data', (chunk) => (log += chunk));
    const pid = agent.pid as number;

    await sleep(7_000);
    await server.kill();
    await sleep(6_000);
    server = await startServerProcess(join(folder, 'data'), address);
    await sleep(7_000);

    // How often the kernel says the program ran: counted apart from our own counters.
    const { runs } = bpfUsage(pid);
    const exit = once(agent, 'exit');
    agent.kill('SIGTERM');
    expect(await exit, log).toEqual([0, null]);
    process.kill(-(churn.pid as number), 'SIGKILL');

    const range = { from: String(from), to: String(Date.now() + 1_000) };
    const { agents } = await getJson<AgentsJson>(server.url, '/api/v1/agents', range);
    const query = 'process_cpu:samples:count:cpu:nanoseconds{}';
    const merge = await getJson<MergeJson>(server.url, '/api/v1/merge', { query, ...range });
    await server.stop();

    expect(agents).toHaveLength(1);
    const { counters, missing_windows } = agents[0] as AgentsJson['agents'][number];
    const lost = Object.entries(counters).filter(([name]) => name.startsWith(LOST_PREFIX));
    const lostSum = lost.reduce((sum, [, count]) => sum + count, 0);
    const figures = `${JSON.stringify(counters)}\n${log}`;
    expect(missing_windows, figures).toBe(0);
    expect(counters[SAMPLED], figures).toBeGreaterThan(500);
    expect(counters[SAMPLED], figures).toBe(
      (counters[EXCLUDED] ?? 0) + (counters[SENT] ?? 0) + lostSum,
    );
    expect(merge.total, figures).toBe(counters[SENT]);

    // The kernel's own count was read just before the agent stopped.
    expect(counters[SAMPLED], figures).toBeGreaterThanOrEqual(runs);
    expect(counters[SAMPLED], figures).toBeLessThan(runs + 1_000);

    const { series, hosts } = merge.quality;
    expect(series.samples).toBe(counters[SENT]);
    expect(hosts).toMatchObject({
      sampled: counters[SAMPLED],
      excluded: counters[EXCLUDED] ?? 0,
      sent: counters[SENT],
      missingWindows: 0,
    });
    const sumOf = (counts: Record<string, number>) =>
      Object.values(counts).reduce((sum, count) => sum + count, 0);
    expect(sumOf(hosts?.lost ?? {})).toBe(lostSum);
  });
  writeFileSync(STATS_SWITCH, '0');
});
