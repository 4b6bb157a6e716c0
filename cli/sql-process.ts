/** Starts the processes in which users' SQL runs, as far apart from the server as can be. */
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  findSandbox,
  NOBODY_SANDBOX,
  restrictedCommand,
  SANDBOXES,
  type Sandbox,
  startRestricted,
} from '../symbolizer/debuginfo/restricted-process.ts';

const ENTRY = '../store/duckdb/sandbox/sandbox-child';
const LIMITS = {
  heapMb: 384,
  // COPY and every other way to write a file ends here, whatever a statement gets through.
  fileBytes: 0,
  // Should nobody be there to kill it.
  cpuSeconds: 120,
};

/** `dataDir`: what the processes must be able to read; `dataBytes`: all that one may hold. */
export function createSqlProcesses(
  dataDir: string,
  dataBytes: number,
  log: (line: string) => void,
): () => Promise<ChildProcess> {
  let found: Promise<Sandbox> | null = null;
  return async () => {
    // A search that failed, as for want of memory, says nothing about the next.
    found ??= find(dataDir, log).catch((error: unknown) => {
      found = null;
      throw error;
    });
    const limits = { ...LIMITS, dataBytes };
    return startRestricted(restrictedCommand(await found, import.meta.url, ENTRY, limits));
  };
}

/** Nobody's process is tried by asking for what it has to read; the others are this user's. */
async function find(dataDir: string, log: (line: string) => void): Promise<Sandbox> {
  const folders = JSON.stringify([dataDir, fileURLToPath(new URL('.', import.meta.url))]);
  const script = `const fs = require('node:fs');
    for (const folder of ${folders}) {
      for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
        if (entry.isFile()) fs.accessSync(folder + '/' + entry.name, fs.constants.R_OK);
      }
    }`;
  const trial = [process.execPath, '-e', script];
  const sandbox = await findSandbox([NOBODY_SANDBOX, ...SANDBOXES], trial, 'sql');
  if (sandbox !== NOBODY_SANDBOX) {
    const network = sandbox.includes('--net') ? '' : ' and can reach the network';
    log(`sql: statements run in processes of this server's own user${network}`);
  }
  return sandbox;
}
