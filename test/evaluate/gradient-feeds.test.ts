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
  tensor,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';

// d sum(x W + b) / db is the number of rows: it reads no input, but its 'batch' is bound by x.
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

describe('a gradient is fed as the graph that it comes from', () => {
  it('takes the dimension names from an input that it does not read', () => {
    const { bias, gradients } = linear();
    expect(evaluate(gradients.of(bias), feeds).toArray()).toEqual([3]);
    expect(evaluate(gradients.of(bias), { x: [[1, 2]] }).toArray()).toEqual([1]);
  });

  it('takes a feed that nothing reads and no name needs', () => {
    const x = input('x', [2]);
    const slope = parameter('slope', tensor([4, 5]));
    const gradients = backward(sum(mul(x, slope)));
    expect(evaluate(gradients.of(x), { x: [1, 2] }).toArray()).toEqual([4, 5]);
    expect(evaluate(gradients.of(x)).toArray()).toEqual([4, 5]);
  });

  it('serves what is computed from a gradient, too', () => {
    const { bias, gradients } = linear();
    expect(evaluate(mul(gradients.of(bias), 2), feeds).toArray()).toEqual([6]);
  });

  it('says which name is not bound when that input is not fed', () => {
    const { bias, gradients } = linear();
    const error = errorOf(() => evaluate(gradients.of(bias)));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toContain("dimension 'batch' is not bound");
  });

  it('still refuses a feed that no graph has, and one that does not fit', () => {
    const { bias, gradients } = linear();
    const unknown = errorOf(() => evaluate(gradients.of(bias), { ...feeds, y: [1] }));
    expect(unknown).toBeInstanceOf(ValueError);
    expect(unknown.message).toContain("feed 'y'");
    expect(errorOf(() => evaluate(gradients.of(bias), { x: [[1, 2, 3]] }))).toBeInstanceOf(
      ShapeError,
    );
  });
});
