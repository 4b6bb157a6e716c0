/** The selection over time, with the part that the other panes are about. */
import { queryClient } from '../answers.ts';
import { formatClock, formatRange, formatSpan } from '../format.ts';
import { SeriesPlot } from '../parts/series-plot.tsx';
import { chooseTicks } from '../time.ts';
import type { ExploreAnswers } from './explore-answers.ts';
import type { ExplorePanesProps } from './explore-props.ts';

/** An agent's window and its way to the server. */
const ARRIVAL_MS = 15_000;

export function SeriesPane({ state, answers, onBrush }: ExplorePanesProps) {
  const { series, shown, range, stepMs, selected, clock } = answers;
  const quantity = selected.quantity;
  const [line] = series.data?.series ?? [];
  // The last windows are still on their way: a half-told step would look like a fall.
  const settledMs = clock.nowMs - (answers.live ? ARRIVAL_MS : 0);
  const values = (line?.rate ?? []).map((value, step) => {
    const endMs = (series.data?.ts_ms[step] ?? 0) + (series.data?.step_ms ?? 0);
    return value === null || endMs > settledMs ? null : value * (quantity?.averageScale ?? 1);
  });
  const plotted = series.data ? { fromMs: series.data.from_ms, toMs: series.data.to_ms } : range;
  const average = answers.labels.data ? averageOf(answers) : null;
  const waiting = answers.flame.data === undefined && !answers.flame.isError;
  return (
    <section className="series" aria-label="Over time">
      <header>
        {waiting ? <Merging running={answers.flame.isFetching} /> : null}
        {average === null || quantity === null ? null : (
          <>
            <span className="fig">{quantity.formatAverage(average)}</span>
            <span className="soft">
              {quantity.averageWords}
              {answers.partlyCovered && !quantity.gauge
                ? ` over ${formatSpan(answers.seconds * 1000)} with profiles`
                : ''}
            </span>
          </>
        )}
        <span className="quiet small">
          {formatRange(shown.fromMs, shown.toMs, clock.nowMs)},{' '}
          {formatSpan(shown.toMs - shown.fromMs)}
        </span>
        {state.brush === null ? null : (
          <button type="button" className="btn small push" onClick={() => onBrush(null)}>
            Clear selection
          </button>
        )}
      </header>
      {series.data === undefined && !series.isError ? <div className="sk plot-skeleton" /> : null}
      <SeriesPlot
        label={`${quantity?.title ?? 'Profiles'} over time`}
        range={plotted}
        stepMs={series.data?.step_ms ?? stepMs}
        lines={series.data ? [{ values }] : []}
        ticks={chooseTicks(plotted, 6).map((ms) => ({ ms, text: formatClock(ms) }))}
        brush={state.brush}
        onBrush={onBrush}
      />
    </section>
  );
}

/** A query that takes long can be given up; the page then waits to be asked again. */
function Merging({ running }: { running: boolean }) {
  return (
    <>
      <span className="fig">{running ? 'Merging' : 'Cancelled'}</span>
      <button
        type="button"
        className="btn small"
        onClick={() =>
          void (running
            ? queryClient.cancelQueries()
            : queryClient.refetchQueries({ type: 'active' }))
        }
      >
        {running ? 'Cancel' : 'Run it'}
      </button>
    </>
  );
}

function averageOf({ labels, selected, seconds }: ExploreAnswers): number {
  const { series = [], rest = null } = labels.data ?? {};
  const total = series.reduce((sum, line) => sum + line.total, rest?.total ?? 0);
  return selected.quantity?.gauge ? total : total / seconds;
}
