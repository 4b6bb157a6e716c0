/**
 * Which blocks there are, by version. A transaction that changes blocks publishes its list before
 * its COMMIT, so that whoever reads the new version finds its list; readers hold the lists that
 * they may name files of, and a file is deleted only after the last such reader.
 */
import { assert } from '../../../profile/errors.ts';
import { type Block, blockBytes } from './block.ts';

export interface BlockList {
  readonly version: number;
  readonly blocks: readonly Block[];
}

interface Entry {
  list: BlockList;
  holds: number;
  /** What to do once nobody can name the files that the next list no longer has. */
  retire: (() => void) | null;
}

export class BlockLists {
  /** Ascending versions: those that are held, those after them, and at last the current one. */
  readonly #entries: Entry[] = [];
  #current: Entry;
  bytes = 0;
  damaged = 0;

  constructor(list: BlockList) {
    this.#current = { list, holds: 0, retire: null };
    this.#entries.push(this.#current);
    this.#count();
  }

  /** The list of the last commit. */
  get current(): BlockList {
    return this.#current.list;
  }

  /** A list that a transaction is about to make current. */
  publish(list: BlockList): void {
    assert(list.version > (this.#entries.at(-1)?.list.version ?? 0), 'a version that ascends');
    this.#entries.push({ list, holds: 0, retire: null });
  }

  /** The published list's transaction was committed. `retire` deletes what it dropped. */
  commit(retire: (() => void) | null): void {
    const last = this.#entries.at(-1);
    assert(last !== undefined && last !== this.#current, 'a list was published');
    this.#current.retire = retire;
    this.#current = last;
    this.#count();
    this.#prune();
  }

  /** The published list's transaction failed; nobody can have seen its version. */
  withdraw(): void {
    const last = this.#entries.pop();
    assert(last !== undefined && last !== this.#current, 'a list was published');
  }

  /** Held from before a transaction begins, until its version is known and held itself. */
  holdCurrent(): number {
    this.#current.holds++;
    return this.#current.list.version;
  }

  hold(version: number): BlockList {
    const entry = this.#entryOf(version);
    entry.holds++;
    return entry.list;
  }

  release(version: number): void {
    this.#entryOf(version).holds--;
    this.#prune();
  }

  #entryOf(version: number): Entry {
    const entry = this.#entries.find(({ list }) => list.version === version);
    assert(entry !== undefined, `block list ${version} is known`);
    return entry;
  }

  #prune(): void {
    for (let first = this.#entries[0]; first !== undefined; first = this.#entries[0]) {
      if (first.holds > 0 || first === this.#current) return;
      this.#entries.shift();
      first.retire?.();
    }
  }

  #count(): void {
    const { blocks } = this.#current.list;
    this.bytes = blocks.reduce((sum, block) => sum + blockBytes(block), 0);
    this.damaged = blocks.filter(({ damaged }) => damaged !== '').length;
  }
}
