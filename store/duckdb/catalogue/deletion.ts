/** Which series a deletion by labels means. */
import { EverflameError } from '../../../profile/errors.ts';
import type { Matcher } from '../../../profile/select/selector.ts';
import type { TimeRange } from '../../../profile/units.ts';
import type { Catalogue } from './catalogue.ts';

/** Series with profiles in the range that satisfy the matchers, which name labels of series. */
export function seriesToDelete(
  catalogue: Catalogue,
  matchers: readonly Matcher[],
  range: TimeRange,
): number[] {
  const ofSamples = matchers.find(({ name }) => catalogue.sampleLabels.mayHave(name));
  if (ofSamples !== undefined) {
    throw new EverflameError('unprocessable', `${ofSamples.name} is a label of single samples`, {
      field: 'query',
      remedy: 'Whole profiles are deleted: match labels of their series.',
    });
  }
  const accepted = catalogue.series.select(matchers);
  const found = new Uint8Array(accepted.length);
  catalogue.activity.eachIn(range.from, range.to, (series) => {
    found[series] = accepted[series] as number;
  });
  const series: number[] = [];
  for (let number = 0; number < found.length; number++)
    if (found[number] === 1) series.push(number);
  return series;
}
