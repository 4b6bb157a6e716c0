/** A selector from the URL against the types the server has: what is really asked for. */
import { EverflameError } from '../../profile/errors.ts';
import { formatProfileType, parseProfileType } from '../../profile/select/profile-type.ts';
import {
  formatSelector,
  type Matcher,
  parseSelectorSyntax,
} from '../../profile/select/selector.ts';
import type { ProfileTypeJson } from '../../wire/http.ts';
import { defaultType, type Quantity, quantityOf } from '../quantity.ts';

export interface Selected {
  type: ProfileTypeJson | null;
  quantity: Quantity | null;
  matchers: readonly Matcher[];
  /** What the server is asked: the type filled in. A text that is no selector goes as it is. */
  query: string;
}

/** A text that is no selector goes to the server as it stands: its answer says what is wrong. */
export function readSelected(text: string, types: readonly ProfileTypeJson[]): Selected {
  try {
    const parsed = text === '' ? { type: null, matchers: [] } : parseSelectorSyntax(text);
    const wanted = parsed.type === null ? null : formatProfileType(parsed.type);
    const type =
      wanted === null
        ? (defaultType(types) ?? null)
        : (types.find((entry) => entry.type === wanted) ?? null);
    const query = type === null ? text : writeQuery(type, parsed.matchers);
    return {
      type,
      quantity: type === null ? null : quantityOf(type),
      matchers: parsed.matchers,
      query,
    };
  } catch (error) {
    if (!(error instanceof EverflameError)) throw error;
    return { type: null, quantity: null, matchers: [], query: text };
  }
}

export function writeQuery(type: ProfileTypeJson | null, matchers: readonly Matcher[]): string {
  return formatSelector({
    type: type === null ? null : parseProfileType(type.type),
    matchers: [...matchers],
  });
}

/** Which matcher a position of the query text lies in; -1 where in none. */
export function matcherAt(
  type: ProfileTypeJson | null,
  matchers: readonly Matcher[],
  position: number,
): number {
  for (let count = 1; count <= matchers.length; count++) {
    // The closing brace or the comma after the matcher still belongs to it.
    if (position < writeQuery(type, matchers.slice(0, count)).length) return count - 1;
  }
  return -1;
}
