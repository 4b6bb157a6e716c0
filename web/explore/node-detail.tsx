/** The detail strip of a plain graph: the frame under the pointer, else the selected one. */

import { NodeFlag } from '../../profile/flame/flame-graph.ts';
import { FRAME_KIND_NAMES, FrameKind } from '../../profile/flame/frame.ts';
import { formatCount } from '../../profile/format-value.ts';
import { type FlameModel, namesTo } from '../flame/flame-model.ts';
import { formatShare } from '../format.ts';
import { Detail, type DetailFigure } from '../parts/detail.tsx';
import { wordsOfReason } from '../parts/reason-words.ts';
import { type Store, useStore } from '../parts/store.ts';
import { SymbolsLink, type SymbolsPlace } from '../parts/symbols-link.tsx';
import type { Quantity } from '../quantity.ts';
import { CopyButton } from '../states/states.tsx';

export interface NodeDetailProps {
  /** Time that averages are over. */
  seconds: number;
  model: FlameModel | null;
  quantity: Quantity | null;
  selected: number;
  hover: Store<number>;
  place: SymbolsPlace;
}

export function NodeDetail({ model, quantity, seconds, selected, hover, place }: NodeDetailProps) {
  const hovered = useStore(hover);
  if (model === null || quantity === null) {
    return (
      <section className="detail" aria-label="Frame">
        <span className="quiet">You can change the query while this loads.</span>
      </section>
    );
  }
  const { nodeCount, frame } = model.loaded.view.graph;
  const node = hovered >= 0 && hovered < nodeCount ? hovered : selected;
  const name = node === 0 ? 'all' : model.texts.title(frame[node] ?? 0);
  return (
    <Detail
      name={name}
      where={describeFrame(model, node)}
      everything={describeFrame(model, node, true)}
      whole={node === 0}
      figures={figuresOf(model, quantity, seconds, node)}
    >
      <FrameSymbols model={model} node={node} place={place} />
      <CopyButton text={name} label="Copy name" />
      <CopyButton text={namesTo(model, node, model.texts.title).join(';')} label="Copy stack" />
    </Detail>
  );
}

/** Where a frame's code is, or why nobody knows its name; shortened to fit a line, or `whole`. */
export function describeFrame({ loaded, texts }: FlameModel, node: number, whole = false): string {
  if (node === 0) return 'All stacks of this query';
  const { frame, frames, flags } = loaded.view.graph;
  const row = frame[node] ?? 0;
  const kind = frames.kind[row] ?? FrameKind.unknown;
  if (kind === FrameKind.label) return 'Label value';
  const line = frames.line[row] ?? 0;
  const reason = texts.reason(row);
  const buildId = texts.buildId(row);
  const file = texts.file(row);
  const title = texts.title(row);
  const inlined = ((flags[node] ?? 0) & NodeFlag.inlined) !== 0;
  const parts = [
    texts.binary(row),
    file === '' ? '' : (whole ? file : shortPath(file)) + (line > 0 ? `:${line}` : ''),
    inlined ? 'inlined into its caller' : '',
    kind === FrameKind.native ? '' : (FRAME_KIND_NAMES[kind] ?? ''),
    reason === '' ? '' : `no name: ${lowerFirst(wordsOfReason(reason).title)}`,
    buildId === '' ? '' : `build id ${whole ? buildId : buildId.slice(0, 12)}`,
    [texts.systemName(row), texts.name(row)].find((other) => other !== title) ?? '',
  ];
  return [...new Set(parts.filter((part) => part !== ''))].join(', ');
}

/** The last three parts of a long path: which of a build's folders it was in says little. */
function shortPath(path: string): string {
  const parts = path.split('/');
  return parts.length <= 4 ? path : `…/${parts.slice(-3).join('/')}`;
}

const lowerFirst = (text: string) => text.slice(0, 1).toLowerCase() + text.slice(1);

/** The binary's row on the page of symbols; nothing for frames that no build id is known of. */
export function FrameSymbols(props: { model: FlameModel; node: number; place: SymbolsPlace }) {
  const { loaded, texts } = props.model;
  const buildId = props.node === 0 ? '' : texts.buildId(loaded.view.graph.frame[props.node] ?? 0);
  if (buildId === '') return null;
  return (
    <SymbolsLink className="btn" place={props.place} show={{ select: buildId }}>
      Symbols
    </SymbolsLink>
  );
}

function figuresOf(
  { loaded }: FlameModel,
  quantity: Quantity,
  seconds: number,
  node: number,
): DetailFigure[] {
  const { tree, graph } = loaded.view;
  const { meta, multiplier } = graph;
  const whole = tree.total[0] || 1;
  const total = tree.total[node] ?? 0;
  const self = graph.self[node] ?? 0;
  const parent = tree.parent[node] ?? -1;
  const caller = parent < 0 ? total : (tree.total[parent] ?? 0);
  const average = (counts: number) =>
    quantity.formatAverage((counts * multiplier) / (quantity.gauge || seconds <= 0 ? 1 : seconds));
  const samples = meta.quality.series.samples;
  const unit = quantity.gauge ? '' : ` ${quantity.averageUnit}`;
  return [
    { name: 'Total', value: formatShare(total / whole), strong: true },
    { name: `Total${unit}`, value: average(total) },
    { name: 'Self', value: formatShare(self / whole), strong: true },
    { name: `Self${unit}`, value: average(self), optional: true },
    { name: 'Of its caller', value: formatShare(total / (caller || 1)), optional: true },
    samples === null
      ? { name: 'Sum', value: quantity.formatTotal(total * multiplier), optional: true }
      : { name: 'Samples', value: formatCount((total / whole) * samples), optional: true },
  ].filter((figure, at, all) => all.findIndex(({ name }) => name === figure.name) === at);
}
