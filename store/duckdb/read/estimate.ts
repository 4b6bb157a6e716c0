/** What a query is about to read, from what is in memory: no file and no table is touched. */
import type { TimeRange } from '../../../profile/units.ts';
import type { Estimate, Selection } from '../../store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { valueTypes } from './row-types.ts';
import { activeSeries } from './selection.ts';

/** Rows of samples that lie together: a sealed block, or the hot table. */
export interface RowPart {
  rows: number;
  /** Of its files; 0 where there are none. */
  bytes: number;
  /** Times of its rows: from <= t < to. */
  range: TimeRange;
}

export async function estimateRead(
  catalogue: Catalogue,
  { type, matchers, range }: Selection,
  hot: RowPart,
  blocks: readonly RowPart[],
): Promise<Estimate> {
  const { plain, scaled } = valueTypes(catalogue, type);
  const types = new Set([...plain, ...scaled]);
  const { selected, active } = activeSeries(catalogue, types, matchers, range);
  const share = selected.length / Math.max(1, active);
  let rows = hot.rows * shareOf(hot.range, range);
  const estimate = { series: selected.length, blocks: 0, maxRows: hot.rows, bytes: 0 };
  for (const block of blocks) {
    const part = shareOf(block.range, range);
    if (part === 0) continue;
    rows += block.rows * part;
    estimate.blocks++;
    estimate.maxRows += block.rows;
    estimate.bytes += block.bytes;
  }
  return { ...estimate, rows: Math.ceil(rows * share), hotRows: hot.rows };
}

/** Part of a span of time that lies in the range. */
function shareOf(span: TimeRange, range: TimeRange): number {
  const lengthMs = span.to - span.from;
  const commonMs = Math.min(span.to, range.to) - Math.max(span.from, range.from);
  return commonMs > 0 && lengthMs > 0 ? commonMs / lengthMs : 0;
}
