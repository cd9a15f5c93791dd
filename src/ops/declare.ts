/** How ops are made: from a declaration to a function over operands. */

import { describeValue } from '../arguments/describe.js';
import { GraphError } from '../errors.js';
import { dimension } from '../graph/dimension.js';
import { lift } from '../graph/leaf.js';
import { createNode, Node } from '../graph/node.js';
import { declareOp, type OpDeclaration, type Operand } from '../graph/op.js';
import { assertDType } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';

/** An op over a list of nodes and its attributes: what the op's public function calls. */
export type Apply<A extends object> = (inputs: readonly Operand[], attributes: A) => Node;

/** Declares an op whose public function has a signature of its own. */
export function declare<A extends object>(declaration: OpDeclaration<A>): Apply<A> {
  const op = declareOp(declaration);
  return (inputs, attributes) => createNode(op, lift(op.name, inputs), attributes);
}

/**
 * Declares an op of your own, by the same declaration as forebay's. Returns its function: the
 * operands, then the attributes where the op has any.
 * @throws GraphError when the name is taken
 */
export function defineOp<A extends object = object>(
  declaration: OpDeclaration<A>,
): (...operandsThenAttributes: readonly (Operand | A)[]) => Node {
  const { name, gradient } = declaration;
  if (typeof gradient !== 'function' && typeof gradient?.notDifferentiable !== 'string') {
    throw new GraphError(
      `defineOp '${name}': expected a gradient rule, or notDifferentiable(reason), but received ${describeValue(gradient)}`,
    );
  }
  // What a rule of ours gives is trusted; a dimension of a user's rule is brought into normal form.
  const apply = declare<A>({
    ...declaration,
    shape: (inputs, attributes, fail) =>
      declaration.shape(inputs, attributes, fail).map((dim) => dimension(dim, fail.where)),
    dtype: (inputs, attributes, fail) => {
      const dtype = declaration.dtype(inputs, attributes, fail);
      assertDType(dtype, fail.where);
      return dtype;
    },
  });
  const isAttributes = (value: unknown): value is A =>
    typeof value === 'object' && !(value instanceof Node) && !(value instanceof Tensor);
  return (...given) => {
    const last = given.at(-1);
    return isAttributes(last)
      ? apply(given.slice(0, -1) as Operand[], last)
      : apply(given as Operand[], {} as A);
  };
}
