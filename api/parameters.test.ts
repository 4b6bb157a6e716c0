import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { EverflameError } from '../profile/errors.ts';
import { readParameters, readUrlParameters } from './parameters.ts';

const SCHEMA = z.strictObject({
  query: z.string().max(10),
  limit: z.int().min(1).max(100).default(20),
  share: z.number().min(0).max(1).optional(),
  exact: z.boolean().optional(),
  format: z.enum(['json', 'fg1']).optional(),
  by: z.array(z.string()).default([]).meta({ explode: false }),
  root: z.array(z.string()).optional(),
  time: z.union([z.string(), z.number()]).optional(),
});

const read = (text: string) => readUrlParameters(SCHEMA, new URLSearchParams(text));

test.each([
  ['query=a', { query: 'a', limit: 20, by: [] }],
  ['query=7&limit=5&share=0.25', { query: '7', limit: 5, share: 0.25, by: [] }],
  ['query=a&share=1e-3&exact=true', { query: 'a', limit: 20, share: 0.001, exact: true, by: [] }],
  ['query=a&by=x,y&by=z', { query: 'a', limit: 20, by: ['x', 'y', 'z'] }],
  ['query=a&by=', { query: 'a', limit: 20, by: [] }],
  ['query=a&root=f(a,b)&root=g', { query: 'a', limit: 20, by: [], root: ['f(a,b)', 'g'] }],
  ['query=a&time=123', { query: 'a', limit: 20, by: [], time: '123' }],
])('%s', (text, parameters) => {
  expect(read(text)).toEqual(parameters);
});

describe('the parameter at fault is named', () => {
  test.each([
    ['', 'query', 'the parameter query is missing', undefined],
    ['query=a&limt=5', 'limt', 'limt is unknown (did you mean "limit"?)', undefined],
    ['query=a&query=b', 'query', 'query is given 2 times', undefined],
    ['query=aaaaaaaaaaa', 'query', 'too big', 'query <= 10'],
    ['query=a&limit=0', 'limit', 'too small', 'limit >= 1'],
    ['query=a&limit=101', 'limit', 'too big', 'limit <= 100'],
    ['query=a&limit=1.5', 'limit', 'expected int', undefined],
    ['query=a&limit=x', 'limit', 'expected number', undefined],
    ['query=a&limit=', 'limit', 'expected number', undefined],
    ['query=a&limit=1e400', 'limit', 'wrong', undefined],
    ['query=a&exact=yes', 'exact', 'expected boolean', undefined],
    ['query=a&format=xml', 'format', 'expected one of "json"|"fg1"', undefined],
    ['query=a&__proto__=x', '__proto__', 'unknown', undefined],
    ['query=a&constructor=x', 'constructor', 'unknown', undefined],
  ])('%s', (text, field, message, limit) => {
    let error: unknown;
    try {
      read(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(EverflameError);
    const { kind, field: at, limit: hit, message: said } = error as EverflameError;
    expect([kind, at, hit]).toEqual(['invalid', field, limit]);
    expect(said).toContain(message);
  });

  test.each([[null], ['text'], [[1]], [7]])('a JSON body of %j', (input) => {
    expect(() => readParameters(SCHEMA, input)).toThrow(/expected object/);
  });

  test('a fault deep in a JSON body', () => {
    expect(() => readParameters(SCHEMA, { query: 'a', by: ['x', 7] })).toThrow(/by\.1 is wrong/);
  });
});
