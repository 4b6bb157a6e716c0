/**
 * Hostile selectors: none may crash, take a second, or grow memory by more than 256 MB. What
 * parses must also be evaluated, and read the same after it was formatted.
 */
import fc from 'fast-check';
import { assert, EverflameError } from '../../profile/errors.ts';
import { compileMatchers, formatSelector, parseSelector } from '../../profile/select/selector.ts';
import { watchFuzz } from './fuzz-watch.ts';
import type { ProofOptions } from './proof.ts';

const PIECES = [
  ...['{', '}', ',', '=', '!=', '=~', '!~', '"', "'", '`', '\\', '\\"', '\\n', ' ', '\n', ':'],
  ...['process_cpu:cpu:nanoseconds:cpu:nanoseconds', 'a:b:c::', 'service_name', 'host', '__name__'],
  ...['(', ')', '(?:', '(?i)', '(?=', '[', ']', '[^', '|', '*', '+', '?', '.', '^', '$', '\\\\d'],
  ...['{2,}', '{1000}', '{0,1000}', '{10}', '\\\\pL', '\\\\x{10FFFF}', '\u{1f525}', '\ud800', '\0'],
];

const word = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...PIECES) },
  { weight: 1, arbitrary: fc.string({ maxLength: 6 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) },
);
const soup = fc.array(word, { maxLength: 60 }).map((words) => words.join(''));
/** Reaches the regular expressions, which soup seldom does. */
const patternSoup = fc
  .array(word, { maxLength: 40 })
  .map((words) => `{a=~\`${words.join('').replaceAll('`', '')}\`}`);
const repeated = fc
  .tuple(fc.constantFrom(...PIECES), fc.integer({ min: 1, max: 3_000 }))
  .map(([piece, times]) => `{a=~\`${piece.replaceAll('`', '').repeat(times)}\`}`);
const hostileText = fc.oneof(
  { weight: 8, arbitrary: soup },
  { weight: 12, arbitrary: patternSoup },
  { weight: 1, arbitrary: repeated },
);
const LABELS = [{ a: 'a'.repeat(4_096) }, { a: '{("\\', service_name: 'checkout' }, {}];

/** Returns one line of summary. Throws on the first text that breaks a promise. */
export async function fuzzSelector(options: ProofOptions): Promise<string> {
  const watch = watchFuzz('selectors');
  fc.assert(
    fc.property(hostileText, (text) => {
      watch.begin();
      watch.end(tryOne(text));
    }),
    { seed: options.seed, numRuns: options.runs, endOnFailure: true },
  );
  return watch.summary();
}

function tryOne(text: string): boolean {
  try {
    const selector = parseSelector(text);
    const accepts = compileMatchers(selector.matchers);
    for (const labels of LABELS) accepts(labels);
    const formatted = formatSelector(selector);
    assert(formatSelector(parseSelector(formatted)) === formatted, `${formatted} reads otherwise`);
    return true;
  } catch (error) {
    if (error instanceof EverflameError) return false;
    throw error;
  }
}
