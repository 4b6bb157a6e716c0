/** Whether a figure that is read again and again stays level. */

/** What a straight line through the values gains from the first to the last, as part of their mean. */
export function relativeGrowth(values: readonly number[]): number {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const middle = (count - 1) / 2;
  let product = 0;
  let square = 0;
  for (const [at, value] of values.entries()) {
    product += (at - middle) * (value - mean);
    square += (at - middle) ** 2;
  }
  return square === 0 || mean === 0 ? 0 : ((product / square) * (count - 1)) / mean;
}
