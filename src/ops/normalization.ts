/** The op `normalization`, which the layers of normalisation share. */

import { DTypeError, ShapeError } from '../errors.js';
import { type Dim, sameShape, sizeOfDims } from '../graph/dimension.js';
import { input } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { formatShape } from '../tensor/shape.js';
import { add, div, mul, sqrt, square, sub } from './arithmetic.js';
import { sumTo } from './broadcast.js';
import { greater, where } from './comparison.js';
import { declare } from './declare.js';
import { extent, mean } from './mean.js';
import { broadcastShape, floatingDType } from './rules.js';
import { reshape } from './views.js';

/** How `normalized` normalises. */
export interface Normalization {
  /** The axes over which the mean and the mean square are taken, in increasing order. */
  readonly axes: readonly number[];
  /** The number that is added to the mean square, so that it is not 0. */
  readonly epsilon: number;
  /** Whether the mean is subtracted first. */
  readonly centered: boolean;
}

const keepDims = { keepDims: true } as const;

/** Returns x minus its mean, if the mean is subtracted, and 1 / sqrt(mean square + epsilon). */
function statistics(x: Node, { axes, epsilon, centered }: Normalization) {
  const centred = centered ? sub(x, mean(x, axes, keepDims)) : x;
  const inverse = div(1, sqrt(add(mean(square(centred), axes, keepDims), epsilon)));
  return { centred, inverse };
}

/** Returns whether the weight varies only along the axes over which no mean is taken, and along all of these. */
function isPerMean(x: Node, weight: Node, axes: readonly number[]): boolean {
  const lead = x.shape.length - weight.shape.length;
  return x.shape.every((dim, axis) => {
    const own: Dim = axis < lead ? 1 : (weight.shape[axis - lead] as Dim);
    return axes.includes(axis) ? own === 1 : own === dim;
  });
}

/** Returns `inverse` if there are elements over which a mean is taken, and otherwise 0, because it is NaN. */
function ofSome(x: Node, axes: readonly number[], inverse: Node): Node {
  const count = countOf(x, axes);
  if (typeof count === 'number' && count > 0) return inverse;
  return where(greater(extent(count, x.dtype), 0), inverse, 0);
}

const normalize = declare<Normalization>({
  name: 'normalization',
  arity: 2,
  dtype: floatingDType,
  shape: (inputs, attributes, fail) => {
    const [x, weight] = inputs as [Node, Node];
    if (!sameShape(broadcastShape(inputs, attributes, fail), x.shape)) {
      fail.shape(
        `the weight, of shape ${formatShape(weight.shape)}, does not broadcast to ${formatShape(x.shape)}`,
      );
    }
    return x.shape;
  },
  lowering: {
    kind: 'compose',
    expand: (inputs, attributes) => {
      const [x, weight] = inputs as [Node, Node];
      const { centred, inverse } = statistics(x, attributes);
      return isPerMean(x, weight, attributes.axes)
        ? mul(centred, mul(inverse, weight))
        : mul(mul(centred, inverse), weight);
    },
  },
  // With c = x - mean, r = 1 / sqrt(mean(c^2) + epsilon), h = c r and u = g weight, the gradient for x is
  // r (u - mean(u) - h mean(u h)), as for batch normalisation in Ioffe & Szegedy, ICML 2015. Without the subtraction of
  // the mean, mean(u) is left out. A weight that is constant where means are taken is a factor of all terms, so that the
  // sums of the gradient for the weight are those of the means.
  gradient: ({ inputs, attributes, gradient }) => {
    const [x, weight] = inputs as [Node, Node];
    const { axes, centered } = attributes;
    const { centred, inverse } = statistics(x, attributes);
    const toInput = (upper: Node, factor: Node) => {
      const slope = mul(mean(mul(upper, centred), axes, keepDims), square(inverse));
      const along = mul(centred, slope);
      // The two means are subtracted together, so that one loop reads both.
      const removed = centered ? add(mean(upper, axes, keepDims), along) : along;
      return mul(sub(upper, removed), factor);
    };
    if (isPerMean(x, weight, axes)) {
      return [
        toInput(gradient, mul(inverse, weight)),
        mul(sumTo(mul(gradient, centred), weight), reshape(ofSome(x, axes, inverse), weight.shape)),
      ];
    }
    return [
      toInput(mul(gradient, weight), inverse),
      sumTo(mul(gradient, mul(centred, inverse)), weight),
    ];
  },
  label: ({ axes }) => axes.join(' '),
  samples: [
    {
      inputs: [{ shape: [4, 3] }, { shape: [3] }],
      build: (x, w) =>
        normalized(x as Node, w as Node, { axes: [1], epsilon: 0.1, centered: true }),
    },
    {
      inputs: [{ shape: [4, 3] }, { shape: [3] }],
      build: (x, w) =>
        normalized(x as Node, w as Node, { axes: [1], epsilon: 0.1, centered: false }),
    },
    {
      inputs: [{ shape: [3, 2, 2, 3] }, { shape: [2, 1, 1] }],
      build: (x, w) =>
        normalized(x as Node, w as Node, { axes: [0, 2, 3], epsilon: 0.1, centered: true }),
    },
    {
      inputs: [{ shape: [2, 3, 4] }, { shape: [3, 1] }],
      build: (x, w) =>
        normalized(x as Node, w as Node, { axes: [1, 2], epsilon: 0.1, centered: true }),
    },
    {
      inputs: [{ shape: [0, 3] }, { shape: [3] }],
      build: (x, w) =>
        normalized(x as Node, w as Node, { axes: [1], epsilon: 0.1, centered: true }),
    },
  ],
  refused: [
    {
      build: () =>
        normalized(input('x', [4, 3]), input('weight', [2]), {
          axes: [1],
          epsilon: 0.1,
          centered: true,
        }),
      error: ShapeError,
      message: /^\[normalization\] shapes do not broadcast: \[4, 3\] and \[2\]/,
    },
    {
      build: () =>
        normalized(input('x', [1, 3]), input('weight', [4, 3]), {
          axes: [1],
          epsilon: 0.1,
          centered: true,
        }),
      error: ShapeError,
      message: /^\[normalization\] the weight, of shape \[4, 3\], does not broadcast to \[1, 3\]/,
    },
    {
      build: () =>
        normalized(
          input('x', [4, 3], { dtype: 'int32' }),
          input('weight', [3], { dtype: 'int32' }),
          { axes: [1], epsilon: 0.1, centered: true },
        ),
      error: DTypeError,
      message: /^\[normalization\] is defined for float32 and float64, but received int32/,
    },
  ],
});

/**
 * Returns (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) times the weight, where the means are taken over some
 * axes. The result has the shape of x.
 * @param weight broadcasts to the shape of x
 */
export function normalized(x: Node, weight: Node, how: Normalization): Node {
  return normalize([x, weight], { ...how });
}

/** Returns the number of elements of x over which a mean over `axes` is taken. */
export function countOf(x: Node, axes: readonly number[]): Dim {
  return sizeOfDims(axes.map((axis) => x.shape[axis] as Dim));
}
