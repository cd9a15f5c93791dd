/**
 * Options objects. The options of each function are declared once. The declaration provides the TypeScript type, the
 * documentation, the check at run time, and the suggestion for a misspelled name.
 *
 * ```ts
 * const sgdOptions = declareOptions('sgd', {
 *   // The step size. (Write this comment as a docstring, so that editors and the reference show it.)
 *   rate: required(rate),
 *   momentum: optional(numberFrom(0, 1)),
 * });
 * export interface SgdOptions extends OptionsOf<typeof sgdOptions> {}
 * const { rate, momentum = 0 } = sgdOptions.read(options);
 * ```
 */

import { type ForebayError, ValueError } from '../errors.js';
import { describeValue } from './describe.js';
import { isRecord, reading } from './read.js';

/** The values that are acceptable for an option or an argument: a check of the value, and a description for errors. */
export interface Kind<T> {
  /** The description of the kind in errors, for example 'a positive integer'. */
  readonly expected: string;
  /** Returns whether a value is acceptable. Must not throw for any value. */
  accepts(value: unknown): boolean;
  /** The class of the error that is thrown for any other value; ValueError by default. */
  readonly error?: new (
    message: string,
  ) => ForebayError;
  /** Never set. TypeScript infers `T` from the type of this field. */
  readonly type?: T;
}

/** One option of a declaration. */
export interface Option<T, Required extends boolean = boolean> extends Kind<T> {
  readonly required: Required;
  /** The names of this option in other libraries. Errors for such a name suggest this option. */
  readonly aliases: readonly string[];
}

/** The declarations of the options of one function, by the names of the options. */
export type Declaration = Readonly<Record<string, Option<unknown>>>;

type TypeOf<O> = O extends Option<infer T> ? T : never;

/** The TypeScript type of a declared options object: required options are required properties, the others optional. */
export type OptionsOf<D extends DeclaredOptions<Declaration>> =
  D extends DeclaredOptions<infer T>
    ? {
        readonly [K in keyof T as T[K] extends Option<unknown, true> ? K : never]: TypeOf<T[K]>;
      } & {
        readonly [K in keyof T as T[K] extends Option<unknown, true> ? never : K]?:
          | TypeOf<T[K]>
          | undefined;
      }
    : never;

/** The options of one function, as `declareOptions` returns them. `read` checks an options object. */
export interface DeclaredOptions<D extends Declaration> {
  /**
   * The name of the function that takes these options, as errors show it: 'sgd', 'new LSTM', 'Program.run'. If several
   * functions take them, this is all their names, joined by ', '.
   */
  readonly of: string;
  /** The declaration, for tests and for declarations that include this one. */
  readonly declaration: D;
  /**
   * Checks an options object that a user passed. Each property is read only once, because it may be a getter.
   * @param value the options object; undefined is the same as an empty object
   * @param context the beginning of error messages; `of` by default
   * @returns a new object with the options that are not undefined
   * @throws ValueError if `value` is not a plain object or cannot be read, if an option is unknown (the message
   *   suggests the nearest name), if a required option is missing, or if the value of an option is not acceptable. For
   *   a missing option and for a value that is not acceptable, the error has another class if the `Kind` of the option
   *   sets `error`
   */
  read(value: unknown, context?: string): OptionsOf<DeclaredOptions<D>>;
}

/** Declares an option that must be given. `aliases` are its names in other libraries. */
export function required<T>(kind: Kind<T>, ...aliases: string[]): Option<T, true> {
  return { ...kind, accepts: kind.accepts, required: true, aliases };
}

/** Declares an option that may be left out or be undefined. `aliases` are its names in other libraries. */
export function optional<T>(kind: Kind<T>, ...aliases: string[]): Option<T, false> {
  return { ...kind, accepts: kind.accepts, required: false, aliases };
}

const declared: DeclaredOptions<Declaration>[] = [];

/** Returns all results of `declareOptions`, in the order of the calls. Only tests use it. */
export function allDeclaredOptions(): readonly DeclaredOptions<Declaration>[] {
  return declared;
}

/** Declares the options of a function, which `of` names. The result reads and checks options objects. */
export function declareOptions<const D extends Declaration>(
  of: string,
  declaration: D,
): DeclaredOptions<D> {
  const mayBeLeftOut = Object.values(declaration).every(({ required }) => !required);
  const options: DeclaredOptions<D> = {
    of,
    declaration,
    read: (value, context = of) =>
      (value === undefined && mayBeLeftOut
        ? {}
        : readOptions(declaration, value, context)) as OptionsOf<DeclaredOptions<D>>,
  };
  declared.push(options);
  return options;
}

function readOptions(
  declaration: Declaration,
  value: unknown,
  context: string,
): Record<string, unknown> {
  const given = value === undefined ? {} : copied(declaration, value, context);
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(declaration, name)) throw unknownOption(declaration, name, context);
  }
  const read: Record<string, unknown> = {};
  for (const name of Object.keys(declaration)) {
    const option = declaration[name] as Option<unknown>;
    const one = Object.hasOwn(given, name) ? given[name] : undefined;
    if (one === undefined) {
      if (option.required) throw unacceptable(option, name, one, context);
    } else if (option.accepts(one)) {
      read[name] = one;
    } else {
      throw unacceptable(option, name, one, context);
    }
  }
  return read;
}

/**
 * Returns a copy of an options object. Each property is read once.
 * @throws ValueError if `value` is not a plain object or cannot be read
 */
function copied(
  declaration: Declaration,
  value: unknown,
  context: string,
): Readonly<Record<string, unknown>> {
  if (!isRecord(value)) {
    throw new ValueError(
      `${context}: expected an options object { ${Object.keys(declaration).join(', ')} }, but received ${describeValue(value)}`,
    );
  }
  return reading(`${context}: the options object`, value, () => ({ ...value }));
}

function unacceptable(kind: Kind<unknown>, name: string, value: unknown, context: string) {
  const Failure = kind.error ?? ValueError;
  return new Failure(
    `${context}: ${name} must be ${kind.expected}, but is ${describeValue(value)}`,
  );
}

function unknownOption(declaration: Declaration, name: string, context: string): ValueError {
  const names = Object.keys(declaration);
  const nearest = nearestName(name, declaration);
  const hint = nearest === undefined ? '' : `; did you mean '${nearest}'?`;
  const all = names.length > 1 ? ` Its options are ${names.join(', ')}.` : '';
  return new ValueError(`${context}: there is no option '${name}'${hint}${all}`);
}

/**
 * Returns the name of the option whose name or alias is most similar to `name`, which is misspelled; undefined if no
 * options are declared.
 */
function nearestName(name: string, declaration: Declaration): string | undefined {
  const wanted = name.toLowerCase().replace(/[^a-z0-9]/g, '');
  let nearest: string | undefined;
  let least = Infinity;
  for (const [candidate, { aliases }] of Object.entries(declaration)) {
    for (const spelling of [candidate, ...aliases]) {
      // Of a name and an alias that are equally similar, the name is nearer.
      const alias = spelling === candidate ? 0 : 0.5;
      const distance = editDistance(wanted, spelling.toLowerCase()) + alias;
      if (distance < least) [nearest, least] = [candidate, distance];
    }
  }
  return nearest;
}

/**
 * Returns the Levenshtein distance of two texts: the least number of letters to insert, delete or replace to get from
 * one text to the other. Only the first 64 letters of each are compared.
 */
function editDistance(a: string, b: string): number {
  const [from, to] = [a.slice(0, 64), b.slice(0, 64)];
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] as number) + Number(from[i - 1] !== to[j - 1]);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}
