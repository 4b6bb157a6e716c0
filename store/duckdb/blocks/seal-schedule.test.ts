import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { HOUR_MS } from './block.ts';
import { SealSchedule } from './seal-schedule.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Hours before which rows were sealed, with the clock at these times (in hours) one by one. */
async function sealedBy(clock: readonly number[]): Promise<number[]> {
  const sealed: number[] = [];
  let hour = 0;
  const schedule = new SealSchedule({
    seal: async (request) => {
      if (request !== 'oldest-half') sealed.push(request.beforeMs / HOUR_MS);
    },
    hotRows: () => 0,
    maxHotRows: 1,
    nowMs: () => hour * HOUR_MS,
  });
  for (hour of clock) await vi.advanceTimersByTimeAsync(60_000);
  schedule.stop();
  return sealed;
}

test.each([
  ['each hour once, some minutes after it', [10.1, 10.5, 10.99, 11, 11.04, 11.06, 11.5], [10, 11]],
  [
    'a clock that is set right after it was ahead',
    [10.1, 9_000.5, 10.5, 11.5],
    [10, 9_000, 10, 11],
  ],
])('%s', async (_, clock, sealed) => {
  expect(await sealedBy(clock)).toEqual(sealed);
});
