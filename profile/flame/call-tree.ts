/**
 * A tree of (parent, frame) nodes that only grows: node 0 is the root, a parent's number is lower
 * than its children's. Kept between queries, it turns a stack into one number (its leaf) once.
 */
import { assert } from '../errors.ts';
import { NodeFlag } from './flame-graph.ts';

/** Frame of the root; every other node has one of 0 and up. */
export const NO_FRAME = -1;

/** Set while no path through the node has called it as a function of its own, or inlined it. */
const SEEN_CALLED = 1;
const SEEN_INLINED = 2;

export class CallTree {
  count = 1;
  parent: Int32Array;
  /** Caller-defined frame numbers. */
  frame: Int32Array;
  #seen: Uint8Array;
  /** Open addressing; 0 is an empty slot, since the root is nobody's child. */
  #slots: Int32Array;

  constructor() {
    this.parent = new Int32Array(1024);
    this.frame = new Int32Array(1024);
    this.#seen = new Uint8Array(1024);
    this.#slots = new Int32Array(2048);
    this.parent[0] = -1;
    this.frame[0] = NO_FRAME;
  }

  /** The node of `frame` under `parent`, made if it is not there. */
  child(parent: number, frame: number, inlined = false): number {
    const { parent: parents, frame: frames } = this;
    const seen = inlined ? SEEN_INLINED : SEEN_CALLED;
    const mask = this.#slots.length - 1;
    let slot = slotOf(parent, frame, mask);
    for (;;) {
      const node = this.#slots[slot] as number;
      if (node === 0) break;
      if (parents[node] === parent && frames[node] === frame) {
        this.#seen[node] = (this.#seen[node] as number) | seen;
        return node;
      }
      slot = (slot + 1) & mask;
    }
    return this.#append(parent, frame, seen, slot);
  }

  /**
   * NodeFlag bits. A node is inlined where every path known through it has the function inlined:
   * of a function that is inlined here and called there, the node is an ordinary one.
   */
  flags(node: number): number {
    return this.#seen[node] === SEEN_INLINED ? NodeFlag.inlined : 0;
  }

  #append(parent: number, frame: number, seen: number, slot: number): number {
    assert(parent < this.count && frame >= 0, 'a node needs a parent and a frame');
    const node = this.count++;
    if (node >= this.parent.length) this.#grow();
    this.parent[node] = parent;
    this.frame[node] = frame;
    this.#seen[node] = seen;
    this.#slots[slot] = node;
    if (this.count * 2 > this.#slots.length) this.#rehash();
    return node;
  }

  #grow(): void {
    const capacity = this.parent.length * 2;
    const parent = new Int32Array(capacity);
    const frame = new Int32Array(capacity);
    const seen = new Uint8Array(capacity);
    parent.set(this.parent);
    frame.set(this.frame);
    seen.set(this.#seen);
    this.parent = parent;
    this.frame = frame;
    this.#seen = seen;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let node = 1; node < this.count; node++) {
      let slot = slotOf(this.parent[node] as number, this.frame[node] as number, mask);
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = node;
    }
    this.#slots = slots;
  }
}

/** Mixes both numbers over the low bits (multiplication by odd constants, then a fold). */
function slotOf(parent: number, frame: number, mask: number): number {
  const mixed = Math.imul(parent, 0x9e3779b1) ^ Math.imul(frame, 0x85ebca6b);
  return (mixed ^ (mixed >>> 15)) & mask;
}
