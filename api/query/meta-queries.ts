/** Queries about what is stored: types, labels, single profiles, agents. */
import { aggregationOf, formatProfileType } from '../../profile/select/profile-type.ts';
import type { Store } from '../../store/store.ts';
import type {
  AgentsJson,
  EstimateJson,
  NamesJson,
  ProfilesJson,
  ProfileTypesJson,
} from '../../wire/http.ts';
import { joinJson } from './joined-json.ts';
import type { Answer, Caller, LabelsParams, Queries } from './params.ts';
import { formatProfileId } from './profile-id.ts';
import { laneOf } from './query-lanes.ts';
import {
  readMetaSelection,
  readSelection,
  requireKnownType,
  type TypedSelection,
} from './selection.ts';

type MetaQueries = Pick<
  Queries,
  'estimate' | 'profileTypes' | 'labels' | 'labelValues' | 'profiles' | 'agents'
>;

/** Runs the work when it is its turn, by what reading the selections costs. */
export type Admit = <T>(
  caller: Caller,
  selections: readonly TypedSelection[],
  work: (signal: AbortSignal) => Promise<T>,
) => Promise<T>;

/** Answered from memory, but for sample labels and windows. */
const NO_ROWS: readonly TypedSelection[] = [];

export function createMetaQueries(store: Store, admit: Admit): MetaQueries {
  return {
    async profileTypes({ query, range }, caller) {
      const selection = readMetaSelection(query, range);
      const types = await admit(caller, NO_ROWS, (signal) =>
        store.profileTypes(selection, { signal }),
      );
      const json: ProfileTypesJson = {
        profile_types: types
          .map((type) => ({
            type: formatProfileType(type),
            name: type.name,
            sample_type: type.sampleType,
            sample_unit: type.sampleUnit,
            period_type: type.periodType,
            period_unit: type.periodUnit,
            aggregation: aggregationOf(type),
          }))
          .sort((a, b) => (a.type < b.type ? -1 : 1)),
      };
      return jsonAnswer(json);
    },
    async labels(params, caller) {
      const selection = readMetaSelection(params.query, params.range);
      const names = await admit(caller, NO_ROWS, (signal) =>
        store.labelNames(selection, { signal }),
      );
      return jsonAnswer(pageNames(names, params));
    },
    async labelValues(params, caller) {
      const selection = readMetaSelection(params.query, params.range);
      const values = await admit(caller, NO_ROWS, (signal) =>
        store.labelValues(params.name, selection, { signal }),
      );
      return jsonAnswer(pageNames(values, params));
    },
    async estimate({ query, range }) {
      const estimate = await store.estimate(readSelection(query, range, 'query'));
      const json: EstimateJson = {
        series: estimate.series,
        blocks: estimate.blocks,
        bytes: estimate.bytes,
        rows: estimate.rows,
        max_rows: estimate.maxRows,
        hot_rows: estimate.hotRows,
        lane: laneOf(estimate.rows),
      };
      return jsonAnswer(json);
    },
    async profiles({ query, range, limit }, caller) {
      const selection = readSelection(query, range, 'query');
      const stored = await admit(caller, [selection], (signal) =>
        store.profiles(selection, limit, { signal }),
      );
      if (stored.length === 0) await requireKnownType(store, selection);
      const profiles = await joinJson(stored, (profile): ProfilesJson['profiles'][number] => ({
        id: formatProfileId(profile),
        ts_ms: profile.tsMs,
        duration_ms: profile.durationMs,
        labels: profile.labels,
        types: profile.types.map(formatProfileType),
        samples: profile.samples,
        comments: profile.comments,
      }));
      return { contentType: 'application/json', body: `{"profiles":${profiles}}` };
    },
    async agents({ range }, caller) {
      const rows = await admit(caller, NO_ROWS, (signal) => store.agents(range, { signal }));
      const json: AgentsJson = {
        agents: rows.map((row) => ({
          id: row.id,
          host: row.host,
          version: row.version,
          kernel: row.kernel,
          first_seen_ms: row.firstSeenMs,
          last_seen_ms: row.lastSeenMs,
          windows: row.totals.windows,
          missing_windows: row.totals.missingWindows,
          counters: row.totals.counters,
        })),
      };
      return jsonAnswer(json);
    },
  };
}

export function jsonAnswer(json: unknown): Answer {
  return { contentType: 'application/json', body: JSON.stringify(json) };
}

/** The names come in order. */
function pageNames(names: readonly string[], { prefix, limit }: LabelsParams): NamesJson {
  const matching = names.filter((name) => name.startsWith(prefix));
  const values = matching.slice(0, limit);
  return { values, omitted: matching.length - values.length };
}
