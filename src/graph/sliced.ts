/**
 * Divides long work into slices. A sliced function is a generator that yields between steps of its work. When it yields,
 * its caller either continues it at once or waits for the next turn of the event loop.
 */

/** Work that yields several times before it returns its result. */
export type Sliced<T> = Generator<undefined, T>;

/** The number of steps after which work yields. A step takes a few microseconds: it handles one value or operand. */
export const stepsPerSlice = 64;

/** Counts steps of work. All functions that work on one result share one Pace. */
export class Pace {
  #steps = 0;

  /** Counts steps. Returns true if the caller must yield before it continues. */
  due(steps = 1): boolean {
    this.#steps += steps;
    if (this.#steps < stepsPerSlice) return false;
    this.#steps = 0;
    return true;
  }
}

/** The result of sliced work, computed without a pause. */
export function finished<T>(work: Sliced<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

// The initial length of a sorted run. One run is sorted within one slice.
const runLength = 64;

/** Returns a sorted copy, by merge sort. Equal items keep their order. */
export function* sorted<T>(
  items: readonly T[],
  compare: (a: T, b: T) => number,
  pace: Pace,
): Sliced<T[]> {
  const { length } = items;
  let from: T[] = [];
  for (let start = 0; start < length; start += runLength) {
    for (const item of items.slice(start, start + runLength).sort(compare)) from.push(item);
    if (pace.due(runLength)) yield;
  }
  // Merges neighbouring runs until one is left.
  for (let width = runLength; width < length; width *= 2) {
    const to: T[] = [];
    for (let start = 0; start < length; start += 2 * width) {
      const [middle, end] = [Math.min(start + width, length), Math.min(start + 2 * width, length)];
      let [left, right] = [start, middle];
      while (left < middle || right < end) {
        const first =
          right === end || (left < middle && compare(from[left] as T, from[right] as T) <= 0);
        to.push(from[first ? left++ : right++] as T);
        if (pace.due()) yield;
      }
    }
    from = to;
  }
  return from;
}
