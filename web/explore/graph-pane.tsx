/** The flame graph with its search and its legend. */
import { useMemo } from 'react';
import { FlameGraph } from '../flame/flame-graph.tsx';
import { pathOf } from '../flame/flame-keys.ts';
import type { FlameExtent } from '../flame/flame-layout.ts';
import { type FlameModel, type FlameNodes, plainStyle } from '../flame/flame-model.ts';
import { isWithin, matchedWeight } from '../flame/flame-view.ts';
import { Legend } from '../flame/legend.tsx';
import type { NameStyle } from '../flame/name-style.ts';
import { NamesMenu } from '../flame/names-menu.tsx';
import { SearchField } from '../flame/search-field.tsx';
import { formatShare } from '../format.ts';
import type { Store } from '../parts/store.ts';
import type { ExplorePanesProps } from './explore-props.ts';

interface GraphToolsProps extends ExplorePanesProps {
  model: FlameModel | null;
  matches: { matches: Uint8Array; functions: number; literal: boolean } | null;
  zoom: number;
  names: NameStyle;
}

export function GraphTools(props: GraphToolsProps) {
  const { state, answers, change, model, matches, zoom, names } = props;
  const view = model?.loaded.view;
  const share =
    view && matches ? matchedWeight(view, matches.matches, zoom) / (view.tree.total[zoom] || 1) : 0;
  const whole = zoom > 0 ? 'this view' : (answers.selected.quantity?.whole ?? 'all');
  return (
    <div className="bar tool">
      <SearchField
        value={state.find}
        onChange={(find) => change({ find }, 'replace')}
        found={
          matches === null
            ? null
            : {
                functions: matches.functions,
                literal: matches.literal,
                share,
                whole,
              }
        }
      />
      <span className="push" />
      <NamesMenu
        style={names}
        lines={state.lines}
        onChange={(next) => change(next, 'lines' in next ? 'push' : 'replace')}
      />
      {zoom > 0 ? (
        <button type="button" className="btn" onClick={() => change({ zoom: '' })}>
          Reset zoom <kbd>Esc</kbd>
        </button>
      ) : null}
    </div>
  );
}

interface GraphPaneProps extends ExplorePanesProps {
  model: FlameModel;
  matches: Uint8Array | null;
  nodes: FlameNodes;
  hover: Store<number>;
  onExtent: (extent: FlameExtent) => void;
}

export function GraphPane({
  state,
  change,
  model,
  matches,
  nodes,
  hover,
  onExtent,
}: GraphPaneProps) {
  const { view } = model.loaded;
  const style = useMemo(() => plainStyle(model), [model]);
  const path = (node: number) => pathOf(view, node, model.texts.identity);
  const whole = view.tree.total[0] || 1;
  return (
    <section className="gpane" aria-label="Flame graph">
      <Legend
        model={model}
        chosen={state.binary}
        onChoose={(binary) => change({ binary }, 'replace')}
      />
      <FlameGraph
        label="Flame graph"
        view={view}
        texts={model.texts}
        style={style}
        tokens={model.tokens}
        matches={matches}
        zoom={nodes.zoom}
        selected={nodes.selected}
        hover={hover}
        onExtent={onExtent}
        onSelect={(node) => change({ select: path(node) }, 'replace')}
        onZoom={(node) =>
          change({
            zoom: path(node),
            select: path(isWithin(view.tree, nodes.selected, node) ? nodes.selected : node),
          })
        }
        describe={(node) =>
          `${node === 0 ? 'all' : model.texts.title(view.graph.frame[node] ?? 0)}, ` +
          `${formatShare((view.tree.total[node] ?? 0) / whole)} total, ` +
          `${formatShare((view.graph.self[node] ?? 0) / whole)} self`
        }
      />
    </section>
  );
}
