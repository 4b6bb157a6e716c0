/** Selectors as text -> what the store is asked. */
import { EverflameError, fromErrorRecord, toErrorRecord } from '../../profile/errors.ts';
import { parseFilters, splitFilters } from '../../profile/flame/filter.ts';
import type { FilterStep } from '../../profile/flame/stack-filters.ts';
import { MAX_MATCHERS } from '../../profile/limits.ts';
import { nearestName } from '../../profile/select/nearest.ts';
import { formatProfileType } from '../../profile/select/profile-type.ts';
import { parseSelector, type Selector } from '../../profile/select/selector.ts';
import type { TimeRange } from '../../profile/units.ts';
import type { MetaSelection, Selection, Store } from '../../store/store.ts';

export interface TypedSelection extends Selection {
  /** The range that an answer names, where it is not that of the samples' times. */
  shown?: TimeRange;
}

/** Stored types that an error lists. */
const MAX_LISTED_TYPES = 10;

/** The selector must name a type. `field` is the parameter it came in. */
export function readSelection(query: string, range: TimeRange, field: string): TypedSelection {
  const { type, matchers } = readSelector(query, field);
  if (type === null) {
    throw new EverflameError('invalid', 'the selector names no profile type', {
      field,
      position: 0,
      remedy: 'Write name:sample_type:sample_unit:period_type:period_unit before the braces.',
    });
  }
  return { type, matchers, range };
}

/** A selection that filters on labels narrow, and what filters on frames do with its stacks. */
export interface FilteredSelection {
  selection: TypedSelection;
  filters: readonly FilterStep[];
}

/** `texts` are filters as profile/flame/filter.ts reads them. */
export function readFilteredSelection(
  query: string,
  range: TimeRange,
  texts: readonly string[],
  field: string,
): FilteredSelection {
  const { matchers, frameFilters } = splitFilters(parseFilters(texts));
  const selection = readSelection(query, range, field);
  if (selection.matchers.length + matchers.length > MAX_MATCHERS) {
    const limit = `MAX_MATCHERS = ${MAX_MATCHERS}`;
    throw new EverflameError('too-large', 'there are too many filters on labels', {
      field: 'filter',
      limit,
    });
  }
  return {
    selection: { ...selection, matchers: [...selection.matchers, ...matchers] },
    filters: frameFilters.map((filter) => ({ action: filter.action, where: [filter] })),
  };
}

/** For metadata: every part may be absent. */
export function readMetaSelection(
  query: string | undefined,
  range: TimeRange | undefined,
): MetaSelection {
  const { type, matchers } =
    query === undefined ? { type: null, matchers: [] } : readSelector(query, 'query');
  return {
    matchers,
    ...(type === null ? {} : { type }),
    ...(range === undefined ? {} : { range }),
  };
}

function readSelector(query: string, field: string): Selector {
  try {
    return parseSelector(query);
  } catch (error) {
    if (!(error instanceof EverflameError)) throw error;
    throw fromErrorRecord({ ...toErrorRecord(error), field });
  }
}

/** An answer without data is an error where the type was never stored: most likely mistyped. */
export async function requireKnownType(store: Store, selection: TypedSelection): Promise<void> {
  const wanted = formatProfileType(selection.type);
  const stored = (await store.profileTypes({ matchers: [] })).map(formatProfileType);
  if (stored.includes(wanted)) return;
  const nearest = nearestName(wanted, stored);
  const others = stored.filter((type) => type !== nearest).sort();
  const listed = nearest === null ? others : [nearest, ...others];
  throw new EverflameError('not-found', `no profile of type ${wanted} is stored`, {
    field: 'query',
    remedy:
      listed.length === 0
        ? 'Nothing is stored yet: start an agent or push a profile.'
        : `Stored types: ${listed.slice(0, MAX_LISTED_TYPES).join(', ')}.`,
  });
}
