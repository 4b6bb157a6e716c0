/**
 * How much of a selection's weight lies in each binary: what its debug information is worth, or
 * would be. Binaries are told apart by their build ids, those without one by their file names.
 */
import type { DictionaryColumns } from '../../profile/dictionary.ts';
import { stringReader } from '../../profile/strings.ts';
import { basename, type LocationFrames } from './location-frames.ts';
import type { StackWeights } from './tree-messages.ts';

export interface BuildWeight {
  /** Empty where profiles have none: then all files of that name together. */
  buildId: string;
  /** Basename of the path that profiles have it under; one of them, where there are several. */
  file: string;
  /** Weight of stacks whose innermost frame is in the binary. */
  self: number;
  /** Weight of stacks with any frame in it, each once. */
  total: number;
  /** Part of `self` without a name, by reason. */
  unsymbolized: Record<string, number>;
  /** Its names come from symbol files; false where its writer named all of its frames. */
  needsSymbols: boolean;
}

export interface BuildWeights {
  /** Of all stacks, also of those in no binary. */
  total: number;
  /** In no order. Those without a build id only where frames of them have no name. */
  builds: BuildWeight[];
}

/** Every binary that the stacks touch. */
export function sumByBuild(
  dictionary: DictionaryColumns,
  frames: LocationFrames,
  { stack, value, multiplier }: StackWeights,
  checkStop: () => void,
): BuildWeights {
  const { offsets, locations } = dictionary.stacks;
  const rows = new BuildRows(dictionary, frames);
  let total = 0;
  for (let row = 0; row < stack.length; row++) {
    checkStop();
    const ref = stack[row] as number;
    const weight = (value[row] as number) * multiplier;
    const first = offsets[ref] as number;
    const end = offsets[ref + 1] as number;
    for (let at = first; at < end; at++) rows.addTotal(locations[at] as number, row, weight);
    if (first < end) rows.addSelf(locations[first] as number, weight);
    total += weight;
  }
  const isListed = ({ buildId, needsSymbols }: BuildWeight) => buildId !== '' || needsSymbols;
  return { total, builds: rows.builds.filter(isListed) };
}

/** In `#rowOf` and `#rowOfPath`. */
const UNREAD = 0;
const NO_BUILD_ID = -1;

class BuildRows {
  readonly builds: BuildWeight[] = [];
  readonly #dictionary: DictionaryColumns;
  readonly #frames: LocationFrames;
  readonly #text: (row: number) => string;
  /** By the build id's StringRef: UNREAD, NO_BUILD_ID, or a row of `builds` and 1. */
  readonly #rowOf: Int32Array;
  /** The same by the path's StringRef, where there is no build id. */
  readonly #rowOfPath: Int32Array;
  /** Of binaries without a build id: rows of `builds` by file name. */
  readonly #rowOfFile = new Map<string, number>();
  /** By row of `builds`: the stack that was counted last. */
  readonly #lastStack: number[] = [];

  constructor(dictionary: DictionaryColumns, frames: LocationFrames) {
    this.#dictionary = dictionary;
    this.#frames = frames;
    this.#text = stringReader(dictionary.strings);
    this.#rowOf = new Int32Array(dictionary.strings.count);
    this.#rowOfPath = new Int32Array(dictionary.strings.count);
  }

  /** `stack` tells the stacks apart; all locations of one come together. */
  addTotal(location: number, stack: number, weight: number): void {
    const row = this.#rowAt(location);
    const build = this.builds[row] as BuildWeight;
    if (!this.#isNamed(location)) build.needsSymbols = true;
    if (this.#lastStack[row] === stack) return;
    this.#lastStack[row] = stack;
    build.total += weight;
  }

  addSelf(location: number, weight: number): void {
    const build = this.builds[this.#rowAt(location)] as BuildWeight;
    build.self += weight;
    if (this.#isNamed(location)) return;
    this.#frames.sizeOf(location);
    const row = this.#frames.frameOf(location, 0);
    const reason = this.#frames.table.frames[row]?.reason ?? '';
    if (reason === '') return;
    build.unsymbolized[reason] = (build.unsymbolized[reason] ?? 0) + weight;
  }

  #rowAt(location: number): number {
    const { buildId, binary } = this.#dictionary.locations;
    const ref = buildId[location] as number;
    const path = binary[location] as number;
    let row = this.#rowOf[ref] as number;
    if (row === UNREAD) {
      const id = this.#text(ref);
      row = id === '' ? NO_BUILD_ID : this.#addRow(id, basename(this.#text(path))) + 1;
      this.#rowOf[ref] = row;
    }
    return row === NO_BUILD_ID ? this.#rowAtPath(path) : row - 1;
  }

  #rowAtPath(path: number): number {
    let row = this.#rowOfPath[path] as number;
    if (row === UNREAD) {
      const file = basename(this.#text(path));
      row = (this.#rowOfFile.get(file) ?? this.#addRow('', file)) + 1;
      this.#rowOfFile.set(file, row - 1);
      this.#rowOfPath[path] = row;
    }
    return row - 1;
  }

  #addRow(buildId: string, file: string): number {
    const fresh = { buildId, file, self: 0, total: 0, unsymbolized: {}, needsSymbols: false };
    return this.builds.push(fresh) - 1;
  }

  /** The writer gave its functions. */
  #isNamed(location: number): boolean {
    const { lineOffsets } = this.#dictionary.locations;
    return (lineOffsets[location + 1] as number) > (lineOffsets[location] as number);
  }
}
