/**
 * Strided views. A view maps each index to an element of a value, whose elements are numbered in row-major order. A
 * stride may be negative; the view then leads to elements before its first one. Slices, flips, transposes, broadcasts
 * and reshapes are views. Successive views are composed into one view when the program is compiled, so these operations
 * take no time in a run.
 */

/** Element (i, j, …) of the view is element number offset + i * strides[0] + j * strides[1] + … of the value. */
export interface StridedView {
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** Returns the strides of a row-major array without gaps. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = [...shape];
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return strides;
}

/** A shape, and the strides that it has in row-major order. */
export interface Layout {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** Returns the layout of a shape. Equal shapes share one, so that the many values of a program keep few lists alive. */
export class SharedLayouts {
  readonly #layouts = new Map<number, Layout>();

  of(shape: readonly number[]): Layout {
    let key = shape.length;
    for (let axis = 0; axis < shape.length; axis++) {
      key = Math.imul(key, 31) + (shape[axis] as number);
    }
    const known = this.#layouts.get(key);
    if (known && equalLists(known.shape, shape)) return known;
    const layout = { shape, strides: rowMajor(shape) };
    this.#layouts.set(key, layout);
    return layout;
  }
}

/** Returns the view of all elements of a row-major array without gaps. */
export function dense(shape: readonly number[]): StridedView {
  return { offset: 0, shape, strides: rowMajor(shape) };
}

/** Returns the number of elements of a shape. */
export function count(shape: readonly number[]): number {
  let size = 1;
  for (const dim of shape) size *= dim;
  return size;
}

export function equalLists(a: readonly number[], b: readonly number[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Whether the view selects the elements offset, offset + 1, offset + 2, … of the value, in this order. */
export function isContiguous({ shape, strides }: StridedView): boolean {
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const dim = shape[axis] as number;
    if (dim === 0) return true;
    if (dim !== 1 && strides[axis] !== stride) return false;
    stride *= dim;
  }
  return true;
}

/** Whether the view selects all elements of a value that has `size` elements, in row-major order. */
export function isWhole(view: StridedView, size: number): boolean {
  return view.offset === 0 && count(view.shape) === size && isContiguous(view);
}

/** Returns the view with the order of its elements reversed along one axis. */
export function reversed(view: StridedView, axis: number): StridedView {
  const stride = view.strides[axis] as number;
  const size = view.shape[axis] as number;
  return {
    offset: view.offset + Math.max(0, size - 1) * stride,
    shape: view.shape,
    strides: view.strides.with(axis, 0 - stride),
  };
}

/** Whether no stride is negative, so that the first element of the view is its lowest in memory. */
export function ascends({ strides }: StridedView): boolean {
  for (let axis = 0; axis < strides.length; axis++) if ((strides[axis] as number) < 0) return false;
  return true;
}

interface Axis {
  size: number;
  /** The distance of two neighbours along this axis if the elements of the view are numbered in row-major order. */
  readonly step: number;
  /** The distance of two neighbours along this axis in the value. */
  readonly stride: number;
}

/**
 * Returns the axes of a view, the last axis first. Two neighbouring axes are merged if one stride leads through all
 * elements of both. Axes of length 1 are omitted.
 */
function mergedAxes({ shape, strides }: StridedView): Axis[] {
  const axes: Axis[] = [];
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    const stride = strides[axis] as number;
    const last = axes.at(-1);
    if (size !== 1) {
      if (last && last.stride * last.size === stride) last.size *= size;
      else axes.push({ size, step, stride });
    }
    step *= size;
  }
  return axes;
}

/**
 * Composes two views. `inner` selects elements of a value, and `outer` selects some of these elements, which it numbers
 * in row-major order. Returns undefined if the result is not a strided view. This is so if an axis of `outer` runs
 * through several axes of `inner` that have different strides.
 */
export function compose(outer: StridedView, inner: StridedView): StridedView | undefined {
  if (isContiguous(inner)) {
    return { offset: inner.offset + outer.offset, shape: outer.shape, strides: outer.strides };
  }
  const axes = mergedAxes(inner);
  // The lowest and the highest position along each axis of `inner` that `outer` selects.
  const lowest = new Array<number>(axes.length).fill(0);
  const highest = new Array<number>(axes.length).fill(0);
  let offset = inner.offset;
  let rest = outer.offset;
  for (let i = axes.length - 1; i >= 0; i--) {
    const { step, stride } = axes[i] as Axis;
    const position = Math.floor(rest / step);
    rest -= position * step;
    offset += position * stride;
    lowest[i] = position;
    highest[i] = position;
  }
  const strides = [...outer.strides];
  for (let axis = 0; axis < outer.shape.length; axis++) {
    const size = outer.shape[axis] as number;
    const stride = outer.strides[axis] as number;
    if (size <= 1 || stride === 0) {
      strides[axis] = 0;
      continue;
    }
    // Finds the axis of `inner` along which this axis of `outer` moves: the outermost whose step is at most the
    // distance of two neighbours.
    let at = axes.length - 1;
    while (at >= 0 && (axes[at] as Axis).step > Math.abs(stride)) at--;
    const through = axes[at];
    if (!through || stride % through.step !== 0) return undefined;
    const steps = stride / through.step;
    const end = steps < 0 ? lowest : highest;
    end[at] = (end[at] as number) + steps * (size - 1);
    strides[axis] = steps * through.stride;
  }
  const empty = outer.shape.includes(0);
  let within = true;
  for (let i = 0; i < axes.length && within; i++) {
    within = (lowest[i] as number) >= 0 && (highest[i] as number) < (axes[i] as Axis).size;
  }
  return within || empty ? { offset, shape: outer.shape, strides } : undefined;
}

/** Returns the view broadcast to `shape`. As in NumPy, axes of length 1 are repeated, and leading axes are added. */
export function broadcast(view: StridedView, shape: readonly number[]): StridedView {
  if (equalLists(view.shape, shape)) return view;
  const lead = shape.length - view.shape.length;
  const strides: number[] = [];
  for (let axis = 0; axis < shape.length; axis++) {
    const repeated = axis < lead || view.shape[axis - lead] === 1;
    strides.push(repeated ? 0 : (view.strides[axis - lead] as number));
  }
  return { offset: view.offset, shape, strides };
}

/**
 * The region of a value that a view selects: a range of indices along each axis of the value. The box also records how
 * each dimension of the view moves through the value.
 */
export interface Box {
  readonly start: readonly number[];
  readonly end: readonly number[];
  /** The position of the first element of the view along each axis of the value. */
  readonly first: readonly number[];
  /**
   * For each dimension of the view, the axis of the value along which it moves, and its step along this axis. The axis
   * is -1 if the dimension does not move: its size is 1 or its stride is 0. The step is negative if the dimension moves
   * towards lower indices.
   */
  readonly axes: readonly number[];
  readonly steps: readonly number[];
}

/**
 * Returns the box of a view of a value that has the shape `shape`. Returns undefined if the view is empty, or if a
 * dimension of the view does not stay in one axis, for example if it continues from one row into the next.
 */
export function boxOf(view: StridedView, shape: readonly number[]): Box | undefined {
  let unit = count(shape);
  if (unit === 0) return undefined;
  const first = [...shape];
  const start = [...shape];
  const end = [...shape];
  let rest = view.offset;
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis] as number;
    unit /= size;
    const position = Math.min(Math.floor(rest / unit), size - 1);
    rest -= position * unit;
    first[axis] = position;
    start[axis] = position;
    end[axis] = position + 1;
  }
  const axes = [...view.shape];
  const steps = [...view.shape];
  for (let dim = 0; dim < view.shape.length; dim++) {
    const size = view.shape[dim] as number;
    const stride = view.strides[dim] as number;
    if (size === 0) return undefined;
    if (size === 1 || stride === 0) {
      axes[dim] = -1;
      steps[dim] = 0;
      continue;
    }
    // Finds the outermost axis of the value whose neighbours are at most as far apart as those of the dimension.
    const distance = Math.abs(stride);
    let axis = shape.length - 1;
    let step = 1;
    let above = 1;
    for (let next = axis; next >= 0 && above <= distance; next--) {
      if (shape[next] !== 1) [axis, step] = [next, above];
      above *= shape[next] as number;
    }
    if (shape.length === 0 || shape[axis] === 1 || stride % step !== 0) return undefined;
    axes[dim] = axis;
    steps[dim] = stride / step;
    const moved = stride < 0 ? start : end;
    moved[axis] = (moved[axis] as number) + (stride / step) * (size - 1);
  }
  for (let axis = 0; axis < shape.length; axis++) {
    if ((start[axis] as number) < 0 || (end[axis] as number) > (shape[axis] as number))
      return undefined;
  }
  return { start, end, first, axes, steps };
}

/**
 * `view` selects elements of a whole value. Returns the view that selects the same elements from a region of this
 * value. The region begins at `start` and has the shape `lengths`. `box` is the box of `view`, and must be within the
 * region.
 */
export function rebase(
  view: StridedView,
  box: Box,
  start: readonly number[],
  lengths: readonly number[],
): StridedView {
  const unit = rowMajor(lengths);
  let offset = 0;
  for (let axis = 0; axis < lengths.length; axis++) {
    offset += ((box.first[axis] as number) - (start[axis] as number)) * (unit[axis] as number);
  }
  const strides: number[] = [];
  for (let dim = 0; dim < view.shape.length; dim++) {
    const axis = box.axes[dim] as number;
    strides.push(axis < 0 ? 0 : (box.steps[dim] as number) * (unit[axis] as number));
  }
  return { offset, shape: view.shape, strides };
}
