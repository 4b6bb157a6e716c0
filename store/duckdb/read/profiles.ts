/** Single profiles: lists of them, and one with all its samples. */
import type { ProfileType } from '../../../profile/select/profile-type.ts';
import type { EpochMs } from '../../../profile/units.ts';
import type {
  ProfileContent,
  ProfileId,
  RowType,
  SampleLabel,
  Selection,
  SeriesRow,
  StoredProfile,
} from '../../store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { Turn } from '../catalogue/turn.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { checkRowCount, checkSums, ROW_LIMIT } from './merge.ts';
import { valueTypes } from './row-types.ts';
import { idList, planSelection, sqlTime, type TypeIds, timeCondition } from './selection.ts';

/** What pushes that met in one (series, time) become: one profile, with the longest duration. */
const JOINED = `max(p.duration_ms), max(p.ts_ms + p.span_ms)::DOUBLE,
  string_agg(DISTINCT p.types, ' '),
  coalesce(string_agg(p.comments, chr(10)) FILTER (p.comments <> ''), '')`;

/** The newest profiles first. */
export async function readProfiles(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
  limit: number,
): Promise<StoredProfile[]> {
  const types = valueTypes(catalogue, selection.type);
  const plan = await planSelection(session, catalogue, types, selection, []);
  if (plan === null) return [];
  const rows = await session.query(
    `SELECT p.series, p.ts_ms::DOUBLE, ${JOINED}
     FROM ${plan.profilesFrom} AND ${timeCondition('p.ts_ms', selection.range)}
     GROUP BY p.series, p.ts_ms
     ORDER BY p.ts_ms DESC, p.series LIMIT ${Math.max(0, Math.floor(limit))}`,
  );
  const [series, tsMs, durationMs, lastMs] = [rows.u32(0), rows.f64(1), rows.f64(2), rows.f64(3)];
  const [typesets, comments] = [rows.texts(4), rows.texts(5)];
  const sizes = await countSamples(session, types, { series, tsMs, lastMs });
  const ids = await readSeriesIds(session, series);
  const publicTypes = new PublicTypes(catalogue);
  const turn = new Turn();
  const profiles: StoredProfile[] = [];
  for (const [row, ref] of series.entries()) {
    profiles.push({
      series: ids.get(ref) ?? [0, 0],
      tsMs: tsMs[row] as EpochMs,
      lastMs: lastMs[row] as EpochMs,
      durationMs: durationMs[row] as number,
      labels: catalogue.series.labels(ref),
      types: publicTypes.of(typesets[row] ?? ''),
      samples: sizes[row] as number,
      comments: parseComments(comments[row] ?? ''),
    });
    if (turn.isOver()) await turn.next();
  }
  return profiles;
}

/** All that is stored of one profile; null where there is none. */
export async function readProfile(
  session: ReadSession,
  catalogue: Catalogue,
  { series: [low, high], tsMs }: ProfileId,
): Promise<ProfileContent | null> {
  const series = catalogue.seriesIndex.find(low, high);
  if (series < 0) return null;
  const at = { from: tsMs, to: (tsMs + 1) as EpochMs };
  const found = await session.query(
    `SELECT ${JOINED} FROM ${session.sources.profiles(at)} p
     WHERE p.series = ${series} AND p.ts_ms = ${sqlTime(tsMs)} GROUP BY p.series`,
  );
  if (found.rows === 0) return null;
  const [typesets = ''] = found.texts(2);
  const [comments = ''] = found.texts(3);
  const typeIds = idsOfTypesets(catalogue, typesets);
  const range = { from: tsMs, to: ((found.f64(1)[0] as number) + 1) as EpochMs };
  const rows = await session.query(
    `SELECT s.type, s.stack, s.labelset, sum(s.value)::DOUBLE
     FROM ${session.sources.samples(range)} s
     WHERE s.type IN ${idList(typeIds)} AND s.service = ${catalogue.service.data[series]}
       AND s.series = ${series} AND ${timeCondition('s.ts_ms', range)}
     GROUP BY s.type, s.stack, s.labelset
     ORDER BY s.stack, s.labelset, s.type LIMIT ${ROW_LIMIT}`,
  );
  checkRowCount(rows);
  const value = rows.f64(3);
  checkSums(value);
  const sets = numbered(rows.u32(2));
  const labelsets = sets.numbers.map((ref): readonly SampleLabel[] =>
    ref === 0 ? [] : catalogue.sampleLabels.at(ref - 1),
  );
  const types = typeIds.flatMap((id): readonly RowType[] =>
    catalogue.types.items.slice(id, id + 1),
  );
  return {
    durationMs: found.f64(0)[0] as number,
    period: catalogue.series.period(series),
    types,
    comments: parseComments(comments),
    labelsets,
    type: rows.u16(0).map((id) => typeIds.indexOf(id)),
    stack: rows.u32(1),
    labelset: sets.rows,
    value,
  };
}

/** Distinct numbers in order of appearance, and which of them each row has. */
function numbered(column: Uint32Array): { numbers: number[]; rows: Uint32Array } {
  const known = new Map<number, number>();
  const rows = column.map((number) => {
    const row = known.get(number) ?? known.size;
    known.set(number, row);
    return row;
  });
  return { numbers: [...known.keys()], rows };
}

async function readSeriesIds(
  session: ReadSession,
  series: Uint32Array,
): Promise<Map<number, SeriesRow['id']>> {
  const refs = [...new Set(series)];
  const rows = await session.query(`SELECT id, hash FROM series WHERE id IN ${idList(refs)}`);
  const words = rows.words(1);
  const ids = new Map<number, SeriesRow['id']>();
  for (const [row, ref] of rows.u32(0).entries()) {
    ids.set(ref, [words[2 * row] as number, words[2 * row + 1] as number]);
  }
  return ids;
}

function parseComments(lines: string): string[] {
  return lines.split('\n').flatMap((text) => (text === '' ? [] : (JSON.parse(text) as string[])));
}

function idsOfTypesets(catalogue: Catalogue, typesets: string): number[] {
  const sets = typesets.split(' ').map((id) => catalogue.typesets.items[Number(id)] ?? []);
  return [...new Set(sets.flat())].sort((a, b) => a - b);
}

/** The types of profiles as they are listed; thousands of profiles have a handful of sets. */
class PublicTypes {
  readonly #catalogue: Catalogue;
  readonly #known = new Map<string, ProfileType[]>();

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
  }

  of(typesets: string): ProfileType[] {
    let types = this.#known.get(typesets);
    if (types === undefined) {
      types = idsOfTypesets(this.#catalogue, typesets).flatMap((id) => {
        const row = this.#catalogue.types.items[id];
        if (row === undefined) return [];
        return row.derived === null ? [row.type] : [row.type, row.derived];
      });
      this.#known.set(typesets, types);
    }
    return types;
  }
}

interface ProfileTimes {
  series: Uint32Array;
  tsMs: Float64Array;
  lastMs: Float64Array;
}

/** Rows of samples of each profile. Samples with times of their own may lie in later blocks. */
async function countSamples(
  session: ReadSession,
  types: TypeIds,
  { series, tsMs, lastMs }: ProfileTimes,
): Promise<Float64Array> {
  const sizes = new Float64Array(series.length);
  if (series.length === 0) return sizes;
  const range = {
    from: tsMs.reduce((first, time) => Math.min(first, time)) as EpochMs,
    to: (lastMs.reduce((last, time) => Math.max(last, time)) + 1) as EpochMs,
  };
  await session.fill(
    'picked',
    'profile UINTEGER, series UINTEGER, first_ms DOUBLE, last_ms DOUBLE',
    ['u32', 'u32', 'f64', 'f64'],
    series.length,
    (writer) => {
      writer.sequence(0, 0);
      writer.numbers(1, series);
      writer.numbers(2, tsMs);
      writer.numbers(3, lastMs);
    },
  );
  const rows = await session.query(
    `SELECT q.profile, count(*)::DOUBLE FROM ${session.sources.samples(range)} s JOIN picked q
       ON s.series = q.series AND s.ts_ms BETWEEN q.first_ms::BIGINT AND q.last_ms::BIGINT
     WHERE s.type IN ${idList([...types.plain, ...types.scaled])}
       AND ${timeCondition('s.ts_ms', range)} GROUP BY q.profile`,
  );
  const counts = rows.f64(1);
  for (const [row, profile] of rows.u32(0).entries()) sizes[profile] = counts[row] as number;
  return sizes;
}
