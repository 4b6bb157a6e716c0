/**
 * Stacks after filters, as leaves of a tree of their own, made for one question. Filters look at
 * each frame's own texts; which frames are one node is decided after them.
 */
import type { DictionaryColumns } from '../../profile/dictionary.ts';
import { assert, EverflameError } from '../../profile/errors.ts';
import type { ColumnSource } from '../../profile/flame/arena.ts';
import { CallTree } from '../../profile/flame/call-tree.ts';
import { FrameTable } from '../../profile/flame/frame-table.ts';
import { type FilterStep, StackFilters } from '../../profile/flame/stack-filters.ts';
import { MAX_TREE_NODES } from '../../profile/limits.ts';
import { type LocationFrames, nodeKey } from './location-frames.ts';
import type { Granularity } from './params.ts';
import type { GroupedLeaves, StackWeights } from './tree-messages.ts';

/** In `#leaf`: not asked for yet; dropped; kept as it is. Else it is the node + 1. */
const UNKNOWN = 0;
const DROPPED = -1;
const KEPT = 1;
/** Stacks between two looks at the stop flag, less one; one may need names of many frames. */
const STOP_MASK = 15;

export class FilteredStacks {
  readonly tree = new CallTree();
  /** Rows are the tree's frame numbers. */
  readonly table = new FrameTable();
  /** No stack that is kept is changed: what is known of whole stacks holds, and no tree is made. */
  readonly keepsWhole: boolean;
  readonly #filters: StackFilters;
  readonly #frames: LocationFrames;
  readonly #granularity: Granularity;
  readonly #dictionary: DictionaryColumns;
  /** Per StackRef. */
  readonly #leaf: Int32Array;
  /** The stack at hand, root first: rows of `#frames` and which of its locations each is of. */
  #rows = new Int32Array(256);
  #site = new Int32Array(256);
  /** The stack before it as planted: frame x 2 + whether it is inlined, and the node. */
  #pathKey = new Int32Array(256);
  #pathNode = new Int32Array(256);
  #pathLength = 0;
  /** Per row of `#frames`: 1 + the row of `table` that it is shown as. */
  #shown = new Int32Array(1024);

  /** `frames` tells frames apart by all their texts (`LocationFrames` of identity `text`). */
  constructor(
    steps: readonly FilterStep[],
    frames: LocationFrames,
    granularity: Granularity,
    dictionary: DictionaryColumns,
    columns: ColumnSource,
  ) {
    const choices = steps.every(({ action }) => action === 'show' || action === 'hide');
    this.keepsWhole = choices && granularity === 'function';
    this.#filters = new StackFilters(steps, frames.table);
    this.#frames = frames;
    this.#granularity = granularity;
    this.#dictionary = dictionary;
    this.#leaf = columns.int32(dictionary.stacks.count).fill(UNKNOWN);
  }

  /**
   * The rows of kept stacks; the weight of all others is what `value` lacks. `whole` is the node of
   * each row's stack in a tree of whole ones, and the answer where `keepsWhole`.
   */
  leavesOf(
    { stack: stacks, group, value }: StackWeights,
    whole: Int32Array,
    checkStop: () => void,
  ): GroupedLeaves {
    const nodes = new Int32Array(stacks.length);
    let kept = 0;
    for (let row = 0; row < stacks.length; row++) {
      const stack = stacks[row] as number;
      assert(stack < this.#dictionary.stacks.count, `the dictionary has stack ${stack}`);
      if ((row & STOP_MASK) === 0) checkStop();
      if (this.#leaf[stack] === UNKNOWN) this.#leaf[stack] = this.#add(stack);
      const leaf = this.#leaf[stack] as number;
      nodes[row] = leaf !== DROPPED && this.keepsWhole ? (whole[row] as number) : leaf - 1;
      if (leaf !== DROPPED) kept++;
    }
    const leaves = { node: new Int32Array(kept), value: new Float64Array(kept) };
    const groups = new Uint32Array(kept);
    let at = 0;
    for (let row = 0; row < stacks.length; row++) {
      const node = nodes[row] as number;
      if (node < 0) continue;
      leaves.node[at] = node;
      leaves.value[at] = value[row] as number;
      groups[at++] = group[row] as number;
    }
    return { leaves, group: groups };
  }

  /** The stack's leaf + 1, or DROPPED. */
  #add(stack: number): number {
    const count = this.#filters.apply(this.#rows, this.#expand(stack));
    if (count < 0) return DROPPED;
    if (this.keepsWhole) return KEPT;
    const node = this.#plant(this.#filters.kept, count);
    if (this.tree.count > MAX_TREE_NODES) {
      throw new EverflameError('too-large', 'the filtered stacks have too many nodes', {
        limit: `MAX_TREE_NODES = ${MAX_TREE_NODES}`,
        remedy: 'Narrow the selection by labels or time, or the stacks by filters.',
      });
    }
    return node + 1;
  }

  /** The leaf of the frames at these places. Stacks that come one after the other begin alike. */
  #plant(kept: Int32Array, count: number): number {
    if (count > this.#pathNode.length) {
      this.#pathKey = grown(this.#pathKey, count * 2);
      this.#pathNode = grown(this.#pathNode, count * 2);
    }
    let node = 0;
    let isShared = true;
    for (let at = 0; at < count; at++) {
      const place = kept[at] as number;
      const above = at === 0 ? -1 : (kept[at - 1] as number);
      // It is inlined into the frame that it stands under where both are of one location.
      const inlined = above >= 0 && above < place && this.#site[above] === this.#site[place];
      const frame = this.#shownAs(this.#rows[place] as number);
      const key = frame * 2 + (inlined ? 1 : 0);
      isShared &&= at < this.#pathLength && this.#pathKey[at] === key;
      if (isShared) {
        node = this.#pathNode[at] as number;
        continue;
      }
      node = this.tree.child(node, frame, inlined);
      this.#pathKey[at] = key;
      this.#pathNode[at] = node;
    }
    this.#pathLength = count;
    return node;
  }

  /** Fills `#rows` and `#site`; returns the number of frames. */
  #expand(stack: number): number {
    const { offsets, locations } = this.#dictionary.stacks;
    let length = 0;
    for (let at = (offsets[stack + 1] as number) - 1; at >= (offsets[stack] as number); at--) {
      const location = locations[at] as number;
      const size = this.#frames.sizeOf(location);
      if (length + size > this.#rows.length) {
        this.#rows = grown(this.#rows, (length + size) * 2);
        this.#site = grown(this.#site, (length + size) * 2);
      }
      for (let index = size - 1; index >= 0; index--) {
        this.#rows[length] = this.#frames.frameOf(location, index);
        this.#site[length++] = at;
      }
    }
    return length;
  }

  #shownAs(row: number): number {
    if (row >= this.#shown.length) {
      this.#shown = grown(this.#shown, Math.max(row + 1, this.#frames.table.count));
    }
    const known = this.#shown[row] as number;
    if (known !== 0) return known - 1;
    const frame = this.#frames.table.frames[row];
    assert(frame !== undefined, `there is a frame ${row}`);
    // Frames without any name are told apart by more than their columns have.
    const unnamed = frame.reason !== '' && frame.systemName === '';
    const key = unnamed ? `\0${row}` : nodeKey(frame, this.#granularity);
    const shown = this.table.intern(frame, key);
    this.#shown[row] = shown + 1;
    return shown;
  }
}

function grown(column: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length);
  larger.set(column);
  return larger;
}
