/** The detail strip of a comparison: both sides of one frame. */
import type { DiffMode } from '../../profile/flame/diff.ts';
import { formatCount } from '../../profile/format-value.ts';
import { describeFrame, FrameSymbols } from '../explore/node-detail.tsx';
import { Detail, type DetailFigure } from '../parts/detail.tsx';
import { type Store, useStore } from '../parts/store.ts';
import type { SymbolsPlace } from '../parts/symbols-link.tsx';
import type { Quantity } from '../quantity.ts';
import { CopyButton } from '../states/states.tsx';
import { CHANGE_WORDS, changeFormat, formatRelative } from './change-words.ts';
import type { CompareModel } from './compare-model.ts';

export interface DiffDetailProps {
  model: CompareModel | null;
  mode: DiffMode;
  quantity: Quantity | null;
  selected: number;
  hover: Store<number>;
  place: SymbolsPlace;
}

export function DiffDetail({ model, mode, quantity, selected, hover, place }: DiffDetailProps) {
  const hovered = useStore(hover);
  if (model === null || quantity === null) {
    return (
      <section className="detail" aria-label="Frame">
        <span className="quiet">You can change the queries while this loads.</span>
      </section>
    );
  }
  const { graph } = model.flame.loaded.view;
  const node = hovered >= 0 && hovered < graph.nodeCount ? hovered : selected;
  const name = node === 0 ? 'all' : model.flame.texts.title(graph.frame[node] ?? 0);
  const describe = (whole: boolean) =>
    node === 0
      ? 'Both sides, whole'
      : `${CHANGE_WORDS[model.changeOf(node).kind]}, ${describeFrame(model.flame, node, whole)}`;
  return (
    <Detail
      name={name}
      where={describe(false)}
      everything={describe(true)}
      whole={node === 0}
      figures={figuresOf(model, mode, quantity, node)}
    >
      <FrameSymbols model={model.flame} node={node} place={place} />
      <CopyButton text={name} label="Copy name" />
    </Detail>
  );
}

function figuresOf(
  { flame, changeOf }: CompareModel,
  mode: DiffMode,
  quantity: Quantity,
  node: number,
): DetailFigure[] {
  const { tree, treeBase, graph } = flame.loaded.view;
  const change = changeOf(node);
  const format = changeFormat(mode, quantity);
  const unit = format.unit === '' ? '' : ` ${format.unit}`;
  const samples = (weight: number, whole: number, all: number | null | undefined) =>
    all == null ? 'unknown' : formatCount((weight / (whole || 1)) * all);
  const a = samples(
    treeBase?.total[node] ?? 0,
    treeBase?.total[0] ?? 0,
    graph.meta.base?.quality.series.samples,
  );
  const b = samples(tree.total[node] ?? 0, tree.total[0] ?? 0, graph.meta.quality.series.samples);
  return [
    { name: 'Total A', value: format.value(change.a), strong: true, className: 'A' },
    { name: 'Total B', value: format.value(change.b), strong: true, className: 'B' },
    { name: 'Change', value: `${format.delta(change.delta)}${unit}`, strong: true },
    { name: '95 % ±', value: format.interval(change.interval), optional: true },
    { name: 'Relative to A', value: formatRelative(change), optional: true },
    { name: 'Samples A, B', value: `${a}, ${b}`, optional: true },
  ];
}
