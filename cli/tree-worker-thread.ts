/** Starts cli/tree-worker as a thread, compiled or, in development, as TypeScript. */
import { Worker } from 'node:worker_threads';

export function createTreeWorker(): Worker {
  const isSource = import.meta.url.endsWith('.ts');
  const entry = new URL(isSource ? './tree-worker.ts' : './tree-worker.js', import.meta.url);
  return new Worker(entry, {
    name: 'tree',
    ...(isSource ? { execArgv: ['--import', 'tsx'] } : {}),
  });
}
