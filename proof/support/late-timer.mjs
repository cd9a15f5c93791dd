// Measures the delay of a 1 ms timer.

/**
 * Returns the worst and the median delay of a timer in milliseconds while `work` runs, and how often the timer fired.
 */
export async function lateness(work) {
  const late = [];
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    late.push(now - last - 1);
    last = now;
  }, 1);
  const steps = await work();
  // If the event loop was blocked until the end of `work`, the timer fires now. Its delay must be counted, too.
  await new Promise((done) => setTimeout(done, 2));
  clearInterval(timer);
  late.sort((a, b) => a - b);
  return {
    worst: late.at(-1) ?? 0,
    median: late[late.length >> 1],
    ticks: late.length,
    steps,
  };
}
