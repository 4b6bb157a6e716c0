/** Moving through a flame graph, and paths that survive a refresh and fit into a URL. */

import type { FlameView } from './flame-view.ts';
import { hashText } from './palette.ts';

export type FlameMove = 'parent' | 'child' | 'previous' | 'next' | 'root';

/** Where a move leads; the same node where there is nothing in that direction. */
export function moveNode(view: FlameView, node: number, move: FlameMove): number {
  const parent = view.tree.parent[node] ?? -1;
  switch (move) {
    case 'root':
      return 0;
    case 'parent':
      return parent < 0 ? node : parent;
    case 'child':
      return widestChild(view, node);
    case 'previous':
    case 'next':
      return sibling(view, node, parent, move);
  }
}

function childrenOf(view: FlameView, node: number): number[] {
  const children: number[] = [];
  for (let child = node + 1; child < (view.tree.end[node] ?? 0); ) {
    if ((view.width[child] as number) > 0) children.push(child);
    child = view.tree.end[child] as number;
  }
  return children;
}

function widestChild(view: FlameView, node: number): number {
  let best = node;
  for (const child of childrenOf(view, node)) {
    if (best === node || (view.width[child] as number) > (view.width[best] as number)) best = child;
  }
  return best;
}

function sibling(view: FlameView, node: number, parent: number, move: FlameMove): number {
  if (parent < 0) return node;
  const all = childrenOf(view, parent);
  return all[all.indexOf(node) + (move === 'next' ? 1 : -1)] ?? node;
}

/** The next node after `from`, in reading order and around the end, whose frame matches. */
export function nextMatch(
  view: FlameView,
  matches: Uint8Array,
  from: number,
  step: 1 | -1,
): number {
  const count = view.graph.nodeCount;
  for (let offset = 1; offset <= count; offset++) {
    const node = (from + step * offset + count * 2) % count;
    if (matches[view.graph.frame[node] as number] === 1) return node;
  }
  return from;
}

/** What of a frame makes it the same frame in another answer. */
export type FrameIdentity = (frame: number) => string;

const keyOf = (identity: string) => hashText(identity).toString(36);

/** The way from the root to a node as hashes of frames, joined by dots; empty for the root. */
export function pathOf(view: FlameView, node: number, identity: FrameIdentity): string {
  const keys: string[] = [];
  for (let at = node; at > 0; at = view.tree.parent[at] ?? 0) {
    keys.push(keyOf(identity(view.graph.frame[at] as number)));
  }
  return keys.reverse().join('.');
}

/** The node at the end of a path, or the last one on it that this graph still has. */
export function resolvePath(view: FlameView, path: string, identity: FrameIdentity): number {
  let node = 0;
  if (path === '') return 0;
  for (const key of path.split('.')) {
    const next = childrenOf(view, node).find(
      (child) => keyOf(identity(view.graph.frame[child] as number)) === key,
    );
    if (next === undefined) return node;
    node = next;
  }
  return node;
}
