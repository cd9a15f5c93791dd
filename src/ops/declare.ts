/** Makes ops: `declare` and `defineOp` make a function from the declaration of an op. */

import { describeValue } from '../arguments/describe.js';
import { callback, filledText, flag, wholeNumber } from '../arguments/kinds.js';
import { declareOptions, type Kind, optional, required } from '../arguments/options.js';
import { assertList, assertRecord, isList, isRecord, reading } from '../arguments/read.js';
import { GraphError, ShapeError, ValueError } from '../errors.js';
import { type Dim, dimension, type Shape } from '../graph/dimension.js';
import { lift } from '../graph/leaf.js';
import { loweringFields, severalKinds } from '../graph/lowering.js';
import { createNode, failFor, isNode, type Node } from '../graph/node.js';
import {
  declareOp,
  type Fail,
  type Local,
  type LocalContext,
  type OpDeclaration,
  type Operand,
  type SeveralDeclaration,
} from '../graph/op.js';
import { allResults } from '../graph/result.js';
import type { Result, Results } from '../graph/results.js';
import { mayFit, type Region } from '../graph/window.js';
import { assertDType, type DType } from '../tensor/dtype.js';
import { dimensionList, formatShape } from '../tensor/shape.js';
import { isTensor } from '../tensor/tensor.js';

/** A function that applies an op to operands, with the given attributes, and returns the node. */
export type Apply<A extends object> = (inputs: readonly Operand[], attributes: A) => Node;

/** Declares an op of forebay. Returns a function that applies the op; the op's public function calls it. */
export function declare<A extends object>(declaration: OpDeclaration<A>): Apply<A> {
  const op = declareOp(declaration);
  return (inputs, attributes) => {
    const checkDType = (operand: Node) => {
      const alike = inputs.map(() => operand);
      declaration.dtype(alike, attributes, failFor(op, [operand]));
    };
    return createNode(op, lift(op.name, inputs, checkDType), attributes);
  };
}

/** A function that applies an op with several results. It returns the nodes of the results, by key. */
export type ApplySeveral<A extends object, Key extends string> = (
  inputs: readonly Operand[],
  attributes: A,
) => Readonly<Record<Key, Node>>;

/** Declares an op of forebay that has several results. */
export function declareSeveral<A extends object, Key extends string>(
  declaration: SeveralDeclaration<A>,
): ApplySeveral<A, Key> {
  const op = declareOp(declaration);
  return (inputs, attributes) =>
    allResults(createNode(op, lift(op.name, inputs), attributes)) as Readonly<Record<Key, Node>>;
}

const isLowering = (value: unknown): boolean => {
  if (!isRecord(value)) return false;
  const { kind } = value;
  if (typeof kind !== 'string' || !Object.hasOwn(loweringFields, kind)) return false;
  const fields = Object.entries(loweringFields[kind as keyof typeof loweringFields]);
  return fields.every(([name, type]) => typeof value[name] === type);
};

const isArity = (value: unknown): boolean =>
  wholeNumber(0).accepts(isRecord(value) ? value.atLeast : value);

/**
 * Returns a function that returns the result of `accepts`; false if `accepts` throws because a field cannot be read.
 */
const safely = (accepts: (value: unknown) => boolean) => (value: unknown) => {
  try {
    return accepts(value);
  } catch {
    return false;
  }
};

type Rule = (...args: never[]) => unknown;
const list: Kind<readonly unknown[]> = { expected: 'a list', accepts: isList };

// The types and the documentation of these fields are in `OpDeclaration` and `SeveralDeclaration`.
const commonFields = {
  name: required(filledText),
  arity: required<unknown>({
    expected: 'a number of inputs, or { atLeast: number }',
    accepts: safely(isArity),
  }),
  broadcasts: optional(flag),
  interned: optional(flag),
  lowering: required<unknown>({
    expected: `one of the kinds ${Object.keys(loweringFields).join(', ')}, with the fields that this kind requires`,
    accepts: safely(isLowering),
    error: GraphError,
  }),
  gradient: required<unknown>({
    expected: 'a gradient rule, or notDifferentiable(reason)',
    accepts: safely(
      (value) =>
        typeof value === 'function' ||
        (isRecord(value) && typeof value.notDifferentiable === 'string'),
    ),
    error: GraphError,
  }),
  samples: optional(list),
  refused: optional(list),
  label: optional(callback<Rule>()),
} as const;
const opDeclaration = declareOptions('defineOp', {
  ...commonFields,
  local: optional(callback<Rule>()),
  dtype: required(callback<Rule>()),
  shape: required(callback<Rule>()),
});
const severalDeclaration = declareOptions('defineOp', {
  ...commonFields,
  results: required(callback<Rule>()),
});

/** Returns a shallow copy of attributes, each of which is read once. An instance of a class is returned itself. */
function copyOf<A extends object>(attributes: A, name: string): A {
  if (!isRecord(attributes)) return attributes;
  return reading(`[${name}] the attributes`, attributes, () => ({ ...attributes }));
}

/** Returns whether a declaration has several results: whether it has the field `results`. */
const hasResults = safely((value) => isRecord(value) && Object.hasOwn(value, 'results'));

/**
 * Declares an op that a user defines. The declaration has the same form as those of forebay's ops. Returns the function
 * of the op: it takes the operands, followed by the attributes if the op has any, and returns a node. If the declaration
 * has several `results`, the function returns a record with a node for each result, by key.
 * @throws GraphError if the name is taken, or if the gradient or the lowering is invalid; ValueError if another field
 *   of the declaration is missing, unknown or invalid
 */
export function defineOp<A extends object = object>(
  declaration: OpDeclaration<A>,
): (...operandsThenAttributes: readonly (Operand | A)[]) => Node;
export function defineOp<A extends object = object, Key extends string = string>(
  declaration: SeveralDeclaration<A>,
): (...operandsThenAttributes: readonly (Operand | A)[]) => Readonly<Record<Key, Node>>;
export function defineOp<A extends object = object>(
  declaration: OpDeclaration<A> | SeveralDeclaration<A>,
): (...operandsThenAttributes: readonly (Operand | A)[]) => Node | Readonly<Record<string, Node>> {
  return hasResults(declaration)
    ? severalOf(declaration as SeveralDeclaration<A>)
    : singleOf(declaration as OpDeclaration<A>);
}

/** A function of operands that are followed by attributes, if the op has any. */
type FunctionOf<A, R> = (...operandsThenAttributes: readonly (Operand | A)[]) => R;

/** Returns a function of operands that are followed by attributes, if the op has any. */
function applying<A extends object, R>(
  name: string,
  apply: (inputs: readonly Operand[], attributes: A) => R,
): FunctionOf<A, R> {
  const isAttributes = (value: unknown): value is A =>
    typeof value === 'object' && value !== null && !isNode(value) && !isTensor(value);
  return (...given) => {
    const last = given.at(-1);
    return isAttributes(last)
      ? apply(given.slice(0, -1) as Operand[], copyOf(last, name))
      : apply(given as Operand[], {} as A);
  };
}

// The results of rules that a user wrote are checked. The rules of forebay's own ops are trusted.

function severalOf<A extends object>(
  declaration: SeveralDeclaration<A>,
): FunctionOf<A, Readonly<Record<string, Node>>> {
  const read = severalDeclaration.read(declaration) as unknown as SeveralDeclaration<A>;
  const { kind } = read.lowering;
  if (!Object.hasOwn(severalKinds, kind)) {
    throw new GraphError(
      `defineOp: the lowering of an op with several results must be of kind ${Object.keys(severalKinds).join(' or ')}, but received ${describeValue(kind)}`,
    );
  }
  const apply = declareSeveral<A, string>({
    ...read,
    samples: read.samples ?? [],
    refused: read.refused ?? [],
    results: (inputs, attributes, fail) =>
      checkedResults(read.results(inputs, attributes, fail), fail),
  });
  return applying(read.name, apply);
}

const resultKey = /^[A-Za-z_][A-Za-z0-9_]*$/;

function checkedResults(results: unknown, fail: Fail): Results {
  const entries = isRecord(results)
    ? assertRecord(results as Readonly<Record<string, Result>>, `${fail.where} expected results,`)
    : [];
  if (entries.length === 0) {
    fail.value(
      `expected a record with at least one result, such as { values: { dtype, shape } }, but received ${describeValue(results)}`,
    );
  }
  return Object.fromEntries(
    entries.map(([key, result]) => {
      const where = `${fail.where} result '${key}':`;
      // JavaScript moves keys that are integers to the front of a record, and the order of the results has a meaning.
      if (!resultKey.test(key) || key === '__proto__') {
        fail.value(
          `expected keys that are names, such as values, but received ${describeValue(key)}`,
        );
      }
      const fields = isRecord(result) ? assertRecord(result, `${where} expected a result,`) : [];
      const { dtype, shape }: Partial<Result> = Object.fromEntries(fields);
      assertDType(dtype, where);
      const dims = dimensionList(shape as Shape, where).map((dim) => dimension(dim, where));
      return [key, { dtype: dtype as DType, shape: dims }];
    }),
  );
}

function singleOf<A extends object>(declaration: OpDeclaration<A>): FunctionOf<A, Node> {
  const read = opDeclaration.read(declaration) as unknown as OpDeclaration<A>;
  const apply = declare<A>({
    ...read,
    samples: read.samples ?? [],
    refused: read.refused ?? [],
    shape: (inputs, attributes, fail) => {
      const shape = read.shape(inputs, attributes, fail);
      return dimensionList(shape, fail.where).map((dim) => dimension(dim, fail.where));
    },
    dtype: (inputs, attributes, fail) => {
      const dtype = read.dtype(inputs, attributes, fail);
      assertDType(dtype, fail.where);
      return dtype;
    },
    ...(read.local && {
      local: (context: LocalContext<A>) => checkedLocal(read.local?.(context), context),
    }),
  } as OpDeclaration<A>);
  return applying(read.name, apply);
}

/**
 * Returns what the rule `local` of a user's op returns.
 * @throws ValueError if it is of another form; ShapeError if a region is not within its input
 */
function checkedLocal<A extends object>(
  local: Partial<Local<A>> | undefined,
  { node, inputs }: LocalContext<A>,
): Local<A> | undefined {
  if (local === undefined) return undefined;
  const expected = `${node}: expected its rule local to return { inputs, attributes }, with { start, shape } for each input,`;
  if (!isRecord(local) || !isRecord(local.attributes) || !isList(local.inputs)) {
    throw new ValueError(`${expected} but received ${describeValue(local)}`);
  }
  const regions = assertList(local.inputs as readonly Partial<Region>[], expected);
  if (regions.length !== inputs.length) {
    throw new ValueError(
      `${expected} but received ${regions.length} regions for ${inputs.length} inputs`,
    );
  }
  const read = regions.map((region, i): Region => {
    const where = `${node}: the region of input ${i} that its rule local returned:`;
    const list = (dims: Shape | undefined) =>
      dimensionList(dims as Shape, where).map((dim) => dimension(dim, where));
    const { shape: whole } = inputs[i] as Node;
    const [start, shape] = isRecord(region) ? [list(region.start), list(region.shape)] : [[], []];
    const fits =
      start.length === whole.length &&
      shape.length === whole.length &&
      whole.every((dim, axis) => mayFit(dim, start[axis] as Dim, shape[axis] as Dim, 1));
    if (fits) return { start, shape };
    throw new ShapeError(
      `${where} ${formatShape(shape)} at ${formatShape(start)} is not within ${formatShape(whole)}`,
    );
  });
  return { inputs: read, attributes: local.attributes };
}
