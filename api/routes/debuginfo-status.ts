/** What became of debug information: one row per binary, and what profiles lose without it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import { EverflameError } from '../../profile/errors.ts';
import { formatProfileType } from '../../profile/select/profile-type.ts';
import type { BuildId } from '../../profile/units.ts';
import type { DebuginfoStatus, Symbolizer } from '../../symbolizer/symbolizer.ts';
import type { DebuginfoJson, DebuginfoRowJson, DebuginfoStateJson } from '../../wire/http.ts';
import type { BodyBudget } from '../body.ts';
import { readParameters } from '../parameters.ts';
import type { BuildWeight } from '../query/build-weights.ts';
import { joinJson } from '../query/joined-json.ts';
import type { Queries } from '../query/params.ts';
import { readSelection } from '../query/selection.ts';
import { sendJson } from './answer.ts';
import { buildId } from './debuginfo.ts';
import type { AppContext, Endpoint } from './endpoint.ts';
import { debuginfoParameters, rangeOf } from './query-parameters.ts';
import { readEndpoints } from './read.ts';
import { debuginfoJson, debuginfoStateJson, doneJson } from './schemas.ts';

/** Rows described between two turns of the event loop: some milliseconds. */
const ROWS_PER_TURN = 500;

export interface DebuginfoStatusServices {
  symbolizer: Symbolizer;
  queries: Queries;
  bodies: BodyBudget;
  /** Now, in epoch milliseconds; what `now` in a parameter means. */
  clock(): number;
}

export function debuginfoStatusEndpoints(services: DebuginfoStatusServices): Endpoint[] {
  const { bodies, clock, symbolizer } = services;
  const list = readEndpoints(
    {
      path: '/api/v1/debuginfo',
      summary: 'Debug information by build id: its state, what it says, what is missing.',
      parameters: debuginfoParameters,
      answers: { 'application/json': debuginfoJson },
      read: async ({ query, from, to, search, limit }, _, caller) => {
        const range = rangeOf(from, to, clock());
        const selection = readSelection(query, range, 'query');
        const { total, builds } = await services.queries.buildWeights({ query, range }, caller);
        const { bytesOnDisk, maxBytes, localPaths, debuginfodUrls } = symbolizer.facts();
        const rows = (await listRows(symbolizer, builds)).filter((row) =>
          textsOf(row).some((text) => text.includes(search)),
        );
        const answer: Omit<DebuginfoJson, 'debuginfo'> = {
          omitted: Math.max(0, rows.length - limit),
          bytes_on_disk: bytesOnDisk,
          max_bytes: maxBytes,
          local_paths: [...localPaths],
          debuginfod_urls: [...debuginfodUrls],
          type: formatProfileType(selection.type),
          unit: selection.type.sampleUnit,
          from_ms: selection.range.from,
          to_ms: selection.range.to,
          total,
        };
        const listed = await joinJson(rows.slice(0, limit), (row) => row);
        const body = `${JSON.stringify(answer).slice(0, -1)},"debuginfo":${listed}}`;
        return { contentType: 'application/json', body };
      },
    },
    bodies,
  );
  return [...list, ...commandEndpoints(services)];
}

function commandEndpoints({ symbolizer }: DebuginfoStatusServices): Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/debuginfo/{build_id}',
      summary: 'What is known of one build id; 404 where nothing is.',
      answers: { 'application/json': debuginfoStateJson },
      handle: (context) => {
        const row = symbolizer.statusOf(readBuildId(context));
        if (row === null) throw nothingHere();
        return sendJson(context, describeState(row));
      },
    },
    {
      method: 'POST',
      path: '/api/v1/debuginfo/{build_id}/retry',
      summary: 'Looks for debug information everywhere again and converts again what is here.',
      answers: { 'application/json': doneJson },
      handle: (context) => {
        symbolizer.retry(readBuildId(context));
        return sendJson(context, { done: true });
      },
    },
    {
      method: 'DELETE',
      path: '/api/v1/debuginfo/{build_id}',
      summary: 'Forgets the debug information of a build id; who has it may send it again.',
      answers: { 'application/json': doneJson },
      handle: (context) => {
        const id = readBuildId(context);
        if (!symbolizer.remove(id)) throw nothingHere();
        return sendJson(context, { done: true });
      },
    },
  ];
}

function readBuildId(context: AppContext): BuildId {
  const fields = { build_id: context.req.param('build_id') };
  return readParameters(z.object({ build_id: buildId }), fields).build_id as BuildId;
}

function nothingHere(): EverflameError {
  return new EverflameError('not-found', 'nothing of this build id is here', {
    field: 'build_id',
  });
}

function describeState(row: DebuginfoStatus): DebuginfoStateJson {
  return {
    build_id: row.buildId,
    file: row.file,
    quality: row.quality,
    state: row.state,
    sources: row.sources.map(({ kind, file, origin, from, sizeBytes, receivedMs }) => ({
      kind,
      file,
      origin,
      from,
      size_bytes: sizeBytes,
      received_ms: receivedMs,
    })),
    symbol_file_bytes: row.symbolFileBytes,
    functions: row.functions,
    inlined_calls: row.inlinedCalls,
    left_out: row.leftOut,
    problem: row.problem,
    remedy: row.remedy,
    retry_ms: row.retryMs,
  };
}

/**
 * One row per build id that is known or that profiles name, and per name of those without one;
 * those first whose weight has the least names.
 */
async function listRows(
  symbolizer: Symbolizer,
  builds: readonly BuildWeight[],
): Promise<DebuginfoRowJson[]> {
  const weights = new Map(
    builds.flatMap((build) => (build.buildId === '' ? [] : [[build.buildId, build]])),
  );
  const rows: DebuginfoRowJson[] = [];
  for (const row of symbolizer.status()) {
    rows.push(describeRow(row, weights.get(row.buildId)));
    weights.delete(row.buildId);
    if (rows.length % ROWS_PER_TURN === 0) await nextTurn();
  }
  for (const build of weights.values()) {
    // Their writer named them: nobody misses anything.
    if (!build.needsSymbols) continue;
    const { buildId: id, file } = build;
    rows.push(describeRow(symbolizer.absentStatus({ buildId: id as BuildId, file }), build));
    if (rows.length % ROWS_PER_TURN === 0) await nextTurn();
  }
  for (const build of builds) if (build.buildId === '') rows.push(withoutBuildId(build));
  const unnamed = ({ unsymbolized }: DebuginfoRowJson) =>
    Object.values(unsymbolized).reduce((sum, value) => sum + value, 0);
  return rows.sort((a, b) => unnamed(b) - unnamed(a) || b.self - a.self || b.total - a.total);
}

/** Under the name that these profiles have it by: links to the flame graph go by it. */
function describeRow(row: DebuginfoStatus, build: BuildWeight | undefined): DebuginfoRowJson {
  const { self = 0, total = 0, unsymbolized = {} } = build ?? {};
  const file = build?.file || row.file;
  return { ...describeState(row), file, self, total, unsymbolized };
}

/** Nothing can be sent for it or found: who builds it or writes its profiles has to help. */
function withoutBuildId(build: BuildWeight): DebuginfoRowJson {
  const status: DebuginfoStatus = {
    buildId: '' as BuildId,
    file: build.file,
    quality: 'none',
    state: 'absent',
    sources: [],
    symbolFileBytes: 0,
    functions: 0,
    inlinedCalls: 0,
    leftOut: {},
    problem:
      'Its profiles have no build id, so its symbols cannot be told from those of another build.',
    remedy:
      'Link it with `-Wl,--build-id` (Go and Rust need no flag), or push profiles with build ids.',
    retryMs: null,
  };
  return describeRow(status, build);
}

function textsOf({ build_id, file, sources }: DebuginfoRowJson): string[] {
  return [build_id, file, ...sources.map((source) => source.file)];
}
