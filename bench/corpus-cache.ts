/** The corpus on disk: making 6,000 files takes longer than pushing them. */
import {
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type CorpusFile, generateCorpus } from './corpus.ts';

type Entry = Omit<CorpusFile, 'gzip'> & { offset: number; size: number };

export interface CachedCorpus {
  files: readonly Entry[];
  read(entry: Entry): Uint8Array<ArrayBuffer>;
}

/** Day 2026-11-01T00:00Z: the corpus is the same bytes in every run. */
export const CORPUS_START_MS = Date.UTC(2026, 10, 1);

export function openCorpus(windows: number): CachedCorpus {
  const folder = join('.cache', `corpus-${windows}`);
  const index = join(folder, 'index.json');
  const data = join(folder, 'data');
  if (!existsSync(index)) writeCorpus(windows, folder, index, data);
  const handle = openSync(data, 'r');
  return {
    files: JSON.parse(readFileSync(index, 'utf8')) as Entry[],
    read({ offset, size }) {
      const bytes = new Uint8Array(size);
      readSync(handle, bytes, 0, size, offset);
      return bytes;
    },
  };
}

function writeCorpus(windows: number, folder: string, index: string, data: string): void {
  console.log(`making the corpus of ${windows} windows in ${folder}`);
  mkdirSync(folder, { recursive: true });
  const handle = openSync(data, 'w');
  const entries: Entry[] = [];
  let offset = 0;
  for (const { gzip, ...rest } of generateCorpus(windows, CORPUS_START_MS)) {
    writeSync(handle, gzip);
    entries.push({ ...rest, offset, size: gzip.length });
    offset += gzip.length;
  }
  writeFileSync(`${index}.tmp`, JSON.stringify(entries));
  renameSync(`${index}.tmp`, index);
}
