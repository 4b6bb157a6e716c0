/** The function table and its link with the graph: a row selects the function's widest frame. */
import type { FunctionJson } from '../../wire/http.ts';
import { pathOf } from '../flame/flame-keys.ts';
import type { FlameModel, FlameNodes } from '../flame/flame-model.ts';
import { widestNode } from '../flame/flame-view.ts';
import { searchExpression } from '../flame/frame-search.ts';
import { useDelayed } from '../parts/hooks.ts';
import { RowsSkeleton } from '../states/skeleton.tsx';
import { secondsOf } from '../time.ts';
import type { ExplorePanesProps } from './explore-panes.tsx';
import { FunctionTable } from './function-table.tsx';

export interface TablePaneProps extends ExplorePanesProps {
  model: FlameModel | null;
  nodes: FlameNodes | null;
  onCount: (count: number | null) => void;
}

export function TablePane({ state, answers, change, model, nodes, onCount }: TablePaneProps) {
  const find = useDelayed(state.find.trim(), 200);
  const { part, shown, selected } = answers;
  if (part === null || selected.quantity === null) {
    return (
      <section className="tpane" aria-label="Functions">
        <RowsSkeleton />
      </section>
    );
  }
  const frame = model === null ? -1 : (model.loaded.view.graph.frame[nodes?.selected ?? 0] ?? -1);
  const onSelect = (row: FunctionJson, zoom: boolean) => {
    if (model === null) return;
    const node = nodeOf(model, row);
    if (node < 0) return;
    const select = pathOf(model.loaded.view, node, model.texts.identity);
    change(zoom ? { select, zoom: select, pane: 'graph' } : { select }, zoom ? 'push' : 'replace');
  };
  return (
    <section className="tpane" aria-label="Functions">
      <FunctionTable
        selection={part}
        search={find === '' ? '' : searchExpression(find)}
        sort={state.sort}
        quantity={selected.quantity}
        seconds={secondsOf(shown)}
        palette={model?.palette ?? null}
        selected={
          model === null || (nodes?.selected ?? 0) === 0
            ? null
            : { name: model.texts.name(frame), binary: model.texts.binary(frame) }
        }
        onSort={(sort) => change({ sort }, 'replace')}
        onSelect={onSelect}
        onCount={onCount}
      />
    </section>
  );
}

/** The widest frame of a function in the graph; -1 where the graph has folded all of them. */
function nodeOf({ loaded, texts }: FlameModel, row: FunctionJson): number {
  const { functions } = loaded.view;
  for (let at = 0; at < functions.count; at++) {
    const frame = functions.frame[at] ?? 0;
    if (texts.name(frame) === row.name && texts.binary(frame) === row.binary) {
      return widestNode(loaded.view, at);
    }
  }
  return -1;
}
