/** Locations: where the elements of values are in memory. */

import type { Leaf } from '../graph/leaf.js';
import type { DType } from '../tensor/dtype.js';
import type { StridedView } from './view.js';

/** How the elements of a draw are computed. */
export interface Draw {
  /** The name of the kernel, of the family random. */
  readonly kernel: string;
  readonly seed: number;
}

/**
 * A piece of memory: a region of the arena, or the memory of a leaf. The memory of a feed belongs to its input. If it is
 * a draw, there are no bytes: the fused loops that load elements compute them.
 */
export interface Memory {
  readonly dtype: DType;
  /** The number of elements. */
  readonly length: number;
  /** The leaf to which the memory belongs; undefined for a region of the arena and for a draw. */
  readonly leaf: Leaf | undefined;
  readonly draw?: Draw | undefined;
  /** If the memory is a part of another one that moves from step to step of a loop, says how it moves. */
  readonly window?: MovingWindow | undefined;
}

/**
 * How a window moves in the steps of a loop. In step n, it begins at the element `offset + by * n` of the memory; if
 * `period` is not 0, at `offset + by * (n mod period)`.
 */
export interface MovingWindow {
  readonly memory: Memory;
  readonly offset: number;
  readonly by: number;
  readonly period: number;
}

/** A strided view of a memory. */
export interface Location extends StridedView {
  readonly memory: Memory;
}

/** Returns the part of a location that has the shape `shape` and begins at the index `start`. */
export function windowAt(
  { memory, offset, strides }: Location,
  start: readonly number[],
  shape: readonly number[],
): Location {
  const first = start.reduce((sum, at, axis) => sum + at * (strides[axis] as number), offset);
  return { memory, offset: first, shape, strides };
}
