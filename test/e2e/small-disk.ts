/** A disk that is soon full: a file system in memory. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { killServersIn, withFolder } from './server-process.ts';

/** Where it is mounted is gone when `use` ends, and the servers on it are. */
export async function withSmallDisk(
  megabytes: number,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (parent) => {
    const folder = join(parent, 'disk');
    mkdirSync(folder);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'everflame-test', folder]);
    try {
      await use(folder);
    } finally {
      await killServersIn(folder);
      execFileSync('umount', ['--lazy', folder]);
    }
  });
}

/** Makes it larger while it is in use. */
export function growDisk(folder: string, megabytes: number): void {
  execFileSync('mount', ['-o', `remount,size=${megabytes}m`, folder]);
}
