/** The diff flame graph: width is the mean of both shares, so what is gone stays in the picture. */

import { FlameGraph } from '../flame/flame-graph.tsx';
import { pathOf } from '../flame/flame-keys.ts';
import type { FlameNodes } from '../flame/flame-model.ts';
import { isWithin } from '../flame/flame-view.ts';
import { LegendMarks } from '../flame/legend.tsx';
import type { Store } from '../parts/store.ts';
import type { Quantity } from '../quantity.ts';
import { CHANGE_WORDS, changeFormat } from './change-words.ts';
import type { CompareModel } from './compare-model.ts';
import type { ComparePanesProps } from './compare-props.ts';

const SCALE: readonly [className: string, text: string][] = [
  ['a3', '< −50 %'],
  ['a2', '< −20 %'],
  ['a1', 'less'],
  ['s0', 'noise'],
  ['b1', 'more'],
  ['b2', '> +20 %'],
  ['b3', '> +50 %'],
];
const RULES = {
  share: 'Change of each frame’s share, relative to A.',
  rate: 'Change per second, relative to A.',
  absolute: 'Change of the sum, relative to A.',
} as const;

export interface DiffPaneProps extends ComparePanesProps {
  model: CompareModel;
  matches: Uint8Array | null;
  nodes: FlameNodes;
  hover: Store<number>;
  quantity: Quantity;
}

const ignore = () => undefined;

export function DiffPane({ state, change, model, matches, nodes, hover, quantity }: DiffPaneProps) {
  const { flame } = model;
  const { view } = flame.loaded;
  const format = changeFormat(state.mode, quantity);
  const path = (node: number) => pathOf(view, node, flame.texts.identity);
  return (
    <section className="gpane" aria-label="Diff flame graph">
      <div className="legend">
        <span className="scale">
          {SCALE.map(([className, text]) => (
            <span key={className} className={className}>
              {text}
            </span>
          ))}
        </span>
        <LegendMarks inlined={flame.hasInlined} unnamed={false} />
        <span className="rule quiet clip">
          {RULES[state.mode]} Grey: within noise. Palest: too narrow, merged.
        </span>
      </div>
      <FlameGraph
        label="Diff flame graph"
        view={view}
        texts={flame.texts}
        style={model.style}
        tokens={flame.tokens}
        matches={matches}
        zoom={nodes.zoom}
        selected={nodes.selected}
        hover={hover}
        onExtent={ignore}
        onSelect={(node) => change({ select: path(node) }, 'replace')}
        onZoom={(node) =>
          change({
            zoom: path(node),
            select: path(isWithin(view.tree, nodes.selected, node) ? nodes.selected : node),
          })
        }
        describe={(node) => {
          const { kind, delta } = model.changeOf(node);
          const name = node === 0 ? 'all' : flame.texts.title(view.graph.frame[node] ?? 0);
          return `${name}, ${CHANGE_WORDS[kind]}, ${format.delta(delta)} ${format.unit}`;
        }}
      />
    </section>
  );
}
