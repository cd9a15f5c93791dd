/**
 * Options objects. Each is declared once. The declaration provides the TypeScript type, the documentation, the check
 * at run time and the suggestion for a misspelled name.
 *
 * ```ts
 * const sgdOptions = declareOptions('sgd', {
 *   // The step size. (Write this as a docstring: editors and the reference show it.)
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

/** A kind of value: a check, and a description for errors ("expected …"). */
export interface Kind<T> {
  /** For example 'a positive integer'. */
  readonly expected: string;
  /** Returns whether a value is acceptable. Must not throw for any value. */
  accepts(value: unknown): boolean;
  /** The class of the error; ValueError by default. */
  readonly error?: new (
    message: string,
  ) => ForebayError;
  /** Only for type inference; always absent at run time. */
  readonly type?: T;
}

/** One option of a declaration. */
export interface Option<T, Required extends boolean = boolean> extends Kind<T> {
  readonly required: Required;
  /** The names of this option in other libraries. Errors for such a name suggest this option. */
  readonly aliases: readonly string[];
}

/** The options of one function, by name. */
export type Declaration = Readonly<Record<string, Option<unknown>>>;

type TypeOf<O> = O extends Option<infer T> ? T : never;

/** The TypeScript type of a declared options object. */
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

/** A declared options object. */
export interface DeclaredOptions<D extends Declaration> {
  /** The function that takes it, as errors name it: 'sgd', 'new LSTM', 'Program.run'. Several are joined by ', '. */
  readonly of: string;
  /** The declaration, for tests and for declarations that include this one. */
  readonly declaration: D;
  /**
   * Checks an options object that a user passed. Each property is read once.
   * @param value the options object; undefined is the same as an empty object
   * @param context the beginning of error messages; `of` by default
   * @returns a new object with the options that are not undefined
   * @throws ValueError if `value` is not a plain object or cannot be read, if an option is unknown (the message suggests
   *   the nearest name), and if a required option is missing or a value is not acceptable. For the last two, the
   *   option's kind may name another class
   */
  read(value: unknown, context?: string): OptionsOf<DeclaredOptions<D>>;
}

/** An option that must be given. */
export function required<T>(kind: Kind<T>, ...aliases: string[]): Option<T, true> {
  return { ...kind, accepts: kind.accepts, required: true, aliases };
}

/** An option that may be left out, or be undefined. */
export function optional<T>(kind: Kind<T>, ...aliases: string[]): Option<T, false> {
  return { ...kind, accepts: kind.accepts, required: false, aliases };
}

const declared: DeclaredOptions<Declaration>[] = [];

/** All declared options objects, in the order of declaration. For tests. */
export function allDeclaredOptions(): readonly DeclaredOptions<Declaration>[] {
  return declared;
}

/** Declares the options of a function. */
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
  for (const [name, option] of Object.entries(declaration)) {
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

/** The properties of an options object, each read once. */
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

/** The declared name that was most likely meant by a misspelled one. */
function nearestName(name: string, declaration: Declaration): string | undefined {
  const wanted = name.toLowerCase().replace(/[^a-z0-9]/g, '');
  let nearest: string | undefined;
  let least = Infinity;
  for (const [candidate, { aliases }] of Object.entries(declaration)) {
    for (const spelling of [candidate, ...aliases]) {
      const distance = editDistance(wanted, spelling.toLowerCase());
      if (distance < least) [nearest, least] = [candidate, distance];
    }
  }
  return nearest;
}

/** The Levenshtein distance: the number of letters to insert, delete or replace. Only the first 64 letters count. */
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
