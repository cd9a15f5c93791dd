// Tests that every invalid input causes a typed error that names the node, what was expected and what was received.
import { describe, expect, it } from 'vitest';
import {
  add,
  argmax,
  broadcastTo,
  concat,
  DTypeError,
  evaluate,
  type ForebayError,
  GraphError,
  input,
  matmul,
  mul,
  neg,
  parameter,
  randomNormal,
  reshape,
  ShapeError,
  slice,
  softmax,
  state,
  sum,
  tensor,
  transpose,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';

const x = input('x', ['batch', 3]);
const y = neg(x);
type Case = [string, () => unknown, new (m: string) => ForebayError, string];

describe('feeds', () => {
  const gone = tensor(new Float32Array(6), { shape: [2, 3] });
  structuredClone(gone.data, { transfer: [gone.data.buffer as ArrayBuffer] });
  const growing = new (ArrayBuffer as new (length: number, options: object) => ArrayBuffer)(24, {
    maxByteLength: 48,
  });
  const grown = tensor(new Float32Array(growing), { shape: [2, 3] });
  (growing as unknown as { resize(bytes: number): void }).resize(48);

  it.each<Case>([
    [
      'missing',
      () => evaluate(y),
      ValueError,
      "[input 'x'] was not fed: expected float32 [batch, 3] under the name 'x'",
    ],
    [
      'undefined',
      () => evaluate(y, { x: undefined as never }),
      ValueError,
      "[input 'x'] was not fed",
    ],
    [
      'unknown',
      () => evaluate(y, { x: [[1, 2, 3]], z: 1 }),
      ValueError,
      "feed 'z' is not an input of this graph (its inputs: 'x')",
    ],
    [
      'unknown to a graph without inputs',
      () => evaluate(parameter('w', 1), { w: 1 }),
      ValueError,
      "feed 'w' is not an input of this graph (its inputs: none)",
    ],
    [
      'null instead of a record',
      () => evaluate(y, null as never),
      ValueError,
      'feeds must be a record of tensors by name, but are null',
    ],
    [
      'of another rank',
      () => evaluate(y, { x: [1, 2, 3] }),
      ShapeError,
      "[input 'x'] expected float32 [batch, 3], but was fed [3]",
    ],
    [
      'of another size',
      () => evaluate(y, { x: [[1, 2]] }),
      ShapeError,
      "[input 'x'] expected float32 [batch, 3], but was fed [1, 2]",
    ],
    [
      'flat',
      () => evaluate(y, { x: new Float32Array(3) }),
      ShapeError,
      "[input 'x'] expected float32 [batch, 3], but was fed [3]",
    ],
    [
      'of another dtype',
      () => evaluate(y, { x: tensor(new Float64Array(3), { shape: [1, 3] }) }),
      DTypeError,
      "[input 'x'] expected float32 [batch, 3], but was fed float64 [1, 3]",
    ],
    [
      'ragged',
      () =>
        evaluate(y, {
          x: [
            [1, 2, 3],
            [4, 5],
          ],
        }),
      ShapeError,
      "[input 'x'] ragged nested arrays: element [1] must be an array of 3, but is an array of 2",
    ],
    [
      'of a string',
      () => evaluate(y, { x: 'abc' as never }),
      ValueError,
      '[input \'x\'] expected float32 [batch, 3], but was fed the string "abc"',
    ],
    [
      'of bytes',
      () => evaluate(y, { x: new Uint8Array(3) }),
      ShapeError,
      "[input 'x'] expected float32 [batch, 3], but was fed [3]",
    ],
    [
      'of 64-bit integers',
      () => evaluate(y, { x: new BigInt64Array(3) as never }),
      ValueError,
      "[input 'x'] expected float32 [batch, 3], but was fed an object of type BigInt64Array",
    ],
    [
      'with a string among numbers',
      () => evaluate(y, { x: [[1, 2, '3' as never]] }),
      ValueError,
      '[input \'x\'] element [0, 2] must be a number, but is the string "3"',
    ],
    [
      'with a fraction for an int32 input',
      () => evaluate(input('i', [1], { dtype: 'int32' }), { i: [0.5] }),
      ValueError,
      "[input 'i'] 0.5 is not a 32-bit integer",
    ],
    [
      'whose memory was transferred',
      () => evaluate(y, { x: gone }),
      ValueError,
      "[input 'x'] received a tensor of [2, 3] whose memory has been transferred away or resized: it holds 0 elements",
    ],
    ['whose memory has grown', () => evaluate(y, { x: grown }), ValueError, 'it holds 12 elements'],
  ])('%s', (_what, run, error, message) => {
    expect(errorOf(run)).toBeInstanceOf(error);
    expect(errorOf(run).message).toContain(message);
  });

  it('that bind one name to two numbers: the error names both inputs and both numbers', () => {
    const labels = input('labels', ['batch'], { dtype: 'float32' });
    const error = errorOf(() => evaluate([y, labels], { x: [[1, 2, 3]], labels: [1, 2] }));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toBe(
      "dimension 'batch' is bound to 1 by [input 'x'] and to 2 by [input 'labels']",
    );
    const square = errorOf(() => evaluate(input('m', ['n', 'n']), { m: [[1, 2]] }));
    expect(square.message).toBe(
      "dimension 'n' is bound to 1 by [input 'm'] and to 2 by [input 'm']",
    );
  });
});

describe('two leaves of the same name in one run are refused', () => {
  it.each<[string, () => unknown]>([
    ['two inputs', () => evaluate(add(input('a', []), input('a', [])), { a: 1 })],
    ['a parameter and a state', () => evaluate([parameter('a', 1), state('a', 1)])],
    ['an input and a parameter', () => evaluate(add(input('a', []), parameter('a', 1)), { a: 1 })],
    [
      'a leaf that is only updated',
      () => evaluate(parameter('a', 1), {}, { updates: [[state('a', 1), add(1, 1)]] }),
    ],
  ])('%s', (_what, run) => {
    expect(errorOf(run)).toBeInstanceOf(GraphError);
    expect(errorOf(run).message).toMatch(
      /^two leaves of one run are named 'a': \[\w+ 'a'\] and \[\w+ 'a'\]$/,
    );
  });

  it('but not the same leaf used twice, nor a node labelled with that name', () => {
    const a = parameter('a', 2);
    expect(evaluate([mul(a, a), neg(a).named('a')]).map((t) => t.item())).toEqual([4, -2]);
  });
});

describe('outputs and options that are not valid are refused', () => {
  it.each<Case>([
    [
      'nothing',
      () => evaluate(undefined as never),
      ValueError,
      'evaluate: expected a node, a list of nodes or a record of nodes, but received undefined',
    ],
    [
      'a number',
      () => evaluate([1 as never]),
      ValueError,
      'expected a node to evaluate, but received number 1',
    ],
    [
      'a record of tensors',
      () => evaluate({ a: tensor(1) as never }),
      ValueError,
      'expected a node to evaluate, but received a tensor of float32',
    ],
    [
      'a run that is not an integer',
      () => evaluate(y, { x: [[1, 2, 3]] }, { run: 0.5 }),
      ValueError,
      'run must be an integer from 0 to 2^53 - 1, but is number 0.5',
    ],
    ['a negative run', () => evaluate(y, { x: [[1, 2, 3]] }, { run: -1 }), ValueError, 'number -1'],
  ])('%s', (_what, run, error, message) => {
    expect(errorOf(run)).toBeInstanceOf(error);
    expect(errorOf(run).message).toContain(message);
  });
});

describe('ops refuse', () => {
  it.each<Case>([
    [
      'inner dimensions',
      () => matmul(x, input('w', [4, 2])),
      ShapeError,
      "[matmul] inner dimensions differ: [batch, 3] x [4, 2] (operands: [input 'x'], [input 'w'])",
    ],
    [
      'rank',
      () => matmul(x, input('w', [3])),
      ShapeError,
      '[matmul] both operands need at least 2 axes: [batch, 3] x [3]',
    ],
    [
      'axis',
      () => softmax(x, 2),
      ShapeError,
      '[softmax] axis 2 is out of range (allowed: -2 to 1)',
    ],
    [
      'axis of a scalar',
      () => sum(input('s', []), 0),
      ShapeError,
      '[sum] axis 0 is out of range (allowed: none, because this is a scalar)',
    ],
    [
      'axis that is not an integer',
      () => transpose(x, [0.5, 0]),
      ShapeError,
      '[transpose] axis 0.5 is out of range',
    ],
    [
      'axis that is a name',
      () => concat([x, x], 'batch' as never),
      ShapeError,
      '[concat] expected an axis (a number, as in (x, 1)), but received the string "batch"',
    ],
    [
      'dtype',
      () => add(x, input('d', [], { dtype: 'float64' })),
      DTypeError,
      '[add] operands have different dtypes: float32 and float64; cast() one of them',
    ],
    [
      'int32 arithmetic',
      () => sum(input('i', [3], { dtype: 'int32' })),
      DTypeError,
      '[sum] is defined for float32 and float64, but received int32; cast() it first',
    ],
    [
      'number of axes',
      () => reshape(x, new Array(33).fill(1)),
      ShapeError,
      '[reshape] expected at most 32 axes, but received 33',
    ],
    [
      'list of operands',
      () => concat(x as never, 0),
      ValueError,
      '[concat] expected a list of operands',
    ],
  ])('wrong %s', (_what, run, error, message) => {
    expect(errorOf(run)).toBeInstanceOf(error);
    expect(errorOf(run).message).toContain(message);
  });
});

describe('errors that depend on the binding are thrown by the run', () => {
  const v = input('v', ['n']);
  it.each<Case>([
    [
      'a slice beyond the end',
      () => evaluate(slice(v, { axis: 0, end: 4 }).named('head'), { v: [1, 2] }),
      ShapeError,
      "[slice 'head'] 0 to 4 is not within axis 0 of [2]",
    ],
    [
      'a negative size',
      () => evaluate(slice(v, { axis: 0, start: 3 }).named('tail'), { v: [1, 2] }),
      ShapeError,
      "[slice 'tail'] has shape [n - 3], which is [-1] in this run",
    ],
    [
      'the argmax of an empty axis',
      () => evaluate(argmax(v, 0).named('best'), { v: [] }),
      ShapeError,
      "[argmax 'best'] expected at least one element along each reduced axis, but received shape [0]",
    ],
    [
      'more memory than there is',
      () => evaluate(broadcastTo(v, [1e7, 1e7, 'n']).named('huge'), { v: [1] }),
      ValueError,
      "[broadcastTo 'huge'] cannot allocate 400000000000000 bytes for float32 [10000000, 10000000, 1]",
    ],
    [
      'more memory than can be counted',
      () => evaluate(randomNormal([2 ** 40, 2 ** 40]).named('huge')),
      ValueError,
      "[randomNormal 'huge'] a tensor of shape",
    ],
  ])('%s', (_what, run, error, message) => {
    expect(errorOf(run)).toBeInstanceOf(error);
    expect(errorOf(run).message).toContain(message);
  });
});

describe('an operand that is not valid is described in the error', () => {
  class Model {}
  it.each<[string, unknown, string]>([
    ['a function', function relax() {}, 'a function relax'],
    ['a function without a name', () => 1, 'a function (anonymous)'],
    ['a symbol', Symbol('x'), 'a symbol'],
    ['a bigint', 3n, 'bigint 3n'],
    ['an object of a class', new Model(), 'an object of type Model'],
    ['an object without a prototype', Object.create(null), 'an object of type Object'],
    ['undefined', undefined, 'undefined'],
  ])('%s', (_what, value, words) => {
    const error = errorOf(() => add(x, value as never));
    expect(error.message).toContain(words);
  });
});

describe('the error of a product whose inner sizes differ', () => {
  it('says which operands were transposed', () => {
    const [a, b] = [input('a', [2, 3]), input('b', [2, 3])];
    expect(errorOf(() => matmul(a, b, { transposeA: true, transposeB: true })).message).toContain(
      'inner dimensions differ: [2, 3] x [2, 3], left transposed, right transposed',
    );
    expect(errorOf(() => matmul(a, b)).message).toMatch(/differ: \[2, 3\] x \[2, 3\](?!,)/);
  });
});
