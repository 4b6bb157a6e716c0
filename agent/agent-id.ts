/** An id of this host's agent that stays the same when the agent starts again. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** /etc/machine-id is not to be shown to others (machine-id(5)); a keyed hash of it may be. */
const PURPOSE = 'everflame agent';
const SOURCES = ['/etc/machine-id', '/var/lib/dbus/machine-id'];

export function readAgentId(host: string): string {
  return hashId(readMachineId() ?? host);
}

export function hashId(machine: string): string {
  return createHash('sha256').update(`${PURPOSE}\n${machine}`).digest('hex').slice(0, 32);
}

function readMachineId(): string | null {
  for (const path of SOURCES) {
    try {
      const id = readFileSync(path, 'utf8').trim();
      if (id !== '') return id;
    } catch (error) {
      // Containers often have none; the next source is tried, then the host's name.
      if (!(error instanceof Error && 'code' in error)) throw error;
    }
  }
  return null;
}
