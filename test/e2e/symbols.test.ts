/**
 * Names that arrive late: a stripped C++ program is profiled, its debug information is uploaded
 * afterwards, and the flame graph that showed `binary+0x...` shows the inlined functions with their
 * lines, from the very samples that were stored before.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DebuginfoJson, MergeJson } from '../../wire/http.ts';
import {
  EVERFLAME,
  getJson,
  runEverflame,
  type ServerProcess,
  startServerProcess,
} from './server-process.ts';

const WORK_SECONDS = 4;
const QUERY = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds{service_name="inlined"}';
const SOURCE = 'test/fixtures/workloads/inlined.cpp';

const folder = mkdtempSync(join(tmpdir(), 'everflame-symbols-'));
const program = join(folder, 'inlined');
let server: ServerProcess;
let agent: ChildProcess;
let agentLog = '';
const from = String(Date.now() - 1_000);

/** 1-based numbers of the source's lines that end in this comment. */
function linesMarked(comment: string): number[] {
  const lines = readFileSync(SOURCE, 'utf8').split('\n');
  return lines.flatMap((line, i) => (line.endsWith(`// ${comment}`) ? [i + 1] : []));
}

async function merge(granularity: string): Promise<MergeJson> {
  const range = { from, to: String(Date.now() + 1_000) };
  return getJson<MergeJson>(server.url, '/api/v1/merge', { query: QUERY, granularity, ...range });
}

/** Weight of each path that ends here, as `root;...;leaf`, by the frames' text. */
function foldedOf(graph: MergeJson, text: (frame: MergeJson['frames'][number]) => string) {
  const folded = new Map<string, number>();
  const path: string[] = [];
  graph.nodes.depth.forEach((depth, node) => {
    const frame = graph.frames[graph.nodes.frame[node] as number];
    path.length = depth;
    path[depth] = frame === undefined ? '' : text(frame);
    const self = graph.nodes.self[node] as number;
    const key = path.slice(1).join(';');
    if (self > 0) folded.set(key, (folded.get(key) ?? 0) + self);
  });
  return folded;
}

async function waitFor<T>(what: string, ask: () => Promise<T | null>): Promise<T> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) {
    const answer = await ask();
    if (answer !== null) return answer;
    await new Promise((done) => setTimeout(done, 200));
  }
  throw new Error(`${what} did not come; the agent printed:\n${agentLog}`);
}

beforeAll(async () => {
  execFileSync('g++', ['-O2', '-g', '-fno-omit-frame-pointer', '-o', program, SOURCE]);
  execFileSync('objcopy', ['--only-keep-debug', program, `${program}.debug`]);
  execFileSync('strip', [program]);
  server = await startServerProcess(join(folder, 'data'));
  const args = ['agent', '--server', server.url, '--frequency', '99', '--window', '2s'];
  agent = spawn(EVERFLAME, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  agent.stdout?.on('data', (chunk) => (agentLog += chunk));
  agent.stderr?.on('data', (chunk) => (agentLog += chunk));
  await waitFor('sampling', async () => (agentLog.includes('msg=sampling') ? true : null));
  await once(spawn(program, [String(WORK_SECONDS)], { stdio: 'ignore' }), 'exit');
});

afterAll(async () => {
  if (agent.exitCode === null) {
    const exit = once(agent, 'exit');
    agent.kill('SIGTERM');
    await exit;
  }
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('before the upload: addresses, with the reason', async () => {
  const graph = await waitFor('the samples', async () => {
    const answer = await merge('function').catch(() => null);
    return answer !== null && answer.total > 0.9 * WORK_SECONDS * 1e9 ? answer : null;
  });
  const exit = once(agent, 'exit');
  agent.kill('SIGTERM');
  await exit;
  const unnamed = graph.frames.filter(({ name }) => name.startsWith('inlined+0x'));
  expect(unnamed.length).toBeGreaterThan(0);
  expect(unnamed.map(({ reason }) => reason)).not.toContain('');
  expect(graph.frames.map(({ name }) => name).join()).not.toMatch(/mix|scale|run_round/);
  const reasons = Object.values(graph.quality.series.unsymbolized);
  expect(reasons.reduce((sum, weight) => sum + weight, 0)).toBeGreaterThan(0.9 * graph.total);
});

test('after it: the inlined functions and their lines, from the same samples', async () => {
  const before = await merge('function');
  const upload = await runEverflame(
    ['debuginfo', 'upload', `${program}.debug`, '--server', server.url],
    {},
  );
  expect(upload.code, upload.stderr).toBe(0);
  const row = await waitFor('the conversion', async () => {
    const range = { from, to: String(Date.now() + 1_000) };
    const { debuginfo } = await getJson<DebuginfoJson>(server.url, '/api/v1/debuginfo', range);
    return (
      debuginfo.find(({ quality, file }) => quality === 'lines' && /inlined/.test(file)) ?? null
    );
  });
  expect([row.state, row.problem]).toEqual(['ready', '']);

  const graph = await merge('function');
  expect(graph.total).toBe(before.total);
  const calls = foldedOf(graph, ({ system_name }) => system_name);
  const inlined = [...calls].filter(([path]) =>
    /_ZL9run_round\S*;_ZNK5MixerImE5scaleEm;mix$/.test(path),
  );
  const weight = inlined.reduce((sum, [, value]) => sum + value, 0);
  expect(weight / graph.total, [...calls.keys()].join('\n')).toBeGreaterThan(0.5);
  expect(graph.frames.map(({ name }) => name)).toContain(
    'Mixer<unsigned long>::scale(unsigned long) const',
  );

  const byLine = foldedOf(await merge('line'), ({ system_name, file, line }) =>
    file.endsWith('inlined.cpp') ? `${system_name}@${line}` : system_name,
  );
  const places: [string, number[]][] = [
    ['mix', linesMarked('mix')],
    ['_ZNK5MixerImE5scaleEm', linesMarked('call of mix')],
    ['_ZL9run_round', linesMarked('call of scale')],
  ];
  const inMix = [...byLine.keys()].filter((path) => /mix@\d+$/.test(path));
  expect(inMix.length).toBeGreaterThan(0);
  for (const frame of inMix.flatMap((path) => path.split(';'))) {
    const place = places.find(([name]) => frame.startsWith(name));
    if (place !== undefined) expect(place[1], frame).toContain(Number(frame.split('@')[1]));
  }
});
