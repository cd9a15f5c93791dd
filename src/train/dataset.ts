/** Checks the examples of a dataset against the inputs of a program. */

import { describeValue } from '../arguments/describe.js';
import { assertList, isList, reading } from '../arguments/read.js';
import type { Signature } from '../compile/signature.js';
import { DTypeError, GraphError, ShapeError, ValueError } from '../errors.js';
import { labelOf } from '../evaluate/bind.js';
import type { Dim } from '../graph/dimension.js';
import type { Input } from '../graph/leaf.js';
import type { DType } from '../tensor/dtype.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import {
  asTensor,
  isTensor,
  isTensorLike,
  type Tensor,
  type TensorLike,
} from '../tensor/tensor.js';
import { type BucketSizes, type Buckets, bucketsOf } from './buckets.js';
import { carriedIn, hintFor, listed, type ProgramNodes } from './carried-inputs.js';
import { batchName, type Column, intact, type PaddedColumn } from './columns.js';

/**
 * The examples for one input: a tensor with examples along axis 0, or a list with a tensor for each example. The tensors
 * of a list may differ in the sizes of named dimensions.
 */
export type DatasetColumn<D extends DType = DType> = TensorLike<D> | readonly TensorLike<D>[];

/** Examples by the names of the inputs that they feed. */
export type Dataset = Readonly<Record<string, DatasetColumn>>;

/**
 * The dataset of a program: examples for each input. An input with the name of an output may be left out, because it can
 * be carried from minibatch to minibatch.
 */
export type DatasetOf<T extends Signature> = string extends keyof T['inputs']
  ? Dataset
  : [keyof T['inputs']] extends [never]
    ? Readonly<Record<string, never>>
    : {
        readonly [N in Exclude<keyof T['inputs'], keyof T['outputs']>]: DatasetColumn<
          T['inputs'][N]['dtype']
        >;
      } & {
        readonly [N in keyof T['inputs'] & keyof T['outputs']]?: DatasetColumn<
          T['inputs'][N]['dtype']
        >;
      };

export interface Examples {
  readonly rows: number;
  readonly columns: readonly Column[];
  readonly buckets: Buckets;
  /** Whether there are dimensions in which examples may differ. */
  readonly ragged: boolean;
  /** Returns the sizes of the named dimensions of an example; without 'batch'. */
  sizesOf(example: number): ReadonlyMap<string, number>;
  /** For each named dimension, the largest size that an example has; without 'batch'. */
  readonly longest: ReadonlyMap<string, number>;
  /** The inputs that are carried from minibatch to minibatch, by name. The dataset does not have them. */
  readonly carried: ReadonlyMap<string, Input>;
}

export interface ExamplesOptions {
  readonly batchSize: number;
  /** The option `buckets`. */
  readonly buckets?: BucketSizes | undefined;
  /** Whether inputs with the names of outputs are carried, if the dataset does not have them; false by default. */
  readonly stateful?: boolean;
}

/**
 * Checks a dataset against the inputs of a program.
 * @throws ValueError if examples are missing, unknown or no tensors, if there are no rows, or if the options do not fit;
 *   GraphError if an input does not have exactly one 'batch' dimension; ShapeError or DTypeError if a tensor does not fit
 *   its input or, for a carried input, its output; ShapeError if two inputs have different numbers of rows, or different
 *   sizes of a named dimension of one example
 */
export function examplesOf(
  context: string,
  dataset: Dataset,
  program: ProgramNodes,
  { batchSize, buckets: given, stateful = false }: ExamplesOptions,
): Examples {
  const { inputs } = program;
  const values = columnsIn(context, dataset, inputs);
  const carried = stateful ? carriedIn(context, program, values) : new Map<string, Input>();
  const read = [...inputs].flatMap(([name, input]) => {
    const value = values.get(name);
    if (carried.has(name)) return [];
    return [readColumn({ context, name, input, value, hint: hintFor(name, program, stateful) })];
  });
  const [first] = read;
  if (!first) {
    throw new ValueError(
      `${context}: the program has no inputs, so there are no minibatches to feed`,
    );
  }
  const { rows } = first;
  for (const { name, input, rows: others } of read) {
    if (others === rows) continue;
    throw new ShapeError(
      `${context}: the dataset has ${rows} examples for ${labelOf(first.name, first.input)}, but ${others} for ${labelOf(name, input)}; all tensors need the same number`,
    );
  }
  if (rows === 0)
    throw new ValueError(`${context}: the dataset has no examples: every tensor has 0 rows`);
  const ragged = raggedSizes(read, rows);
  const fixed = fixedSizes(read, ragged);
  if (carried.size > 0) assertEqualSizes(context, ragged);
  if (carried.size > 0 && rows % batchSize !== 0) {
    throw new ValueError(
      `${context}: with stateful, every minibatch needs batchSize rows, but the dataset has ${rows} examples, which is no multiple of batchSize ${batchSize}`,
    );
  }
  const named = [...ragged].map(([name, { sizes }]) => [name, sizes] as const);
  const withSizes = (of: (sizes: Int32Array) => number) =>
    new Map([...fixed, ...named.map(([name, sizes]) => [name, of(sizes)] as const)]);
  return {
    rows,
    columns: read.map((column) => columnOf(column, ragged)),
    buckets: bucketsOf(context, rows, new Map(named), fixed, batchSize, given),
    ragged: ragged.size > 0,
    sizesOf: (example) => withSizes((sizes) => sizes[example] as number),
    longest: withSizes((sizes) => sizes.reduce((a, b) => Math.max(a, b), 0)),
    carried,
  };
}

function columnsIn(
  context: string,
  dataset: Dataset,
  inputs: ReadonlyMap<string, Input>,
): ReadonlyMap<string, DatasetColumn> {
  if (typeof dataset !== 'object' || dataset === null || isTensorLike(dataset)) {
    throw new ValueError(
      `${context}: expected a dataset, a record of tensors by the names of inputs, but received ${describeValue(dataset)}`,
    );
  }
  const given = new Map(
    reading(`${context}: the dataset:`, dataset, () => Object.entries(dataset)),
  );
  for (const name of given.keys()) {
    if (inputs.has(name)) continue;
    throw new ValueError(
      `${context}: dataset '${name}' is not an input of the program (its inputs: ${listed(inputs)})`,
    );
  }
  return given;
}

/** A column whose examples fit its input, but may differ from those of other columns. */
interface ReadColumn {
  readonly name: string;
  readonly input: Input;
  /** The beginning of errors. */
  readonly wanted: string;
  readonly rows: number;
  readonly axis: number;
  /** The dimensions of the input other than 'batch'. */
  readonly rest: readonly Dim[];
  /** All examples, or one tensor for each. */
  readonly tensor?: Tensor;
  readonly tensors?: readonly Tensor[];
}

function readColumn({
  context,
  name,
  input,
  value,
  hint,
}: {
  readonly context: string;
  readonly name: string;
  readonly input: Input;
  readonly value: DatasetColumn | undefined;
  readonly hint: string;
}): ReadColumn {
  const axis = input.shape.indexOf(batchName);
  const rest = input.shape.filter((dim) => dim !== batchName);
  const label = labelOf(name, input);
  const what = `${label} is ${input.dtype} ${formatShape(input.shape)}`;
  if (rest.length !== input.shape.length - 1) {
    throw new GraphError(
      `${context}: ${what}: expected exactly one dimension named '${batchName}', along which minibatches are taken`,
    );
  }
  const wanted = `${context}: ${what}: expected examples of ${input.dtype} ${formatShape(['rows', ...rest])}`;
  const column = { name, input, wanted, axis, rest };
  if (value === undefined) throw new ValueError(`${wanted}, but the dataset has none${hint}`);
  const list = exampleList(value, rest, wanted);
  if (list === undefined) {
    const tensor = fitting(
      value as TensorLike,
      input,
      ['rows', ...rest],
      wanted,
      `${context}: ${label}`,
    );
    return { ...column, rows: tensor.shape[0] as number, tensor };
  }
  const each = `${context}: ${what}: expected a list of examples of ${input.dtype} ${formatShape(rest)}`;
  const tensors = list.map((example, index) => {
    // Making the texts of errors would take most of the time.
    if (isTensor(example) && fits(example, input, rest) && isWhole(example)) return example;
    const at = `example ${index}`;
    return fitting(example, input, rest, each, `${context}: ${label}: ${at}`, `${at} is`);
  });
  return { ...column, wanted: each, rows: tensors.length, tensors };
}

/**
 * Returns the examples if a column is a list of them, and undefined if it is one tensor. Nested arrays of numbers are a
 * list of examples if these may differ in a named dimension.
 */
function exampleList(
  value: DatasetColumn,
  rest: readonly Dim[],
  wanted: string,
): readonly TensorLike[] | undefined {
  if (!isList(value)) return undefined;
  const list = assertList(value as readonly TensorLike[], `${wanted},`);
  const named = rest.some((dim) => typeof dim === 'string');
  return named || list.some(isTensor) ? list : undefined;
}

/** Returns a value as a tensor of the dtype of the input and of the given shape. */
function fitting(
  value: TensorLike,
  input: Input,
  shape: readonly Dim[],
  wanted: string,
  label: string,
  came = 'received',
): Tensor {
  if (!isTensorLike(value)) throw new ValueError(`${wanted}, but ${came} ${describeValue(value)}`);
  const tensor = asTensor(value, input.dtype, label);
  if (tensor.dtype !== input.dtype) {
    throw new DTypeError(`${wanted}, but ${came} ${tensor.dtype} ${formatShape(tensor.shape)}`);
  }
  if (!fits(tensor, input, shape)) {
    throw new ShapeError(`${wanted}, but ${came} ${formatShape(tensor.shape)}`);
  }
  return tensor;
}

/** Whether a tensor has the dtype of the input and the given shape. */
function fits(tensor: Tensor, { dtype }: Input, shape: readonly Dim[]): boolean {
  if (tensor.dtype !== dtype || tensor.shape.length !== shape.length) return false;
  return shape.every((dim, axis) => typeof dim === 'string' || dim === tensor.shape[axis]);
}

/** Whether the memory of a tensor was neither transferred away nor resized. */
function isWhole({ data, shape }: Tensor): boolean {
  return data.length === sizeOf(shape);
}

/** The sizes of the examples in a dimension of a list of examples, and the column that has them. */
interface Ragged {
  readonly sizes: Int32Array;
  readonly by: ReadColumn;
}

/**
 * Returns the sizes of the examples in the named dimensions of all lists of examples.
 * @throws ShapeError if two columns have different sizes for one example
 */
function raggedSizes(read: readonly ReadColumn[], rows: number): ReadonlyMap<string, Ragged> {
  const found = new Map<string, Ragged>();
  const ofList = ({ tensors }: ReadColumn) => tensors !== undefined;
  for (const column of [...read.filter(ofList), ...read.filter((one) => !ofList(one))]) {
    const { rest, tensor, tensors } = column;
    rest.forEach((dim, index) => {
      if (typeof dim === 'number') return;
      const sizeIn = (row: number) =>
        (tensors ? tensors[row]?.shape[index] : tensor?.shape[index + 1]) as number;
      const before = found.get(dim);
      if (before === undefined) {
        if (tensors)
          found.set(dim, {
            sizes: Int32Array.from({ length: rows }, (_, row) => sizeIn(row)),
            by: column,
          });
        return;
      }
      for (let row = 0; row < rows; row++) {
        if (sizeIn(row) === before.sizes[row]) continue;
        throw new ShapeError(
          `${column.wanted}: '${dim}' of example ${row} is ${sizeIn(row)} here, but ${before.sizes[row]} in ${labelOf(before.by.name, before.by.input)}`,
        );
      }
    });
  }
  return found;
}

/** @throws ValueError if examples differ in size, so that not every minibatch would have the same shape */
function assertEqualSizes(context: string, ragged: ReadonlyMap<string, Ragged>): void {
  for (const [name, { sizes, by }] of ragged) {
    const other = sizes.findIndex((size) => size !== sizes[0]);
    if (other < 0) continue;
    throw new ValueError(
      `${context}: with stateful, a row of a minibatch continues in the next one, so all examples need the same size, but '${name}' is ${sizes[0]} in example 0 and ${sizes[other]} in example ${other} for ${labelOf(by.name, by.input)}`,
    );
  }
}

/**
 * Returns the sizes of the named dimensions that no list of examples has.
 * @throws ShapeError if two columns have different sizes
 */
function fixedSizes(
  read: readonly ReadColumn[],
  ragged: ReadonlyMap<string, unknown>,
): ReadonlyMap<string, number> {
  const bindings = new Map<string, number>();
  for (const { rest, tensor, wanted } of read) {
    rest.forEach((dim, index) => {
      if (typeof dim === 'number' || ragged.has(dim)) return;
      const length = tensor?.shape[index + 1] as number;
      const before = bindings.get(dim) ?? length;
      if (before !== length) {
        throw new ShapeError(
          `${wanted}: '${dim}' is ${length} here, but ${before} in another tensor`,
        );
      }
      bindings.set(dim, length);
    });
  }
  return bindings;
}

/** Returns a column for minibatches. It is padded if one of its dimensions differs between examples. */
function columnOf(column: ReadColumn, ragged: ReadonlyMap<string, unknown>): Column {
  const { name, input, rows, axis, rest, tensor, tensors } = column;
  if (tensor && !rest.some((dim) => typeof dim === 'string' && ragged.has(dim))) {
    const shape = tensor.shape.slice(1);
    const [outer, inner] = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis))];
    return { name, input, rows, tensor, outer, inner };
  }
  const example: PaddedColumn['example'] = (index) => {
    if (tensors) return intact({ name, input }, tensors[index] as Tensor);
    const { data, shape: all } = intact({ name, input }, tensor as Tensor);
    const shape = all.slice(1);
    const size = sizeOf(shape);
    return { data: data.subarray(index * size, (index + 1) * size), shape };
  };
  return { name, input, rows, axis, rest, example };
}
