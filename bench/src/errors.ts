/** The benchmark cannot continue, for example because a peer failed or gradients differ. Reported without a stack. */
export class BenchError extends Error {
  override readonly name = 'BenchError';
}

/** A wrong command line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
