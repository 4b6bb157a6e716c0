import { expect, test } from 'vitest';
import { Reason, type Sample, STACK_FAILED, STACK_NONE, STACK_WHOLE } from './sample-record.ts';
import { FIRST_WHOLE_STACK, StackSums, stackPairs } from './stack-sums.ts';

function sample(part: Partial<Sample>): Sample {
  return {
    tgid: 1,
    startNs: 0n,
    image: 0n,
    cpu: 0,
    timeNs: 0n,
    tid: 1,
    kernelStack: STACK_NONE,
    userStack: STACK_NONE,
    side: 0,
    reasons: 0,
    kernelFrames: null,
    userFrames: null,
    ...part,
  };
}

/** `tgid/start/image: kernel|user xcount, ...` a line. */
function draw(sums: StackSums): string[] {
  return [...sums.images()].map(({ key, ...image }) => {
    const pairs = stackPairs({ key, ...image })
      .map(({ kernelStack, userStack, count }) => `${kernelStack}|${userStack} x${count}`)
      .join(', ');
    return `${key.tgid}/${key.startNs}/${key.image}: ${pairs}`;
  });
}

test('samples add up by image and pair of stacks', () => {
  const sums = new StackSums();
  for (const part of [
    { userStack: 5 },
    { userStack: 5 },
    { userStack: 5, kernelStack: 0 },
    { userStack: 16_383, kernelStack: 4_095 },
    { userStack: STACK_FAILED, kernelStack: STACK_NONE, reasons: Reason.userStackFailed },
    { userStack: 5, image: 9n },
    { userStack: 5, startNs: 3n },
  ]) {
    sums.add(sample(part));
  }
  expect(sums.samples).toBe(7);
  expect(draw(sums)).toEqual([
    '1/0/0: -1|5 x2, 0|5 x1, 4095|16383 x1, -1|-3 x1',
    '1/0/9: -1|5 x1',
    '1/3/0: -1|5 x1',
  ]);
});

test('equal whole stacks are one', () => {
  const sums = new StackSums();
  const add = (pcs: bigint[]) =>
    sums.add(
      sample({
        userStack: STACK_WHOLE,
        userFrames: BigUint64Array.from(pcs),
        reasons: Reason.userStackCollided,
      }),
    );
  add([1n, 2n]);
  add([3n]);
  add([1n, 2n]);
  expect(draw(sums)).toEqual([`1/0/0: -1|${FIRST_WHOLE_STACK} x2, -1|${FIRST_WHOLE_STACK + 1} x1`]);
  expect([...sums.wholeStack(FIRST_WHOLE_STACK)]).toEqual([1n, 2n]);
  expect(sums.reasons.collided).toBe(3);
});
