/**
 * Divides long work into slices. A sliced function is a generator that yields between steps of its work. After each
 * yield, the caller continues the generator, either at once or in a later turn of the event loop.
 */

/** A generator that works in slices: it yields between them, and returns the result of the work. */
export type Sliced<T> = Generator<undefined, T>;

/** The number of steps after which sliced work yields. A step handles one value or operand in a few microseconds. */
export const stepsPerSlice = 64;

/** Whether `withoutPauses` is running. */
let unpaused = false;

/** Counts the steps of sliced work. All sliced functions that help to compute one result count with the same Pace. */
export class Pace {
  #steps = 0;

  /** Adds `steps` to the count. Returns true if the caller must now yield; the count then starts again from 0. */
  due(steps = 1): boolean {
    if (unpaused) return false;
    this.#steps += steps;
    if (this.#steps < stepsPerSlice) return false;
    this.#steps = 0;
    return true;
  }
}

/**
 * Calls `run` and returns its result. During the call, no pace is due, so sliced work does not yield. Yields take much
 * time, because each passes through all generators that are waiting for one another.
 */
export function withoutPauses<T>(run: () => T): T {
  const before = unpaused;
  unpaused = true;
  try {
    return run();
  } finally {
    unpaused = before;
  }
}

/** Runs sliced work to its end without a pause, and returns its result. */
export function finished<T>(work: Sliced<T>): T {
  return withoutPauses(() => {
    for (;;) {
      const { done, value } = work.next();
      if (done) return value;
    }
  });
}

// Merge sort starts with pieces of this length. Each piece is sorted by the built-in sort, without a yield.
const runLength = 64;

/** Returns a sorted copy of `items`, made by merge sort in slices. Equal items keep their order. */
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
  // Merges neighbouring sorted pieces, which have length `width`, until only one piece is left.
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
