// Tests checkGradients itself: it must fail if a gradient is slightly wrong.
import { describe, expect, it } from 'vitest';
import {
  abs,
  add,
  backward,
  checkGradients,
  constant,
  DTypeError,
  defineOp,
  div,
  GraphError,
  input,
  mul,
  NumericError,
  type Operand,
  parameter,
  pow,
  ShapeError,
  sqrt,
  square,
  sum,
  tanh,
  tensor,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';

let count = 0;
/** Defines an op that computes x * x. Its gradient is wrong by the factor `off`, or is computed by `rule`. */
function squareOff(off: number, rule = (g: Operand, x: Operand) => mul(g, mul(2 * off, x))) {
  return defineOp({
    name: `test.square${count++}`,
    arity: 1,
    dtype: ([x]) => x?.dtype ?? 'float32',
    shape: ([x]) => x?.shape ?? [],
    lowering: { kind: 'map', kernel: 'square' },
    gradient: ({ inputs: [x], gradient }) => [rule(gradient, x as Operand)],
    samples: [],
    refused: [],
  });
}
const leaf = (shape: readonly number[] = [2, 3], seed = 1) =>
  parameter('w', randomTensor(shape, seed, 0.5, 2));

describe('checkGradients', () => {
  it('accepts the correct gradient of a user-defined op', () => {
    const w = leaf();
    checkGradients(squareOff(1)(w), [w]);
  });

  it.each([1.0005, 0.9995, 1.00001, 0, -1])(
    'fails a gradient that is off by a factor of %d',
    (off) => {
      const w = leaf();
      const error = errorOf(() => checkGradients(squareOff(off)(w).named('wrong'), [w]));
      expect(error).toBeInstanceOf(NumericError);
      expect(error.message).toMatch(
        /^checkGradients: the gradient of \[test\.square\d+ 'wrong'\] with respect to element \[0, 0\] of \[parameter 'w'\] is -?[\d.e-]+, but finite differences give -?[\d.e-]+$/,
      );
    },
  );

  it('names the leaf and the element that are wrong, and no other', () => {
    const [v, w] = [parameter('v', randomTensor([2], 3)), leaf([2, 3, 2])];
    const right = new Float64Array(12).fill(2);
    right[7] = 2.001;
    const mask = constant(tensor(right, { shape: [2, 3, 2] }));
    const op = squareOff(1, (g, x) => mul(g, mul(mask, x)));
    const root = add(sum(square(v)), sum(op(w)));
    const error = errorOf(() => checkGradients(root, [v, w]));
    expect(error.message).toMatch(/element \[1, 0, 1\] of \[parameter 'w'\]/);
    checkGradients(root, [v]);
  });

  it('fails for an error that a cotangent of ones would hide', () => {
    // This rule replaces every element of the gradient that it receives by the mean of all elements. The result is
    // correct only if all elements are equal.
    const op = squareOff(1, (g, x) => mul(div(sum(g), 6), mul(2, x)));
    const w = leaf();
    expect(() => checkGradients(op(w), [w])).toThrow(NumericError);
  });

  it('refuses an empty list of leaves', () => {
    const x = parameter('x', tensor([1], { dtype: 'float64' }));
    expect(() => checkGradients(sum(square(x)), [])).toThrow(
      'expected at least one leaf, but received an empty list',
    );
  });

  it('fails a gradient that is NaN or infinite, or zero where it should not be', () => {
    const w = leaf();
    for (const wrong of [NaN, Infinity, -Infinity, 0]) {
      const op = squareOff(1, (g) => mul(mul(g, 0), wrong === 0 ? 1 : wrong));
      expect(() => checkGradients(op(w), [w]), `${wrong}`).toThrow(NumericError);
      const added = squareOff(1, (g, x) =>
        wrong === 0 ? mul(g, 0) : add(mul(g, mul(2, x)), wrong),
      );
      expect(() => checkGradients(added(w), [w]), `+ ${wrong}`).toThrow(NumericError);
    }
  });

  it('fails if the function is NaN next to the point', () => {
    const w = parameter('w', tensor([0, 1], { dtype: 'float64' }));
    expect(() => checkGradients(sqrt(w), [w])).toThrow(NumericError);
    expect(() => checkGradients(pow(w, 0.5), [w])).toThrow(NumericError);
  });

  it('fails an error in a small gradient next to large ones', () => {
    const w = parameter('w', tensor([100, 0.5], { dtype: 'float64' }));
    const mask = constant(tensor([2, 2.002], { dtype: 'float64' }));
    const op = squareOff(1, (g, x) => mul(g, mul(mask, x)));
    expect(() => checkGradients(op(w), [w])).toThrow(/element \[1\]/);
  });

  it('restores the leaves after success, after failure, and after an error during the differences', () => {
    const w = leaf();
    const before = w.value.data.slice();
    checkGradients(square(w), [w]);
    expect(w.value.data).toEqual(before);
    expect(() => checkGradients(squareOff(1.1)(w), [w])).toThrow(NumericError);
    expect(w.value.data).toEqual(before);
    let calls = 0;
    const feeds = {
      // From the fifth evaluation on, this feed is missing.
      get x() {
        return calls++ < 4 ? 1 : (undefined as never);
      },
    };
    const root = mul(square(w), input('x', [], { dtype: 'float64' }));
    expect(() => checkGradients(root, [w], { feeds })).toThrow(/was not fed/);
    expect(calls).toBeGreaterThan(4);
    expect(w.value.data).toEqual(before);
  });

  it('needs float64, and leaves that are parameters or states', () => {
    const single = parameter('single', [1, 2]);
    expect(errorOf(() => checkGradients(square(single), [single]))).toBeInstanceOf(DTypeError);
    const x = input('x', [], { dtype: 'float64' });
    const error = errorOf(() => checkGradients(square(x), [x as never], { feeds: { x: 1 } }));
    expect(error).toBeInstanceOf(GraphError);
    expect(error.message).toMatch(/\[input 'x'\] is neither a parameter nor a state/);
    const w = leaf();
    expect(errorOf(() => checkGradients(square(w), [leaf([2])]))).toBeInstanceOf(GraphError);
  });

  it('accepts a root of any shape, feeds, and leaves without elements', () => {
    const w = leaf([3]);
    const x = input('x', ['batch', 3], { dtype: 'float64' });
    checkGradients(tanh(mul(x, w)), [w], { feeds: { x: randomTensor([4, 3], 2) } });
    const empty = parameter('empty', randomTensor([0, 3], 1));
    checkGradients(add(sum(square(empty)), sum(w)), [empty, w]);
    expect(
      errorOf(() => checkGradients(tanh(mul(x, w)), [w], { feeds: { x: [[1]] } })),
    ).toBeInstanceOf(ShapeError);
  });

  it('fails at a kink, where the one-sided derivatives differ', () => {
    const w = parameter('w', tensor([0.5, 2e-6], { dtype: 'float64' }));
    expect(() => checkGradients(abs(w), [w])).toThrow(/element \[1\]/);
    expect(backward(sum(abs(w))).reaches(w)).toBe(true);
  });
});
