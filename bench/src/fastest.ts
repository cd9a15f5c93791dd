/** Of several ways to take a step, the fastest. */

/** How often the ways that may be the fastest are timed. */
const heats = 4;
/** A way that took this many times the best time once may still be the fastest: the machine's own speed varies. */
const reach = 1.4;

export interface Fastest<T> {
  readonly best: T;
  /** The least time of each, in the order in which they were given. */
  readonly seconds: ReadonlyMap<T, number>;
}

/**
 * Times all ways once, one after another, and those near the best again in further heats, so that a slow
 * moment of the machine excludes none. The least time of each counts.
 *
 * @param time seconds a step of one way, measured now
 * @throws RangeError if there is no way
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

/** What can take so many steps and says how long they took. */
export type Take = (steps: number) => Promise<number>;

/** Seconds a step, from enough steps to last about a third of a slice. */
export async function timeStep(take: Take, sliceSeconds: number): Promise<number> {
  let steps = 1;
  let elapsed = await take(steps);
  // A first step says little: it compiles code and touches memory for the first time.
  while (elapsed < sliceSeconds / 4) {
    const wanted = Math.ceil((steps * sliceSeconds) / 3 / Math.max(elapsed, 1e-7));
    steps = Math.min(steps * 20, Math.max(steps + 1, wanted));
    elapsed = await take(steps);
  }
  return elapsed / steps;
}
