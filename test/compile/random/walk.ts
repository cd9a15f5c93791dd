/** Finds the indices of elements in strided, broadcast and reduced arrays. */

/** Returns the strides of a row-major array. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return strides;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, dim) => size * dim, 1);
}

/** Returns, for each element of a view in row-major order, its index in memory. */
export function indices(
  shape: readonly number[],
  offset: number,
  strides: readonly number[],
): Int32Array {
  const result = new Int32Array(sizeOf(shape));
  const position = new Array<number>(shape.length).fill(0);
  let at = offset;
  for (let i = 0; i < result.length; i++) {
    result[i] = at;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const stride = strides[axis] as number;
      position[axis] = (position[axis] as number) + 1;
      at += stride;
      if ((position[axis] as number) < (shape[axis] as number)) break;
      at -= stride * (shape[axis] as number);
      position[axis] = 0;
    }
  }
  return result;
}

/**
 * Returns, for each element of `shape`, the index of the element that is read when an array of shape `from` is
 * broadcast to `shape`.
 */
export function stretched(shape: readonly number[], from: readonly number[]): Int32Array {
  const own = stridesOf(from);
  const lead = shape.length - from.length;
  const strides = shape.map((_, axis) =>
    axis < lead || from[axis - lead] === 1 ? 0 : (own[axis - lead] as number),
  );
  return indices(shape, 0, strides);
}

/**
 * Returns, for each element of `shape`, the index of the result element into which a reduction over `axes` combines it.
 */
export function reducedTo(shape: readonly number[], axes: readonly number[]): Int32Array {
  const kept = shape.filter((_, axis) => !axes.includes(axis));
  const own = stridesOf(kept);
  let next = 0;
  const strides = shape.map((_, axis) => (axes.includes(axis) ? 0 : (own[next++] as number)));
  return indices(shape, 0, strides);
}
