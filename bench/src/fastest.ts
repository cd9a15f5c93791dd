/** Finds the fastest of several ways to take a step. */

/** The number of times that each way that may be the fastest is timed. */
const heats = 4;
/**
 * A way is timed again if its least time so far is at most this number times the least time of all ways. It may still
 * be the fastest, because the speed of the machine varies.
 */
const reach = 1.4;

export interface Fastest<T> {
  readonly best: T;
  /** The least time of each way, in the given order. */
  readonly seconds: ReadonlyMap<T, number>;
}

/**
 * Returns the fastest way. First times all ways once, one after another. Then times the ways whose times are near the
 * best again, so that no way loses because of one slow moment of the machine. The least time of each way counts.
 *
 * @param time measures one way, and returns its seconds per step
 * @throws RangeError if `ways` is empty
 */
export async function findFastest<T>(
  ways: readonly T[],
  time: (way: T) => Promise<number>,
): Promise<Fastest<T>> {
  const seconds = new Map<T, number>();
  const best = () =>
    ways.reduce((a, b) => ((seconds.get(b) as number) < (seconds.get(a) as number) ? b : a));
  if (ways.length === 0) throw new RangeError('findFastest: there is no way');
  for (const way of ways) seconds.set(way, await time(way));
  for (let heat = 1; heat < heats && ways.length > 1; heat++) {
    const limit = reach * (seconds.get(best()) as number);
    for (const way of ways) {
      const least = seconds.get(way) as number;
      if (least <= limit) seconds.set(way, Math.min(least, await time(way)));
    }
  }
  return { best: best(), seconds };
}

/** Takes the given number of steps, and returns how many seconds they took. */
export type Take = (steps: number) => Promise<number>;

/** Returns the seconds per step. Measures so many steps that they take about a third of `sliceSeconds`. */
export async function timeStep(take: Take, sliceSeconds: number): Promise<number> {
  let steps = 1;
  let elapsed = await take(steps);
  // The time of the first step is not returned (unless it takes a quarter of `sliceSeconds`), because this step
  // compiles code and touches memory for the first time.
  while (elapsed < sliceSeconds / 4) {
    const wanted = Math.ceil((steps * sliceSeconds) / 3 / Math.max(elapsed, 1e-7));
    steps = Math.min(steps * 20, Math.max(steps + 1, wanted));
    elapsed = await take(steps);
  }
  return elapsed / steps;
}
