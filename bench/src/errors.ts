/** A benchmark that cannot go on: a peer that failed, gradients that differ. Reported without a stack. */
export class BenchError extends Error {
  override readonly name = 'BenchError';
}

/** Wrong usage. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
