/** Queries about what is stored: types, labels, single profiles, agents. */
import { aggregationOf, formatProfileType } from '../../profile/select/profile-type.ts';
import type { Store } from '../../store/store.ts';
import type { AgentsJson, NamesJson, ProfilesJson, ProfileTypesJson } from '../../wire/http.ts';
import type { Answer, LabelsParams, Queries } from './params.ts';
import { readMetaSelection, readSelection, requireKnownType } from './selection.ts';

type MetaQueries = Pick<Queries, 'profileTypes' | 'labels' | 'labelValues' | 'profiles' | 'agents'>;

export function createMetaQueries(store: Store): MetaQueries {
  return {
    async profileTypes({ query, range }) {
      const types = await store.profileTypes(readMetaSelection(query, range));
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
    async labels(params) {
      const names = await store.labelNames(readMetaSelection(params.query, params.range));
      return jsonAnswer(pageNames(names, params));
    },
    async labelValues(params) {
      const selection = readMetaSelection(params.query, params.range);
      return jsonAnswer(pageNames(await store.labelValues(params.name, selection), params));
    },
    async profiles({ query, range, limit }, signal) {
      const selection = readSelection(query, range, 'query');
      const stored = await store.profiles(selection, limit, { signal });
      if (stored.length === 0) await requireKnownType(store, selection);
      const json: ProfilesJson = {
        profiles: stored.map((profile) => ({
          ts_ms: profile.tsMs,
          duration_ms: profile.durationMs,
          labels: profile.labels,
          types: profile.types.map(formatProfileType),
          samples: profile.samples,
          comments: profile.comments,
        })),
      };
      return jsonAnswer(json);
    },
    async agents({ range }) {
      const rows = await store.agents(range);
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

function pageNames(names: readonly string[], { prefix, limit }: LabelsParams): NamesJson {
  const matching = names.filter((name) => name.startsWith(prefix)).sort();
  const values = matching.slice(0, limit);
  return { values, omitted: matching.length - values.length };
}
