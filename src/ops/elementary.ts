/** Element-wise functions that are composed of other ops: `clamp`, `log2`, `reciprocal`, `sinh` and `cosh`. */

import { declareOptions, type Kind, type OptionsOf, optional } from '../arguments/options.js';
import { ValueError } from '../errors.js';
import { lift } from '../graph/leaf.js';
import { failFor, type Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { tanh } from './activation.js';
import { abs, add, div, exp, log, mul, neg, square, sub } from './arithmetic.js';
import { greater, where } from './comparison.js';
import { declare } from './declare.js';
import { maximum, minimum } from './extrema.js';
import { floatingDType } from './rules.js';
import { refusesIntegers, unarySamples } from './samples.js';

const bound: Kind<number> = {
  expected: 'a number that is not NaN',
  accepts: (value) => typeof value === 'number' && !Number.isNaN(value),
};

const clampOptions = declareOptions('clamp', {
  /** The least value of the result. By default, there is none. */
  min: optional(bound, 'low', 'lower'),
  /** The greatest value of the result. By default, there is none. */
  max: optional(bound, 'high', 'upper'),
});

/** Options of `clamp`. */
export interface ClampOptions extends OptionsOf<typeof clampOptions> {}

interface Bounds {
  readonly min: number | undefined;
  readonly max: number | undefined;
}

const limited = declare<Bounds>({
  name: 'clamp',
  arity: 1,
  dtype: floatingDType,
  shape: ([x]) => (x as Node).shape,
  lowering: {
    kind: 'compose',
    expand: ([x], { min, max }) => {
      const raised = min === undefined ? (x as Node) : maximum(x as Node, min);
      return max === undefined ? raised : minimum(raised, max);
    },
  },
  gradient: ({ inputs: [x], attributes: { min, max }, gradient: g }) => {
    // The zeros are selected by `where`. A product with 0 would be NaN if the gradient is infinite.
    const above = min === undefined ? g : where(greater(x as Node, min), g, 0);
    return [max === undefined ? above : where(greater(max, x as Node), above, 0)];
  },
  label: ({ min = -Infinity, max = Infinity }) => `${min} to ${max}`,
  samples: [
    ...unarySamples((x) => clamp(x, { min: -0.5, max: 0.75 }), { low: -0.4, high: 0.7 }),
    ...unarySamples((x) => clamp(x, { min: 0.1 }), { low: 0.2, high: 2 }).slice(0, 1),
    ...unarySamples((x) => clamp(x, { max: 0.1 }), { low: 0.2, high: 2 }).slice(0, 1),
  ],
  refused: [
    refusesIntegers('clamp', (x) => clamp(x, { min: 0 })),
    {
      build: () => clamp(1, {}),
      error: ValueError,
      message: /^\[clamp\] expected min, max or both/,
    },
  ],
});

/**
 * Returns min(max(x, `min`), `max`): x, but at least `min` and at most `max`. If `min` is greater than `max`, the result
 * is `max`. It is NaN where x is NaN. The gradient is 0 where x is at a bound, outside of the bounds or NaN, as in
 * PyTorch 2.15. (At a bound, it is 1/2 in JAX, and 1 in Keras and in older versions of PyTorch.)
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number, if an option is unknown or invalid,
 *   or if there is neither `min` nor `max`
 */
export function clamp(x: Operand, options: ClampOptions): Node {
  const { min, max } = clampOptions.read(options, '[clamp]');
  const [node] = lift('clamp', [x]) as [Node];
  if (min === undefined && max === undefined) {
    failFor({ name: 'clamp' }, [node]).value(
      'expected min, max or both, as in clamp(x, { min: 0, max: 1 })',
    );
  }
  return limited([node], { min, max });
}

/**
 * Returns the logarithm of x to the base 2. It is NaN if x is below 0, and -Infinity if x is 0. It is
 * log(x) / log(2), so that the result can be inexact at a power of 2. Its gradient is 1 / (x log(2)).
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 */
export function log2(x: Operand): Node {
  return div(log(x), Math.LN2);
}

/**
 * Returns 1 / x. It is infinite at 0, and so is its gradient, -1 / x^2.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 */
export function reciprocal(x: Operand): Node {
  return div(1, x);
}

const hyperbolicSine = declare({
  name: 'sinh',
  arity: 1,
  dtype: floatingDType,
  shape: ([x]) => (x as Node).shape,
  lowering: {
    kind: 'compose',
    expand: ([x]) => {
      // Near 0, the difference of the exponentials would lose digits. There the formula with t = tanh(x / 2) is used.
      const node = x as Node;
      const t = tanh(mul(node, 0.5));
      const near = div(mul(2, t), sub(1, square(t)));
      const [up, down] = halves(node);
      return where(greater(1, abs(node)), near, sub(up, down));
    },
  },
  gradient: ({ inputs: [x], gradient }) => [mul(gradient, cosh(x as Node))],
  samples: unarySamples((x) => sinh(x), { low: -2, high: 2 }),
  refused: [refusesIntegers('sinh', (x) => sinh(x))],
});

/**
 * Returns e^x / 2 and e^-x / 2. Each is a product of two factors, so that it overflows only where the hyperbolic sine
 * does.
 */
function halves(x: Node): [Node, Node] {
  const half = mul(x, 0.5);
  return [exp(half), exp(neg(half))].map((root) => mul(mul(0.5, root), root)) as [Node, Node];
}

/**
 * Returns the hyperbolic sine of x, (e^x - e^-x) / 2. Near 0 it is as accurate as elsewhere.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 */
export function sinh(x: Operand): Node {
  return hyperbolicSine([x], {});
}

const hyperbolicCosine = declare({
  name: 'cosh',
  arity: 1,
  dtype: floatingDType,
  shape: ([x]) => (x as Node).shape,
  lowering: { kind: 'compose', expand: ([x]) => add(...halves(x as Node)) },
  gradient: ({ inputs: [x], gradient }) => [mul(gradient, sinh(x as Node))],
  samples: unarySamples((x) => cosh(x), { low: -2, high: 2 }),
  refused: [refusesIntegers('cosh', (x) => cosh(x))],
});

/**
 * Returns the hyperbolic cosine of x, (e^x + e^-x) / 2.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 */
export function cosh(x: Operand): Node {
  return hyperbolicCosine([x], {});
}
