/** Which tensors of a file are read, as which dtypes, and what becomes of those that cannot be read. */

import { types } from 'node:util';
import { callback } from '../arguments/kinds.js';
import { declareOptions, type Kind, type OptionsOf, optional } from '../arguments/options.js';
import { isList, isRecord } from '../arguments/read.js';
import { DTypeError, FormatError } from '../errors.js';
import { type DType, dtypeName } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';

/** A tensor of a file that was not read. */
export interface Skipped {
  /** Its name in the file. */
  readonly name: string;
  /** Why it cannot be read: which type its elements have, for example. */
  readonly reason: string;
}

/** What was read of a file. */
export interface Found {
  readonly tensors: Record<string, Tensor>;
  readonly skipped: readonly Skipped[];
}

/** A dtype for all tensors, or dtypes by the names of the tensors. */
export type DTypes = DType | Readonly<Record<string, DType>>;

/** A dtype, or a record of dtypes by name. */
export const dtypeOrDTypes: Kind<DTypes> = {
  expected: `${dtypeName.expected}, or a record of these by the names of tensors`,
  accepts: (value) => dtypeName.accepts(value) || isRecordOfDTypes(value),
  error: DTypeError,
};

function isRecordOfDTypes(value: unknown): boolean {
  try {
    return isRecord(value) && Object.values(value).every(dtypeName.accepts);
  } catch {
    return false; // a getter that throws
  }
}

/** True for a list of strings. Never throws. */
export function isListOfStrings(value: unknown): value is readonly string[] {
  try {
    return isList(value) && value.every((text) => typeof text === 'string');
  } catch {
    return false; // a proxy whose traps throw
  }
}

const namesOrPattern: Kind<readonly string[] | RegExp> = {
  expected: 'a list of the names of tensors, or a regular expression',
  accepts: (value) => types.isRegExp(value) || isListOfStrings(value),
};

const loadOptions = declareOptions('load, loadNpz', {
  /**
   * Read only the tensors of these names, each of which must be there and readable; or those whose names match a
   * regular expression, such as `/^encoder\./`. All tensors when left out.
   */
  only: optional(namesOrPattern, 'names', 'keys', 'filter', 'match'),
  /**
   * The dtype of all tensors that are read, or dtypes by name. Floats are rounded to it; an integer that it does not
   * hold exactly is refused. When left out, float32, float64 and int32 stay what they are, other floats become float32,
   * other integers and bools int32.
   */
  dtype: optional(dtypeOrDTypes, 'dtypes', 'type'),
  /**
   * Called once, before the tensors are returned, with the tensors that were skipped because forebay does not read
   * their type: complex numbers, for example. When left out, a warning of the process names them.
   */
  onSkipped: optional(callback<(skipped: readonly Skipped[]) => void>(), 'skipped', 'onSkip'),
});

/** What `load` and `loadNpz` may be told. */
export interface LoadOptions extends OptionsOf<typeof loadOptions> {}

/** @throws ValueError or DTypeError for options that are not acceptable */
export function readLoadOptions(context: string, options: unknown): LoadOptions {
  return loadOptions.read(options, context);
}

/** Which of a file's tensors are read. */
export class Selection {
  readonly skipped: Skipped[] = [];
  readonly #file: string;
  readonly #dtype: DTypes | undefined;
  /** Those that are asked for by name: they are not skipped, but refused. */
  readonly #named: ReadonlySet<string> | undefined;
  readonly #chosen: ReadonlySet<string>;

  /**
   * @param names all that the file has
   * @throws FormatError if the file lacks a tensor that is asked for, or has none that matches; DTypeError if a dtype
   *   is given for a tensor that is not read
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

  /** The dtype that a tensor is to have, if one is asked for. */
  dtypeOf(name: string): DType | undefined {
    const dtype = this.#dtype;
    if (!isRecord(dtype)) return dtype as DType | undefined;
    return Object.hasOwn(dtype, name) ? (dtype as Record<string, DType>)[name] : undefined;
  }

  /** Leaves out a tensor that cannot be read, unless it is asked for by name. @returns whether it may be left out */
  skip(name: string, reason: string): boolean {
    if (this.#named?.has(name)) return false;
    this.skipped.push({ name, reason });
    return true;
  }

  refusal(name: string, reason: string): FormatError {
    return new FormatError(
      `${this.#file}: tensor '${name}' cannot be read: ${reason}; read the others by only`,
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
  // A copy: one that goes on from its last match would leave out every other name.
  const pattern = new RegExp(only.source, only.flags.replace(/[gy]/g, ''));
  const matching = names.filter((name) => pattern.test(name));
  if (matching.length > 0) return new Set(matching);
  throw new FormatError(`${file}: no tensor has a name that matches ${only} ${listed(names)}`);
}

const mostListed = 20;

/** The names that a file has, for errors. */
export function listed(names: readonly string[]): string {
  const first = names.slice(0, mostListed).map((name) => `'${name}'`);
  const more = names.length > mostListed ? `, and ${names.length - mostListed} more` : '';
  return `(there are: ${first.join(', ') || 'none'}${more})`;
}

/** Names the tensors that were skipped, if there are any: to the callback, or in a warning of the process. */
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
    `${context}: ${file}: skipped ${first.join(', ')}${more}; name the others by only, or give onSkipped`,
    { type: 'ForebayWarning', code: 'FOREBAY_SKIPPED' },
  );
}
