/** The list of binaries, the details of the chosen one beside it, and the strip below. */
import { useMemo } from 'react';
import { formatCount } from '../../profile/format-value.ts';
import { formatCounted, formatShare } from '../format.ts';
import { useLasting } from '../parts/hooks.ts';
import { Split } from '../parts/split.tsx';
import { RowsSkeleton } from '../states/skeleton.tsx';
import { BinaryDetail } from './binary-detail.tsx';
import { type BinaryRow, filterRows, listedRows, sortRows } from './binary-rows.ts';
import { BinaryTable } from './binary-table.tsx';
import { StoreStrip } from './store-strip.tsx';
import type { SymbolsPanesProps } from './symbols-props.ts';
import { SymbolsTools } from './symbols-tools.tsx';

export function SymbolsPanes(props: SymbolsPanesProps) {
  const { state, answers, answer, rows, change } = props;
  const { find, filter, reason, sort } = state;
  const narrowed = answers.selected.matchers.length > 0;
  const listed = useMemo(() => listedRows(rows, narrowed, filter), [rows, narrowed, filter]);
  const shown = useMemo(
    () => sortRows(filterRows(listed, { find, filter, reason }), sort),
    [listed, find, filter, reason, sort],
  );
  const chosen = rows.find(({ key }) => key === state.select) ?? null;
  const busy = useLasting(answers.debuginfo.isPlaceholderData && !answers.live, 400);
  const whole = answers.selected.quantity?.whole ?? 'all';
  return (
    <>
      <main
        className={`panes symbols${busy ? ' busy' : ''}${chosen === null ? '' : ' chosen'}`}
        aria-busy={busy}
      >
        <h1 className="sr">Symbols</h1>
        <SymbolsTools
          {...props}
          summary={<Summary rows={listed} total={answer.total} whole={whole} />}
        />
        {chosen === null && state.select !== '' ? (
          <p className="banner note" role="status">
            <span>
              <code>{state.select}</code> is not in this list: nobody sent its symbols, and no frame
              of this query in this time is in it.
            </span>
            <button type="button" className="btn fill" onClick={() => change({ select: '' })}>
              Close
            </button>
          </p>
        ) : null}
        <BinaryTable {...props} listed={listed} shown={shown} whole={whole} />
        {chosen === null ? null : (
          <>
            <BinaryDetail
              key={chosen.key}
              {...props}
              row={chosen}
              whole={whole}
              onClose={() => change({ select: '' }, 'replace')}
            />
            <Split initialPx={480} />
          </>
        )}
      </main>
      <StoreStrip answer={answer} answeredMs={answers.answeredMs} />
    </>
  );
}

function Summary(props: { rows: readonly BinaryRow[]; total: number; whole: string }) {
  const { rows, total, whole } = props;
  const unnamed = rows.reduce((sum, row) => sum + row.unnamed, 0);
  const count = rows.filter((row) => row.unnamed > 0).length;
  const of = formatCounted(rows.length, 'binary', 'binaries');
  if (total <= 0) return <>{of}; no profile of this query in this time</>;
  if (count === 0) return <>{of}; every frame has a name</>;
  return (
    <>
      <b>{formatShare(unnamed / total)}</b> of {whole} without names, in {formatCount(count)} of{' '}
      {of}
    </>
  );
}

export function SymbolsSkeleton() {
  return (
    <>
      <main className="panes symbols" aria-busy="true">
        <h1 className="sr">Symbols</h1>
        <div className="bar tool" />
        <div className="binaries">
          <RowsSkeleton />
        </div>
      </main>
      <section className="quality" aria-label="Symbols on this server">
        <span>What is kept on disk is shown with the list.</span>
      </section>
    </>
  );
}
