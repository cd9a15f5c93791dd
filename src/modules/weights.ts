/**
 * Weight maps: which tensors of another library hold the values of which variables, under which names and in which
 * layout. `maps.pytorch` makes them; `restore`, `copy`, `assign` and `save` use them.
 */

import { brand } from '../arguments/describe.js';
import { ValueError } from '../errors.js';
import type { Variable } from '../graph/leaf.js';
import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';

/** A tensor of the other library that holds values of variables. */
export interface MappedTensor {
  /** The names of the tensor. It has several if the module that holds it has several. */
  readonly names: readonly string[];
  readonly shape: readonly number[];
}

/** A tensor that the other library expects in a file, although it holds no value of a variable. */
export interface ExtraTensor {
  readonly names: readonly string[];
  /** What is written. If a file has the tensor, it is not read. */
  readonly value: Tensor;
  /** The type of its elements in files, which is not a dtype of forebay. */
  readonly elements: 'int64';
}

/** How values of variables become tensors of another library, and the reverse. */
export interface Layout {
  /** Returns the values of the variables of a group from its tensors. */
  read(tensors: readonly Tensor[]): Tensor[];
  /** Returns the tensors of a group from the values of its variables. */
  write(values: readonly Tensor[]): Tensor[];
}

/** Variables and the tensors that hold their values together. All of them have one dtype. */
export interface Group {
  readonly variables: readonly Variable[];
  readonly tensors: readonly MappedTensor[];
  readonly extras: readonly ExtraTensor[];
  /** Undefined if the group has one variable and one tensor, which are equal. */
  readonly layout: Layout | undefined;
}

let groupsOf: (map: WeightMap) => readonly Group[];
let leavesOut: (map: WeightMap, variable: Variable) => boolean;
let isOurs: (value: object) => boolean;

/**
 * The names and the layouts that the values of variables have in another library. Give it as the option `map` to
 * `restore`, `copy`, `assign` and `save`. `maps.pytorch` makes it.
 */
export class WeightMap {
  static {
    brand<WeightMap>(WeightMap, ({ names }) => `a WeightMap of ${names.length} tensors`);
    groupsOf = (map) => map.#groups;
    leavesOut = (map, variable) => map.#leftOut.has(variable);
    isOurs = (value) => #groups in value;
  }

  readonly #groups: readonly Group[];
  readonly #leftOut: ReadonlySet<Variable>;

  /**
   * @param leftOut variables that the map knows, but that no tensor holds
   * @internal
   */
  constructor(groups: readonly Group[], leftOut: ReadonlySet<Variable>) {
    this.#groups = groups;
    this.#leftOut = leftOut;
  }

  /** The names of the tensors that `save` writes with this map. */
  get names(): string[] {
    return this.#groups.flatMap(({ tensors, extras }) =>
      [...tensors, ...extras].flatMap(({ names }) => names),
    );
  }
}

/** Returns whether `value` is a weight map of this copy of forebay. Never throws. */
export function isWeightMap(value: unknown): value is WeightMap {
  return typeof value === 'object' && value !== null && isOurs(value);
}

/**
 * Returns the groups of a map that have some of the variables.
 * @throws ValueError if the map does not know one of the variables
 */
export function groupsWith(
  context: string,
  map: WeightMap,
  variables: ReadonlySet<Variable>,
): Group[] {
  const groups = groupsOf(map).filter((group) => group.variables.some((one) => variables.has(one)));
  const known = new Set(groups.flatMap((group) => group.variables));
  for (const variable of variables) {
    if (known.has(variable) || leavesOut(map, variable)) continue;
    throw new ValueError(
      `${context}: the option map was made for other modules: it has no ${variable}`,
    );
  }
  return groups;
}

/** Returns the group of one variable whose value has a name, and no other layout. */
export function sameValue(variable: Variable, names: readonly string[]): Group {
  const { shape } = variable.value;
  return { variables: [variable], tensors: [{ names, shape }], extras: [], layout: undefined };
}

/** Returns the dtype of the values of a group. */
export function dtypeOfGroup({ variables }: Group): DType {
  return (variables[0] as Variable).dtype;
}
