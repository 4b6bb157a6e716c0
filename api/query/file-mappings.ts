/** The mappings of a pprof whose addresses are relative to their files. */
import type { PprofMapping } from '../../profile/pprof/encode.ts';

const PAGE = 4096n;

/** One per file and build: each starts at 0; its limit is the first page beyond what is used. */
export class FileMappings {
  readonly rows: PprofMapping[] = [];
  readonly #known = new Map<string, number>();

  /** The row for an address of the file; -1 where nothing is known of the file. */
  rowOf(file: string, buildId: string, address: bigint): number {
    if (file === '' && buildId === '') return -1;
    const key = `${file}\0${buildId}`;
    let row = this.#known.get(key);
    if (row === undefined) {
      row = this.rows.push({ start: 0n, limit: PAGE, offset: 0n, file, buildId }) - 1;
      this.#known.set(key, row);
    }
    const mapping = this.rows[row] as PprofMapping;
    if (address >= mapping.limit) mapping.limit = (address / PAGE + 1n) * PAGE;
    return row;
  }
}
