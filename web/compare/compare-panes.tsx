/** The four panes of Compare and the two strips below them. */
import { useMemo, useState } from 'react';
import type { DiffMode } from '../../profile/flame/diff.ts';
import { type FlameModel, resolveNodes, useFlameModel, useMatches } from '../flame/flame-model.ts';
import { matchedWeight } from '../flame/flame-view.ts';
import { type NameStyle, useNameStyle } from '../flame/name-style.ts';
import { NamesMenu } from '../flame/names-menu.tsx';
import { SearchField } from '../flame/search-field.tsx';
import { Dropdown, Item, Items } from '../parts/dropdown.tsx';
import { useLasting } from '../parts/hooks.ts';
import { PaneTabs } from '../parts/pane-tabs.tsx';
import { QualityFigures } from '../parts/quality-strip.tsx';
import { Split } from '../parts/split.tsx';
import { createStore } from '../parts/store.ts';
import { GraphSkeleton, RowsSkeleton } from '../states/skeleton.tsx';
import type { CompareState } from '../url-state.ts';
import { ChangeTable, shownChanges } from './change-table.tsx';
import { MODES } from './compare-answers.ts';
import { type CompareModel, useCompareModel } from './compare-model.ts';
import type { ComparePanesProps } from './compare-props.ts';
import { CompareSeries } from './compare-series.tsx';
import { DiffDetail } from './diff-detail.tsx';
import { DiffPane } from './diff-pane.tsx';
import { KindsPanel } from './kinds-panel.tsx';

const TABS = [
  { pane: 'table', title: 'What changed' },
  { pane: 'graph', title: 'Diff graph' },
  { pane: 'labels', title: 'Summary' },
] as const;

export function ComparePanes(props: ComparePanesProps) {
  const { state, answers, loaded, theme, change } = props;
  const names = useNameStyle(state.names);
  const flame = useFlameModel(loaded, theme.dark, names);
  const model = useCompareModel(flame, state.mode);
  const found = useMatches(flame, state.find, '', names);
  const matches = useKindMatches(model, found?.matches ?? null, state.change);
  const [hover] = useState(() => createStore(-1));
  const nodes = flame === null ? null : resolveNodes(flame, state);
  const quantity = answers.b.selected.quantity;
  const busy = useLasting(answers.diff.isPlaceholderData, 400);
  const shown = useMemo(
    () => (model === null ? [] : shownChanges(model, state.change, found?.matches ?? null)),
    [model, state.change, found],
  );
  const ready = model !== null && nodes !== null && quantity !== null;
  return (
    <>
      <main className={`panes compare${busy ? ' busy' : ''}`} data-view={state.pane}>
        <h1 className="sr">Compare</h1>
        <CompareSeries answers={answers} loaded={loaded} />
        <KindsPanel {...props} model={model} quantity={quantity} />
        <PaneTabs tabs={TABS} pane={state.pane} onPane={(pane) => change({ pane }, 'replace')} />
        <DiffTools {...props} flame={flame} found={found} names={names} zoom={nodes?.zoom ?? 0} />
        <div className="bar tool r">
          <h2>What changed</h2>
          <span className="small quiet push">
            {model === null ? '' : changesText(shown.length, state.change, state.find)}
          </span>
        </div>
        {ready ? (
          <DiffPane
            {...props}
            model={model}
            matches={matches}
            nodes={nodes}
            hover={hover}
            quantity={quantity}
          />
        ) : (
          <section className="gpane" aria-label="Diff flame graph">
            <div className="legend" />
            <GraphSkeleton />
          </section>
        )}
        <section className="tpane" aria-label="What changed">
          {ready ? (
            <ChangeTable {...props} model={model} nodes={nodes} rows={shown} quantity={quantity} />
          ) : (
            <RowsSkeleton />
          )}
        </section>
        <Split initialPx={540} />
      </main>
      <DiffDetail
        model={model}
        mode={state.mode}
        quantity={quantity}
        selected={nodes?.selected ?? 0}
        hover={hover}
        place={state.b}
      />
      <CompareQuality loaded={loaded} state={state} />
    </>
  );
}

function changesText(count: number, kind: CompareState['change'], find: string): string {
  const what = find === '' ? '' : ' found';
  return kind === '' ? `${count}${what} beyond noise` : `${count}${what}`;
}

/** Frames of functions that changed in the chosen way, and match the search. */
function useKindMatches(
  model: CompareModel | null,
  found: Uint8Array | null,
  kind: CompareState['change'],
): Uint8Array | null {
  return useMemo(() => {
    if (model === null || kind === '') return found;
    const { functionOf, flame } = model;
    const { graph } = flame.loaded.view;
    const wanted = new Set<number>();
    for (const change of model.functions) {
      if (change.self.kind === kind) wanted.add(functionOf[change.frame] ?? -1);
    }
    const matches = new Uint8Array(graph.frames.count);
    for (let frame = 0; frame < matches.length; frame++) {
      const row = functionOf[frame] ?? -1;
      if (row >= 0 && wanted.has(row) && found?.[frame] !== 0) matches[frame] = 1;
    }
    return matches;
  }, [model, found, kind]);
}

interface DiffToolsProps extends ComparePanesProps {
  flame: FlameModel | null;
  found: { matches: Uint8Array; functions: number; literal: boolean } | null;
  zoom: number;
  names: NameStyle;
}

function DiffTools({ state, answers, change, flame, found, zoom, names }: DiffToolsProps) {
  const whole = answers.b.selected.quantity?.whole ?? 'all';
  return (
    <div className="bar tool">
      <SearchField
        value={state.find}
        onChange={(find) => change({ find }, 'replace')}
        found={
          found === null || flame === null
            ? null
            : {
                ...found,
                whole: zoom > 0 ? 'this view in B' : `${whole} in B`,
                ...shareOf(flame, found.matches, zoom),
              }
        }
      />
      <Dropdown
        className="fill"
        label={
          <>
            <span className="quiet">Compare</span>
            {modeTitle(state.mode, whole)}
          </>
        }
      >
        {(close) => (
          <Items>
            {MODES.map(({ mode }) => (
              <Item
                key={mode}
                checked={mode === state.mode}
                onClick={() => {
                  change({ mode });
                  close();
                }}
              >
                {modeTitle(mode, whole)}
              </Item>
            ))}
          </Items>
        )}
      </Dropdown>
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

function shareOf({ loaded }: FlameModel, matches: Uint8Array, zoom: number): { share: number } {
  const { view } = loaded;
  return { share: matchedWeight(view, matches, zoom) / (view.tree.total[zoom] || 1) };
}

function modeTitle(mode: DiffMode, whole: string): string {
  const title = MODES.find((entry) => entry.mode === mode)?.title ?? '';
  return mode === 'share' ? `${title} of ${whole}` : `${whole} ${title}`;
}

const SIDE_FIGURES = ['samples', 'effective rate', 'lost', 'unsymbolized'];

function CompareQuality({ loaded, state }: Pick<ComparePanesProps, 'loaded' | 'state'>) {
  const meta = loaded?.view.graph.meta;
  return (
    <section className="quality" aria-label="Quality of this answer">
      {meta?.base === undefined ? (
        <span>Samples, losses and rates are shown once the answer is complete.</span>
      ) : (
        <>
          <strong className="A">A</strong>
          <QualityFigures
            quality={meta.base.quality}
            total={meta.base.total}
            only={SIDE_FIGURES}
            place={state.a}
          />
          <strong className="B">B</strong>
          <QualityFigures
            quality={meta.quality}
            total={meta.totalAfterFilters}
            only={SIDE_FIGURES}
            place={state.b}
          />
          <span className="push quiet wide clip">
            Noise is judged from sample counts; hosts and times can differ by more.
          </span>
        </>
      )}
    </section>
  );
}
