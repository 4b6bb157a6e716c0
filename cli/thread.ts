/** Starts the program's worker threads, compiled or, in development and tests, as TypeScript. */
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

/** JavaScript objects of a thread; its buffers do not count. */
export interface ThreadMemory {
  /** A thread that needs more ends with an error. */
  heapBytes: number;
  /** What new objects fill before they are looked through. */
  youngBytes: number;
}

const USUAL_MEMORY: ThreadMemory = { heapBytes: 2 ** 30, youngBytes: 48e6 };

/** Starts a module as a thread; `path` is relative to cli/ and without its extension. */
export function startThread(path: string, memory = USUAL_MEMORY): Worker {
  const name = basename(path);
  const resourceLimits = {
    maxOldGenerationSizeMb: Math.ceil(memory.heapBytes / 2 ** 20),
    maxYoungGenerationSizeMb: Math.ceil(memory.youngBytes / 2 ** 20),
  };
  if (!import.meta.url.endsWith('.ts')) {
    return new Worker(new URL(`./${path}.js`, import.meta.url), { name, resourceLimits });
  }
  // A thread does not inherit its parent's TypeScript loader; it registers one of its own.
  const manifest = createRequire(import.meta.url).resolve('tsx/package.json');
  const loader = new URL('dist/esm/api/index.mjs', pathToFileURL(manifest)).href;
  const entry = new URL(`./${path}.ts`, import.meta.url).href;
  const code =
    `const { register } = await import(${JSON.stringify(loader)}); register(); ` +
    `await import(${JSON.stringify(entry)});`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
    name,
    resourceLimits,
  });
}
