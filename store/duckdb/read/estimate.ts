/** What a query is about to read, from what is in memory: no file and no table is touched. */
import type { TimeRange } from '../../../profile/units.ts';
import type { Estimate, Selection } from '../../store.ts';
import { type Block, fileOf } from '../blocks/block.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { valueTypes } from './row-types.ts';
import { activeSeries } from './selection.ts';

/** Rows that are not sealed count in full, since their times are not known here. */
export function estimateRead(
  catalogue: Catalogue,
  { type, matchers, range, series }: Selection,
  hotRows: number,
  blocks: readonly Block[],
): Estimate {
  const { plain, scaled } = valueTypes(catalogue, type);
  const types = new Set([...plain, ...scaled]);
  const { selected, active } = activeSeries(catalogue, types, matchers, range);
  const count = series === undefined ? selected.length : Math.min(1, selected.length);
  const read = blocks.filter((block) => block.damaged === '' && partIn(block, range) > 0);
  const estimate = { series: count, blocks: read.length, maxRows: hotRows, bytes: 0 };
  for (const block of read) {
    estimate.maxRows += block.samples;
    estimate.bytes += fileOf(block, 'samples')?.bytes ?? 0;
  }
  const share = count / Math.max(1, active);
  return { ...estimate, rows: Math.ceil(rowsIn(hotRows, read, range) * share), hotRows };
}

/** Rows of samples of all series that lie in the range, as if each block's were spread evenly. */
export function rowsIn(hotRows: number, blocks: readonly Block[], range: TimeRange): number {
  return blocks.reduce((rows, block) => rows + block.samples * partIn(block, range), hotRows);
}

/** Part of the block's time that lies in the range; 0 for dictionaries, which have no time. */
function partIn({ fromMs, toMs }: Block, range: TimeRange): number {
  const commonMs = Math.min(toMs, range.to) - Math.max(fromMs, range.from);
  return commonMs > 0 ? commonMs / (toMs - fromMs) : 0;
}
