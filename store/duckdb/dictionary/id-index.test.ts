import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IdIndex } from './id-index.ts';

const steps = fc.array(
  fc.oneof(
    fc.record({ step: fc.constant('assign' as const), count: fc.nat(40) }),
    fc.record({ step: fc.constant('publish' as const), count: fc.nat(20) }),
    fc.record({ step: fc.constantFrom('freeze' as const, 'commit' as const) }),
    fc.record({ step: fc.constant('rollback' as const) }),
  ),
  { maxLength: 60 },
);

/** The id that is given as the n-th one; ids that were taken back are not given again. */
const idOf = (n: number): [number, number] => [Math.imul(n + 1, 0x9e3779b1), n];

test('ids have their refs from the moment they are assigned, until they are taken back', () => {
  const property = fc.property(steps, (drawn) => {
    const index = new IdIndex();
    let refs: number[] = [];
    let next = 0;
    let frozen: number | null = null;
    let isPublished = false;
    for (const drawnStep of drawn) {
      const { step } = drawnStep;
      if (step === 'assign') {
        for (let i = 0; i < drawnStep.count; i++) {
          expect(index.assign(...idOf(next))).toBe(refs.length);
          refs.push(next++);
        }
      } else if (step === 'freeze' && frozen === null) {
        frozen = index.freeze();
        expect(frozen).toBe(refs.length);
      } else if (step === 'publish' && frozen !== null) {
        isPublished = true;
        index.publish(drawnStep.count);
      } else if (step === 'commit' && frozen !== null) {
        index.commit();
        expect(index.committedCount).toBe(frozen);
        [frozen, isPublished] = [null, false];
      } else if (step === 'rollback' && !isPublished) {
        index.rollback();
        refs = refs.slice(0, index.committedCount);
        frozen = null;
      }
      expect(index.count).toBe(refs.length);
      expect(refs.map((n) => index.find(...idOf(n)))).toEqual(refs.map((_, ref) => ref));
      const pending = index.pendingIds(index.committedCount, index.count);
      expect([...pending]).toEqual(refs.slice(index.committedCount).flatMap((n) => idOf(n)));
      const gone = Array.from({ length: next }, (_, n) => n).filter((n) => !refs.includes(n));
      expect(gone.map((n) => index.find(...idOf(n)))).toEqual(gone.map(() => -1));
    }
  });
  fc.assert(property, { seed: 1, numRuns: 100 });
});
