/** Names of native addresses, from the symbol files that there are by build id. */
import type { AddressSpace } from '../../profile/frame.ts';
import { MAX_OPEN_SYMBOL_FILES } from '../../profile/limits.ts';
import type { SymbolFileRow } from '../../symbolizer/symbolizer.ts';

/** An open symbol file; symbolizer/symbol-file.ts has the real one. */
export interface SymbolLookup {
  lookup(address: number, space: AddressSpace): { name: string } | null;
  close?(): void;
}

/** Throws where the file cannot be read. */
export type OpenSymbolFile = (path: string) => SymbolLookup;

export type NativeName = { name: string } | { reason: string };

const NO_BUILD_ID: NativeName = { reason: 'no build id' };
const NO_FILE: NativeName = { reason: 'no debug information' };
const NOT_COVERED: NativeName = { reason: 'not covered' };
const UNREADABLE: NativeName = { reason: 'symbol file unreadable' };
/** Addresses are kept as two halves; above 2^53 they are in no file. */
const MAX_ADDRESS_HIGH = 2 ** 21;

export class SymbolNames {
  readonly #open: OpenSymbolFile;
  #rows = new Map<string, SymbolFileRow>();
  /** By build id, least recently used first; null is a file that could not be read. */
  readonly #files = new Map<string, SymbolLookup | null>();

  constructor(open: OpenSymbolFile) {
    this.#open = open;
  }

  /** Takes the new list and returns the build ids whose answers may differ now. */
  update(rows: readonly SymbolFileRow[]): Set<string> {
    const next = new Map(rows.map((row) => [row.buildId as string, row]));
    const changed = new Set<string>();
    for (const [buildId, row] of next) {
      const old = this.#rows.get(buildId);
      if (old?.generation !== row.generation || old.path !== row.path) changed.add(buildId);
    }
    for (const buildId of this.#rows.keys()) if (!next.has(buildId)) changed.add(buildId);
    for (const buildId of changed) this.#close(buildId);
    this.#rows = next;
    return changed;
  }

  nameOf(buildId: string, space: AddressSpace, low: number, high: number): NativeName {
    if (buildId === '') return NO_BUILD_ID;
    const row = this.#rows.get(buildId);
    if (row === undefined) return NO_FILE;
    const file = this.#fileOf(buildId, row);
    if (file === null) return UNREADABLE;
    if (high >= MAX_ADDRESS_HIGH) return NOT_COVERED;
    return file.lookup(high * 2 ** 32 + low, space) ?? NOT_COVERED;
  }

  #fileOf(buildId: string, row: SymbolFileRow): SymbolLookup | null {
    let file = this.#files.get(buildId);
    if (file === undefined) {
      file = this.#tryOpen(row.path);
      for (const oldest of this.#files.keys()) {
        if (this.#files.size < MAX_OPEN_SYMBOL_FILES) break;
        this.#close(oldest);
      }
    } else {
      this.#files.delete(buildId);
    }
    this.#files.set(buildId, file);
    return file;
  }

  /** A file that cannot be read shows in every answer's quality, so the frames still count. */
  #tryOpen(path: string): SymbolLookup | null {
    try {
      return this.#open(path);
    } catch {
      return null;
    }
  }

  #close(buildId: string): void {
    this.#files.get(buildId)?.close?.();
    this.#files.delete(buildId);
  }
}
