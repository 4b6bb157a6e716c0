/** The strip at the very bottom: what the answer rests on, and what of it is drawn. */
import type { FlameExtent } from '../flame/flame-layout.ts';
import type { FlameModel } from '../flame/flame-model.ts';
import { formatClock, formatCounted, formatShare } from '../format.ts';
import { QualityFigures } from '../parts/quality-strip.tsx';
import type { SymbolsPlace } from '../parts/symbols-link.tsx';

export interface QualityBarProps {
  model: FlameModel | null;
  extent: FlameExtent | null;
  place: SymbolsPlace;
}

export function QualityBar({ model, extent, place }: QualityBarProps) {
  if (model === null) {
    return (
      <section className="quality" aria-label="Quality of this answer">
        <span>Samples, losses and rate are shown once the answer is complete.</span>
      </section>
    );
  }
  const { meta } = model.loaded.view.graph;
  return (
    <section className="quality" aria-label="Quality of this answer">
      <QualityFigures quality={meta.quality} total={meta.totalAfterFilters} place={place} />
      <span className="push quiet wide clip">
        {extent === null ? '' : drawnText(extent)} Answered at{' '}
        {formatClock(model.loaded.answeredMs, true)}.
      </span>
    </section>
  );
}

function drawnText({ drawn, mergedShare }: FlameExtent): string {
  const frames = `${formatCounted(drawn, 'frame')} drawn`;
  if (mergedShare < 0.0005) return `${frames}.`;
  return `${frames}; narrower ones, ${formatShare(mergedShare)} of this view, are merged in grey.`;
}
