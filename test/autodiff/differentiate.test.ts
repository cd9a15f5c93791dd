// Tests `differentiate`, with which a gradient rule differentiates a graph that computes the result of its op.
import { describe, expect, it } from 'vitest';
import {
  add,
  backward,
  checkGradients,
  defineOp,
  evaluate,
  ForebayError,
  type GradientContext,
  GraphError,
  mul,
  type Node,
  none,
  parameter,
  square,
  stopGradient,
  sum,
  tensor,
} from '../../src/index.js';
import { errorOf } from '../support.js';

const polynomial = ([x, y]: readonly Node[]): Node =>
  add(mul(square(x as Node), y as Node), mul(x as Node, y as Node));

/** x^2 y + x y, whose gradient rule differentiates the graph that computes it. */
const composed = defineOp({
  name: 'composedPolynomial',
  arity: 2,
  dtype: ([x]) => (x as Node).dtype,
  shape: ([x]) => (x as Node).shape,
  lowering: { kind: 'compose', expand: (inputs) => polynomial(inputs) },
  gradient: ({ inputs, gradient, differentiate }) =>
    differentiate([[polynomial(inputs), gradient]], inputs),
  samples: [],
  refused: [],
});

const exact = (name: string, values: number[]) =>
  parameter(name, tensor(values, { dtype: 'float64' }));

describe('differentiate', () => {
  const [x, y] = [exact('x', [1.5, -0.7, 2]), exact('y', [0.3, 1.1, -2])];

  it('gives gradients of every order', () => {
    const loss = sum(square(composed(x, y)));
    checkGradients(loss, [x, y]);
    const first = backward(loss);
    checkGradients(sum(mul(square(first.of(x)), first.of(y))), [x, y]);
  });

  /** Returns what `differentiate` returns in the rule of an op that is applied to x and y. */
  const within = (
    call: (differentiate: GradientContext<object>['differentiate'], gradient: Node) => unknown,
  ): unknown => {
    let returned: unknown;
    const op = defineOp({
      name: `calls differentiate ${counter++}`,
      arity: 2,
      dtype: () => 'float64',
      shape: ([first]) => (first as Node).shape,
      lowering: { kind: 'map', kernel: 'add' },
      gradient: ({ inputs, gradient, differentiate }) => {
        returned = call(differentiate, gradient);
        return inputs.map(() => none);
      },
      samples: [],
      refused: [],
    });
    backward(sum(op(x, y)));
    return returned;
  };
  let counter = 0;

  it('returns none for a node to which no gradient flows', () => {
    const root = mul(stopGradient(x), 2);
    expect(within((differentiate, g) => differentiate([[root, g]], [x, y]))).toEqual([none, none]);
  });

  it('adds the gradients of a root that occurs twice', () => {
    const [gradient] = within((differentiate, g) =>
      differentiate(
        [
          [mul(x, 3), g],
          [square(x), g],
        ],
        [x],
      ),
    ) as [Node];
    expect(evaluate(gradient).toArray()).toEqual([3 + 3, 3 - 1.4, 3 + 4]);
  });

  it('runs each rule once in a chain of ops whose rules differentiate inner graphs', () => {
    let calls = 0;
    const squared = defineOp({
      name: 'squareByDifferentiate',
      arity: 1,
      dtype: ([first]) => (first as Node).dtype,
      shape: ([first]) => (first as Node).shape,
      lowering: { kind: 'compose', expand: ([first]) => square(first as Node) },
      gradient: ({ inputs, gradient, differentiate }) => {
        calls++;
        return differentiate([[square(inputs[0] as Node), gradient]], inputs);
      },
      samples: [],
      refused: [],
    });
    let node: Node = x;
    for (let i = 0; i < 20; i++) node = squared(node);
    backward(sum(node));
    expect(calls).toBe(20);
  });

  it('refuses an inner graph that contains the node itself', () => {
    const error = errorOf(() => {
      const op = defineOp({
        name: 'recursive',
        arity: 1,
        dtype: ([first]) => (first as Node).dtype,
        shape: ([first]) => (first as Node).shape,
        lowering: { kind: 'alias' },
        gradient: ({ node, inputs, gradient, differentiate }) =>
          differentiate([[mul(node, 2), gradient]], inputs),
        samples: [],
        refused: [],
      });
      backward(sum(op(x)));
    });
    expect(error).toBeInstanceOf(GraphError);
    expect(error.message).toMatch(
      /differentiate: the inner graph contains \[recursive #\d+\] itself/,
    );
  });

  it.each<[string, unknown, unknown]>([
    ['a root that is no pair', [x], [x]],
    ['a source that is not a node', [[mul(x, 2), mul(x, 2)]], [1]],
    ['no list', 1, [x]],
  ])('refuses %s with a typed error that names the op', (_title, roots, sources) => {
    const error = errorOf(() =>
      within((differentiate) => differentiate(roots as never, sources as never)),
    );
    expect(error).toBeInstanceOf(ForebayError);
    expect(error.message).toMatch(/calls differentiate/);
  });

  it('refuses an empty list of roots', () => {
    const error = errorOf(() => within((differentiate) => differentiate([], [x])));
    expect(error).toBeInstanceOf(GraphError);
    expect(error.message).toMatch(/differentiate: expected at least one root/);
  });
});
