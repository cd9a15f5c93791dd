/** Finds the values of variables among others by name, for `restore`, `copy`, `assign` and `save`. */

import { describeValue } from '../arguments/describe.js';
import { checkedLater, flag } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { isRecord, reading } from '../arguments/read.js';
import { DTypeError, type ForebayError, FormatError, ShapeError, ValueError } from '../errors.js';
import type { Variable } from '../graph/leaf.js';
import type { DType } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import {
  dtypeOfGroup,
  type Group,
  groupsWith,
  isWeightMap,
  sameValue,
  type WeightMap,
} from './weights.js';

/**
 * Where the value of a variable is: a function of the relative path of the variable that returns the name of its value,
 * or a record of names by path. A variable keeps its value if the function returns undefined. A path that the record
 * lacks is the name itself.
 */
export type NameMap =
  | ((path: string, variable: Variable) => string | undefined)
  | Readonly<Record<string, string>>;

/** The option `map` of `restore`, `copy`, `assign` and `save`. */
export const mapOption = optional(
  checkedLater<NameMap | WeightMap>(
    'a function of a path, a record of names by path, or a map such as maps.pytorch(net)',
  ),
  'names',
  'rename',
);

export const transferring = {
  /**
   * The names of the values, if they differ from the paths of the variables: a function of the path, or a record of
   * names by path. Or a map that also knows layouts, such as `maps.pytorch(net)`.
   */
  map: mapOption,
  /**
   * Whether it is an error if a value is missing, or if there is a value that no variable takes; true by default. If it
   * is false, such variables and values are left out. Values of another shape or dtype are always errors.
   */
  strict: optional(flag),
};

export const transferOptions = declareOptions('copy, assign', transferring);

/** Options of `copy` and `assign`. */
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

/** Variables that take values, with the names of these values. */
export interface Move {
  readonly group: Group;
  /** For each tensor of the group, those of its names that have a value. There is at least one. */
  readonly found: readonly (readonly string[])[];
}

/** All variables that take values. */
export interface Matched extends LeftOut {
  readonly moves: readonly Move[];
  /** The variables that may be written. A group may have others, too. */
  readonly wanted: ReadonlySet<Variable>;
}

/**
 * Returns the groups of variables with the names of their values.
 * @throws ValueError if the map is invalid, or was made for other modules
 */
export function groupsFor(
  context: string,
  variables: ReadonlyMap<string, Variable>,
  map: unknown,
): Group[] {
  if (isWeightMap(map)) return groupsWith(context, map, new Set(variables.values()));
  const nameOf = namer(context, map, variables);
  return [...variables].flatMap(([path, variable]) => {
    const name = nameOf(path, variable);
    return name === undefined ? [] : [sameValue(variable, [name])];
  });
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
  const moves: Move[] = [];
  const missing: string[] = [];
  const shapes: string[] = [];
  const dtypes: string[] = [];
  const taken = new Set<string>();
  for (const group of groupsFor(context, wanted, map)) {
    const found = group.tensors.map(({ names }) => names.filter((name) => offered.has(name)));
    for (const { names } of [...group.tensors, ...group.extras]) {
      for (const name of names) taken.add(name);
    }
    group.tensors.forEach(({ names, shape }, index) => {
      if (found[index]?.length === 0) missing.push(names[0] as string);
      for (const name of found[index] as string[]) {
        const value = offered.get(name) as Offered;
        const [expected, came] = [formatShape(shape), formatShape(value.shape)];
        if (expected !== came) shapes.push(`'${name}' is ${came}, but ${takes(group, expected)}`);
        if (value.dtype !== dtypeOfGroup(group)) {
          dtypes.push(`'${name}' is ${value.description}, but ${are(group, dtypeOfGroup(group))}`);
        }
      }
    });
    // Some tensors of a group are not enough to know the values of its variables.
    if (found.every((names) => names.length > 0)) moves.push({ group, found });
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
    const remedies = [
      absent.length + surplus.length > 0 &&
        'give the option map if the names differ, or strict: false to leave out what is missing or unexpected',
      dtypes.length > 0 && fromFile && 'give the option dtype to convert elements',
    ].filter((remedy) => remedy !== false);
    const Kind = kindOf(absent.length + surplus.length, shapes.length, dtypes.length, fromFile);
    throw new Kind(
      [`${context}: the values do not fit the variables: ${parts.join('; ')}`, ...remedies].join(
        '; ',
      ),
    );
  }
  return { moves, missing, unexpected, wanted: new Set(wanted.values()) };
}

/**
 * Returns the new values of variables: tensors, or what has the value of one variable unchanged.
 * @param sourceOf returns what has the value of a name
 * @param tensorOf returns the tensor of it
 * @throws FormatError, or a ValueError if the values are not from a file, if two tensors that hold the value of one
 *   variable differ
 */
export function valuesOf<T>(
  context: string,
  { moves, wanted }: Matched,
  sourceOf: (name: string) => T,
  tensorOf: (source: T) => Tensor,
  fromFile = false,
): (readonly [Variable, T | Tensor])[] {
  return moves.flatMap(({ group: { variables, layout }, found }) => {
    const sources = found.map(([name, ...others]) => {
      const source = sourceOf(name as string);
      for (const other of others) {
        if (areEqual(tensorOf(source), tensorOf(sourceOf(other)))) continue;
        const Kind = fromFile ? FormatError : ValueError;
        throw new Kind(
          `${context}: '${name}' and '${other}' differ, but both are the value of ${variables.join(', ')}`,
        );
      }
      return source;
    });
    const values = layout === undefined ? sources : layout.read(sources.map(tensorOf));
    return variables.flatMap((variable, index) =>
      wanted.has(variable) ? [[variable, values[index] as T | Tensor] as const] : [],
    );
  });
}

function areEqual(a: Tensor, b: Tensor): boolean {
  return a.data.every((element, index) => Object.is(element, b.data[index]));
}

function takes({ variables, layout }: Group, shape: string): string {
  if (layout === undefined) return `${variables[0]} is ${shape}`;
  return `${variables.join(', ')} ${variables.length === 1 ? 'takes' : 'take'} ${shape}`;
}

function are({ variables }: Group, dtype: DType): string {
  return `${variables.join(', ')} ${variables.length === 1 ? 'is' : 'are'} ${dtype}`;
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
      `must be a function of a path, a record of names by path, or a map such as maps.pytorch(net), but is ${describeValue(map)}`,
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
