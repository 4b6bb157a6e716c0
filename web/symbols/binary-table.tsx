/** The list of binaries; only the rows in view exist. */
import { type KeyboardEvent, useEffect, useMemo, useRef } from 'react';
import { FrameKind } from '../../profile/flame/frame.ts';
import { formatCount } from '../../profile/format-value.ts';
import { useBinaryPalette } from '../flame/flame-model.ts';
import type { Palette } from '../flame/palette.ts';
import { rowForKey, useVirtualRows } from '../parts/virtual-rows.ts';
import type { BinarySort } from '../url-state.ts';
import { COLUMN_TITLES, COLUMNS, type Column, isTrouble } from './binary-columns.tsx';
import { type BinaryRow, nameOf } from './binary-rows.ts';
import type { SymbolsPanesProps } from './symbols-props.ts';

export interface BinaryTableProps extends SymbolsPanesProps {
  /** Those of the query, and of them those that the page's filters let through. */
  listed: readonly BinaryRow[];
  shown: readonly BinaryRow[];
  whole: string;
}

export function BinaryTable(props: BinaryTableProps) {
  const { state, answer, shown, rows, listed, theme, change, whole } = props;
  const virtual = useVirtualRows(shown.length);
  const weights = useMemo(() => new Map(rows.map((row) => [row.file, row.self])), [rows]);
  const palette = useBinaryPalette(weights, theme.dark);
  const columns = COLUMNS.filter(({ id }) => id === 'unnamed' || !state.hidden.includes(id));
  const current = shown.findIndex(({ key }) => key === state.select);
  const value = (row: BinaryRow) => weightOf(row, state.sort);
  const longest = shown.reduce((most, row) => Math.max(most, value(row)), 0);
  // A link to a binary shows it, wherever in the list it is.
  const opened = useRef(false);
  useEffect(() => {
    if (opened.current) return;
    opened.current = true;
    if (current > 0) virtual.reveal(current);
  });
  const onKeyDown = (event: KeyboardEvent) => {
    const next = rowForKey(event, current, shown.length);
    if (next !== null) {
      virtual.reveal(next);
      change({ select: shown[next]?.key ?? '' }, 'replace');
    } else if (event.key === 'Enter' && current >= 0) {
      document.querySelector<HTMLElement>('.binary')?.focus();
    } else if (event.key === 'Escape' && state.select !== '') {
      change({ select: '' }, 'replace');
    } else return;
    event.preventDefault();
  };
  return (
    <section className="binaries" aria-label="Binaries">
      <div className="tscroll" ref={virtual.scroller}>
        <table
          className="fns bins"
          // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: rows are selected.
          role="grid"
          tabIndex={0}
          aria-label={`Binaries, shares of ${whole}`}
          aria-rowcount={shown.length + 1}
          aria-activedescendant={current < 0 ? undefined : `binary-${current}`}
          onKeyDown={onKeyDown}
        >
          <BinaryHead {...props} columns={columns} />
          <tbody>
            <tr className="space" style={{ height: virtual.abovePx }} />
            {virtual.indices.map((index) => {
              const row = shown[index];
              return row === undefined ? null : (
                <BinaryLine
                  key={row.key}
                  index={index}
                  row={row}
                  columns={columns}
                  total={answer.total}
                  lane={longest > 0 ? value(row) / longest : 0}
                  sort={state.sort}
                  palette={palette}
                  selected={index === current}
                  onSelect={() => change({ select: row.key }, 'replace')}
                />
              );
            })}
            <tr className="space" style={{ height: virtual.belowPx }} />
          </tbody>
        </table>
        {shown.length === 0 ? (
          <p className="none quiet">
            {listed.length === 0 ? 'No binary is in these profiles.' : 'No binary matches.'}{' '}
            <button
              type="button"
              className="btn fill"
              onClick={() =>
                change({ find: '', filter: listed.length === 0 ? 'known' : '', reason: '' })
              }
            >
              Show all {formatCount((listed.length === 0 ? rows : listed).length)}
            </button>
          </p>
        ) : null}
      </div>
    </section>
  );
}

function BinaryHead({ state, change, columns }: BinaryTableProps & { columns: readonly Column[] }) {
  const sorted = (sort: Column['sort']) =>
    sort !== state.sort ? undefined : sort === 'file' ? 'ascending' : 'descending';
  return (
    <>
      <colgroup>
        <col />
        {columns.map(({ id }) => (
          <col key={id} className={`c-${id}`} />
        ))}
      </colgroup>
      <thead>
        <tr>
          <th scope="col" aria-sort={sorted('file')}>
            <button type="button" onClick={() => change({ sort: 'file' }, 'replace')}>
              Binary
            </button>
          </th>
          {columns.map(({ id, sort, number }) => (
            <th
              key={id}
              scope="col"
              className={`c-${id}${number ? '' : ' text'}`}
              aria-sort={sorted(sort)}
            >
              {sort === null ? (
                COLUMN_TITLES[id]
              ) : (
                <button type="button" onClick={() => change({ sort }, 'replace')}>
                  {COLUMN_TITLES[id]}
                </button>
              )}
            </th>
          ))}
        </tr>
      </thead>
    </>
  );
}

interface BinaryLineProps {
  index: number;
  row: BinaryRow;
  columns: readonly Column[];
  total: number;
  /** Length of the bar, of 1. */
  lane: number;
  sort: BinarySort;
  palette: Palette;
  selected: boolean;
  onSelect: () => void;
}

function BinaryLine(props: BinaryLineProps) {
  const { index, row, columns, total, lane, sort, palette, selected, onSelect } = props;
  const hatched = sort === 'unnamed' && row.unnamed > 0;
  return (
    <tr
      id={`binary-${index}`}
      aria-rowindex={index + 2}
      aria-selected={selected}
      className={isTrouble(row) ? 'trouble' : undefined}
      onClick={onSelect}
    >
      <td title={row.problem === '' ? row.file : `${row.file}\n${row.problem}`}>
        <span className="lane">
          <i
            className={hatched ? 'un' : undefined}
            style={{
              width: `${lane * 100}%`,
              backgroundColor: hatched ? undefined : palette.base(row.file, FrameKind.native),
            }}
          />
        </span>
        <span className="fn">{nameOf(row)}</span>
      </td>
      {columns.map(({ id, number, cell }) => (
        <td key={id} className={`c-${id}${number ? '' : ' text'}`}>
          {cell(row, total)}
        </td>
      ))}
    </tr>
  );
}

/** What the bar at the beginning of a row stands for: the sorted weight, else the row's own. */
function weightOf(row: BinaryRow, sort: BinarySort): number {
  return sort === 'unnamed' || sort === 'total' ? row[sort] : row.self;
}
