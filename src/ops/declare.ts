/** Makes ops: `declare` and `defineOp` make a function from the declaration of an op. */

import { callback, filledText, flag, wholeNumber } from '../arguments/kinds.js';
import { declareOptions, type Kind, optional, required } from '../arguments/options.js';
import { isList, isRecord, reading } from '../arguments/read.js';
import { GraphError } from '../errors.js';
import { dimension } from '../graph/dimension.js';
import { lift } from '../graph/leaf.js';
import { createNode, isNode, type Node } from '../graph/node.js';
import { declareOp, loweringFields, type OpDeclaration, type Operand } from '../graph/op.js';
import { assertDType } from '../tensor/dtype.js';
import { dimensionList } from '../tensor/shape.js';
import { isTensor } from '../tensor/tensor.js';

/** A function that applies an op to operands, with the given attributes, and returns the node. */
export type Apply<A extends object> = (inputs: readonly Operand[], attributes: A) => Node;

/** Declares an op of forebay. Returns a function that applies the op; the op's public function calls it. */
export function declare<A extends object>(declaration: OpDeclaration<A>): Apply<A> {
  const op = declareOp(declaration);
  return (inputs, attributes) => createNode(op, lift(op.name, inputs), attributes);
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

// The types and the documentation of these fields are in `OpDeclaration`.
const opDeclaration = declareOptions('defineOp', {
  name: required(filledText),
  arity: required<unknown>({
    expected: 'a number of inputs, or { atLeast: number }',
    accepts: safely(isArity),
  }),
  broadcasts: optional(flag),
  interned: optional(flag),
  dtype: required(callback<Rule>()),
  shape: required(callback<Rule>()),
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
});

/** Returns a shallow copy of attributes, each of which is read once. An instance of a class is returned itself. */
function copyOf<A extends object>(attributes: A, name: string): A {
  if (!isRecord(attributes)) return attributes;
  return reading(`[${name}] the attributes`, attributes, () => ({ ...attributes }));
}

/**
 * Declares an op that a user defines. The declaration has the same form as those of forebay's ops. Returns the function
 * of the op: it takes the operands, followed by the attributes if the op has any, and returns a node.
 * @throws GraphError if the name is taken, or if the gradient or the lowering is invalid; ValueError if another field
 *   of the declaration is missing, unknown or invalid
 */
export function defineOp<A extends object = object>(
  declaration: OpDeclaration<A>,
): (...operandsThenAttributes: readonly (Operand | A)[]) => Node {
  const read = opDeclaration.read(declaration) as unknown as OpDeclaration<A>;
  // The results of rules that a user wrote are checked. The rules of forebay's own ops are trusted.
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
  } as OpDeclaration<A>);
  const isAttributes = (value: unknown): value is A =>
    typeof value === 'object' && value !== null && !isNode(value) && !isTensor(value);
  return (...given) => {
    const last = given.at(-1);
    return isAttributes(last)
      ? apply(given.slice(0, -1) as Operand[], copyOf(last, read.name))
      : apply(given as Operand[], {} as A);
  };
}
