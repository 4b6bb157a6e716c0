/** A store whose calls are timed, and seen as spans where somebody records those. */
import type { Histogram } from '@opentelemetry/api';
import type { Store } from '../../store/store.ts';
import { aroundMethods } from './around-methods.ts';
import { inSpan } from './spans.ts';

/** What requests wait for. */
const CALLS = [
  'write',
  'merge',
  'mergeAndSummarize',
  'timeline',
  'summary',
  'coveredMs',
  'profiles',
  'agents',
] as const satisfies (keyof Store)[];

export function watchStore(store: Store, seconds: Histogram, isTraced: boolean): Store {
  return aroundMethods(store, CALLS, async (method, call) => {
    const startedMs = performance.now();
    try {
      return isTraced ? await inSpan(`store.${method}`, {}, call) : await call();
    } finally {
      seconds.record((performance.now() - startedMs) / 1000, { operation: snakeCase(method) });
    }
  });
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
