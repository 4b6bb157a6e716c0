import fc from 'fast-check';
import { expect, test } from 'vitest';
import { labelsOf } from './load.ts';

test('labels are what was stored, whatever they hold', () => {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom('a"b', '","', '],["', '\\', '\n', 'é', '', 'x'),
  );
  const property = fc.property(
    fc.array(fc.tuple(fc.stringMatching(/^[a-z_]\w*$/), text)),
    (pairs) => {
      const labels = Object.fromEntries(pairs);
      const stored = JSON.stringify(Object.entries(labels));
      expect(labelsOf(stored)).toEqual(labels);
    },
  );
  fc.assert(property, { seed: 4, numRuns: 500 });
});
