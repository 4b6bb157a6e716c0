/** Every function of the selection, exact, asked for a page at a time as it is scrolled. */
import { useQueries } from '@tanstack/react-query';
import { type KeyboardEvent, useEffect } from 'react';
import { FRAME_KIND_NAMES, FrameKind } from '../../profile/flame/frame.ts';
import { formatCount } from '../../profile/format-value.ts';
import type { FunctionJson } from '../../wire/http.ts';
import { FUNCTION_PAGE, functionPageQuery, type Selection } from '../answers.ts';
import { fitterOf, styleName } from '../flame/frame-texts.ts';
import type { NameStyle } from '../flame/name-style.ts';
import type { Palette } from '../flame/palette.ts';
import { formatShare } from '../format.ts';
import { wordsOfReason } from '../parts/reason-words.ts';
import { rowForKey, useVirtualRows } from '../parts/virtual-rows.ts';
import type { Quantity } from '../quantity.ts';
import { RowsSkeleton } from '../states/skeleton.tsx';
import type { FunctionSort } from '../url-state.ts';

export interface FunctionTableProps {
  selection: Selection;
  search: string;
  sort: FunctionSort;
  quantity: Quantity;
  seconds: number;
  palette: Palette | null;
  names: NameStyle;
  /** System name, else name, and binary of the selected function. */
  selected: { name: string; binary: string } | null;
  onSort: (sort: FunctionSort) => void;
  onSelect: (row: FunctionJson, zoom: boolean) => void;
  onCount: (count: number | null) => void;
}

/** One character of the tables' monospaced 12 px. */
export const CHARACTER_PX = 7.23;
/** Beside the name: padding, bar, gap, number columns. */
const BESIDE_NAME_PX = 16 + 40 + 8 + 224;
const BESIDE_NAME_PHONE_PX = 12 + 40 + 8 + 152;

/** Pages of the table that hold these rows, the first always, and a look-up over them. */
function useFunctionPages(props: FunctionTableProps, indices: readonly number[]) {
  const { selection, sort, search } = props;
  const choice = { sort, search, names: props.names === 'raw' ? 'raw' : 'full' } as const;
  const pages = [...new Set([0, ...indices.map((index) => Math.floor(index / FUNCTION_PAGE))])];
  const answers = useQueries({
    queries: pages.map((page) => functionPageQuery(selection, choice, page)),
  });
  const rowAt = (index: number): FunctionJson | undefined => {
    const page = pages.indexOf(Math.floor(index / FUNCTION_PAGE));
    return answers[page]?.data?.functions[index % FUNCTION_PAGE];
  };
  return { first: answers[0], rowAt };
}

export function FunctionTable(props: FunctionTableProps) {
  const { onCount, onSelect, sort } = props;
  // How many rows there are is known from the first page, which is asked for below as well.
  const head = useFunctionPages(props, []);
  const count = head.first?.data?.count ?? 0;
  const known = head.first?.data?.count ?? null;
  useEffect(() => onCount(known), [known, onCount]);
  const rows = useVirtualRows(count);
  const { first, rowAt } = useFunctionPages(props, rows.indices);
  const total = first?.data?.total || 1;
  const sortedValue = (row: FunctionJson) => (sort === 'total' ? row.total : row.self);
  const longest = Math.max(1, ...(first?.data?.functions ?? []).map(sortedValue));
  const beside = rows.phone ? BESIDE_NAME_PHONE_PX : BESIDE_NAME_PX;
  const focused = rows.indices.find((index) => isSelected(rowAt(index), props.selected)) ?? -1;
  const onKeyDown = (event: KeyboardEvent) => {
    const next = rowForKey(event, focused, count);
    const row = rowAt(next ?? focused);
    if (next === null && event.key !== 'Enter') return;
    event.preventDefault();
    if (next !== null) rows.reveal(next);
    if (row !== undefined) onSelect(row, next === null);
  };
  return (
    <div className="tscroll" ref={rows.scroller}>
      <table
        className="fns"
        // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: rows are selected.
        role="grid"
        tabIndex={0}
        aria-label="Functions"
        aria-rowcount={count + 1}
        aria-activedescendant={focused < 0 ? undefined : `function-${focused}`}
        onKeyDown={onKeyDown}
      >
        <colgroup>
          <col />
          <col className="c2" />
          <col />
          <col />
        </colgroup>
        <TableHead {...props} />
        <tbody>
          <tr className="space" style={{ height: rows.abovePx }} />
          {rows.indices.map((index) => {
            const row = rowAt(index);
            return row === undefined ? (
              <tr key={index} />
            ) : (
              <FunctionRow
                key={index}
                {...props}
                index={index}
                row={row}
                lane={sortedValue(row) / longest}
                total={total}
                characters={Math.max(4, Math.floor((rows.widthPx - beside) / CHARACTER_PX))}
              />
            );
          })}
          <tr className="space" style={{ height: rows.belowPx }} />
        </tbody>
      </table>
      {first?.data === undefined ? <TableGap error={first?.error} /> : null}
      {known === 0 ? <p className="none quiet">No function matches.</p> : null}
    </div>
  );
}

function TableGap({ error }: { error: Error | null | undefined }) {
  return error ? <p className="none">{error.message}</p> : <RowsSkeleton />;
}

function isSelected(row: FunctionJson | undefined, selected: FunctionTableProps['selected']) {
  if (row === undefined || selected === null) return false;
  return (row.system_name || row.name) === selected.name && row.binary === selected.binary;
}

function TableHead({ sort, quantity, onSort }: FunctionTableProps) {
  const heads: readonly [by: FunctionSort, title: string, className: string][] = [
    ['name', 'Function', ''],
    ['self', quantity.gauge ? 'Self' : `Self ${quantity.averageUnit}`, 'c2'],
    ['self', quantity.gauge ? 'Share' : 'Self', ''],
    ['total', 'Total', ''],
  ];
  return (
    <thead>
      <tr>
        {heads.map(([by, title, className], index) => (
          <th
            key={title}
            scope="col"
            className={className}
            aria-sort={
              by === sort && index !== 1 ? (by === 'name' ? 'ascending' : 'descending') : undefined
            }
          >
            <button type="button" onClick={() => onSort(by)}>
              {title}
            </button>
          </th>
        ))}
      </tr>
    </thead>
  );
}

interface FunctionRowProps extends FunctionTableProps {
  index: number;
  row: FunctionJson;
  /** Length of the bar, of 1. */
  lane: number;
  total: number;
  characters: number;
}

function FunctionRow(props: FunctionRowProps) {
  const { row, quantity, seconds, total, palette, index, names } = props;
  const drawn = styleName(names, row.name, row.system_name);
  const kind = FrameKind[FRAME_KIND_NAMES.find((name) => name === row.kind) ?? 'unknown'];
  const average = quantity.gauge || seconds <= 0 ? row.self : row.self / seconds;
  return (
    <tr
      id={`function-${index}`}
      title={[
        names === 'raw' ? `${drawn}\n${row.name}` : row.name,
        whyUnnamed(row),
        whereInlined(row),
      ].join('')}
      aria-rowindex={index + 2}
      aria-selected={isSelected(row, props.selected)}
      onClick={() => props.onSelect(row, false)}
      onDoubleClick={() => props.onSelect(row, true)}
    >
      <td>
        <span className="lane">
          <i
            className={kind === FrameKind.unknown ? 'un' : ''}
            style={{
              width: `${Math.min(1, props.lane) * 100}%`,
              backgroundColor: palette?.base(row.binary, kind),
            }}
          />
        </span>
        <span className="fn">{fitterOf(names)(drawn, props.characters)}</span>
      </td>
      <td className="dim c2">{quantity.formatAverage(average)}</td>
      <td>{formatShare(row.self / total)}</td>
      <td>{formatShare(row.total / total)}</td>
    </tr>
  );
}

function whyUnnamed({ reason }: FunctionJson): string {
  return reason === '' ? '' : `\n${wordsOfReason(reason).title}`;
}

function whereInlined({ self, inlined_self }: FunctionJson): string {
  if (inlined_self <= 0) return '';
  const part = inlined_self >= self ? '' : ` for ${formatShare(inlined_self / self)} of its self`;
  return `\nInlined into its callers${part}`;
}

/** "230", or "12 found". */
export function countText(count: number | null, searching: boolean): string {
  if (count === null) return '';
  return searching ? `${formatCount(count)} found` : formatCount(count);
}
