/** Finds the values of variables among others by name, for `restore`, `copy` and `assign`. */

import { describeValue } from '../arguments/describe.js';
import { checkedLater, flag } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { isRecord, reading } from '../arguments/read.js';
import { DTypeError, type ForebayError, FormatError, ShapeError, ValueError } from '../errors.js';
import type { Variable } from '../graph/leaf.js';
import type { DType } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';

/**
 * Where the value of a variable is: a function of the relative path of the variable that returns the name of its value,
 * or a record of names by path. A variable keeps its value if the function returns undefined. A path that the record
 * lacks is the name itself.
 */
export type NameMap =
  | ((path: string, variable: Variable) => string | undefined)
  | Readonly<Record<string, string>>;

export const transferOptions = declareOptions('restore, copy, assign', {
  /**
   * The names of the values, if they differ from the paths of the variables: a function of the path, or a record of
   * names by path.
   */
  map: optional(
    checkedLater<NameMap>('a function of a path, or a record of names by path'),
    'names',
    'rename',
  ),
  /**
   * Whether it is an error if a value is missing, or if there is a value that no variable takes; true by default. If it
   * is false, such variables and values are left out. Values of another shape or dtype are always errors.
   */
  strict: optional(flag),
});

/** Options of `restore`, `copy` and `assign`. */
export interface TransferOptions extends OptionsOf<typeof transferOptions> {}

/** What was left out, if the option `strict` is false. Otherwise both lists are empty. */
export interface LeftOut {
  /** The names that were not found. The variables that would take their values are unchanged. */
  readonly missing: readonly string[];
  /** The names of values that no variable takes. */
  readonly unexpected: readonly string[];
}

/** A value that a variable may take. */
export interface Offered {
  readonly shape: readonly number[];
  /** The dtype; undefined if the value cannot be read. */
  readonly dtype: DType | undefined;
  /** The type, for error messages. */
  readonly description: string;
}

/** The variables that take values, with the names of these values. */
export interface Matched extends LeftOut {
  readonly pairs: readonly (readonly [variable: Variable, name: string])[];
}

/**
 * Finds the value of each variable by name.
 * @param context the beginning of error messages: the function, or the file
 * @throws one error that lists all that is missing, unexpected or does not fit: a ShapeError or a DTypeError if it is
 *   only shapes or only dtypes, otherwise a FormatError if the values are from a file, and a ValueError if they are not;
 *   ValueError if an option is invalid
 */
export function matched(
  context: string,
  wanted: ReadonlyMap<string, Variable>,
  offered: ReadonlyMap<string, Offered>,
  { map, strict = true }: TransferOptions,
  fromFile = false,
): Matched {
  const nameOf = namer(context, map, wanted);
  const pairs: (readonly [Variable, string])[] = [];
  const missing: string[] = [];
  const shapes: string[] = [];
  const dtypes: string[] = [];
  const taken = new Set<string>();
  for (const [path, variable] of wanted) {
    const name = nameOf(path, variable);
    if (name === undefined) continue;
    taken.add(name);
    const value = offered.get(name);
    if (value === undefined) {
      missing.push(name);
      continue;
    }
    const [expected, came] = [formatShape(variable.shape), formatShape(value.shape)];
    if (expected !== came) shapes.push(`'${name}' is ${came}, but ${variable} is ${expected}`);
    if (value.dtype !== variable.dtype) {
      dtypes.push(`'${name}' is ${value.description}, but ${variable} is ${variable.dtype}`);
    }
    pairs.push([variable, name]);
  }
  const unexpected = [...offered.keys()].filter((name) => !taken.has(name));
  const absent = strict ? missing : [];
  const surplus = strict ? unexpected : [];
  if (absent.length + surplus.length + shapes.length + dtypes.length > 0) {
    const parts = [
      listed('missing', absent.map(quoted)),
      listed('unexpected', surplus.map(quoted)),
      listed('of another shape', shapes),
      listed('of another dtype', dtypes),
    ].filter((part) => part !== '');
    const remedy =
      absent.length + surplus.length > 0
        ? '; give the option map if the names differ, or strict: false to leave out what is missing or unexpected'
        : '';
    const Kind = kindOf(absent.length + surplus.length, shapes.length, dtypes.length, fromFile);
    throw new Kind(`${context}: the values do not fit the variables: ${parts.join('; ')}${remedy}`);
  }
  return { pairs, missing, unexpected };
}

const quoted = (name: string) => `'${name}'`;

/** The largest number of names of one sort in an error. A list of thousands of names would hide the rest. */
const mostListed = 50;

function listed(sort: string, entries: readonly string[]): string {
  if (entries.length === 0) return '';
  const more = entries.length > mostListed ? `, and ${entries.length - mostListed} more` : '';
  return `${sort}: ${entries.slice(0, mostListed).join(', ')}${more}`;
}

function kindOf(
  names: number,
  shapes: number,
  dtypes: number,
  fromFile: boolean,
): new (
  message: string,
) => ForebayError {
  if (names === 0 && dtypes === 0) return ShapeError;
  if (names === 0 && shapes === 0) return DTypeError;
  return fromFile ? FormatError : ValueError;
}

/** Returns the function that returns the name of the value of a variable. */
function namer(
  context: string,
  map: unknown,
  wanted: ReadonlyMap<string, Variable>,
): (path: string, variable: Variable) => string | undefined {
  if (map === undefined) return (path) => path;
  const refused = (what: string) => new ValueError(`${context}: the option map ${what}`);
  if (typeof map === 'function') {
    return (path, variable) => {
      const name: unknown = map(path, variable);
      if (name === undefined || typeof name === 'string') return name;
      throw refused(
        `must return a name or undefined, but returned ${describeValue(name)} for '${path}'`,
      );
    };
  }
  if (!isRecord(map)) {
    throw refused(
      `must be a function of a path, or a record of names by path, but is ${describeValue(map)}`,
    );
  }
  const names = new Map(reading(`${context}: map`, map, () => Object.entries(map)));
  for (const [path, name] of names) {
    if (!wanted.has(path)) throw refused(`has the path '${path}', but no variable has this path`);
    if (typeof name !== 'string') {
      throw refused(`must have names, but has ${describeValue(name)} for '${path}'`);
    }
  }
  return (path) => (names.get(path) as string | undefined) ?? path;
}
