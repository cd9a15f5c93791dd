/**
 * Thrown if the benchmark cannot continue, for example because a peer failed or gradients differ. Only the message is
 * shown, not the stack.
 */
export class BenchError extends Error {
  override readonly name = 'BenchError';
}

/** Thrown if the command line is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
