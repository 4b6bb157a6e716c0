/** Random questions to the queries of /api/v1 beyond what a store is asked. */
import fc from 'fast-check';
import type { Granularity } from '../../api/query/params.ts';
import { GRANULARITIES } from '../../api/query/params.ts';
import type { DiffMode } from '../../profile/flame/diff.ts';
import { type Question, question } from './store-questions.ts';

export interface QueryQuestion extends Question {
  /** Side A of a diff, of the same type. */
  base: Question;
  filters: string[];
  granularity: Granularity;
  maxNodes: number | null;
  minFraction: number;
  /** How deep into the heaviest path `root` leads; 0 for none. */
  rootDepth: number;
  mode: DiffMode;
  limit: number;
  functionName: string;
}

const condition = fc.oneof(
  fc.constantFrom(
    'function~.',
    'function~[a-d]',
    'function=a',
    'function~b',
    'function!~^[ab]$',
    'function!=c',
    'function~lib\\+0x1',
  ),
  fc.constantFrom('file=x.c', 'file~\\.c$', 'file!=', 'binary=lib', 'binary!=app', 'binary~kernel'),
);
const stackFilter = fc
  .tuple(
    fc.constantFrom('show', 'hide', 'hide-frames', 'show-from', 'pivot', 'collapse'),
    condition,
  )
  .map(([action, text]) => `${action}:${text}`);
const labelFilter = fc
  .tuple(
    fc.constantFrom('show', 'hide'),
    fc.constantFrom('host=h1', 'host~h', 'user!=u1', 'user!~2', 'zone=', 'none~x'),
  )
  .map(([action, text]) => `${action}:label.${text}`);
const filters = fc.oneof(
  { weight: 1, arbitrary: fc.constant<string[]>([]) },
  {
    weight: 4,
    arbitrary: fc.array(
      fc.oneof({ weight: 4, arbitrary: stackFilter }, { weight: 1, arbitrary: labelFilter }),
      {
        minLength: 1,
        maxLength: 3,
      },
    ),
  },
);

export const queryQuestion: fc.Arbitrary<QueryQuestion> = fc
  .record({
    asked: question,
    base: question,
    filters,
    granularity: fc.constantFrom(...GRANULARITIES),
    maxNodes: fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 12 })),
    minFraction: fc.constantFrom(0, 0, 0.01, 0.1, 0.35),
    rootDepth: fc.constantFrom(0, 0, 1, 2),
    mode: fc.constantFrom<DiffMode[]>('share', 'absolute', 'rate'),
    limit: fc.integer({ min: 1, max: 4 }),
    functionName: fc.constantFrom('a', 'b', 'c', 'k', 'lib+0x10', 'none'),
  })
  .map(({ asked, base, ...rest }) => ({ ...asked, ...rest, base: { ...base, type: asked.type } }));
