/** Adds convolutions to random graphs, and computes the magnitudes of their results (see magnitudes.ts). */

import { type Dim, sizeOfDims } from '../../../src/graph/dimension.js';
import type { ConvolutionCall } from '../../../src/graph/lowering.js';
import {
  add,
  avgPool2d,
  concat,
  conv1d,
  conv2d,
  maxPool2d,
  mul,
  type Node,
  reshape,
} from '../../../src/index.js';
import type { Draft } from './draft.js';
import type { Step } from './elementwise.js';
import { activations, type Structure } from './recurrent.js';
import { type Known, known, type Sizes } from './sizes.js';
import { sizeOf } from './walk.js';

/** Returns a node of images [batch, channels, height, width] with the elements of a node, if its sides are numbers. */
function images(draft: Draft): Node | undefined {
  const x = draft.any();
  const [channels, height, width] = [1, 1, 1, ...x.shape].slice(-3) as [Dim, Dim, Dim];
  if (x.shape.length < 2 || typeof height !== 'number' || typeof width !== 'number') return;
  if (typeof channels !== 'number' || channels * height * width === 0) return undefined;
  if (x.shape.length === 4) return x;
  return reshape(x, [sizeOfDims(x.shape.slice(0, -3)), channels, height, width]);
}

/** Returns a convolution of images with random options. */
function convolved(draft: Draft, x: Node): Node {
  const { draws } = draft;
  const [, channels, height, width] = x.shape as readonly [Dim, number, number, number];
  const groups = draws.chance(0.3) ? channels : channels % 2 === 0 && draws.chance(0.3) ? 2 : 1;
  const filters = groups * draws.between(1, groups > 1 ? 2 : 5);
  const size = [height, width].map((length) => draws.between(1, Math.min(3, length)));
  const weight = draft.like([filters, channels / groups, ...size]);
  const pads = () => [draws.below(3), draws.below(3)] as const;
  return conv2d(x, weight, {
    groups,
    stride: draws.chance(0.4) ? [draws.between(1, 3), draws.between(1, 2)] : 1,
    padding: draws.pick(['same' as const, 'valid' as const, [pads(), pads()] as const, 0]),
  });
}

/** Convolves a node as images, or as sequences. */
export const convolutionStep: Step = (draft) => {
  const { draws } = draft;
  const x = images(draft);
  if (!x) return undefined;
  if (draws.chance(0.7)) return convolved(draft, x);
  const [, channels, height, width] = x.shape as readonly [Dim, number, number, number];
  const sequences = reshape(x, [x.shape[0] as Dim, channels * height, width]);
  const size = draws.between(1, Math.min(3, width));
  const dilation = (size - 1) * 2 + 1 <= width ? draws.between(1, 2) : 1;
  const weight = draft.like([draws.between(1, 3), channels * height, size]);
  return conv1d(sequences, weight, { dilation, padding: draws.below(2) });
};

/** Returns images pooled over windows of one to four elements, some of them overlapping. */
function pooled({ draws, numbers }: Draft, x: Node): Node {
  const [height, width] = x.shape.slice(2) as [number, number];
  const size = [
    draws.between(1, Math.min(2, height)),
    draws.between(1, Math.min(2, width)),
  ] as const;
  const stride = [draws.between(1, 2), draws.between(1, 2)] as const;
  if (draws.chance(0.5)) return maxPool2d(x, { size, stride, ceil: draws.chance(0.2) });
  // In an exact graph, a mean must be over 1, 2 or 4 elements.
  const padding = numbers.exact ? 0 : size.map((length) => draws.below(length));
  return avgPool2d(x, { size, stride, padding: padding as unknown as [number, number] });
}

/**
 * Adds a chain of convolutions with biases, activations and pooling, some with more channels than the layout pass
 * ignores.
 */
export const convolutions: Structure = (draft) => {
  const { draws, numbers } = draft;
  const { squash } = activations(draft);
  const batch = draws.chance(0.5) && draft.names[0] ? draft.names[0] : draws.between(1, 2);
  let [height, width] = [draws.between(1, 3), draws.between(1, 4)];
  const wide = () => draws.pick([2, 5, 6, 7]);
  let channels = draws.pick([1, 5, 6, 7, 8]);
  let x: Node = draft.leaf([batch, channels, height, width]);
  if (draws.chance(0.2)) x = mul(x, numbers.exact ? 2 : 0.5);
  for (let layer = draws.between(1, 3); layer > 0; layer--) {
    const next = draws.chance(0.3) ? channels : wide();
    const size = [height, width].map((length) => draws.between(1, Math.min(2, length)));
    const weight = draft.parameter([next, channels, ...size]);
    const y = add(
      conv2d(x, weight, { padding: 'same' }),
      draft.parameter(draws.chance(0.8) ? [next, 1, 1] : [1]),
    );
    const active = draws.chance(0.7) ? squash(y) : y;
    const joins = draws.chance(0.2);
    x = draft.keep(
      joins
        ? concat([active, x], 1)
        : next === channels && draws.chance(0.5)
          ? add(x, active)
          : active,
    );
    channels = joins ? next + channels : next;
    if (draws.chance(0.3)) {
      x = draft.keep(pooled(draft, x));
      [height, width] = x.shape.slice(2) as [number, number];
    }
  }
  return draws.chance(0.4) ? [reshape(x, [batch, channels * height * width])] : [x];
};

/** Calls `visit` with the indices of x, weight and y for each product that a convolution adds up. */
function eachProduct(
  { x, weight, y, stride, dilation, padding, groups }: ConvolutionCall,
  visit: (x: number, weight: number, y: number) => void,
): void {
  const [batch, channels, height, width] = x as [number, number, number, number];
  const [filters, inGroup, down, across] = weight as [number, number, number, number];
  const [, , rows, columns] = y as [number, number, number, number];
  for (let n = 0; n < batch; n++) {
    for (let f = 0; f < filters; f++) {
      const first = Math.floor(f / (filters / groups)) * inGroup;
      for (let c = 0; c < inGroup; c++) {
        for (let i = 0; i < rows * columns; i++) {
          const [row, column] = [Math.floor(i / columns), i % columns];
          for (let k = 0; k < down * across; k++) {
            const [r, s] = [Math.floor(k / across), k % across];
            const h = row * stride[0] + r * dilation[0] - padding[0][0];
            const w = column * stride[1] + s * dilation[1] - padding[1][0];
            if (h < 0 || h >= height || w < 0 || w >= width) continue;
            visit(
              ((n * channels + first + c) * height + h) * width + w,
              (f * inGroup + c) * down * across + k,
              (n * filters + f) * rows * columns + i,
            );
          }
        }
      }
    }
  }
}

/** Returns the magnitudes of the result of a convolution, or of one of its gradients. */
export function convolutionSizes(
  call: ConvolutionCall,
  computes: 'y' | 'x' | 'weight',
  [a, b]: readonly [Known, Known],
  isExact: boolean,
): Sizes {
  const result = known(new Float64Array(sizeOf(call[computes])));
  // In an exact graph, the operands are complete sums, so their absolute values are used instead of their magnitudes.
  const [left, right] = [a, b].map(({ value, sizes }) =>
    isExact ? Float64Array.from(value, Math.abs) : sizes.magnitude,
  ) as [Float64Array, Float64Array];
  eachProduct(call, (x, weight, y) => {
    const [p, q, out] = { y: [x, weight, y], x: [y, weight, x], weight: [x, y, weight] }[
      computes
    ] as [number, number, number];
    result.magnitude[out] =
      (result.magnitude[out] as number) + (left[p] as number) * (right[q] as number);
    const zero = a.value[p] === 0 ? a.sizes.exact[p] : b.value[q] === 0 && b.sizes.exact[q];
    if (!zero) result.exact[out] = 0;
  });
  return result;
}
