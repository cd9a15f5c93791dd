/** Work on the JavaScript thread in slices, so that other work of the process goes on. */

/**
 * Work that may pause. It yields undefined where it may pause, and a promise where it must wait.
 */
export type Pauses<T> = Generator<Promise<void> | undefined, T, void>;

/** The time after which other work of the process goes on, in milliseconds. */
const sliceTime = 4;

/** Does work in slices of a few milliseconds, between which other work of the process goes on. */
export async function inSlices<T>(work: Pauses<T>): Promise<T> {
  let start = performance.now();
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    if (value === undefined && performance.now() - start < sliceTime) continue;
    await (value ?? new Promise<void>((resolve) => setImmediate(resolve)));
    start = performance.now();
  }
}

/** Does work at once. @param wait is called where it must wait for a promise, and throws */
export function atOnce<T>(work: Pauses<T>, wait?: () => never): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    if (value !== undefined) wait?.();
  }
}
