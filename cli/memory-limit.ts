/** How much memory the process may take, and who of its parts gets how much of it. */
import { readFileSync } from 'node:fs';
import { EverflameError } from '../profile/errors.ts';
import { MAX_BODY_BYTES, MAX_SQL_MEMORY_BYTES } from '../profile/limits.ts';
import type { ThreadMemory } from './thread.ts';

const DEFAULT_LIMIT_BYTES = 1e9;
/** Less than this does not hold one large request beside the program itself. */
const MIN_LIMIT_BYTES = 512e6;
/** Of a container's limit: its kernel counts page tables and sockets too, and kills. */
const CONTAINER_SHARE = 0.85;
/** Of cgroup v2, then v1; as a process in a container sees its own. */
const CGROUP_FILES = ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'];
/** What v1 says where there is no limit is about 2^63. */
const NO_LIMIT_BYTES = 2 ** 50;

export interface MemoryShares extends ThreadMemory {
  limitBytes: number;
  /** Of the database: its cache, and what queries and sealing need. */
  databaseBytes: number;
  /** Request bodies as they came; decoded they take several times as much. */
  bodyBytes: number;
  /** Of a SQL statement: DuckDB's, what its process is given, and what of that it fills at most. */
  sqlBytes: number;
  sqlProcessBytes: number;
  sqlResidentBytes: number;
  /** Of an export, beside the database. */
  exportBytes: number;
}

/** In the process of a statement beside DuckDB: Node, and an answer twice. */
const SQL_PROCESS_BYTES = 128e6;
/** Not all of that is touched. */
const SQL_RESIDENT_BYTES = 90e6;
/** It joins the frames of some hundred stacks at a time. */
const MIN_EXPORT_BYTES = 128e6;
const MAX_EXPORT_BYTES = 256e6;

/** The given limit, or the default, or what the container allows where that is less. */
export function chooseMemoryLimit(
  givenBytes: number | null,
  containerBytes: number | null,
): number {
  if (givenBytes !== null && givenBytes < MIN_LIMIT_BYTES) {
    throw new EverflameError('invalid', `--memory-limit ${givenBytes}: is too little`, {
      field: 'memory-limit',
      limit: `MIN_LIMIT_BYTES = ${MIN_LIMIT_BYTES}`,
      remedy: 'Give the server 512MB or more.',
    });
  }
  if (givenBytes !== null) return givenBytes;
  if (containerBytes === null) return DEFAULT_LIMIT_BYTES;
  const allowed = Math.floor(containerBytes * CONTAINER_SHARE);
  return Math.max(MIN_LIMIT_BYTES, Math.min(DEFAULT_LIMIT_BYTES, allowed));
}

/** The memory limit of the container that this process is in; null where there is none. */
export function readContainerLimit(): number | null {
  for (const file of CGROUP_FILES) {
    const bytes = readNumber(file);
    if (bytes !== null && bytes < NO_LIMIT_BYTES) return bytes;
  }
  return null;
}

function readNumber(path: string): number | null {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return /^\d+$/.test(text) ? Number(text) : null;
  } catch {
    return null; // There is no such file outside of a container, and on other kernels.
  }
}

export function shareMemory(limitBytes: number): MemoryShares {
  const sqlBytes = Math.min(MAX_SQL_MEMORY_BYTES, Math.floor(limitBytes / 8));
  return {
    limitBytes,
    sqlBytes,
    sqlProcessBytes: sqlBytes + SQL_PROCESS_BYTES,
    sqlResidentBytes: sqlBytes + SQL_RESIDENT_BYTES,
    exportBytes: Math.min(MAX_EXPORT_BYTES, Math.max(MIN_EXPORT_BYTES, limitBytes / 4)),
    databaseBytes: Math.floor(limitBytes / 5),
    bodyBytes: Math.max(MAX_BODY_BYTES, Math.floor(limitBytes / 16)),
    heapBytes: Math.max(96e6, Math.floor(limitBytes / 5)),
    youngBytes: Math.min(48e6, Math.floor(limitBytes / 64)),
  };
}
