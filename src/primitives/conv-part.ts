/** A convolution of which only a region is read. */

import { receptiveField, type Window } from '../graph/window.js';
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
    const steps = { size, stride, dilation, before };
    const length = images.shape[axis] as number;
    const field = receptiveField(start[axis] as number, shape[axis] as number, length, steps);
    if (!field) return undefined;
    from[axis] = field.start;
    lengths[axis] = field.length;
    integers[6 + 2 * i] = field.before;
    integers[7 + 2 * i] = field.after;
  }
  return {
    args: [inRegion(images, { start: from, shape: lengths }), weight],
    details: { ...value.details, integers },
  };
}
