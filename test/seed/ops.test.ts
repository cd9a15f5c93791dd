/**
 * Tests that forebay does not have faults of the seed, the Scala code of the blog post on which forebay is based. This
 * file tests three ops.
 */

import { describe, expect, it } from 'vitest';
import {
  backward,
  concat,
  constant,
  evaluate,
  exp,
  mul,
  parameter,
  sum,
  Tensor,
  type TypedArray,
  tanh,
} from '../../src/index.js';
import { randomTensor } from '../support.js';

describe('line 3: exp multiplies by the incoming gradient', () => {
  it('for a random cotangent', () => {
    const x = parameter('x', randomTensor([2, 3], 31));
    const cotangent = randomTensor([2, 3], 32);
    const gradient = evaluate(backward(exp(x), { gradient: constant(cotangent) }).of(x)).data;
    x.value.data.forEach((value, index) => {
      expect(gradient[index]).toBeCloseTo((cotangent.data[index] as number) * Math.exp(value), 12);
    });
  });

  it('within a chain', () => {
    const x = parameter('x', randomTensor([2, 3], 33));
    const gradient = evaluate(backward(sum(mul(-2.6, exp(mul(x, 1.3))))).of(x)).data;
    x.value.data.forEach((value, index) => {
      expect(gradient[index]).toBeCloseTo(-2.6 * 1.3 * Math.exp(1.3 * value), 12);
    });
  });
});

describe('line 4: tanh is never NaN for a number', () => {
  const values = [1000, -1000, 750, -90, 20, Infinity, -Infinity];
  const signs = values.map(Math.sign);
  const arrays: readonly [string, TypedArray][] = [
    ['float32', Float32Array.from(values)],
    ['float64', Float64Array.from(values)],
  ];

  it.each(arrays)('%s: 1 or -1 for large magnitudes, with gradient 0', (_dtype, data) => {
    const x = parameter('x', new Tensor(data));
    const y = tanh(x);
    expect(Array.from(evaluate(y).data)).toEqual(signs);
    const gradient = evaluate(backward(sum(y)).of(x)).data;
    expect(Array.from(gradient, Math.abs)).toEqual(values.map(() => 0));
  });
});

describe('line 5: concat gives each operand its own slice of the gradient', () => {
  it.each([0, 1, 2, -1])('on more than one row, along axis %i', (axis) => {
    const along = axis < 0 ? axis + 3 : axis;
    const sizes = [2, 1, 3];
    const shapeOf = (size: number) => [2, 3, 2].with(along, size);
    const parts = sizes.map((size, i) => parameter(`x${i}`, randomTensor(shapeOf(size), 51 + i)));
    const whole = shapeOf(6);
    const cotangent = randomTensor(whole, 54);
    const y = concat(parts, axis);
    const gradients = backward(y, { gradient: constant(cotangent) });

    // For every element, the gradient must be the cotangent at the position to which concat moved the element.
    const at = ({ data, shape }: Tensor, position: readonly number[]) =>
      data[position.reduce((offset, p, a) => offset * (shape[a] as number) + p, 0)];
    let start = 0;
    parts.forEach((part, i) => {
      const gradient = evaluate(gradients.of(part));
      expect(gradient.shape).toEqual(part.value.shape);
      const [a, b, c] = part.value.shape as [number, number, number];
      for (let element = 0; element < a * b * c; element++) {
        const own = [Math.floor(element / (b * c)), Math.floor(element / c) % b, element % c];
        const joined = own.with(along, (own[along] as number) + start);
        expect(at(gradient, own), `operand ${i} at [${own}]`).toBe(at(cotangent, joined));
      }
      start += sizes[i] as number;
    });
  });
});
