/**
 * Regular expressions in RE2's syntax: matched in time linear in the text, on server and in the
 * browser alike. Length, repetition and size of the compiled program are bounded. Linear is still
 * long where a large program meets thousands of long texts, so the time is bounded, too.
 */
import { RE2JS } from 're2js';
import { EverflameError } from '../errors.ts';
import { MAX_REGEX_LENGTH, MAX_REGEX_MS, MAX_REGEX_PROGRAM } from '../limits.ts';

/** Both throw `too-large` once the expression has taken MAX_REGEX_MS altogether. */
export interface Regex {
  /** Instructions of the program: a text takes at most so many steps for each of its characters. */
  readonly size: number;
  /** Whether the expression covers the whole text, as in label matchers. */
  matchesWhole(text: string): boolean;
  /** Whether it occurs anywhere in the text, as in filters and search. */
  occursIn(text: string): boolean;
}

/**
 * Compiles an expression. `field` is the request parameter it came from, `position` its offset in
 * that parameter. The engine itself refuses repetitions that multiply to over 1,000.
 */
export function compileRegex(pattern: string, field: string, position = 0): Regex {
  if (pattern.length > MAX_REGEX_LENGTH) {
    throw new EverflameError('too-large', `a regular expression has ${pattern.length} characters`, {
      field,
      position,
      limit: `MAX_REGEX_LENGTH = ${MAX_REGEX_LENGTH}`,
    });
  }
  const program = compileRe2(pattern, field, position);
  const size = program.programSize();
  if (size > MAX_REGEX_PROGRAM) {
    throw new EverflameError(
      'too-large',
      `the regular expression ${quoteShort(pattern)} compiles to ${size} instructions`,
      {
        field,
        position,
        limit: `MAX_REGEX_PROGRAM = ${MAX_REGEX_PROGRAM}`,
        remedy: 'Use fewer alternatives or smaller counts of repetition.',
      },
    );
  }
  let spentMs = 0;
  const timed = (match: () => boolean): boolean => {
    if (spentMs > MAX_REGEX_MS) throw tooSlow(pattern, field);
    const startedMs = performance.now();
    const found = match();
    spentMs += performance.now() - startedMs;
    return found;
  };
  return {
    size,
    matchesWhole: (text) => timed(() => program.testExact(text)),
    occursIn: (text) => timed(() => program.test(text)),
  };
}

function tooSlow(pattern: string, field: string): EverflameError {
  return new EverflameError(
    'too-large',
    `the regular expression ${quoteShort(pattern)} takes too long`,
    {
      field,
      limit: `MAX_REGEX_MS = ${MAX_REGEX_MS}`,
      remedy: 'Use smaller counts of repetition, or match fewer series by other labels.',
    },
  );
}

function compileRe2(pattern: string, field: string, position: number): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EverflameError(
      'invalid',
      `${quoteShort(pattern)} is not a regular expression: ${reason.slice(0, 200)}`,
      {
        field,
        position,
        remedy: 'The syntax is RE2: no look-around, no back-references, counts up to 1,000.',
        cause,
      },
    );
  }
}

function quoteShort(pattern: string): string {
  return JSON.stringify(pattern.length > 80 ? `${pattern.slice(0, 77)}...` : pattern);
}
