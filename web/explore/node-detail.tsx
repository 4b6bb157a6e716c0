/** The detail strip of a plain graph: the frame under the pointer, else the selected one. */
import { formatCount } from '../../profile/format-value.ts';
import { FRAME_KIND_NAMES, FrameKind } from '../../profile/frame.ts';
import { type FlameModel, namesTo } from '../flame/flame-model.ts';
import { formatShare } from '../format.ts';
import { Detail, type DetailFigure } from '../parts/detail.tsx';
import { type Store, useStore } from '../parts/store.ts';
import type { Quantity } from '../quantity.ts';
import { CopyButton } from '../states/states.tsx';

export interface NodeDetailProps {
  /** Time that averages are over. */
  seconds: number;
  model: FlameModel | null;
  quantity: Quantity | null;
  selected: number;
  hover: Store<number>;
}

export function NodeDetail({ model, quantity, seconds, selected, hover }: NodeDetailProps) {
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
  const name = node === 0 ? 'all' : model.texts.name(frame[node] ?? 0);
  return (
    <Detail
      name={name}
      where={describeFrame(model, node)}
      whole={node === 0}
      figures={figuresOf(model, quantity, seconds, node)}
    >
      <CopyButton text={name} label="Copy name" />
      <CopyButton text={namesTo(model, node).join(';')} label="Copy stack" />
    </Detail>
  );
}

/** Where a frame's code is, or why nobody knows its name. */
export function describeFrame({ loaded, texts }: FlameModel, node: number): string {
  if (node === 0) return 'All stacks of this query';
  const { frame, frames } = loaded.view.graph;
  const row = frame[node] ?? 0;
  const kind = frames.kind[row] ?? FrameKind.unknown;
  if (kind === FrameKind.label) return 'Label value';
  const line = frames.line[row] ?? 0;
  const reason = texts.reason(row);
  const buildId = texts.buildId(row);
  const system = texts.systemName(row);
  const parts = [
    texts.binary(row),
    texts.file(row) === '' ? '' : texts.file(row) + (line > 0 ? `:${line}` : ''),
    kind === FrameKind.native ? '' : (FRAME_KIND_NAMES[kind] ?? ''),
    reason === '' ? '' : `no name: ${reason}`,
    reason === '' || buildId === '' ? '' : `build id ${buildId.slice(0, 12)}…`,
    system === '' || system === texts.name(row) ? '' : system,
  ];
  return [...new Set(parts.filter((part) => part !== ''))].join(', ');
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
