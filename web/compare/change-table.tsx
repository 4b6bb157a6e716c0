/** Functions by the size of their change, with the noise that sample counts alone explain. */
import type { KeyboardEvent } from 'react';
import type { FunctionChange } from '../../profile/flame/diff.ts';
import { CHARACTER_PX } from '../explore/function-table.tsx';
import { pathOf } from '../flame/flame-keys.ts';
import type { FlameNodes } from '../flame/flame-model.ts';
import { widestNode } from '../flame/flame-view.ts';
import { rowForKey, useVirtualRows } from '../parts/virtual-rows.ts';
import type { Quantity } from '../quantity.ts';
import type { ChangeFilter } from '../url-state.ts';
import { CHANGE_WORDS, type ChangeFormat, changeFormat, GLYPHS } from './change-words.ts';
import type { CompareModel } from './compare-model.ts';
import type { ComparePanesProps } from './compare-props.ts';

const BESIDE_NAME_PX = 16 + 20 + 8 + 316;
const BESIDE_NAME_PHONE_PX = 12 + 20 + 8 + 204;

/** Rows of the chosen kind (all but noise where none is chosen) that match the search. */
export function shownChanges(
  model: CompareModel,
  kind: ChangeFilter,
  found: Uint8Array | null,
): FunctionChange[] {
  return model.functions.filter(({ frame, self }) => {
    const wanted = kind === '' ? self.kind !== 'same' : self.kind === kind;
    return wanted && (found === null || found[frame] === 1);
  });
}

export interface ChangeTableProps extends ComparePanesProps {
  model: CompareModel;
  nodes: FlameNodes;
  rows: readonly FunctionChange[];
  quantity: Quantity;
}

export function ChangeTable({ state, change, model, nodes, rows, quantity }: ChangeTableProps) {
  const virtual = useVirtualRows(rows.length);
  const { view } = model.flame.loaded;
  const { functionOf } = model;
  const selected = functionOf[view.graph.frame[nodes.selected] ?? 0] ?? -1;
  const isSelected = (row: FunctionChange) => selected >= 0 && functionOf[row.frame] === selected;
  const current = rows.findIndex(isSelected);
  const format = changeFormat(state.mode, quantity);
  const select = (row: FunctionChange, zoom: boolean) => {
    const marked = Uint8Array.from(functionOf, (at) => (at === functionOf[row.frame] ? 1 : 0));
    const node = widestNode(view, marked);
    if (node < 0) return;
    const path = pathOf(view, node, model.flame.texts.identity);
    if (zoom) change({ select: path, zoom: path, pane: 'graph' });
    else change({ select: path }, 'replace');
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const next = rowForKey(event, current, rows.length);
    const row = rows[next ?? current];
    if (row === undefined || (next === null && event.key !== 'Enter')) return;
    event.preventDefault();
    if (next !== null) virtual.reveal(next);
    select(row, next === null);
  };
  const beside = virtual.phone ? BESIDE_NAME_PHONE_PX : BESIDE_NAME_PX;
  const characters = Math.max(4, Math.floor((virtual.widthPx - beside) / CHARACTER_PX));
  return (
    <div className="tscroll" ref={virtual.scroller}>
      <table
        className="fns changes"
        // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: rows are selected.
        role="grid"
        tabIndex={0}
        aria-label="What changed"
        aria-rowcount={rows.length + 1}
        aria-activedescendant={current < 0 ? undefined : `change-${current}`}
        onKeyDown={onKeyDown}
      >
        <ChangeHead unit={format.unit} />
        <tbody>
          <tr className="space" style={{ height: virtual.abovePx }} />
          {virtual.indices.map((index) => {
            const row = rows[index];
            return row === undefined ? null : (
              <ChangeRow
                key={index}
                index={index}
                row={row}
                name={model.flame.texts.title(row.frame)}
                text={model.flame.texts.fit(model.flame.texts.drawn(row.frame), characters)}
                selected={isSelected(row)}
                format={format}
                onSelect={(zoom) => select(row, zoom)}
              />
            );
          })}
          <tr className="space" style={{ height: virtual.belowPx }} />
        </tbody>
      </table>
      {rows.length === 0 ? (
        <p className="none quiet">
          {state.change === '' && state.find === ''
            ? 'No function changed by more than noise.'
            : 'No function matches.'}
        </p>
      ) : null}
    </div>
  );
}

function ChangeHead({ unit }: { unit: string }) {
  return (
    <>
      <colgroup>
        <col />
        <col />
        <col />
        <col className="delta" />
        <col className="c5" />
      </colgroup>
      <thead>
        <tr>
          <th scope="col">Function</th>
          <th scope="col">Self A</th>
          <th scope="col">Self B</th>
          <th scope="col" aria-sort="descending">
            {unit === '' ? 'Change' : `Change, ${unit}`}
          </th>
          <th scope="col" className="c5" title="95 % interval from sample counts alone">
            95 % ±
          </th>
        </tr>
      </thead>
    </>
  );
}

interface ChangeRowProps {
  index: number;
  row: FunctionChange;
  name: string;
  text: string;
  selected: boolean;
  format: ChangeFormat;
  onSelect: (zoom: boolean) => void;
}

function ChangeRow({ index, row, name, text, selected, format, onSelect }: ChangeRowProps) {
  const { self } = row;
  const tone = self.kind === 'same' ? '' : self.delta > 0 ? 'B' : 'A';
  return (
    <tr
      id={`change-${index}`}
      title={name}
      aria-rowindex={index + 2}
      aria-selected={selected}
      onClick={() => onSelect(false)}
      onDoubleClick={() => onSelect(true)}
    >
      <td>
        <span className={`glyph ${tone}`} aria-hidden="true">
          {GLYPHS[self.kind]}
        </span>
        <span className="fn">{text}</span>
        <span className="sr">{CHANGE_WORDS[self.kind]}</span>
      </td>
      <td className="dim">{format.value(self.a)}</td>
      <td className="dim">{format.value(self.b)}</td>
      <td className={tone}>
        <strong>{format.delta(self.delta)}</strong>
      </td>
      <td className="dim c5">{format.interval(self.interval)}</td>
    </tr>
  );
}
