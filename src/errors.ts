/**
 * The typed errors of forebay. Every error that leaves the library is one of these, carries a
 * stable `code`, and says what was expected, what came, and which node, file or option it is about.
 */

/** The base of every error that forebay throws. */
export abstract class ForebayError extends Error {
  /** A stable identifier, for programs: messages may be reworded, codes are not. */
  abstract readonly code: string;

  /** Named after its class; `options.cause` is what it came from. */
  constructor(message: string, options?: ErrorOptions) {
    super(textOf(message), causeOf(options));
    this.name = new.target.name;
  }
}

/** The message as Error takes it; a value that has no text, such as a symbol, is named by its type. */
function textOf(message: unknown): string {
  if (message === undefined) return '';
  try {
    return `${message}`;
  } catch {
    return typeof message;
  }
}

/** The cause, read once; none if it cannot be read. */
function causeOf(options: ErrorOptions | undefined): ErrorOptions | undefined {
  try {
    return options && 'cause' in options ? { cause: options.cause } : undefined;
  } catch {
    return undefined;
  }
}

/** Shapes that do not fit: a rank, an axis, an inner dimension, a dimension bound to two numbers. */
export class ShapeError extends ForebayError {
  readonly code = 'FOREBAY_SHAPE';
}

/** Element types that do not fit, or an op that is not defined for one. */
export class DTypeError extends ForebayError {
  readonly code = 'FOREBAY_DTYPE';
}

/** A graph that is wired wrongly: a missing registration, a parent that never sends, two leaves of one name. */
export class GraphError extends ForebayError {
  readonly code = 'FOREBAY_GRAPH';
}

/** An option or a fed value that is not acceptable. */
export class ValueError extends ForebayError {
  readonly code = 'FOREBAY_VALUE';
}

/** An object that is disposed or busy, or a pass that was driven out of order. */
export class StateError extends ForebayError {
  readonly code = 'FOREBAY_STATE';
}

/** A file that is missing, truncated or not what it claims to be. */
export class FormatError extends ForebayError {
  readonly code = 'FOREBAY_FORMAT';
}

/** Numbers that are not what they must be: a gradient that disagrees with finite differences. */
export class NumericError extends ForebayError {
  readonly code = 'FOREBAY_NUMERIC';
}

/** The native addon is missing, stale or refused a call; the message says what to type. */
export class NativeError extends ForebayError {
  readonly code = 'FOREBAY_NATIVE';
}
