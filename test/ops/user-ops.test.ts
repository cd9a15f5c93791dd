import { describe, expect, it } from 'vitest';
import {
  argmax,
  backward,
  compile,
  DTypeError,
  defineOp,
  evaluate,
  GraphError,
  greater,
  input,
  maximum,
  minimum,
  type Node,
  type OpDeclaration,
  oneHot,
  parameter,
  relu,
  ShapeError,
  sqrt,
  sum,
  tensor,
  ValueError,
  where,
} from '../../src/index.js';
import { errorOf } from '../support.js';

/** Returns a valid declaration of an op, in which the properties of `change` are replaced. */
function declaration(name: string, change: object): OpDeclaration {
  return {
    name,
    arity: 1,
    dtype: ([x]) => (x as Node).dtype,
    shape: ([x]) => (x as Node).shape,
    lowering: { kind: 'map', kernel: 'neg' },
    gradient: { notDifferentiable: 'a test needs none' },
    samples: [],
    refused: [],
    ...change,
  };
}

describe('an op of the user', () => {
  const x = parameter('x', tensor([1, 2]));

  it('computes if its declaration is valid', () => {
    expect(evaluate(defineOp(declaration('minus', {}))(x)).toArray()).toEqual([-1, -2]);
  });

  it.each<[string, object, new (message: string) => Error, string]>([
    [
      'an alias of another size',
      { lowering: { kind: 'alias' }, shape: () => [5] },
      GraphError,
      'changes [2] to [5]',
    ],
    [
      'an unknown kind of lowering',
      { lowering: { kind: 'mapp' } },
      GraphError,
      'lowering must be one of the kinds map',
    ],
    ['an invalid shape', { shape: () => [-1] }, ShapeError, 'expected a dimension'],
    ['an unknown dtype', { dtype: () => 'float16' }, DTypeError, 'float16'],
    ['no gradient', { gradient: undefined }, GraphError, 'gradient must be a gradient rule'],
  ])('is refused for %s', (name, change, error, message) => {
    const found = errorOf(() => evaluate(defineOp(declaration(`wrong: ${name}`, change))(x)));
    expect(found).toBeInstanceOf(error);
    expect(found.message).toContain(message);
  });
});

describe('an op of the user that writes its inputs to windows', () => {
  const x = parameter('x', tensor([1, 2, 3]));
  const placing = (name: string, windows: unknown) =>
    defineOp(
      declaration(name, {
        shape: () => [2, 4],
        lowering: { kind: 'place', accumulate: true, windows: () => windows },
      }),
    );

  it('gives the windows a start, a step and a shape', () => {
    const y = placing('scattered', [{ start: [1, 3], step: [1, -1], shape: [1, 3] }])(x);
    const program = compile({ outputs: { y } });
    const expected = [
      [0, 0, 0, 0],
      [0, 3, 2, 1],
    ];
    expect(evaluate(y).toArray()).toEqual(expected);
    expect(program.run().y.toArray()).toEqual(expected);
    program.dispose();
  });

  it.each<[string, unknown, string]>([
    ['too few windows', [], 'has 0 windows for 1 inputs'],
    [
      'another number of elements',
      [{ start: [0, 0], shape: [2, 2] }],
      'cannot write an input of [3] to a window of [2, 2]',
    ],
    ['another rank', [{ start: [0], shape: [3] }], 'a window of [3] at [0] is not within [2, 4]'],
    [
      'a start that is too high',
      [{ start: [0, 2], shape: [1, 3] }],
      '2 to 5 is not within axis 1 of [2, 4]',
    ],
    [
      'a step that is too large',
      [{ start: [0, 0], step: [1, 2], shape: [1, 3] }],
      '0 to 4, in steps of 2, is not within axis 1',
    ],
    [
      'a step of 0',
      [{ start: [0, 0], step: [1, 0], shape: [1, 3] }],
      '0 to 0, in steps of 0, is not within axis 1',
    ],
  ])('is refused by both executors for %s', (name, windows, message) => {
    const y = placing(`windows: ${name}`, windows)(x);
    for (const run of [() => evaluate(y), () => compile({ outputs: { y } }).run()]) {
      const error = errorOf(run);
      expect(error).toBeInstanceOf(ShapeError);
      expect(error.message).toContain(message);
    }
  });
});

describe('an infinite gradient', () => {
  // The gradient of sqrt at 0 is infinite. The gradient of an operand that was not chosen is 0, not 0 * Infinity, which
  // would be NaN.
  it.each([
    ['maximum', (p: Node) => maximum(p, 0)],
    ['relu', (p: Node) => relu(p)],
  ])('of %s does not reach the operand that was not chosen', (_name, op) => {
    const p = parameter('p', tensor([-1, 4]));
    expect(evaluate(backward(sum(sqrt(op(p)))).of(p)).toArray()).toEqual([0, 0.25]);
  });

  it('of minimum does not reach the operand that was not chosen', () => {
    const p = parameter('p', tensor([1, -4]));
    const gradient = backward(sum(sqrt(minimum(p, 0)))).of(p);
    expect((evaluate(gradient).toArray() as number[])[0]).toBe(0);
  });
});

describe('plain numbers', () => {
  it('take the dtype of the condition of where if both operands are numbers', () => {
    const x64 = parameter('x', tensor([1, -1], { dtype: 'float64' }));
    const chosen = where(x64, 1, 0);
    expect(chosen.dtype).toBe('float64');
    expect(evaluate(chosen).toArray()).toEqual([1, 1]);
    expect(where(greater(x64, 0), 1, 0).dtype).toBe('float32');
  });

  it('that are not integers are refused beside an int32 operand', () => {
    const i = input('i', [2], { dtype: 'int32' });
    const error = errorOf(() => greater(i, 0.5));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toBe(
      "[greater] operand 1 must be a 32-bit integer, because the other operands are int32, but is 0.5; to use another number, cast() them (operands: [input 'i'])",
    );
  });

  it('are indices in oneHot', () => {
    expect(evaluate(oneHot(2, 3)).toArray()).toEqual([0, 0, 1]);
  });
});

describe('faults that depend on the data', () => {
  it('argmax over a named axis that is bound to 0 throws a ShapeError', () => {
    const x = input('x', ['n']);
    expect(errorOf(() => evaluate(argmax(x, 0), { x: [] }))).toBeInstanceOf(ShapeError);
  });
});
