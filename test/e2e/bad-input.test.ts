/**
 * Bad input against a server as a user runs it: each is refused with a problem document that names
 * the field and the limit, within two seconds, in bounded memory, and nothing of it is stored.
 */
import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { memoryMb } from '../../bench/process-usage.ts';
import {
  MAX_BODY_BYTES,
  MAX_DECOMPRESSED_BYTES,
  MAX_MATCH_STEPS,
  MAX_REGEX_PROGRAM,
  MAX_SELECTOR_LENGTH,
  MAX_STACK_DEPTH,
} from '../../profile/limits.ts';
import type { MergeJson, Problem, ProfileTypesJson } from '../../wire/http.ts';
import { encodeWriteRaw } from '../../wire/write-raw.ts';
import { faultyPprof, gzipBomb, noise } from '../faulty-pprof.ts';
import { pprofFromText } from '../pprof-text.ts';
import { getJson, type ServerProcess, startServerProcess, withFolder } from './server-process.ts';

const MAX_ANSWER_MS = 2_000;
/** The peak over all inputs, bodies not collected yet included; a peer takes 2,100 for one bomb. */
const MAX_GROWTH_MB = 512;
const LONG_LABELS = 100;
const NOW = Date.now();
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const QUERY = `${TYPE}{service_name="kept"}`;
const WRITE_RAW = '/api/profiles/writeraw';
const INGEST = '/ingest?name=refused';
const MERGE = '/api/v1/merge';
const FUNCTIONS = '/api/v1/functions';

const good = pprofFromText('main;run 5', { timeMs: NOW - 60_000 });
const inflated = `MAX_DECOMPRESSED_BYTES = ${MAX_DECOMPRESSED_BYTES}`;
const body = `MAX_BODY_BYTES = ${MAX_BODY_BYTES}`;
/** What no engine but a linear one gets through. */
const ENDLESS = '(x+x+)+y';
const COSTLY = '((0123456789){30}){30}';

interface Sent {
  method?: 'GET' | 'POST' | 'PUT';
  path: string;
  body?: Uint8Array | string;
  headers?: Record<string, string>;
}

type Row = [what: string, sent: Sent, status: number, problem: Partial<Problem>];

const pushed = (path: string, bytes: Uint8Array, encoding = ''): Sent => ({
  path,
  body: bytes,
  headers: { 'content-type': 'application/octet-stream', 'content-encoding': encoding },
});
const writeRaw = (profile: Uint8Array, labelName = 'service_name') =>
  encodeWriteRaw({
    tenant: '',
    // A good profile first: it must not be stored either.
    series: [
      { labels: [{ name: 'service_name', value: 'refused' }], profiles: [good] },
      { labels: [{ name: labelName, value: 'refused' }], profiles: [profile] },
    ],
    normalized: false,
    report: null,
  });
/** Values on which a large expression takes a tenth of a second each. */
const longLabels = () =>
  encodeWriteRaw({
    tenant: '',
    series: Array.from({ length: LONG_LABELS }, (_, i) => ({
      labels: [
        { name: 'service_name', value: 'kept' },
        { name: 'trace', value: `${'a'.repeat(4_090)}${i}` },
      ],
      profiles: [good],
    })),
    normalized: false,
    report: null,
  });
const asked = (path: string, parameters: Record<string, string>): Sent => ({
  method: 'GET',
  path: `${path}?${new URLSearchParams(parameters)}`,
});
/** The same fault by both ways in: status, the field as the profile calls it, the limit. */
function faults(what: string, bytes: Uint8Array, status: number, field: string, limit?: string) {
  const rest = limit === undefined ? {} : { limit };
  const inRequest = { parameter: `series[1].samples[0].raw_profile.${field}`, ...rest };
  const alone = { parameter: field, ...rest };
  return [
    [`${what}, WriteRaw`, pushed(WRITE_RAW, writeRaw(bytes)), status, inRequest],
    [`${what}, /ingest`, pushed(INGEST, bytes), status, alone],
  ] satisfies Row[];
}

function pushRows(): Row[] {
  const bomb = gzipBomb();
  const cut = good.subarray(0, good.length - 20);
  const inner = { parameter: 'body', limit: inflated };
  return [
    ...faults('truncated gzip', cut, 400, 'body'),
    ['truncated gzip around it', pushed(WRITE_RAW, cut, 'gzip'), 400, { parameter: 'body' }],
    ['a gzip bomb', pushed(WRITE_RAW, bomb, 'gzip'), 413, inner],
    ['a gzip bomb, /ingest', pushed(INGEST, bomb), 413, inner],
    ['a gzip bomb in a gzip', pushed(INGEST, gzipSync(bomb), 'gzip'), 413, inner],
    ...faults('a gzip bomb within', bomb, 413, 'body', inflated).slice(0, 1),
    [
      'a truncated request',
      pushed(WRITE_RAW, writeRaw(good).subarray(0, 300)),
      400,
      { parameter: 'body' },
    ],
    ['noise', pushed(WRITE_RAW, noise(4096)), 400, { parameter: expect.any(String) }],
    ...faults('a truncated profile', faultyPprof({}).subarray(0, 40), 400, 'string_table[2]'),
    ...faults('noise as a profile', noise(4096), 400, 'sample_type[0]'),
    ...faults(
      'a location out of range',
      faultyPprof({ locationIds: [7] }),
      400,
      'sample[0].location_id[0]',
    ),
    ...faults(
      'a function out of range',
      faultyPprof({ functionId: 7 }),
      400,
      'location[0].line[0].function_id',
    ),
    ...faults('a string out of range', faultyPprof({ typeRow: 77 }), 400, 'sample_type[0].type'),
    ...faults('a negative count', faultyPprof({ values: [-1n] }), 422, 'sample[0].value[0]'),
    ...faults('a value too many', faultyPprof({ values: [1n, 1n] }), 400, 'sample[0].value'),
    ...faults(
      'absurd depth',
      faultyPprof({ locationIds: Array(1_000_000).fill(1) }),
      413,
      'sample[0]',
      `MAX_STACK_DEPTH = ${MAX_STACK_DEPTH}`,
    ),
    [
      'an invalid label name',
      pushed(WRITE_RAW, writeRaw(good, 'service-name')),
      422,
      { parameter: expect.stringContaining('labels') },
    ],
    [
      'an invalid label name, /ingest',
      pushed(`${INGEST}{a-b=c}`, good),
      422,
      { parameter: expect.stringContaining('labels') },
    ],
    [
      'an oversized body, as declared',
      { path: INGEST, body: 'x', headers: { 'content-length': String(MAX_BODY_BYTES + 1) } },
      413,
      { parameter: 'body', limit: body },
    ],
    [
      'an oversized body in chunks',
      {
        path: WRITE_RAW,
        body: new Uint8Array(MAX_BODY_BYTES + 1),
        headers: { 'transfer-encoding': 'chunked' },
      },
      413,
      { parameter: 'body', limit: body },
    ],
  ];
}

function questionRows(): Row[] {
  const at = (query: string, position: number): Row => [
    `${query.slice(TYPE.length)}: at ${position}`,
    asked(MERGE, { query }),
    400,
    { parameter: 'query', position },
  ];
  const program = `MAX_REGEX_PROGRAM = ${MAX_REGEX_PROGRAM}`;
  const backwards = { from: '2000', to: '1000' };
  return [
    at(`${TYPE}{a="b"`, TYPE.length + 6),
    at(`${TYPE}{a="b"}}`, TYPE.length + 7),
    at(`${TYPE}{a~"b"}`, TYPE.length + 2),
    at(`${TYPE}{a=~"("}`, TYPE.length + 4),
    at(`${TYPE}{a=~"(x)\\\\1"}`, TYPE.length + 4),
    [
      'a regular expression that grows without end',
      asked(MERGE, { query: `${TYPE}{a=~"${COSTLY}"}` }),
      413,
      { parameter: 'query', limit: program, position: TYPE.length + 4 },
    ],
    [
      'the same in a search',
      asked(FUNCTIONS, { query: QUERY, search: COSTLY }),
      413,
      { parameter: 'search', limit: program },
    ],
    [
      'a regular expression that keeps all of its program busy',
      asked(MERGE, { query: `${TYPE}{trace=~"(a?){999}"}` }),
      413,
      { parameter: 'query', limit: `MAX_MATCH_STEPS = ${MAX_MATCH_STEPS}` },
    ],
    [
      'a selector without end',
      asked(MERGE, { query: `${TYPE}{a="${'x'.repeat(MAX_SELECTOR_LENGTH)}"}` }),
      400,
      { parameter: 'query', limit: `query <= ${MAX_SELECTOR_LENGTH}` },
    ],
    ['from > to', asked(MERGE, { query: QUERY, ...backwards }), 400, { parameter: 'from' }],
    [
      'from > to, in JSON',
      { path: MERGE, body: JSON.stringify({ query: QUERY, from: 2000, to: 1000 }) },
      400,
      { parameter: 'from' },
    ],
    [
      'an unknown profile type',
      asked(MERGE, { query: 'heap:space:bytes::{}' }),
      404,
      { parameter: 'query', remedy: expect.stringContaining(TYPE) },
    ],
  ];
}

test('bad input is refused by name, at once, and nothing of it is stored', async () => {
  await withFolder(async (folder) => {
    const server = await startServerProcess(folder);
    try {
      const kept = await send(server, pushed('/ingest?name=kept', good));
      expect(kept.status, kept.text).toBe(200);
      const long = await send(server, pushed(WRITE_RAW, longLabels()));
      expect(long.status, long.text).toBe(200);
      const before = await contents(server);
      expect(before).toMatchObject({ types: [TYPE], total: 5 + 5 * LONG_LABELS });
      const memoryBeforeMb = memoryMb(server.pid, 'VmHWM');

      for (const [what, sent, status, expected] of [...pushRows(), ...questionRows()]) {
        const startedMs = performance.now();
        const answer = await send(server, sent);
        const tookMs = performance.now() - startedMs;
        expect.soft(answer.type, `${what}: ${answer.text}`).toBe('application/problem+json');
        const problem = { type: expect.any(String), status, ...expected };
        expect.soft({ what, ...JSON.parse(answer.text) }).toMatchObject({ what, ...problem });
        expect.soft(answer.status, what).toBe(status);
        expect.soft(tookMs, what).toBeLessThan(MAX_ANSWER_MS);
      }
      await checkEndless(server);

      expect(memoryMb(server.pid, 'VmHWM') - memoryBeforeMb).toBeLessThan(MAX_GROWTH_MB);
      expect(await contents(server)).toEqual(before);
      expect(server.output().split('\n').slice(1).join('\n')).toBe('');
    } finally {
      await server.stop();
    }
    const reopened = await startServerProcess(folder);
    try {
      expect(await contents(reopened)).toMatchObject({
        types: [TYPE],
        services: ['kept'],
        total: 5 + 5 * LONG_LABELS,
      });
    } finally {
      await reopened.stop();
    }
  });
});

/** Answered rather than refused, as soon as another would be. */
async function checkEndless(server: ServerProcess): Promise<void> {
  const startedMs = performance.now();
  const query = `${TYPE}{service_name=~"${ENDLESS}"}`;
  expect((await send(server, asked(MERGE, { query }))).status).toBe(200);
  const searched = asked(FUNCTIONS, { query: QUERY, search: ENDLESS });
  expect((await send(server, searched)).status).toBe(200);
  expect(performance.now() - startedMs).toBeLessThan(MAX_ANSWER_MS);
}

/** All that the store says it has. */
async function contents({ url }: ServerProcess) {
  const types = await getJson<ProfileTypesJson>(url, '/api/v1/profile_types', {});
  const services = await getJson<{ values: string[] }>(
    url,
    '/api/v1/labels/service_name/values',
    {},
  );
  const merged = await getJson<MergeJson>(url, MERGE, { query: `${TYPE}{}` });
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const rows = metrics.match(/^everflame_store_(samples|profiles|series|stacks|functions) .*/gm);
  return {
    types: types.profile_types.map(({ type }) => type),
    services: services.values,
    total: merged.total,
    rows,
  };
}

interface Answer {
  status: number;
  type: string;
  text: string;
}

/** Over a plain socket: the answer counts even where the server does not read the body to its end. */
function send({ url }: ServerProcess, sent: Sent): Promise<Answer> {
  const { method = 'POST', path, headers = {} } = sent;
  return new Promise((resolve, reject) => {
    const asking = request(`${url}${path}`, { method, headers, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk) => (text += chunk));
      answer.on('end', () => {
        asking.destroy();
        resolve({
          status: answer.statusCode ?? 0,
          type: answer.headers['content-type'] ?? '',
          text,
        });
      });
    });
    asking.on('error', reject);
    asking.end(sent.body);
  });
}
