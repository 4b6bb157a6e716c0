/**
 * The calls that were inlined into one function (FUNCDATA_InlTree). A call names its function and
 * an instruction whose place in the source is where the call is; before Go 1.20 also the place and
 * the call it is in. Facts: src/runtime/symtabinl.go, and symtab.go before.
 */
import { FUNCTION_NODE, NO_TEXT } from '../code-piece.ts';
import type { GoBytes } from './go-extract.ts';
import type { GoTexts } from './go-texts.ts';
import type { PcValues } from './pc-values.ts';

const INITIAL_NODES = 64;
/** In `#nodeOf`: not met yet; being looked up. Else a node's number and 1. */
const UNREAD = 0;
const PENDING = -1;

export class InlineTree {
  /** Nodes of the calls met so far, outer ones before inner ones; columns as in CodePiece. */
  count = 0;
  parent = new Int32Array(INITIAL_NODES);
  name = new Int32Array(INITIAL_NODES);
  callFile = new Int32Array(INITIAL_NODES);
  callLine = new Int32Array(INITIAL_NODES);
  /** Calls that are not in the tree, or are inside themselves. */
  unread = 0;

  readonly #texts: GoTexts;
  readonly #files: PcValues;
  readonly #lines: PcValues;
  readonly #calls: PcValues;
  readonly #view: DataView;
  readonly #shift: number;
  readonly #callSize: number;
  /** By a call's number in its tree. */
  readonly #nodeOf: Int32Array;
  /** The rows of `#nodeOf` that this function wrote. */
  #met: number[] = [];
  #path: number[] = [];
  #start = -1;
  #unit = 0;

  /** The last three are the current function's tables of files, lines and innermost calls. */
  constructor(go: GoBytes, texts: GoTexts, files: PcValues, lines: PcValues, calls: PcValues) {
    const { trees, treesShift, layout } = go;
    this.#texts = texts;
    this.#files = files;
    this.#lines = lines;
    this.#calls = calls;
    this.#view = new DataView(trees.buffer, trees.byteOffset, trees.byteLength);
    this.#shift = treesShift;
    this.#callSize = layout.callSize;
    this.#nodeOf = new Int32Array(Math.floor(trees.length / layout.callSize));
  }

  /** Begins another function: the place of its tree, its unit's first file. */
  open(tree: number, unit: number): void {
    for (const call of this.#met) this.#nodeOf[call] = UNREAD;
    this.#met = [];
    this.count = 0;
    this.unread = 0;
    this.#start = tree < 0 ? -1 : tree + this.#shift;
    this.#unit = unit;
  }

  /** The node of the call with this number; FUNCTION_NODE where it is none or cannot be read. */
  node(call: number): number {
    if (call < 0) return FUNCTION_NODE;
    const known = this.#isInTree(call) ? (this.#nodeOf[call] as number) : UNREAD;
    return known > 0 ? known - 1 : this.#readPath(call);
  }

  /** Up from a call to one that is known, then down again, so that a parent comes first. */
  #readPath(innermost: number): number {
    const path = this.#path;
    path.length = 0;
    let call = innermost;
    while (call >= 0 && this.#isInTree(call) && this.#nodeOf[call] === UNREAD) {
      this.#nodeOf[call] = PENDING;
      this.#met.push(call);
      path.push(call);
      call = this.#outerCall(call);
    }
    let node = FUNCTION_NODE;
    if (call >= 0) {
      const known = this.#isInTree(call) ? (this.#nodeOf[call] as number) : UNREAD;
      if (known > 0) node = known - 1;
      else this.unread++;
    }
    for (let i = path.length - 1; i >= 0; i--) {
      node = this.#addNode(path[i] as number, node);
    }
    return node;
  }

  #isInTree(call: number): boolean {
    const at = this.#start + call * this.#callSize;
    if (this.#start < 0 || at < 0) return false;
    return call < this.#nodeOf.length && at + this.#callSize <= this.#view.byteLength;
  }

  #outerCall(call: number): number {
    const at = this.#start + call * this.#callSize;
    if (this.#callSize === 20) return this.#view.getInt16(at, true);
    return this.#calls.at(this.#view.getInt32(at + 8, true));
  }

  #addNode(call: number, parent: number): number {
    const at = this.#start + call * this.#callSize;
    const isOld = this.#callSize === 20;
    if (this.count === this.parent.length) this.#grow();
    const node = this.count++;
    const pc = this.#view.getInt32(at + (isOld ? 16 : 8), true);
    const file = isOld ? this.#view.getInt32(at + 4, true) : this.#files.at(pc);
    const line = isOld ? this.#view.getInt32(at + 8, true) : this.#lines.at(pc);
    this.parent[node] = parent;
    this.name[node] = this.#texts.name(this.#view.getUint32(at + (isOld ? 12 : 4), true));
    this.callFile[node] = file < 0 ? NO_TEXT : this.#texts.file(this.#unit, file);
    this.callLine[node] = Math.max(0, line);
    this.#nodeOf[call] = node + 1;
    return node;
  }

  #grow(): void {
    const room = this.parent.length * 2;
    this.parent = longer(this.parent, room);
    this.name = longer(this.name, room);
    this.callFile = longer(this.callFile, room);
    this.callLine = longer(this.callLine, room);
  }
}

function longer(column: Int32Array, room: number): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(room);
  copy.set(column);
  return copy;
}
