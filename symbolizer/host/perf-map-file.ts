/** Follows a perf map file as its process appends to it. The file is a stranger's: see `refresh`. */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { EverflameError } from '../../profile/errors.ts';
import { MAX_PERF_MAP_READ_BYTES } from '../../profile/limits.ts';
import { PerfMap } from './perf-map.ts';

const CHUNK_BYTES = 2 ** 18;

export class PerfMapFile {
  readonly path: string;
  readonly #ownerUid: number;
  #map = new PerfMap();
  #offset = 0;
  #inode = 0;

  /** `path` is the file in the process' own root; `ownerUid` the process' user. */
  constructor(path: string, ownerUid: number) {
    this.path = path;
    this.#ownerUid = ownerUid;
  }

  get map(): PerfMap {
    return this.#map;
  }

  /**
   * Reads what was added, at most MAX_PERF_MAP_READ_BYTES at once; true if there is more. A file
   * that was replaced or cut is read from its beginning. In a directory where anyone may write, the
   * name may be a link to what only root reads, or a pipe that blocks: only a regular file of the
   * process' own user (or root) is read, and no link is followed. Throws what the file system says
   * (ENOENT: the runtime writes none).
   */
  refresh(): boolean {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const fd = openSync(this.path, flags);
    try {
      const stat = fstatSync(fd);
      this.#checkOwner(stat);
      if (stat.ino !== this.#inode || stat.size < this.#offset) {
        this.#map = new PerfMap();
        this.#offset = 0;
        this.#inode = stat.ino;
      }
      return this.#read(fd, stat.size);
    } finally {
      closeSync(fd);
    }
  }

  #checkOwner(stat: Stats): void {
    if (stat.isFile() && (stat.uid === this.#ownerUid || stat.uid === 0)) return;
    throw new EverflameError('forbidden', `${this.path} is not a file of user ${this.#ownerUid}`, {
      field: 'perf map',
      remedy: 'Let the process itself write it.',
    });
  }

  #read(fd: number, size: number): boolean {
    const end = Math.min(size, this.#offset + MAX_PERF_MAP_READ_BYTES);
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(0, end - this.#offset)));
    while (this.#offset < end) {
      const wanted = Math.min(chunk.length, end - this.#offset);
      const got = readSync(fd, chunk, 0, wanted, this.#offset);
      if (got === 0) break;
      this.#map.append(chunk.subarray(0, got));
      this.#offset += got;
    }
    return end < size;
  }
}
