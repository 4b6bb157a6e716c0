import { expect, test } from 'vitest';
import { MAX_LABEL_NAME_BYTES, MAX_LABEL_VALUE_BYTES, MAX_LABELS_PER_SERIES } from '../limits.ts';
import { canonicalLabels } from './labels.ts';

test('sorted by name, without empty values and names that begin with __', () => {
  const labels = canonicalLabels({ b: '2', B: '3', a: 'ü', empty: '', __name__: 'x', __meta: '' });
  expect(JSON.stringify(labels)).toBe('{"B":"3","a":"ü","b":"2"}');
});

const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`l${i}`, 'v']));

test.each<[string, Record<string, string>, string]>([
  ['a name with a dot', { 'a.b': 'x' }, 'MAX_LABEL_NAME_BYTES'],
  ['a name that begins with a digit', { '1a': 'x' }, 'MAX_LABEL_NAME_BYTES'],
  ['a name that is empty', { '': 'x' }, 'MAX_LABEL_NAME_BYTES'],
  ['a name too long', { ['a'.repeat(MAX_LABEL_NAME_BYTES + 1)]: 'x' }, 'MAX_LABEL_NAME_BYTES'],
  ['a value too long', { a: 'ü'.repeat(MAX_LABEL_VALUE_BYTES / 2 + 1) }, 'MAX_LABEL_VALUE_BYTES'],
  ['too many labels', many(MAX_LABELS_PER_SERIES + 1), 'MAX_LABELS_PER_SERIES'],
])('%s is refused', (_, labels, limit) => {
  expect(() => canonicalLabels(labels)).toThrow(
    expect.objectContaining({ kind: 'unprocessable', limit: expect.stringContaining(limit) }),
  );
});

test('what is just within the limits is kept', () => {
  const labels = { ...many(MAX_LABELS_PER_SERIES - 1), a: 'ü'.repeat(MAX_LABEL_VALUE_BYTES / 2) };
  expect(Object.keys(canonicalLabels(labels))).toHaveLength(MAX_LABELS_PER_SERIES);
});
