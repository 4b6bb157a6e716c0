/**
 * The web UI: files built by vite, held in memory. Their URLs are relative, so pages lie on one
 * level below the prefix: `/explore`, not `/a/b`.
 */
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import type { Hono } from 'hono';
import { EverflameError } from '../../profile/errors.ts';
import { sendAnswer } from './answer.ts';
import type { AppContext, AppEnv } from './endpoint.ts';

export interface WebFile {
  contentType: string;
  body: Uint8Array;
  cacheControl: string;
}

/** URL path below the prefix, e.g. `assets/app-1a2b3c.js` -> file. */
export type WebFiles = ReadonlyMap<string, WebFile>;

const CONTENT_TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
};

/** Own scripts, styles, workers and requests; nothing inline, nothing foreign, no framing. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Reads a built web UI; an absent folder is an empty one. */
export async function readWebFiles(folder: string): Promise<WebFiles> {
  const paths = await listFiles(folder);
  return new Map(await Promise.all(paths.map((path) => readWebFile(folder, path))));
}

async function readWebFile(folder: string, path: string): Promise<[string, WebFile]> {
  const name = relative(folder, path).split(sep).join('/');
  const file = {
    contentType: CONTENT_TYPES[extname(path)] ?? 'application/octet-stream',
    body: await readFile(path),
    // vite puts a hash of the content into the name of everything under assets/.
    cacheControl: name.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
  };
  return [name, file];
}

async function listFiles(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries.filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/**
 * Mounts the pages after all endpoints: what is neither a file nor an endpoint's path, and has no
 * dot, is a page.
 */
export function mountPages(
  app: Hono<AppEnv>,
  files: WebFiles,
  pathPrefix: string,
  isEndpoint: (path: string) => boolean,
): void {
  if (pathPrefix !== '') app.get(pathPrefix, (context) => context.redirect(`${pathPrefix}/`, 308));
  app.get(`${pathPrefix}/*`, (context) => {
    const path = context.req.path.slice(pathPrefix.length + 1);
    const file = files.get(path);
    if (file !== undefined) return sendFile(context, file);
    const isPage = !path.includes('/') && !path.includes('.') && !isEndpoint(context.req.path);
    if (!isPage) return context.notFound();
    const page = files.get('index.html');
    if (page === undefined) {
      throw new EverflameError('not-found', 'the web UI is not built', {
        remedy: 'Run `npm run build:web`; the HTTP API works without it.',
      });
    }
    return sendFile(context, page);
  });
}

function sendFile(context: AppContext, file: WebFile): Promise<Response> {
  return sendAnswer(context, {
    contentType: file.contentType,
    body: file.body,
    headers: {
      'Cache-Control': file.cacheControl,
      Vary: 'Accept-Encoding',
      'Content-Security-Policy': CONTENT_SECURITY_POLICY,
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Referrer-Policy': 'same-origin',
    },
  });
}
