/** Both sides over time, aligned at their starts. */
import { formatChange } from '../../profile/format-value.ts';
import type { SeriesJson } from '../../wire/http.ts';
import type { LoadedView } from '../flame/worker-client.ts';
import { formatSpan } from '../format.ts';
import { SeriesPlot } from '../parts/series-plot.tsx';
import { chooseTicks } from '../time.ts';
import { averagesOf, type CompareAnswers } from './compare-answers.ts';

const TICKS = 5;

export interface CompareSeriesProps {
  answers: CompareAnswers;
  loaded: LoadedView | undefined;
}

export function CompareSeries({ answers, loaded }: CompareSeriesProps) {
  const { longest, stepMs, seriesA, seriesB } = answers;
  const quantity = answers.b.selected.quantity;
  const valuesOf = (data: SeriesJson | undefined) =>
    (data?.series[0]?.rate ?? []).map((value) =>
      value === null ? null : value * (quantity?.averageScale ?? 1),
    );
  const ticks = chooseTicks({ fromMs: 1, toMs: longest }, TICKS, 0).map((ms) => ({
    ms,
    text: formatSpan(ms),
  }));
  const averages =
    loaded === undefined || quantity === null
      ? null
      : averagesOf(loaded.view.graph, quantity.gauge);
  return (
    <section className="series" aria-label="A and B over time">
      <header>
        {averages === null || quantity === null ? (
          <span className="fig">Comparing</span>
        ) : (
          <>
            <span className="fig">
              {averages.a > 0
                ? `${formatChange((averages.b / averages.a - 1) * 100, 1)}\u2009%`
                : 'new'}
            </span>
            <span className="soft clip">
              {quantity.whole} in B, <span className="A">{quantity.formatAverage(averages.a)}</span>{' '}
              to <span className="B">{quantity.formatAverage(averages.b)}</span>{' '}
              {quantity.averageUnit}
            </span>
          </>
        )}
        <span className="push small quiet wide">aligned at their starts</span>
      </header>
      <SeriesPlot
        label="A, dashed, and B over time"
        range={{ fromMs: 0, toMs: longest }}
        stepMs={stepMs}
        lines={[
          { values: valuesOf(seriesA.data), className: 'la' },
          { values: valuesOf(seriesB.data), className: 'lb' },
        ]}
        ticks={ticks}
        keys={[
          { text: 'A', className: 'la' },
          { text: 'B', className: 'lb' },
        ]}
      />
    </section>
  );
}
