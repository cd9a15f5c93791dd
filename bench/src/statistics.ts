/** Statistics of repeated measurements. */

/**
 * Returns a quantile of the values, interpolated linearly between two values.
 *
 * @param share 0 for the least value, 0.5 for the median, 1 for the greatest value
 */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('quantile: no values');
  const sorted = [...values].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const low = sorted[Math.floor(place)] as number;
  const high = sorted[Math.ceil(place)] as number;
  return low + (high - low) * (place - Math.floor(place));
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** The median of the values of all rounds, the lower and the upper quartile, and the number of rounds. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly rounds: number;
}

export function spreadOf(values: readonly number[]): Spread {
  return {
    median: median(values),
    low: quantile(values, 0.25),
    high: quantile(values, 0.75),
    rounds: values.length,
  };
}

/**
 * Returns the time of the peer divided by the time of forebay, for each pair. A pair consists of neighbouring slices,
 * so that a cause that slows both down, such as another process, does not change the ratio.
 */
export function ratios(
  pairs: readonly { readonly peer: number; readonly forebay: number }[],
): number[] {
  return pairs.map(({ peer, forebay }) => peer / forebay);
}
