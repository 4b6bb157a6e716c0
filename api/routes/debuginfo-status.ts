/** What became of debug information: one row per binary, and what profiles lose without it. */
import { formatProfileType } from '../../profile/profile-type.ts';
import type { DebuginfoStatus, Symbolizer } from '../../symbolizer/symbolizer.ts';
import type { DebuginfoJson, DebuginfoRowJson } from '../../wire/http.ts';
import type { BodyBudget } from '../body.ts';
import { readSelection } from '../query/selection.ts';
import type { Endpoint } from './endpoint.ts';
import { debuginfoParameters, rangeOf } from './query-parameters.ts';
import { readEndpoints } from './read.ts';
import { debuginfoJson } from './schemas.ts';

export interface DebuginfoStatusServices {
  symbolizer: Symbolizer;
  bodies: BodyBudget;
  /** Now, in epoch milliseconds; what `now` in a parameter means. */
  clock(): number;
}

export function debuginfoStatusEndpoints(services: DebuginfoStatusServices): Endpoint[] {
  const { bodies, clock } = services;
  return readEndpoints(
    {
      path: '/api/v1/debuginfo',
      summary: 'Debug information by build id: its state, what it says, what is missing.',
      parameters: debuginfoParameters,
      answers: { 'application/json': debuginfoJson },
      read: async ({ query, from, to }) => {
        const selection = readSelection(query, rangeOf(from, to, clock()), 'query');
        const { bytesOnDisk, maxBytes, localPaths, debuginfodUrls } = services.symbolizer.facts();
        const answer: DebuginfoJson = {
          debuginfo: services.symbolizer.status().map(describeRow),
          bytes_on_disk: bytesOnDisk,
          max_bytes: maxBytes,
          local_paths: [...localPaths],
          debuginfod_urls: [...debuginfodUrls],
          type: formatProfileType(selection.type),
          unit: selection.type.sampleUnit,
          from_ms: selection.range.from,
          to_ms: selection.range.to,
          total: 0,
        };
        return { contentType: 'application/json', body: JSON.stringify(answer) };
      },
    },
    bodies,
  );
}

function describeRow(row: DebuginfoStatus): DebuginfoRowJson {
  return {
    build_id: row.buildId,
    file: row.file,
    quality: row.quality,
    state: row.state,
    sources: row.sources.map(({ kind, origin, from, sizeBytes, receivedMs }) => ({
      kind,
      origin,
      from,
      size_bytes: sizeBytes,
      received_ms: receivedMs,
    })),
    symbol_file_bytes: row.symbolFileBytes,
    functions: row.functions,
    inlined_calls: row.inlinedCalls,
    self: 0,
    total: 0,
    unsymbolized: {},
    problem: row.problem,
    remedy: row.remedy,
    retry_ms: row.retryMs,
  };
}
