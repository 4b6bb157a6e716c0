/** Starts the program's worker threads, compiled or, in development and tests, as TypeScript. */
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

/** Starts a module as a thread; `path` is relative to cli/ and without its extension. */
export function startThread(path: string): Worker {
  const name = basename(path);
  if (!import.meta.url.endsWith('.ts')) {
    return new Worker(new URL(`./${path}.js`, import.meta.url), { name });
  }
  // A thread does not inherit its parent's TypeScript loader; it registers one of its own.
  const manifest = createRequire(import.meta.url).resolve('tsx/package.json');
  const loader = new URL('dist/esm/api/index.mjs', pathToFileURL(manifest)).href;
  const entry = new URL(`./${path}.ts`, import.meta.url).href;
  const code =
    `const { register } = await import(${JSON.stringify(loader)}); register(); ` +
    `await import(${JSON.stringify(entry)});`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { name });
}
