/** Time series of /api/v1: lines, their order and the rest, beside those of the store in memory. */
import type { Caller, Queries } from '../../api/query/params.ts';
import { EverflameError } from '../../profile/errors.ts';
import { aggregationOf, parseProfileType } from '../../profile/select/profile-type.ts';
import { formatSelector } from '../../profile/select/selector.ts';
import type { Store, TimelineGroup } from '../../store/store.ts';
import type { SeriesJson, SeriesLineJson } from '../../wire/http.ts';
import { checkNumber } from './graph-answers.ts';
import type { QueryQuestion } from './query-questions.ts';

export async function checkSeries(
  queries: Queries,
  store: Store,
  asked: QueryQuestion,
  caller: Caller,
): Promise<void> {
  const { matchers, range, by, stepMs, limit } = asked;
  const type = parseProfileType(asked.type);
  const groups = await store.timeline({ type, matchers, range }, by, stepMs);
  const seconds = groups[0] === undefined ? [] : lengthsOf(asked, groups[0].value.length);
  const lines = new Map(
    groups
      .filter(({ value }) => by.length === 0 || value.some((at) => !Number.isNaN(at)))
      .map((group) => [labelText(group.labels), lineOf(group, seconds, aggregationOf(type))]),
  );
  const query = formatSelector({ type, matchers });
  const answer = await queries
    .series({ query, range, stepMs, by, limit }, caller)
    .catch((error: unknown) => {
      if (error instanceof EverflameError && error.kind === 'not-found') return null;
      throw error;
    });
  if (answer === null) return;
  const json = JSON.parse(answer.body as string) as SeriesJson;
  let above = Number.POSITIVE_INFINITY;
  const shown = json.series.filter(
    ({ value }) => by.length === 0 || value.some((at) => at !== null),
  );
  for (const line of shown) {
    const key = labelText(line.labels);
    const expected = lines.get(key);
    if (expected === undefined) throw new Error(`no series has ${key}`);
    lines.delete(key);
    checkLine(key, line, expected);
    if (line.total > above * (1 + 1e-9)) throw new Error(`${key} is out of order`);
    above = line.total;
  }
  for (const [key, { total }] of lines) {
    if (total > above * (1 + 1e-9)) throw new Error(`${key} is left out, smaller ones are not`);
  }
  const rest = json.rest?.value ?? [];
  for (const [step, value] of rest.entries()) {
    const parts = [...lines.values()].map((line) => line.value[step] ?? 0);
    checkNumber(
      `rest at step ${step}`,
      value ?? 0,
      parts.reduce((sum, part) => sum + part, 0),
    );
  }
  if (json.rest === null && lines.size > 0) throw new Error(`${lines.size} lines are missing`);
}

type Line = Pick<SeriesLineJson, 'total' | 'value' | 'samples'>;

/** A step's length in seconds; the last ends with the range. */
function lengthsOf({ range, stepMs }: QueryQuestion, steps: number): number[] {
  return Array.from({ length: steps }, (_, step) => {
    const from = range.from + step * stepMs;
    return (Math.min(from + stepMs, range.to) - from) / 1000;
  });
}

function lineOf(group: TimelineGroup, seconds: number[], aggregation: 'delta' | 'gauge'): Line {
  const orNull = (at: number): number | null => (Number.isNaN(at) ? null : at);
  const value = Array.from(group.value, orNull);
  let [sum, covered] = [0, 0];
  for (const [step, at] of value.entries()) {
    if (at === null) continue;
    const weight = aggregation === 'gauge' ? (seconds[step] as number) : 1;
    sum += at * weight;
    covered += weight;
  }
  const total = aggregation === 'delta' ? sum : covered === 0 ? 0 : sum / covered;
  return { total, value, samples: Array.from(group.samples, orNull) };
}

function checkLine(key: string, found: SeriesLineJson, expected: Line): void {
  checkNumber(`total of ${key}`, found.total, expected.total);
  for (const column of ['value', 'samples'] as const) {
    for (const [step, at] of found[column].entries()) {
      const wanted = expected[column][step] ?? null;
      if ((at === null) !== (wanted === null)) {
        throw new Error(`${column} of ${key} at step ${step}: ${at} for ${wanted}`);
      }
      checkNumber(`${column} of ${key} at step ${step}`, at ?? 0, wanted ?? 0);
    }
  }
}

function labelText(labels: Record<string, string>): string {
  return JSON.stringify(Object.entries(labels).sort());
}
