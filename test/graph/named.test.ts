// Tests named dimensions in the shapes of ops, and in runs with different sizes.
import { describe, expect, it } from 'vitest';
import {
  add,
  broadcastTo,
  concat,
  evaluate,
  input,
  matmul,
  mul,
  reshape,
  slice,
  sum,
  transpose,
} from '../../src/index.js';
import { errorOf } from '../support.js';

describe('named dimensions', () => {
  it('are computed by shape rules', () => {
    const x = input('x', ['batch', 6]);
    expect(concat([x, x, input('y', [1, 6])], 0).shape).toEqual(['2*batch + 1', 6]);
    expect(reshape(x, [-1]).shape).toEqual(['6*batch']);
    expect(reshape(x, [-1, 3, 2]).shape).toEqual(['batch', 3, 2]);
    expect(reshape(concat([x, x], 0), [2, -1]).shape).toEqual([2, '6*batch']);
    expect(matmul(x, transpose(x)).shape).toEqual(['batch', 'batch']);
    expect(slice(x, { axis: 0, start: 1, end: -1 }).shape).toEqual(['batch - 2', 6]);
    expect(sum(x, 1).shape).toEqual(['batch']);
  });

  it('with two names never match, even if a run binds both to the same size', () => {
    const [a, b] = [input('a', ['n']), input('b', ['m'])];
    const error = errorOf(() => add(a, b));
    expect(error.code).toBe('FOREBAY_SHAPE');
    expect(error.message).toBe(
      "[add] shapes do not broadcast: [n] and [m] (operands: [input 'a'], [input 'b'])",
    );
  });

  it('never broadcast, even if a run binds them to 1', () => {
    const x = input('x', ['n']);
    expect(() => mul(x, input('y', [3]))).toThrow(/do not broadcast/);
    expect(evaluate(mul(x, input('y', [1])), { x: [5], y: [2] }).toArray()).toEqual([10]);
    expect(evaluate(mul(x, input('y', [1])), { x: [5, 6], y: [2] }).toArray()).toEqual([10, 12]);
  });

  it('that do not divide without a remainder are refused when the node is built', () => {
    expect(() => reshape(input('x', ['batch', 3]), [2, -1])).toThrow(
      "[reshape] cannot infer -1: 3*batch elements do not divide by 2 (operands: [input 'x'])",
    );
    expect(() => reshape(input('x', ['batch', 3]), ['batch', 4])).toThrow(
      /the numbers of elements differ: 3\*batch and 4\*batch/,
    );
  });

  it('take a new size in each run, which a slice checks', () => {
    const x = input('x', ['n']);
    const tail = slice(x, { axis: 0, start: 1, end: 3 }).named('tail');
    expect(evaluate(tail, { x: [1, 2, 3, 4] }).toArray()).toEqual([2, 3]);
    expect(evaluate(tail, { x: [7, 8, 9] }).toArray()).toEqual([8, 9]);
    const error = errorOf(() => evaluate(tail, { x: [1, 2] }));
    expect(error.code).toBe('FOREBAY_SHAPE');
    expect(error.message).toBe("[slice 'tail'] 1 to 3 is not within axis 0 of [2]");
    const negative = slice(x, { axis: 0, start: -2 }).named('last two');
    expect(evaluate(negative, { x: [1, 2, 3] }).toArray()).toEqual([2, 3]);
    expect(errorOf(() => evaluate(negative, { x: [1] })).message).toMatch(/^\[slice 'last two'\]/);
  });

  it('that no input has cause an error that names them', () => {
    const stray = broadcastTo(1, ['steps']).named('stray');
    const error = errorOf(() => evaluate(add(stray, 1)));
    expect(error.code).toBe('FOREBAY_SHAPE');
    expect(error.message).toBe(
      "[broadcastTo 'stray'] dimension 'steps' is not bound: no input of this run has this dimension",
    );
  });
});
