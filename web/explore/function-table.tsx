/** Every function of the selection with exact self and total, a page at a time as it is scrolled. */
import { useQueries } from '@tanstack/react-query';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useEffect, useRef } from 'react';
import { formatCount } from '../../profile/format-value.ts';
import { FRAME_KIND_NAMES, FrameKind } from '../../profile/frame.ts';
import type { FunctionJson, FunctionsJson } from '../../wire/http.ts';
import { FUNCTION_PAGE, functionPageQuery, type Selection } from '../answers.ts';
import { fitName, shortenName } from '../flame/frame-names.ts';
import type { Palette } from '../flame/palette.ts';
import { formatShare } from '../format.ts';
import { useMedia, useSize } from '../parts/hooks.ts';
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
  /** Name and binary of the selected function. */
  selected: { name: string; binary: string } | null;
  onSort: (sort: FunctionSort) => void;
  onSelect: (row: FunctionJson, zoom: boolean) => void;
  onCount: (count: number | null) => void;
}

const CHARACTER_PX = 7.23;
/** Beside the name in its cell: padding, bar, gap. */
const BESIDE_NAME_PX = 58;
const NUMBER_COLUMNS_PX = 224;

export function FunctionTable(props: FunctionTableProps) {
  const { selection, search, sort, onCount } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const { width } = useSize(scroller);
  const phone = useMedia('(max-width: 800px)');
  const rowPx = phone ? 36 : 24;
  const first = useQueries({ queries: [functionPageQuery(selection, sort, search, 0)] })[0];
  const count = first?.data?.count ?? 0;
  const rows = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowPx,
    overscan: 12,
  });
  useEffect(() => rows.measure(), [rows, rowPx]);
  const known = first?.data?.count ?? null;
  useEffect(() => onCount(known), [known, onCount]);
  const visible = rows.getVirtualItems();
  const pages = [...new Set(visible.map(({ index }) => Math.floor(index / FUNCTION_PAGE)))];
  const answers = useQueries({
    queries: pages.map((page) => functionPageQuery(selection, sort, search, page)),
  });
  const rowAt = (index: number): FunctionJson | undefined =>
    answers[pages.indexOf(Math.floor(index / FUNCTION_PAGE))]?.data?.functions[
      index % FUNCTION_PAGE
    ];
  const total = first?.data?.total ?? 0;
  const top = first?.data?.functions[0];
  const characters = Math.floor(
    (width - BESIDE_NAME_PX - (phone ? 152 : NUMBER_COLUMNS_PX)) / CHARACTER_PX,
  );
  const at = visible.findIndex(({ index }) => isSelected(rowAt(index), props.selected));
  const focusRow = visible[at]?.index ?? -1;
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20 }[event.key];
    const current = rowAt(focusRow);
    if (event.key === 'Enter' && current) props.onSelect(current, true);
    else if (step !== undefined && count > 0) {
      const next = Math.min(Math.max(focusRow + step, 0), count - 1);
      rows.scrollToIndex(next);
      const row = rowAt(next);
      if (row) props.onSelect(row, false);
    } else return;
    event.preventDefault();
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: rows outside the view do not exist in a table.
    <div className="fns" role="grid" aria-label="Functions" aria-rowcount={count + 1}>
      <TableHead {...props} />
      <div
        className="tscroll"
        ref={scroller}
        role="rowgroup"
        tabIndex={0}
        aria-activedescendant={focusRow < 0 ? undefined : `function-${focusRow}`}
        onKeyDown={onKeyDown}
      >
        {first?.data === undefined ? <TableGap error={first?.error} /> : null}
        <div className="tall" style={{ height: rows.getTotalSize() }}>
          {visible.map(({ index, start, size }) => {
            const row = rowAt(index);
            return row === undefined ? null : (
              <FunctionRow
                key={index}
                {...props}
                id={`function-${index}`}
                index={index}
                row={row}
                place={{ transform: `translateY(${start}px)`, height: size }}
                lane={sort === 'total' ? row.total / (top?.total || 1) : row.self / maxSelf(first)}
                total={total}
                characters={characters}
              />
            );
          })}
        </div>
        {first?.data !== undefined && count === 0 ? (
          <p className="none quiet">No function matches.</p>
        ) : null}
      </div>
    </div>
  );
}

function TableGap({ error }: { error: Error | null | undefined }) {
  return error ? <p className="none">{error.message}</p> : <RowsSkeleton />;
}

function maxSelf(page: { data?: FunctionsJson | undefined } | undefined): number {
  let max = 0;
  for (const { self } of page?.data?.functions ?? []) max = Math.max(max, self);
  return max || 1;
}

function isSelected(row: FunctionJson | undefined, selected: FunctionTableProps['selected']) {
  return row !== undefined && row.name === selected?.name && row.binary === selected.binary;
}

function TableHead({ sort, quantity, onSort }: FunctionTableProps) {
  const heads: readonly [FunctionSort, string, string][] = [
    ['name', 'Function', ''],
    ['self', quantity.gauge ? 'Self' : `Self ${quantity.averageUnit}`, 'c2'],
    ['self', quantity.gauge ? 'Share' : 'Self', ''],
    ['total', 'Total', ''],
  ];
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: its buttons take the focus.
    <div className="fns-row head" role="row">
      {heads.map(([by, title, className], index) => {
        const on = by === sort && index !== 1;
        return (
          <div
            key={title}
            role="columnheader"
            className={className}
            aria-sort={on ? (by === 'name' ? 'ascending' : 'descending') : undefined}
            tabIndex={-1}
          >
            <button type="button" onClick={() => onSort(by)}>
              {title}
            </button>
          </div>
        );
      })}
    </div>
  );
}

interface FunctionRowProps extends FunctionTableProps {
  id: string;
  index: number;
  row: FunctionJson;
  place: React.CSSProperties;
  /** Length of the bar, of 1. */
  lane: number;
  total: number;
  characters: number;
}

function FunctionRow(props: FunctionRowProps) {
  const { row, quantity, seconds, total, palette } = props;
  const kind = FrameKind[FRAME_KIND_NAMES.find((name) => name === row.kind) ?? 'unknown'];
  const average = quantity.gauge || seconds <= 0 ? row.self : row.self / seconds;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the row group has the keys.
    <div
      id={props.id}
      className="fns-row"
      role="row"
      tabIndex={-1}
      style={props.place}
      title={row.name}
      aria-rowindex={props.index + 2}
      aria-selected={isSelected(row, props.selected)}
      onClick={() => props.onSelect(row, false)}
      onDoubleClick={() => props.onSelect(row, true)}
    >
      <div role="gridcell" className="name" tabIndex={-1}>
        <span className="lane">
          <i
            className={kind === FrameKind.unknown ? 'un' : ''}
            style={{
              width: `${Math.min(1, props.lane) * 100}%`,
              backgroundColor: palette?.base(row.binary, kind),
            }}
          />
        </span>
        <span className="fn">{fitName(shortenName(row.name), Math.max(4, props.characters))}</span>
      </div>
      <div role="gridcell" className="dim c2" tabIndex={-1}>
        {quantity.formatAverage(average)}
      </div>
      <div role="gridcell" tabIndex={-1}>
        {formatShare(row.self / (total || 1))}
      </div>
      <div role="gridcell" tabIndex={-1}>
        {formatShare(row.total / (total || 1))}
      </div>
    </div>
  );
}

/** "230", or "12 of 230". */
export function countText(count: number | null, searching: boolean): string {
  if (count === null) return '';
  return searching ? `${formatCount(count)} found` : formatCount(count);
}
