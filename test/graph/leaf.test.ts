import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  add,
  constant,
  DTypeError,
  evaluate,
  type ForebayError,
  initializers,
  input,
  matmul,
  mul,
  parameter,
  ShapeError,
  sigmoid,
  state,
  Tensor,
  tensor,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';

const zeros = initializers.zeros();
/** Returns a tensor whose ArrayBuffer has been transferred, so that its data is detached. */
function transferred(): Tensor {
  const data = Float32Array.of(1, 2);
  const made = tensor(data);
  structuredClone(data, { transfer: [data.buffer] });
  return made;
}

describe('leaves', () => {
  it('copy their value into memory that cannot be detached', () => {
    const data = Float64Array.of(1, 2);
    for (const leaf of [
      parameter('w', tensor(data)),
      state('s', tensor(data)),
      constant(tensor(data)),
    ]) {
      expect(leaf.value.data).not.toBe(data);
      expect(leaf.value.data.buffer).toBeInstanceOf(SharedArrayBuffer);
      expect(leaf.value).toEqual(tensor(Float64Array.of(1, 2)));
    }
  });

  it('have a live value: the next run reads what was written to it', () => {
    const w = parameter('w', [1, 2]);
    const doubled = mul(w, 2);
    w.value.data[1] = 5;
    expect(evaluate(doubled).toArray()).toEqual([2, 10]);
    w.set([3, 4]);
    expect(w.value.toArray()).toEqual([3, 4]);
    expect(evaluate(doubled).toArray()).toEqual([6, 8]);
  });

  it('set() accepts any value of the right shape and dtype', () => {
    const w = parameter('w', [[1, 2, 3]]);
    w.set(tensor([[4, 5, 6]]));
    w.set(Float32Array.of(7, 8, 9));
    expect(w.value.toArray()).toEqual([[7, 8, 9]]);
    const s = state('s', 0, { dtype: 'float64' });
    s.set(0.1);
    expect(s.value.item()).toBe(0.1);
  });

  const w = parameter('w', [1, 2]);
  it.each<[string, () => unknown, new (m: string) => ForebayError, string]>([
    [
      'set to another shape',
      () => w.set([1, 2, 3]),
      ShapeError,
      "[parameter 'w'] set: expected shape [2], but received [3]",
    ],
    [
      'set to another rank',
      () => w.set([[1, 2]]),
      ShapeError,
      "[parameter 'w'] set: expected shape [2], but received [1, 2]",
    ],
    [
      'set to a longer array',
      () => w.set(new Float32Array(3)),
      ShapeError,
      "[parameter 'w'] set: expected shape [2], but received [3]",
    ],
    [
      'set to another dtype',
      () => w.set(new Float64Array(2)),
      DTypeError,
      "[parameter 'w'] set: expected float32, but received float64",
    ],
    [
      'set to ragged arrays',
      () => w.set([1, [2]]),
      ShapeError,
      "[parameter 'w'] set: ragged nested arrays: element [1] must be a number, but is an array of 1",
    ],
    [
      'set to nothing',
      () => w.set(undefined as never),
      ValueError,
      "[parameter 'w'] set: expected a tensor, a number or nested arrays of numbers, but received undefined",
    ],
    [
      'set to transferred memory',
      () => w.set(transferred()),
      ValueError,
      "[parameter 'w'] set: received a tensor of [2] whose memory has been transferred away or resized: it holds 0 elements",
    ],
    [
      'a parameter of transferred memory',
      () => parameter('p', transferred()),
      ValueError,
      "parameter 'p': received a tensor of [2] whose memory",
    ],
    [
      'a parameter of ragged arrays',
      () => parameter('p', [[1], []]),
      ShapeError,
      "parameter 'p': ragged nested arrays: element [1] must be an array of 1, but is an array of 0",
    ],
    [
      'a parameter without a name',
      () => parameter('', 1),
      ValueError,
      'parameter: expected a name, but received the string ""',
    ],
    [
      'a parameter without a value',
      () => parameter('p', undefined as never),
      ValueError,
      "parameter 'p': expected a tensor",
    ],
    [
      'an initialiser of another shape',
      () => parameter('p', { shape: [2], init: () => Tensor.zeros([3]) }),
      ValueError,
      "parameter 'p': the initialiser must return float32 [2], but returned float32 [3]",
    ],
    [
      'an initialiser of another dtype',
      () => parameter('p', { shape: [2], dtype: 'float64', init: () => Tensor.zeros([2]) }),
      ValueError,
      'must return float64 [2], but returned float32 [2]',
    ],
    [
      'no initialiser',
      () => parameter('p', { shape: [2] } as never),
      ValueError,
      "parameter 'p': init must be an initialiser, a function such as initializers.he(), but is undefined",
    ],
    [
      'a named dimension in a parameter',
      () => parameter('p', { shape: ['batch' as never], init: zeros }),
      ShapeError,
      "parameter 'p': expected dimensions that are non-negative integers",
    ],
    [
      'a fractional seed',
      () => parameter('p', { shape: [2], init: zeros, seed: 0.5 }),
      ValueError,
      "parameter 'p': seed must be an integer from 0 to 2^53 - 1",
    ],
    [
      'an unknown dtype',
      () => input('x', [2], { dtype: 'half' as never }),
      DTypeError,
      "input 'x': dtype must be one of 'float32', 'float64', 'int32'",
    ],
    [
      'no shape',
      () => input('x', undefined as never),
      ShapeError,
      "input 'x': expected a shape (a list of dimensions), but received undefined",
    ],
    ['a negative dimension', () => input('x', [-1]), ShapeError, "input 'x': expected a dimension"],
    [
      'an expression as a dimension',
      () => input('x', ['2*batch']),
      ShapeError,
      "input 'x': expected a dimension that is a number, or a name of letters, digits and _, but received '2*batch'",
    ],
    [
      'an input without a name',
      () => input(7 as never, []),
      ValueError,
      'input: expected a name, but received number 7',
    ],
    [
      'a constant that would be converted',
      () => constant(tensor([1]), { dtype: 'float64' }),
      DTypeError,
      'constant: the value is float32, but the option dtype is float64; leave the option out, or convert the value first',
    ],
    [
      'a state that would be converted',
      () => state('s', Float64Array.of(1), { dtype: 'float32' }),
      DTypeError,
      "state 's': the value is float64, but the option dtype is float32; leave the option out, or convert the value first",
    ],
    [
      'an empty label',
      () => sigmoid(1).named(''),
      ValueError,
      'named: expected a non-empty string',
    ],
  ])('refuse %s', (_what, run, error, message) => {
    const thrown = errorOf(run);
    expect(thrown).toBeInstanceOf(error);
    expect(thrown.message).toContain(message);
    expect(w.value.toArray()).toEqual([1, 2]);
  });

  it('number operands take the dtype of the other operands; a tensor keeps its own', () => {
    const x = input('x', [2], { dtype: 'float64' });
    expect(add(0.1, x).dtype).toBe('float64');
    expect(evaluate(add(0.1, x), { x: [0, 1] }).toArray()).toEqual([0.1, 1.1]);
    const error = errorOf(() => add(x, tensor([1, 2])));
    expect(error).toBeInstanceOf(DTypeError);
    expect(error.message).toBe(
      "[add] operands have different dtypes: float64 and float32; cast() one of them (operands: [input 'x'])",
    );
  });

  it('refuse operands that are not a node, a tensor or a number, with their index', () => {
    for (const operand of ['1', null, undefined, [1], {}, 1n]) {
      const error = errorOf(() => add(input('x', [2]), operand as never));
      expect(error).toBeInstanceOf(ValueError);
      expect(error.message).toMatch(/^\[add\] expected a node, a tensor or a number as operand 1/);
    }
  });
});

describe('named', () => {
  it('labels a node for errors and prints, and returns it', () => {
    const node = matmul(input('x', ['batch', 3]), input('w', [3, 2]));
    expect(node.named('scores')).toBe(node);
    expect(`${node}`).toBe("[matmul 'scores']");
    expect(inspect(node)).toBe("[matmul 'scores'] float32 [batch, 2]");
    expect(errorOf(() => add(node, tensor([1, 2, 3]))).message).toContain("[matmul 'scores']");
  });

  it('an error names the op, the shapes and the operands', () => {
    expect(
      errorOf(() => matmul(input('x', ['batch', 784]), parameter('w', Tensor.zeros([50, 10]))))
        .message,
    ).toBe(
      "[matmul] inner dimensions differ: [batch, 784] x [50, 10] (operands: [input 'x'], [parameter 'w'])",
    );
  });
});
