/** Profiles that others write come in with the same totals, and others read what we export. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Profile } from 'pprof-format';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FunctionsJson, MergeJson, ProfilesJson, ProfileTypesJson } from '../../wire/http.ts';
import { describePprof } from '../pprof-meaning.ts';
import { getJson, type ServerProcess, startServerProcess } from './server-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'everflame-foreign-'));
let server: ServerProcess;

beforeAll(async () => {
  execFileSync('go', ['build', '-o', join(folder, 'burn'), 'test/fixtures/foreign/burn.go']);
  execFileSync(join(folder, 'burn'), [join(folder, 'go.pb.gz'), join(folder, 'go-heap.pb.gz')]);
  const files = [join(folder, 'wall.pb.gz'), join(folder, 'heap.pb.gz')];
  execFileSync(process.execPath, ['test/fixtures/foreign/datadog.mjs', ...files]);
  server = await startServerProcess(join(folder, 'data'));
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Written {
  /** `type/unit` -> sum over all samples, read by pprof-format. */
  totals: Map<string, number>;
  fromMs: number;
  toMs: number;
}

function readTotals(file: string): Written {
  const profile = Profile.decode(gunzipSync(readFileSync(join(folder, file))));
  const text = (index: number | bigint) => profile.stringTable.strings[Number(index)] ?? '';
  const totals = new Map<string, number>();
  profile.sampleType.forEach((type, i) => {
    const sum = profile.sample.reduce((total, s) => total + Number(s.value[i] ?? 0), 0);
    totals.set(`${text(type.type)}/${text(type.unit)}`, sum);
  });
  const fromMs = Number(BigInt(profile.timeNanos) / 1_000_000n);
  return { totals, fromMs, toMs: fromMs + 60_000 };
}

/** `seconds`: what the sender tells beside the profile, which may have its own duration. */
async function push(file: string, service: string, seconds = 10): Promise<void> {
  const { fromMs } = readTotals(file);
  const from = Math.floor(fromMs / 1000);
  const query = new URLSearchParams({ name: service, from: String(from) });
  if (seconds > 0) query.set('until', String(from + seconds));
  const body = readFileSync(join(folder, file));
  const response = await fetch(`${server.url}/ingest?${query}`, { method: 'POST', body });
  expect(`${response.status} ${await response.text()}`).toMatch(/^200/);
}

/** Every stored type of a service with the total that a merge gives for it. */
async function storedTotals(service: string, { fromMs, toMs }: Written) {
  const range = { from: String(fromMs - 2_000), to: String(toMs) };
  const matchers = `{service_name="${service}"}`;
  const { profile_types: types } = await getJson<ProfileTypesJson>(
    server.url,
    '/api/v1/profile_types',
    { query: matchers, ...range },
  );
  const totals = new Map<string, number>();
  for (const { type } of types) {
    const query = `${type}${matchers}`;
    const merge = await getJson<MergeJson>(server.url, '/api/v1/merge', { query, ...range });
    totals.set(type, merge.total);
  }
  return totals;
}

describe('pushed by others', () => {
  test.each([
    [
      'go.pb.gz',
      'go',
      {
        'samples/count': 'process_cpu:samples:count:cpu:nanoseconds',
        'cpu/nanoseconds': 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
      },
    ],
    [
      'wall.pb.gz',
      'node-wall',
      {
        'sample/count': 'wall:sample:count:wall:nanoseconds',
        'wall/nanoseconds': 'wall:wall:nanoseconds:wall:nanoseconds',
      },
    ],
    [
      'heap.pb.gz',
      'node-heap',
      {
        'inuse_objects/count': 'memory:inuse_objects:count:inuse_space:bytes',
        'inuse_space/bytes': 'memory:inuse_space:bytes:inuse_space:bytes',
      },
    ],
  ])('%s is found under its types with the same totals', async (file, service, types) => {
    const written = readTotals(file);
    await push(file, service);
    const stored = await storedTotals(service, written);
    const expected = Object.entries(types).map(([type, name]) => [name, written.totals.get(type)]);
    expect([...stored].sort()).toEqual(expected.sort());
  });
});

describe('what goes in comes out', () => {
  test.each([
    ['go.pb.gz', 'process_cpu:cpu:nanoseconds:cpu:nanoseconds', 'go-again'],
    ['go-heap.pb.gz', 'memory:inuse_space:bytes:space:bytes', 'go-heap-again'],
    ['wall.pb.gz', 'wall:wall:nanoseconds:wall:nanoseconds', 'wall-again'],
    ['heap.pb.gz', 'memory:inuse_space:bytes:inuse_space:bytes', 'heap-again'],
  ])('%s as a single profile', async (file, type, service) => {
    const { fromMs, toMs } = readTotals(file);
    await push(file, service, 0);
    const query = `${type}{service_name="${service}"}`;
    const range = { from: String(fromMs - 2_000), to: String(toMs) };
    const found = await getJson<ProfilesJson>(server.url, '/api/v1/profiles', { query, ...range });
    expect(found.profiles).toHaveLength(1);
    const response = await fetch(`${server.url}/api/v1/profiles/${found.profiles[0]?.id}`);
    const pulled = gunzipSync(new Uint8Array(await response.arrayBuffer()));
    const pushed = gunzipSync(readFileSync(join(folder, file)));
    expect(describePprof(pulled)).toEqual(describePprof(pushed));
  });
});

describe('read by others', () => {
  test.each([
    ['all of it', '', []],
    ['show', 'show:function=main.heavy', ['-focus=main.heavy']],
    ['hide', 'hide:function=main.light', ['-ignore=main.light']],
    ['show-from', 'show-from:function~^main.heavy', ['-show_from=^main.heavy']],
    ['hide-frames', 'hide-frames:function~spin|^runtime', ['-hide=spin|^runtime']],
  ])('go tool pprof finds the same lines in an exported profile: %s', async (_, filter, flags) => {
    const written = readTotals('go.pb.gz');
    const query = new URLSearchParams({
      query: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds{service_name="go"}',
      from: String(written.fromMs - 2_000),
      to: String(written.toMs),
      format: 'pprof',
    });
    if (filter !== '') query.append('filter', filter);
    const response = await fetch(`${server.url}/api/v1/merge?${query}`);
    const exported = join(folder, 'exported.pb.gz');
    writeFileSync(exported, new Uint8Array(await response.arrayBuffer()));
    const everything = ['-top', '-lines', '-unit=ns', '-nodefraction=0', '-nodecount=10000'];
    const top = (file: string, more: readonly string[]) =>
      execFileSync('go', ['tool', 'pprof', ...everything, ...more, file], {
        stdio: ['ignore', 'pipe', 'ignore'],
      }).toString();
    // flat flat% sum% cum cum% name: shares are of what is left here, and of all there.
    const rows = (text: string) =>
      text
        .split('\n')
        .map((line) => /^\s*(\d+(?:ns)?) +\S+ +\S+ +(\d+(?:ns)?) +\S+ +(.*)$/.exec(line))
        .flatMap((match) => (match === null ? [] : [match.slice(1).join(' ')]))
        .sort();
    const ours = rows(top(exported, []));
    expect(ours.length).toBeGreaterThan(2);
    expect(ours).toEqual(rows(top(join(folder, 'go.pb.gz'), flags)));
  });

  test('the function table agrees with go tool pprof', async () => {
    const written = readTotals('go.pb.gz');
    const { functions, total } = await getJson<FunctionsJson>(server.url, '/api/v1/functions', {
      query: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds{service_name="go"}',
      from: String(written.fromMs - 2_000),
      to: String(written.toMs),
      sort: 'total',
    });
    expect(total).toBe(written.totals.get('cpu/nanoseconds'));
    const of = (name: string) => functions.find((fn) => fn.name === name)?.total ?? 0;
    expect(of('main.heavy') + of('main.light')).toBeGreaterThan(0.9 * total);
    expect(of('main.heavy') / of('main.light')).toBeGreaterThan(1.3);
  });
});
