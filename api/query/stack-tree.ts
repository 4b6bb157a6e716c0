/**
 * Stacks as leaves of a tree that lives between queries and is filled as stacks are asked for. A
 * stack costs its path once; afterwards it is one number. Bounded: over the limit it starts anew.
 */

import type { DictionaryColumns } from '../../profile/dictionary.ts';
import { assert, EverflameError } from '../../profile/errors.ts';
import { CallTree } from '../../profile/flame/call-tree.ts';
import { FrameKind } from '../../profile/flame/frame.ts';
import type { SeriesQuality } from '../../profile/flame/quality.ts';
import { MAX_TREE_NODES } from '../../profile/limits.ts';
import type { LocationFrames } from './location-frames.ts';

/** Distinct reasons that fit a byte per stack; the writers' own names can make more of them. */
const MAX_REASONS = 255;
const OTHER_REASON = 'other';
/** Stacks between two looks at the stop flag, less one; one may need names of many frames. */
const STOP_MASK = 15;

export class StackTree {
  tree = new CallTree();
  readonly frames: LocationFrames;
  readonly #maxNodes: number;
  #dictionary: DictionaryColumns;
  /** Per StackRef: 0 while it has no leaf, else 1 + the leaf. */
  #leaf = new Int32Array(0);
  /** Per StackRef, rows of `#reasons`: why it is incomplete, why its leaf frame has no name. */
  #incomplete = new Uint8Array(0);
  #unsymbolized = new Uint8Array(0);
  readonly #reasons: string[] = [''];

  constructor(frames: LocationFrames, dictionary: DictionaryColumns, maxNodes = MAX_TREE_NODES) {
    this.frames = frames;
    this.#maxNodes = maxNodes;
    this.#dictionary = dictionary;
    this.setDictionary(dictionary);
  }

  setDictionary(dictionary: DictionaryColumns): void {
    this.#dictionary = dictionary;
    this.frames.setDictionary(dictionary);
    const count = dictionary.stacks.count;
    if (count <= this.#leaf.length) return;
    const capacity = Math.max(count, this.#leaf.length * 2);
    const leaf = new Int32Array(capacity);
    const incomplete = new Uint8Array(capacity);
    const unsymbolized = new Uint8Array(capacity);
    leaf.set(this.#leaf);
    incomplete.set(this.#incomplete);
    unsymbolized.set(this.#unsymbolized);
    this.#leaf = leaf;
    this.#incomplete = incomplete;
    this.#unsymbolized = unsymbolized;
  }

  /**
   * Symbol files of these builds changed: stacks that touch them get new leaves when they are asked
   * for again. Their old nodes stay, unused, until the tree starts anew.
   */
  forget(buildIds: ReadonlySet<string>): void {
    const marks = this.frames.forget(buildIds);
    if (marks === null) return;
    const { offsets, locations, count } = this.#dictionary.stacks;
    for (let stack = 0; stack < count; stack++) {
      if (this.#leaf[stack] === 0) continue;
      const end = offsets[stack + 1] as number;
      for (let at = offsets[stack] as number; at < end; at++) {
        if (marks[locations[at] as number] !== 1) continue;
        this.#leaf[stack] = 0;
        break;
      }
    }
  }

  /** Leaves of the sides' stacks, all in one tree. `checkStop` throws where they are not wanted. */
  leavesOf(sides: readonly Uint32Array[], checkStop: () => void): Int32Array[] {
    const first = this.#tryLeaves(sides, checkStop);
    if (first !== null) return first;
    this.tree = new CallTree();
    this.#leaf.fill(0);
    const second = this.#tryLeaves(sides, checkStop);
    if (second !== null) return second;
    throw new EverflameError('too-large', 'the stacks of this query have too many nodes', {
      limit: `MAX_TREE_NODES = ${this.#maxNodes}`,
      remedy: 'Narrow the selection by labels or time.',
    });
  }

  #tryLeaves(sides: readonly Uint32Array[], checkStop: () => void): Int32Array[] | null {
    const leaves: Int32Array[] = [];
    for (const stacks of sides) {
      const side = new Int32Array(stacks.length);
      for (let row = 0; row < stacks.length; row++) {
        const stack = stacks[row] as number;
        assert(stack < this.#dictionary.stacks.count, `the dictionary has stack ${stack}`);
        if ((row & STOP_MASK) === 0) checkStop();
        if (this.#leaf[stack] === 0) {
          this.#add(stack);
          if (this.tree.count > this.#maxNodes) return null;
        }
        side[row] = (this.#leaf[stack] as number) - 1;
      }
      leaves.push(side);
    }
    return leaves;
  }

  #add(stack: number): void {
    const { offsets, locations } = this.#dictionary.stacks;
    const { frames, tree } = this;
    const rows = frames.table.frames;
    let node = 0;
    let incomplete = '';
    let leafReason = '';
    for (let at = (offsets[stack + 1] as number) - 1; at >= (offsets[stack] as number); at--) {
      const location = locations[at] as number;
      // The last line is the function itself, those before it are inlined into it.
      const outermost = frames.sizeOf(location) - 1;
      for (let index = outermost; index >= 0; index--) {
        const row = frames.frameOf(location, index);
        node = tree.child(node, row, index < outermost);
        const frame = rows[row];
        const reason = frame?.reason ?? '';
        const unknown = frame?.kind === FrameKind.unknown;
        // A stack that lacks several parts counts once, by what is missing nearest to its root.
        if (unknown && incomplete === '') incomplete = reason;
        leafReason = unknown ? '' : reason;
      }
    }
    this.#leaf[stack] = node + 1;
    this.#incomplete[stack] = this.#reasonRow(incomplete);
    this.#unsymbolized[stack] = this.#reasonRow(leafReason);
  }

  #reasonRow(reason: string): number {
    const row = this.#reasons.indexOf(reason);
    if (row >= 0) return row;
    if (this.#reasons.length >= MAX_REASONS && reason !== OTHER_REASON) {
      return this.#reasonRow(OTHER_REASON);
    }
    return this.#reasons.push(reason) - 1;
  }

  /** Weights by reason, in the answer's unit. Only after `leavesOf` of the same stacks. */
  addQuality(
    quality: SeriesQuality,
    stacks: Uint32Array,
    value: Float64Array,
    multiplier: number,
  ): void {
    const incomplete = new Float64Array(this.#reasons.length);
    const unsymbolized = new Float64Array(this.#reasons.length);
    for (let row = 0; row < stacks.length; row++) {
      const stack = stacks[row] as number;
      const weight = (value[row] as number) * multiplier;
      const [why, leafWhy] = [
        this.#incomplete[stack] as number,
        this.#unsymbolized[stack] as number,
      ];
      incomplete[why] = (incomplete[why] as number) + weight;
      unsymbolized[leafWhy] = (unsymbolized[leafWhy] as number) + weight;
    }
    quality.incomplete = this.#byReason(incomplete);
    quality.unsymbolized = this.#byReason(unsymbolized);
  }

  #byReason(weights: Float64Array): Record<string, number> {
    const named = this.#reasons.map((reason, row) => [reason, weights[row] as number] as const);
    return Object.fromEntries(named.slice(1).filter(([, weight]) => weight !== 0));
  }
}
