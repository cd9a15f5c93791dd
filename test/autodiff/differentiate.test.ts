// Tests `differentiate`, with which a gradient rule differentiates a graph that computes the result of its op.
import { describe, expect, it } from 'vitest';
import {
  add,
  backward,
  checkGradients,
  defineOp,
  evaluate,
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

  it('refuses an empty list of roots', () => {
    const error = errorOf(() => within((differentiate) => differentiate([], [x])));
    expect(error).toBeInstanceOf(GraphError);
    expect(error.message).toMatch(/differentiate: expected at least one root/);
  });
});
