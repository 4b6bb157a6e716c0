import type { Attributes, Counter } from '@opentelemetry/api';
import { expect, test } from 'vitest';
import { createAgentSampleCount } from './agent-samples.ts';

/** Adds up as an exporter does: one line for each set of attributes. */
function recordingCounter() {
  const sums = new Map<string, number>();
  const counter: Counter = {
    add: (value: number, { reason = '' }: Attributes = {}) => {
      sums.set(String(reason), (sums.get(String(reason)) ?? 0) + value);
    },
  };
  return { counter, sums };
}

test('samples of windows by what became of them; reasons do not grow without bound', () => {
  const [samples, lost, incomplete] = [recordingCounter(), recordingCounter(), recordingCounter()];
  const count = createAgentSampleCount({
    agentSamples: samples.counter,
    agentSamplesLost: lost.counter,
    agentSamplesIncomplete: incomplete.counter,
  });
  count(
    new Map([
      ['sampled', 190],
      ['excluded', 3],
      ['sent', 180],
      ['lost_ring_full', 7],
      ['incomplete_user_stack_failed', 4],
    ]),
  );
  count(new Map([['lost_ring_full', 1]]));
  for (let reason = 0; reason < 100; reason++) count(new Map([[`lost_made_up_${reason}`, 1]]));
  expect([...samples.sums]).toEqual([['', 190]]);
  expect([...incomplete.sums]).toEqual([['user_stack_failed', 4]]);
  expect(lost.sums.get('ring_full')).toBe(8);
  expect([lost.sums.size, lost.sums.get('other')]).toEqual([65, 37]);
});
