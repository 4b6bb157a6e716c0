/** Which frames a search text matches: RE2 without regard to case, else plain text. */

import { EverflameError } from '../../profile/errors.ts';
import { compileRegex } from '../../profile/select/regex.ts';

export interface SearchResult {
  /** 1 per matching frame. */
  matches: Uint8Array;
  functions: number;
  /** The text is no regular expression and was searched as it stands. */
  literal: boolean;
}

const META = /[\\^$.*+?()[\]{}|]/;

/** The same search as an RE2 expression, for the server. */
export function searchExpression(text: string): string {
  return isExpression(text) ? `(?i)${text}` : `(?i)${text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}`;
}

export function isExpression(text: string): boolean {
  return META.test(text) && compileOrNull(text) !== null;
}

function compileOrNull(text: string): ((name: string) => boolean) | null {
  try {
    const regex = compileRegex(`(?i)${text}`, 'find');
    return (name) => regex.occursIn(name);
  } catch (error) {
    if (error instanceof EverflameError) return null;
    throw error;
  }
}

/** Each distinct name is looked at once: frames that share it share the answer. */
export function searchFrames(
  text: string,
  frameCount: number,
  nameOf: (frame: number) => string,
  skip: (frame: number) => boolean,
): SearchResult {
  const compiled = META.test(text) ? compileOrNull(text) : null;
  const wanted = text.toLowerCase();
  const test = compiled ?? ((name: string) => name.toLowerCase().includes(wanted));
  const known = new Map<string, boolean>();
  const matches = new Uint8Array(frameCount);
  let functions = 0;
  for (let frame = 0; frame < frameCount; frame++) {
    if (skip(frame)) continue;
    const name = nameOf(frame);
    let found = known.get(name);
    if (found === undefined) {
      found = test(name);
      known.set(name, found);
    }
    if (!found) continue;
    matches[frame] = 1;
    functions++;
  }
  return { matches, functions, literal: compiled === null && META.test(text) };
}
