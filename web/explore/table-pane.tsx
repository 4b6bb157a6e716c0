/** The function table and its link with the graph: a row selects the function's widest frame. */
import type { FunctionJson } from '../../wire/http.ts';
import { pathOf } from '../flame/flame-keys.ts';
import type { FlameModel, FlameNodes } from '../flame/flame-model.ts';
import { widestNode } from '../flame/flame-view.ts';
import { searchExpression } from '../flame/frame-search.ts';
import type { NameStyle } from '../flame/name-style.ts';
import { useDelayed } from '../parts/hooks.ts';
import { RowsSkeleton } from '../states/skeleton.tsx';
import type { ExplorePanesProps } from './explore-props.ts';
import { FunctionTable } from './function-table.tsx';

export interface TablePaneProps extends ExplorePanesProps {
  model: FlameModel | null;
  /** The graph of the whole selection: the one shown may have folded what is outside its zoom. */
  wholeModel: FlameModel | null;
  nodes: FlameNodes | null;
  names: NameStyle;
  onCount: (count: number | null) => void;
}

export function TablePane(props: TablePaneProps) {
  const { state, answers, change, model, wholeModel, nodes, names, onCount } = props;
  const find = useDelayed(state.find.trim(), 200);
  const { part, selected } = answers;
  if (part === null || selected.quantity === null) {
    return (
      <section className="tpane" aria-label="Functions">
        <RowsSkeleton />
      </section>
    );
  }
  const frame = model === null ? -1 : (model.loaded.view.graph.frame[nodes?.selected ?? 0] ?? -1);
  const onSelect = (row: FunctionJson, zoom: boolean) => {
    const found = [model, wholeModel].find((from) => from !== null && nodeOf(from, row) >= 0);
    if (!found) return;
    const select = pathOf(found.loaded.view, nodeOf(found, row), found.texts.identity);
    change(zoom ? { select, zoom: select, pane: 'graph' } : { select }, zoom ? 'push' : 'replace');
  };
  return (
    <section className="tpane" aria-label="Functions">
      <FunctionTable
        selection={part}
        search={find === '' ? '' : searchExpression(find)}
        sort={state.sort}
        names={names}
        quantity={selected.quantity}
        seconds={answers.seconds}
        palette={model?.palette ?? null}
        selected={
          model === null || (nodes?.selected ?? 0) === 0
            ? null
            : { name: keyName(model, frame), binary: model.texts.binary(frame) }
        }
        onSort={(sort) => change({ sort }, 'replace')}
        onSelect={onSelect}
        onCount={onCount}
      />
    </section>
  );
}

/** The name that tells functions apart: several can have the same demangled one. */
function keyName({ texts }: FlameModel, frame: number): string {
  return texts.systemName(frame) || texts.name(frame);
}

/** The widest frame of a function in the graph; -1 where the graph has folded all of them. */
function nodeOf(model: FlameModel, row: FunctionJson): number {
  const { loaded, texts } = model;
  const marked = new Uint8Array(loaded.view.graph.frames.count);
  for (let frame = 0; frame < marked.length; frame++) {
    const same = keyName(model, frame) === (row.system_name || row.name);
    if (same && texts.binary(frame) === row.binary) marked[frame] = 1;
  }
  return widestNode(loaded.view, marked);
}
