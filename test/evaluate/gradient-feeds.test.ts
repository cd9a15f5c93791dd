import { describe, expect, it } from 'vitest';
import {
  add,
  backward,
  evaluate,
  input,
  matmul,
  mul,
  parameter,
  ShapeError,
  sum,
  Tensor,
  tensor,
  ValueError,
  type Variable,
} from '../../src/index.js';
import { errorOf } from '../support.js';

// The gradient of sum(x W + b) with respect to b is the number of rows. It reads no input, but it depends on 'batch',
// which the feed of x binds.
function linear() {
  const x = input('x', ['batch', 2]);
  const weight = parameter('weight', tensor([[1], [2]]));
  const bias = parameter('bias', tensor([3]));
  const gradients = backward(sum(add(matmul(x, weight), bias)));
  return { x, weight, bias, gradients };
}

const feeds = {
  x: [
    [1, 2],
    [3, 4],
    [5, 6],
  ],
};

describe('a gradient accepts the feeds of the graph that it was derived from', () => {
  it('and takes the dimension names from an input that it does not read', () => {
    const { bias, gradients } = linear();
    expect(evaluate(gradients.of(bias), feeds).toArray()).toEqual([3]);
    expect(evaluate(gradients.of(bias), { x: [[1, 2]] }).toArray()).toEqual([1]);
  });

  it('even a feed that it does not read and that binds none of its names', () => {
    const x = input('x', [2]);
    const slope = parameter('slope', tensor([4, 5]));
    const gradients = backward(sum(mul(x, slope)));
    expect(evaluate(gradients.of(x), { x: [1, 2] }).toArray()).toEqual([4, 5]);
    expect(evaluate(gradients.of(x)).toArray()).toEqual([4, 5]);
  });

  it('and so does a node that is computed from a gradient', () => {
    const { bias, gradients } = linear();
    expect(evaluate(mul(gradients.of(bias), 2), feeds).toArray()).toEqual([6]);
  });

  it('and names the dimension that is not bound, if that input is not fed', () => {
    const { bias, gradients } = linear();
    const error = errorOf(() => evaluate(gradients.of(bias)));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toContain("dimension 'batch' is not bound");
  });

  it('but refuses a feed that no graph has, and one of the wrong shape', () => {
    const { bias, gradients } = linear();
    const unknown = errorOf(() => evaluate(gradients.of(bias), { ...feeds, y: [1] }));
    expect(unknown).toBeInstanceOf(ValueError);
    expect(unknown.message).toContain("feed 'y'");
    expect(errorOf(() => evaluate(gradients.of(bias), { x: [[1, 2, 3]] }))).toBeInstanceOf(
      ShapeError,
    );
  });
});

describe('the meaning of a gradient does not depend on graphs that are built later:', () => {
  /** Returns the gradient of sum(x) + sum(bias) with respect to bias. It reads no input, like that of sum(x + bias). */
  const biasGradient = (bias: Variable, rows: number, columns: number) => {
    const x = input('x', [rows, columns]);
    return backward(add(sum(x), sum(bias))).of(bias);
  };

  it('a graph over other inputs of the same names', () => {
    const bias = parameter('bias', tensor([[3, 4]]));
    const x = input('x', [1, 2]);
    const first = backward(sum(add(x, bias))).of(bias);
    const second = biasGradient(bias, 4, 2);
    expect(evaluate(first, { x: [[1, 2]] }).toArray()).toEqual([[1, 1]]);
    expect(evaluate(second, { x: Tensor.ones([4, 2]) }).toArray()).toEqual([[1, 1]]);
    expect(errorOf(() => evaluate(first, { x: Tensor.ones([4, 2]) }))).toBeInstanceOf(ShapeError);
  });

  it('a node of the user that is passed to backward as a gradient accepts no other feeds', () => {
    const x = input('x', [2]);
    const bias = parameter('bias', tensor([3, 4]));
    const seed = parameter('seed', tensor([4, 5]));
    const product = mul(seed, 2);
    const root = add(x, bias);
    for (const gradient of [seed, product]) {
      const gradients = backward([[root, gradient]]);
      const wanted = evaluate(gradient).toArray();
      expect(evaluate(gradients.of(bias), { x: [1, 2] }).toArray()).toEqual(wanted);
      expect(errorOf(() => evaluate(gradient, { x: [1, 2] })).message).toContain(
        "feed 'x' is not an input",
      );
    }
  });

  it('a gradient that is requested twice is the same node', () => {
    const bias = parameter('bias', tensor([3, 4]));
    const gradients = backward(add(sum(input('x', [2, 2])), sum(bias)));
    expect(gradients.of(bias)).toBe(gradients.of(bias));
  });

  it('a gradient of a gradient', () => {
    const w = parameter('w', tensor([2, 3]));
    const [x, y] = [input('x', [2]), input('x', [5])];
    const first = backward(sum(mul(mul(x, w), w))).of(w);
    const second = backward(add(sum(first), sum(y))).of(w);
    expect(evaluate(first, { x: [1, 1] }).toArray()).toEqual([4, 6]);
    expect(second.shape).toEqual([2]);
  });
});
