/** Dtype and shape rules that several ops share. */

import { type Dim, type Shape, sameShape } from '../graph/dimension.js';
import { lift } from '../graph/leaf.js';
import { failFor, type Node } from '../graph/node.js';
import type { Fail, Operand } from '../graph/op.js';
import type { DType } from '../tensor/dtype.js';
import { isFloating } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';

/**
 * The dtype rule of ops whose inputs and result all have the same dtype. Returns that dtype.
 * @throws DTypeError if the dtypes differ
 */
export function sameDType(inputs: readonly Node[], _attributes: object, fail: Fail): DType {
  const { dtype } = inputs[0] as Node;
  for (let i = 1; i < inputs.length; i++) {
    const other = (inputs[i] as Node).dtype;
    if (other !== dtype) {
      fail.dtype(`operands have different dtypes: ${dtype} and ${other}; cast() one of them`);
    }
  }
  return dtype;
}

/**
 * The dtype rule of ops whose inputs and result all have the same dtype, float32 or float64. Returns that dtype.
 * @throws DTypeError if the dtypes differ or are neither float32 nor float64
 */
export function floatingDType(inputs: readonly Node[], attributes: object, fail: Fail): DType {
  const dtype = sameDType(inputs, attributes, fail);
  if (!isFloating(dtype)) {
    fail.dtype(`is defined for float32 and float64, but received ${dtype}; cast() it first`);
  }
  return dtype;
}

/**
 * The dtype rule of ops that order or add the elements of their first input. Returns the dtype of this input.
 * @throws DTypeError if it is bool or uint8
 */
export function numberDType([x]: readonly Node[], _attributes: object, fail: Fail): DType {
  const { dtype } = x as Node;
  if (!isFloating(dtype) && dtype !== 'int32') {
    fail.dtype(`is defined for float32, float64 and int32, but received ${dtype}; cast() it first`);
  }
  return dtype;
}

/** The dtype rule of ops whose result consists of int32 indices. The inputs are those of `numberDType`. */
export function indexDType(inputs: readonly Node[], attributes: object, fail: Fail): DType {
  numberDType(inputs, attributes, fail);
  return 'int32';
}

/**
 * The shape rule of ops whose inputs broadcast. Returns the shape to which they broadcast, by NumPy's rules. A
 * dimension is broadcast only if it is the number 1. A named dimension is not, because its length is known only in a
 * run.
 * @throws ShapeError if the shapes do not broadcast
 */
export function broadcastShape(inputs: readonly Node[], _attributes: object, fail: Fail): Shape {
  const first = (inputs[0] as Node).shape;
  let same = true;
  for (let i = 1; i < inputs.length; i++) same &&= sameShape((inputs[i] as Node).shape, first);
  if (same) return first;
  const shapes = inputs.map((input) => input.shape);
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let result: Dim = 1;
    for (const shape of shapes) {
      const dim = shape[axis - rank + shape.length] ?? 1;
      if (result === 1) result = dim;
      else if (dim !== 1 && dim !== result) {
        fail.shape(`shapes do not broadcast: ${shapes.map(formatShape).join(' and ')}`);
      }
    }
    return result;
  });
}

/**
 * Returns the operand of a function of other ops as a node.
 * @throws DTypeError if it is neither float32 nor float64; ValueError if it is not a Node, Tensor or number
 */
export function floating(name: string, x: Operand): Node {
  const [node] = lift(name, [x]) as [Node];
  floatingDType([node], {}, failFor({ name }, [node]));
  return node;
}
