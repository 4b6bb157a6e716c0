/** The four panes of Explore and the two strips below them. */
import { useMemo, useState } from 'react';
import { type FlameRoot, useFlame } from '../answers.ts';
import type { FlameExtent } from '../flame/flame-layout.ts';
import {
  type FlameModel,
  namesTo,
  resolveNodes,
  useFlameModel,
  useMatches,
} from '../flame/flame-model.ts';
import { hasFolded } from '../flame/flame-view.ts';
import { type NameStyle, useNameStyle } from '../flame/name-style.ts';
import { useLasting } from '../parts/hooks.ts';
import { PaneTabs } from '../parts/pane-tabs.tsx';
import { Split } from '../parts/split.tsx';
import { createStore } from '../parts/store.ts';
import { writeQuery } from '../query/selected.ts';
import { GraphSkeleton, RowsSkeleton } from '../states/skeleton.tsx';
import { absoluteRange } from '../time.ts';
import type { ExploreAnswers } from './explore-answers.ts';
import type { ExplorePanesProps } from './explore-props.ts';
import { countText } from './function-table.tsx';
import { GraphPane, GraphTools } from './graph-pane.tsx';
import { LabelsPanel } from './labels-panel.tsx';
import { NodeDetail } from './node-detail.tsx';
import { QualityBar } from './quality-bar.tsx';
import { SeriesPane } from './series-pane.tsx';
import { TablePane } from './table-pane.tsx';

const TABS = [
  { pane: 'table', title: 'Functions' },
  { pane: 'graph', title: 'Flame graph' },
  { pane: 'labels', title: 'Labels' },
] as const;

export function ExplorePanes(props: ExplorePanesProps) {
  const { state, answers, loaded, theme, change } = props;
  const names = useNameStyle(state.names);
  const wholeModel = useFlameModel(loaded, theme.dark, names);
  const model = useZoomedModel(wholeModel, names, props);
  const matches = useMatches(model, state.find, state.binary, names);
  const [hover] = useState(() => createStore(-1));
  const [extent, setExtent] = useState<FlameExtent | null>(null);
  const [count, setCount] = useState<number | null>(null);
  const nodes = model === null ? null : resolveNodes(model, state);
  const busy = useLasting(answers.flame.isPlaceholderData && !answers.live, 400);
  const quantity = answers.selected.quantity;
  const range = state.brush === null ? state.range : absoluteRange(state.brush);
  const place = { query: state.query, range };
  return (
    <>
      <main className={`panes${busy ? ' busy' : ''}`} data-view={state.pane} aria-busy={busy}>
        <h1 className="sr">Explore</h1>
        <SeriesPane {...props} />
        {quantity === null ? (
          <section className="labels" aria-label="Labels">
            <RowsSkeleton rows={4} />
          </section>
        ) : (
          <LabelsPanel
            by={state.by}
            names={answers.names}
            series={answers.labels.data}
            quantity={quantity}
            seconds={answers.seconds}
            onBy={(by) => change({ by, zoom: '', select: '' })}
            onMatch={(op, value) => change({ query: withMatcher(answers, state.by, op, value) })}
          />
        )}
        <PaneTabs tabs={TABS} pane={state.pane} onPane={(pane) => change({ pane }, 'replace')} />
        <GraphTools
          {...props}
          model={model}
          matches={matches}
          names={names}
          zoom={nodes?.zoom ?? 0}
        />
        <div className="bar tool r">
          <h2>Functions</h2>
          <span className="small quiet push">{countText(count, state.find !== '')}</span>
        </div>
        {model === null || nodes === null ? (
          <section className="gpane" aria-label="Flame graph">
            <div className="legend" />
            <GraphSkeleton />
          </section>
        ) : (
          <GraphPane
            {...props}
            model={model}
            matches={matches?.matches ?? null}
            nodes={nodes}
            hover={hover}
            onExtent={setExtent}
          />
        )}
        <TablePane
          {...props}
          model={model}
          wholeModel={wholeModel}
          nodes={nodes}
          names={names}
          onCount={setCount}
        />
        <Split initialPx={480} />
      </main>
      <NodeDetail
        model={model}
        quantity={quantity}
        seconds={answers.seconds}
        selected={nodes?.selected ?? 0}
        hover={hover}
        place={place}
      />
      <QualityBar model={wholeModel} extent={extent} place={place} />
    </>
  );
}

/**
 * The graph at full detail under the zoom, once it is there: asked for where the whole selection's
 * answer has folded something under it.
 */
function useZoomedModel(
  whole: FlameModel | null,
  names: NameStyle,
  { state, answers, theme }: ExplorePanesProps,
): FlameModel | null {
  const root = useMemo((): FlameRoot => {
    if (whole === null || state.zoom === '') return { names: [] };
    const { zoom } = resolveNodes(whole, state);
    if (zoom <= 0 || !hasFolded(whole.loaded.view, zoom)) return { names: [] };
    const path = { names: namesTo(whole, zoom, whole.texts.name) };
    return state.lines ? { ...path, places: namesTo(whole, zoom, whole.texts.place) } : path;
  }, [whole, state]);
  const isWhole = root.names.length === 0;
  const detail = useFlame(isWhole ? null : answers.part, state, root);
  const zoomed = useFlameModel(isWhole ? undefined : detail.data, theme.dark, names);
  return zoomed ?? whole;
}

function withMatcher(
  { selected }: ExploreAnswers,
  name: string,
  op: '=' | '!=',
  value: string,
): string {
  const kept = selected.matchers.filter((m) => !(op === '=' && m.name === name && m.op === '='));
  return writeQuery(selected.type, [...kept, { name, op, value }]);
}
