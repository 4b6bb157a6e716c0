/** Starts the server: checks what it was told, opens everything, listens. */
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { EverflameError } from '../profile/errors.ts';
import { AppKeeper } from './app-keeper.ts';
import { checkExposure, listen, parseSocketAddress } from './listener.ts';
import type { AppSettings } from './server-app.ts';

export interface ServerOptions extends AppSettings {
  /** `HOST:PORT`; port 0 is any free one. */
  httpAddress: string;
}

export interface RunningServer {
  url: string;
  /** Resolves with the reason where the server cannot go on and is to be closed. */
  failed: Promise<EverflameError>;
  /** Takes no more requests, finishes the open ones for at most `graceMs`, then closes all. */
  close(graceMs: number): Promise<void>;
}

/** Starts a server. What cannot be started is named in one line, and what was started is closed. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const address = parseSocketAddress(options.httpAddress, 'http-address');
  checkExposure(address, options.insecure, 'http-address');
  const pathPrefix = readPathPrefix(options.pathPrefix);
  checkDataDir(options.dataDir);
  const opened = await AppKeeper.open({ ...options, pathPrefix });
  try {
    const listener = await listen(opened.fetch, address);
    return {
      url: `${listener.url}${pathPrefix}`,
      failed: opened.failed,
      close: async (graceMs) => {
        await listener.close(graceMs);
        await opened.close();
      },
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

function readPathPrefix(text: string): string {
  const prefix = text.replace(/\/+$/, '');
  // Clients take . and .. out of a path before they ask for it.
  if (prefix === '' || /^(\/(?!\.{1,2}(\/|$))[\w.~-]+)+$/.test(prefix)) return prefix;
  throw new EverflameError('invalid', `--path-prefix ${text}: is not of the form /path`);
}

/** Like mkdir -p. Node's own recursive form never ends where a file system makes no folders. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path);
}

function checkDataDir(dataDir: string): void {
  try {
    makeFolder(resolve(dataDir));
    accessSync(dataDir, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new EverflameError('forbidden', `--data-dir ${dataDir}: cannot be written: ${message}`, {
      cause,
    });
  }
}
