/** The selected frame's surroundings as tree items, for those who do not see the canvas. */
import { moveNode } from './flame-keys.ts';
import type { FlameView } from './flame-view.ts';

/** Siblings and children spoken of on each side; the arrow keys reach the rest. */
const MAX_NEIGHBOURS = 4;

export interface TreeItemsProps {
  view: FlameView;
  selected: number;
  describe: (node: number) => string;
}

function neighbours(view: FlameView, selected: number): number[] {
  const around = new Set<number>([selected]);
  for (let up = view.tree.parent[selected] ?? -1; up >= 0; up = view.tree.parent[up] ?? -1) {
    around.add(up);
  }
  for (const step of ['previous', 'next'] as const) {
    let at = selected;
    for (let count = 0; count < MAX_NEIGHBOURS; count++) {
      at = moveNode(view, at, step);
      around.add(at);
    }
  }
  for (
    let child = selected + 1, count = 0;
    child < (view.tree.end[selected] ?? 0) && count < MAX_NEIGHBOURS;
    child = view.tree.end[child] ?? 0, count++
  ) {
    around.add(child);
  }
  return [...around].sort((p, q) => p - q);
}

export function TreeItems({ view, selected, describe }: TreeItemsProps) {
  return (
    <div className="sr" role="presentation">
      {neighbours(view, selected).map((node) => (
        <div
          key={node}
          id={`frame-${node}`}
          role="treeitem"
          tabIndex={-1}
          aria-level={(view.graph.depth[node] ?? 0) + 1}
          aria-selected={node === selected}
          aria-expanded={(view.tree.end[node] ?? 0) > node + 1 ? true : undefined}
        >
          {describe(node)}
        </div>
      ))}
    </div>
  );
}
