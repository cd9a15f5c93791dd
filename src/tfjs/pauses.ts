/** Work on the JavaScript thread that is done in slices, so that other work of the process goes on. */

/** A generator that yields where the work may pause. */
export type Pauses<T> = Generator<void, T, void>;

/** The time after which other work of the process goes on, in milliseconds. */
const sliceTime = 4;

/** Does the work in slices of a few milliseconds. */
export async function inSlices<T>(work: Pauses<T>): Promise<T> {
  let start = performance.now();
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    if (performance.now() - start < sliceTime) continue;
    await new Promise<void>((resolve) => setImmediate(resolve));
    start = performance.now();
  }
}

/** Does the work without a pause. */
export function atOnce<T>(work: Pauses<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}
