/** POST /api/v1/sql: one SELECT over the views of docs/sql.md. */
import { accepts } from 'hono/accepts';
import { z } from 'zod';
import { MAX_SQL_CHARACTERS, MAX_SQL_ROWS } from '../../profile/limits.ts';
import type { SqlFormat } from '../../store/duckdb/sandbox/sandbox-job.ts';
import type { BodyBudget } from '../body.ts';
import type { SqlRunner } from '../sql/sql-runner.ts';
import { sendAnswer } from './answer.ts';
import type { Endpoint } from './endpoint.ts';
import { readJsonParameters } from './read.ts';

export interface SqlServices {
  sql: SqlRunner;
  bodies: BodyBudget;
}

const DEFAULT_SQL_ROWS = 10_000;
const FORMATS = ['json', 'csv', 'arrow'] as const satisfies SqlFormat[];
const MEDIA: Record<SqlFormat, string> = {
  json: 'application/json',
  csv: 'text/csv; charset=utf-8; header=present',
  arrow: 'application/vnd.apache.arrow.stream',
};
const ACCEPTED: Record<string, SqlFormat> = {
  'application/json': 'json',
  'text/csv': 'csv',
  [MEDIA.arrow]: 'arrow',
};

const sqlParameters = z.strictObject({
  sql: z.string().min(1).max(MAX_SQL_CHARACTERS).describe('One SELECT.'),
  format: z.enum(FORMATS).optional().describe('Else what Accept asks for, else json.'),
  limit: z.int().min(1).max(MAX_SQL_ROWS).default(DEFAULT_SQL_ROWS).describe('Rows.'),
});

const sqlJson = z.object({
  columns: z.array(z.object({ name: z.string(), type: z.string() })),
  rows: z.array(z.array(z.json())),
  truncated: z.string().nullable().describe('The limit that cut the rows, or null.'),
  damaged: z
    .object({ blocks: z.int(), samples: z.int() })
    .nullable()
    .describe('Blocks that cannot be read, and the samples in them.'),
  hot_age_ms: z.number().describe('Rows written within the last so many ms may be missing.'),
  elapsed_ms: z.number(),
});

export function sqlEndpoints({ sql, bodies }: SqlServices): Endpoint[] {
  return [
    {
      method: 'POST',
      path: '/api/v1/sql',
      summary: 'One SELECT over samples, stacks, functions, series, profiles and windows.',
      body: { 'application/json': sqlParameters },
      answers: { 'application/json': sqlJson, 'text/csv': null, [MEDIA.arrow]: null },
      handle: async (context) => {
        const { format, ...query } = await readJsonParameters(context, sqlParameters, bodies);
        const supports = Object.keys(ACCEPTED);
        const fallback = 'application/json';
        const media = accepts(context, { header: 'Accept', supports, default: fallback });
        const wanted = format ?? ACCEPTED[media] ?? 'json';
        const { signal } = context.req.raw;
        const answer = await sql.run({ ...query, format: wanted }, signal);
        return sendAnswer(context, {
          contentType: MEDIA[wanted],
          body: answer.body,
          headers: {
            'X-Everflame-Rows': String(answer.rows),
            'X-Everflame-Truncated': answer.truncated ?? 'no',
            'X-Everflame-Damaged-Blocks': String(answer.damaged?.blocks ?? 0),
            'X-Everflame-Hot-Age-Ms': String(answer.hotAgeMs),
            'X-Everflame-Elapsed-Ms': String(answer.elapsedMs),
          },
        });
      },
    },
  ];
}
