/** Selectors: `type{name="value",...}` as in Prometheus; a fault is reported with its position. */
import { EverflameError } from '../errors.ts';
import { MAX_MATCH_STEPS, MAX_MATCHERS, MAX_SELECTOR_LENGTH } from '../limits.ts';
import type { Labels } from './labels.ts';
import { formatProfileType, type ProfileType, parseProfileType } from './profile-type.ts';
import { compileRegex } from './regex.ts';

export type MatchOp = '=' | '!=' | '=~' | '!~';

/** One condition on a label; an absent label has the empty value. Regular expressions are RE2. */
export interface Matcher {
  name: string;
  op: MatchOp;
  value: string;
}

export interface Selector {
  type: ProfileType | null;
  matchers: Matcher[];
}

/** Distinct values whose verdicts one compiled matcher remembers; over it, it starts afresh. */
const MAX_REMEMBERED_VALUES = 65_536;

const FIELD = 'query';
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '\\': '\\',
  '"': '"',
  "'": "'",
  '`': '`',
};

/**
 * Parses a selector. Either half may be absent: `type`, `type{}`, `{a="b"}`, `{}`. Every regular
 * expression is compiled, so that what parses can also be evaluated.
 */
export function parseSelector(text: string): Selector {
  return parseSelectorSyntax(text, (pattern, position) => {
    compileRegex(pattern, FIELD, position);
  });
}

/**
 * Parses without a look at the regular expressions, each of which is handed to `onRegex` with its
 * position: an editor shows a selector whose expression is still wrong.
 */
export function parseSelectorSyntax(
  text: string,
  onRegex: (pattern: string, position: number) => void = () => undefined,
): Selector {
  if (text.length > MAX_SELECTOR_LENGTH) {
    throw new EverflameError('too-large', `the selector has ${text.length} characters`, {
      field: FIELD,
      limit: `MAX_SELECTOR_LENGTH = ${MAX_SELECTOR_LENGTH}`,
    });
  }
  const cursor: Cursor = { text, position: 0, onRegex };
  const type = readType(cursor);
  skipSpace(cursor);
  const matchers = cursor.text[cursor.position] === '{' ? readMatchers(cursor) : [];
  skipSpace(cursor);
  if (cursor.position < text.length) throw fault(cursor, 'expected the end of the selector');
  if (type === null && !text.includes('{')) throw fault(cursor, 'the selector is empty');
  return { type, matchers };
}

/** The shortest text from which parseSelector makes an equal selector. */
export function formatSelector(selector: Selector): string {
  const type = selector.type === null ? '' : formatProfileType(selector.type);
  const matchers = selector.matchers.map(({ name, op, value }) => `${name}${op}${quote(value)}`);
  return `${type}{${matchers.join(',')}}`;
}

function quote(value: string): string {
  const escaped = value
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r');
  return `"${escaped}"`;
}

/** Whether a value satisfies the matcher; verdicts of regular expressions are remembered. */
export function compileMatcher(matcher: Matcher): (value: string) => boolean {
  const { op, value: expected } = matcher;
  if (op === '=') return (value) => value === expected;
  if (op === '!=') return (value) => value !== expected;
  const regex = compileRegex(expected, FIELD);
  const wanted = op === '=~';
  const verdicts = new Map<string, boolean>();
  return (value) => {
    const known = verdicts.get(value);
    if (known !== undefined) return known;
    if (regex.size * value.length > MAX_MATCH_STEPS) throw tooComplex(value.length);
    const verdict = regex.matchesWhole(value) === wanted;
    if (verdicts.size >= MAX_REMEMBERED_VALUES) verdicts.clear();
    verdicts.set(value, verdict);
    return verdict;
  };
}

/** Whether labels satisfy every matcher. */
export function compileMatchers(matchers: readonly Matcher[]): (labels: Labels) => boolean {
  const compiled = matchers.map((matcher) => ({
    name: matcher.name,
    accepts: compileMatcher(matcher),
  }));
  return (labels) => compiled.every(({ name, accepts }) => accepts(labelValue(labels, name)));
}

function tooComplex(length: number): EverflameError {
  return new EverflameError(
    'too-large',
    `a regular expression is too complex for a label of ${length} characters`,
    {
      field: FIELD,
      limit: `MAX_MATCH_STEPS = ${MAX_MATCH_STEPS}`,
      remedy: 'Use smaller counts of repetition, or fewer alternatives.',
    },
  );
}

/** An absent label is the same as an empty one; names on Object's prototype are absent. */
export function labelValue(labels: Labels, name: string): string {
  return Object.hasOwn(labels, name) ? (labels[name] ?? '') : '';
}

interface Cursor {
  readonly text: string;
  position: number;
  readonly onRegex: (pattern: string, position: number) => void;
}

function fault(cursor: Cursor, expected: string, position = cursor.position): EverflameError {
  const rest = cursor.text.slice(position, position + 20);
  const found = rest === '' ? 'its end' : JSON.stringify(rest);
  return new EverflameError(
    'invalid',
    `${expected}, found ${found} at character ${position} of the selector`,
    {
      field: FIELD,
      position,
      remedy: 'Write a selector as type{name="value",other=~"regex"}.',
    },
  );
}

function skipSpace(cursor: Cursor): void {
  cursor.position = endOf(/\s*/y, cursor);
}

/** Where the sticky pattern ends if it matches here, else the cursor's own position. */
function endOf(pattern: RegExp, cursor: Cursor): number {
  pattern.lastIndex = cursor.position;
  return pattern.test(cursor.text) ? pattern.lastIndex : cursor.position;
}

function readType(cursor: Cursor): ProfileType | null {
  skipSpace(cursor);
  const start = cursor.position;
  cursor.position = endOf(/[^\s{}"'`,=]+/y, cursor);
  if (cursor.position === start) return null;
  try {
    return parseProfileType(cursor.text.slice(start, cursor.position));
  } catch (cause) {
    if (!(cause instanceof EverflameError)) throw cause;
    throw new EverflameError('invalid', cause.message, {
      field: FIELD,
      position: start,
      ...(cause.remedy === undefined ? {} : { remedy: cause.remedy }),
      cause,
    });
  }
}

function readMatchers(cursor: Cursor): Matcher[] {
  const matchers: Matcher[] = [];
  cursor.position++;
  for (;;) {
    skipSpace(cursor);
    if (cursor.text[cursor.position] === '}') break;
    if (matchers.length === MAX_MATCHERS) {
      throw new EverflameError('too-large', `the selector has over ${MAX_MATCHERS} matchers`, {
        field: FIELD,
        position: cursor.position,
        limit: `MAX_MATCHERS = ${MAX_MATCHERS}`,
      });
    }
    matchers.push(readMatcher(cursor));
    skipSpace(cursor);
    if (cursor.text[cursor.position] === ',') cursor.position++;
    else if (cursor.text[cursor.position] !== '}') throw fault(cursor, 'expected "," or "}"');
  }
  cursor.position++;
  return matchers;
}

function readMatcher(cursor: Cursor): Matcher {
  const nameStart = cursor.position;
  cursor.position = endOf(/[a-zA-Z_][a-zA-Z0-9_]*/y, cursor);
  const name = cursor.text.slice(nameStart, cursor.position);
  if (name === '') throw fault(cursor, 'expected a label name');
  skipSpace(cursor);
  const op = readOp(cursor);
  skipSpace(cursor);
  const valueStart = cursor.position;
  const value = readString(cursor);
  if (op === '=~' || op === '!~') cursor.onRegex(value, valueStart);
  return { name, op, value };
}

function readOp(cursor: Cursor): MatchOp {
  const two = cursor.text.slice(cursor.position, cursor.position + 2);
  if (two === '=~' || two === '!~' || two === '!=') {
    cursor.position += 2;
    return two;
  }
  if (!two.startsWith('=')) throw fault(cursor, 'expected =, !=, =~ or !~');
  cursor.position++;
  return '=';
}

/** A string in double or single quotes with escapes, or in backticks without any. */
function readString(cursor: Cursor): string {
  const { text } = cursor;
  const mark = text[cursor.position];
  if (mark !== '"' && mark !== "'" && mark !== '`') throw fault(cursor, 'expected a quoted value');
  const start = cursor.position++;
  let value = '';
  for (;;) {
    const char = text[cursor.position];
    if (char === undefined) throw fault(cursor, 'the quoted value is not closed', start);
    if (char === mark) break;
    value += char === '\\' && mark !== '`' ? readEscape(cursor) : char;
    cursor.position++;
  }
  cursor.position++;
  return value;
}

/** Leaves the cursor on the escape's last character. */
function readEscape(cursor: Cursor): string {
  const letter = cursor.text[cursor.position + 1] ?? '';
  const meaning = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
  if (meaning === undefined) {
    throw new EverflameError(
      'invalid',
      `\\${letter} at character ${cursor.position} of the selector is not an escape`,
      {
        field: FIELD,
        position: cursor.position,
        remedy: `Double the backslash (\\\\${letter}) or put the value in backticks.`,
      },
    );
  }
  cursor.position++;
  return meaning;
}
