/** A convolution of which only a region is read. */

import type { Window } from '../graph/window.js';
import { inRegion, type Ref, type Value } from '../ir/value.js';
import type { Part } from './record.js';

/**
 * Returns the convolution that computes only a region of its images [batch, height, width, filters], from the elements
 * that the filters read at the positions of this region. Returns undefined if the region has not all filters, or if
 * filters read only padding. The integers are those of the routine `conv` (native/routines/conv.h).
 */
export function partOfConvolution(value: Value, { start, shape }: Window): Part | undefined {
  if (shape[3] !== value.shape[3]) return undefined;
  const [images, weight] = value.args as readonly [Ref, Ref];
  const integers = [...(value.details.integers as readonly number[])];
  const from = [start[0] as number, 0, 0, 0];
  const lengths = [shape[0] as number, 0, 0, images.shape[3] as number];
  for (const i of [0, 1]) {
    const axis = 1 + i;
    const [size, stride, dilation, before] = [i, 2 + i, 4 + i, 6 + 2 * i].map(
      (at) => integers[at] as number,
    ) as [number, number, number, number];
    const first = (start[axis] as number) * stride - before;
    const end = first + ((shape[axis] as number) - 1) * stride + dilation * (size - 1) + 1;
    const [low, high] = [Math.max(0, first), Math.min(images.shape[axis] as number, end)];
    if (low >= high) return undefined;
    from[axis] = low;
    lengths[axis] = high - low;
    integers[6 + 2 * i] = low - first;
    integers[7 + 2 * i] = end - high;
  }
  return {
    args: [inRegion(images, { start: from, shape: lengths }), weight],
    details: { ...value.details, integers },
  };
}
