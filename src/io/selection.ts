/** Selects the tensors of a file to read and their dtypes, and reports the tensors that cannot be read. */

import { types } from 'node:util';
import { callback } from '../arguments/kinds.js';
import { declareOptions, type Kind, type OptionsOf, optional } from '../arguments/options.js';
import { isList, isRecord } from '../arguments/read.js';
import { DTypeError, FormatError } from '../errors.js';
import { type DType, dtypeName } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';

/** A tensor of a file that was not read. */
export interface Skipped {
  /** The name of the tensor in the file. */
  readonly name: string;
  /** The reason why the tensor cannot be read, for example the type of its elements. */
  readonly reason: string;
}

/** The result of reading a file. */
export interface Found {
  readonly tensors: Record<string, Tensor>;
  readonly skipped: readonly Skipped[];
}

/** A dtype for all tensors, or dtypes by the names of the tensors. */
export type DTypes = DType | Readonly<Record<string, DType>>;

/** The kind of an option that is a dtype, or a record of dtypes by the names of tensors. */
export const dtypeOrDTypes: Kind<DTypes> = {
  expected: `${dtypeName.expected}, or a record of these by the names of tensors`,
  accepts: (value) => dtypeName.accepts(value) || isRecordOfDTypes(value),
  error: DTypeError,
};

function isRecordOfDTypes(value: unknown): boolean {
  try {
    return isRecord(value) && Object.values(value).every(dtypeName.accepts);
  } catch {
    return false; // The value has a getter that throws.
  }
}

/** Returns whether `value` is a list of strings. Never throws. */
export function isListOfStrings(value: unknown): value is readonly string[] {
  try {
    return isList(value) && value.every((text) => typeof text === 'string');
  } catch {
    return false; // The value is a proxy whose traps throw.
  }
}

const namesOrPattern: Kind<readonly string[] | RegExp> = {
  expected: 'a list of the names of tensors, or a regular expression',
  accepts: (value) => types.isRegExp(value) || isListOfStrings(value),
};

const loadOptions = declareOptions('load, loadSharded, loadNpz', {
  /**
   * Read only the tensors of these names, each of which must be in the file and readable. Or read only the tensors
   * whose names match a regular expression, such as `/^encoder\./`. All tensors by default.
   */
  only: optional(namesOrPattern, 'names', 'keys', 'filter', 'match'),
  /**
   * The dtype of all tensors that are read, or dtypes by name. Floats are rounded to a float dtype. All other
   * conversions must be exact. By default float32, float64 and int32 are unchanged, other floats become float32, and
   * other integers and bools become int32.
   */
  dtype: optional(dtypeOrDTypes, 'dtypes', 'type'),
  /**
   * Called once, before the tensors are returned, with the tensors that were skipped because forebay does not read
   * their type, for example complex numbers. By default a process warning names them.
   */
  onSkipped: optional(callback<(skipped: readonly Skipped[]) => void>(), 'skipped', 'onSkip'),
});

/** The options of `load`, `loadSharded` and `loadNpz`. */
export interface LoadOptions extends OptionsOf<typeof loadOptions> {}

/** Checks the options. @throws ValueError or DTypeError if an option is not acceptable */
export function readLoadOptions(context: string, options: unknown): LoadOptions {
  return loadOptions.read(options, context);
}

/** The selection of the tensors of a file that are read. It also collects the tensors that are skipped. */
export class Selection {
  readonly skipped: Skipped[] = [];
  readonly #file: string;
  readonly #dtype: DTypes | undefined;
  /**
   * The names in the option `only` if this option is a list; otherwise undefined. It is an error if a tensor with one of
   * these names cannot be read.
   */
  readonly #named: ReadonlySet<string> | undefined;
  readonly #chosen: ReadonlySet<string>;

  /**
   * @param names the names of all tensors of the file
   * @throws FormatError if a requested tensor is missing, or no tensor matches; DTypeError if a dtype is given for a
   *   tensor that is not read
   */
  constructor(file: string, { only, dtype }: LoadOptions, names: readonly string[]) {
    this.#file = file;
    this.#dtype = dtype;
    this.#named = isNames(only) ? new Set(only) : undefined;
    this.#chosen = chosen(file, only, names);
    const unused = isRecord(dtype)
      ? Object.keys(dtype).find((name) => !this.#chosen.has(name))
      : undefined;
    if (unused !== undefined) {
      throw new DTypeError(
        `${file}: a dtype is given for '${unused}', but no tensor of that name is read ${listed(names)}`,
      );
    }
  }

  has(name: string): boolean {
    return this.#chosen.has(name);
  }

  /** Returns the requested dtype of a tensor; undefined if none was requested. */
  dtypeOf(name: string): DType | undefined {
    const dtype = this.#dtype;
    if (!isRecord(dtype)) return dtype as DType | undefined;
    return Object.hasOwn(dtype, name) ? (dtype as Record<string, DType>)[name] : undefined;
  }

  /** Skips a tensor that cannot be read, unless it was requested by name. @returns whether it was skipped */
  skip(name: string, reason: string): boolean {
    if (this.#named?.has(name)) return false;
    this.skipped.push({ name, reason });
    return true;
  }

  refusal(name: string, reason: string): FormatError {
    return new FormatError(
      `${this.#file}: tensor '${name}' cannot be read: ${reason}; the option only reads the other tensors`,
    );
  }
}

const isNames = (only: LoadOptions['only']): only is readonly string[] => isList(only);

function chosen(file: string, only: LoadOptions['only'], names: readonly string[]) {
  if (only === undefined) return new Set(names);
  if (isNames(only)) {
    const there = new Set(names);
    const missing = only.find((name) => !there.has(name));
    if (missing === undefined) return new Set(only);
    throw new FormatError(`${file}: there is no tensor '${missing}' ${listed(names)}`);
  }
  // Copy the pattern without the flags g and y. With these flags, a match would start where the previous match ended.
  const pattern = new RegExp(only.source, only.flags.replace(/[gy]/g, ''));
  const matching = names.filter((name) => pattern.test(name));
  if (matching.length > 0) return new Set(matching);
  throw new FormatError(`${file}: no tensor has a name that matches ${only} ${listed(names)}`);
}

const mostListed = 20;

/** Returns a list of the names of the tensors of a file for error messages, with at most 20 names. */
export function listed(names: readonly string[]): string {
  const first = names.slice(0, mostListed).map((name) => `'${name}'`);
  const more = names.length > mostListed ? `, and ${names.length - mostListed} more` : '';
  return `(there are: ${first.join(', ') || 'none'}${more})`;
}

/** Reports skipped tensors to the callback or, without one, in a process warning. Does nothing if none was skipped. */
export function report(
  context: string,
  file: string,
  skipped: readonly Skipped[],
  onSkipped: LoadOptions['onSkipped'],
): void {
  if (skipped.length === 0) return;
  if (onSkipped !== undefined) {
    onSkipped(skipped);
    return;
  }
  const first = skipped.slice(0, mostListed).map(({ name, reason }) => `'${name}' (${reason})`);
  const more = skipped.length > mostListed ? `, and ${skipped.length - mostListed} more` : '';
  process.emitWarning(
    `${context}: ${file}: skipped ${first.join(', ')}${more}; select the other tensors with the option only, or set onSkipped`,
    { type: 'ForebayWarning', code: 'FOREBAY_SKIPPED' },
  );
}
