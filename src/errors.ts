/**
 * The typed errors of forebay. Every error that the library throws is an instance of one of these classes. Each class
 * has a stable `code`. The message says what was expected, what was received, and which node, file or option it is
 * about.
 */

/** The base class of every error that forebay throws. */
export abstract class ForebayError extends Error {
  /** A stable identifier of the class, which programs can test. Messages may change between versions; codes do not. */
  abstract readonly code: string;

  /** Makes an error whose `name` is the name of its class. `options.cause` is the error that caused this error. */
  constructor(message: string, options?: ErrorOptions) {
    super(textOf(message), causeOf(options));
    this.name = new.target.name;
  }
}

/**
 * Returns the message as text. If it cannot be converted to text, for example because it is a symbol, returns the name
 * of its type.
 */
function textOf(message: unknown): string {
  if (message === undefined) return '';
  try {
    return `${message}`;
  } catch {
    return typeof message;
  }
}

/**
 * Returns options with the cause in `options`; undefined if there is no cause, or if reading it throws. The cause is
 * read only once, because it may be a getter.
 */
function causeOf(options: ErrorOptions | undefined): ErrorOptions | undefined {
  try {
    return options && 'cause' in options ? { cause: options.cause } : undefined;
  } catch {
    return undefined;
  }
}

/** A shape that does not fit: a wrong rank, axis or inner dimension, or a dimension name bound to two numbers. */
export class ShapeError extends ForebayError {
  readonly code = 'FOREBAY_SHAPE';
}

/** Dtypes that do not fit together, or an op that is not defined for a dtype. */
export class DTypeError extends ForebayError {
  readonly code = 'FOREBAY_DTYPE';
}

/**
 * A graph with wrong connections: an edge that is not registered, a parent that can never send a gradient, or two
 * leaves with the same name. This error is also thrown if an argument must be a node and is not one.
 */
export class GraphError extends ForebayError {
  readonly code = 'FOREBAY_GRAPH';
}

/** An argument, an option or a fed value that is not acceptable. */
export class ValueError extends ForebayError {
  readonly code = 'FOREBAY_VALUE';
}

/** A call that is not allowed now: the object is disposed or busy, or the method was called too early or twice. */
export class StateError extends ForebayError {
  readonly code = 'FOREBAY_STATE';
}

/** A file that is missing, truncated, or not in the format that it claims to have. */
export class FormatError extends ForebayError {
  readonly code = 'FOREBAY_FORMAT';
}

/** A number that is wrong: a result that is NaN or infinite, or a gradient that disagrees with finite differences. */
export class NumericError extends ForebayError {
  readonly code = 'FOREBAY_NUMERIC';
}

/** The native addon is missing or out of date, or it refused a call. The message says how to fix it. */
export class NativeError extends ForebayError {
  readonly code = 'FOREBAY_NATIVE';
}
