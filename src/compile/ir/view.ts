/**
 * Views: affine maps from an index space to the elements of a value in row-major order. Slices,
 * transposes, broadcasts and reshapes are views; composing them is what makes them cost nothing.
 */

/** Element (i, j, …) is element offset + i * strides[0] + j * strides[1] + … of the value. */
export interface StridedView {
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** Strides of a row-major array without gaps. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return strides;
}

export function dense(shape: readonly number[]): StridedView {
  return { offset: 0, shape, strides: rowMajor(shape) };
}

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

/** Whether the view shows elements offset, offset + 1, … in order. */
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

/** Whether the view shows all elements of a value of `size` elements, in order. */
export function isWhole(view: StridedView, size: number): boolean {
  return view.offset === 0 && count(view.shape) === size && isContiguous(view);
}

interface Axis {
  size: number;
  /** Its step among the shape's elements in row-major order. */
  readonly step: number;
  /** Its stride in memory. */
  readonly stride: number;
}

/** The axes of a view, those that step evenly through memory merged into one; the last first. */
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
 * The view through `outer` of what `inner` shows: `outer` addresses inner's index space in row-major
 * order. Undefined where the result is no view: an axis of `outer` runs through axes of `inner` that
 * do not step evenly.
 */
export function compose(outer: StridedView, inner: StridedView): StridedView | undefined {
  if (isContiguous(inner)) {
    return { offset: inner.offset + outer.offset, shape: outer.shape, strides: outer.strides };
  }
  const axes = mergedAxes(inner);
  const reach = new Array<number>(axes.length).fill(0);
  let offset = inner.offset;
  let rest = outer.offset;
  for (let i = axes.length - 1; i >= 0; i--) {
    const { step, stride } = axes[i] as Axis;
    const position = Math.floor(rest / step);
    rest -= position * step;
    offset += position * stride;
    reach[i] = position;
  }
  const strides: number[] = [];
  for (let axis = 0; axis < outer.shape.length; axis++) {
    const size = outer.shape[axis] as number;
    const stride = outer.strides[axis] as number;
    if (size <= 1 || stride === 0) {
      strides.push(0);
      continue;
    }
    // The outermost axis whose steps the stride is a multiple of.
    let at = axes.length - 1;
    while (at >= 0 && (axes[at] as Axis).step > stride) at--;
    const through = axes[at];
    if (!through || stride % through.step !== 0) return undefined;
    const steps = stride / through.step;
    reach[at] = (reach[at] as number) + steps * (size - 1);
    strides.push(steps * through.stride);
  }
  const empty = outer.shape.includes(0);
  const within = axes.every(({ size }, i) => (reach[i] as number) < size);
  return within || empty ? { offset, shape: outer.shape, strides } : undefined;
}

/** A view of axis lengths `shape`, stretched along axes of 1 and new leading ones, as NumPy does. */
export function broadcast(view: StridedView, shape: readonly number[]): StridedView {
  if (equalLists(view.shape, shape)) return view;
  const lead = shape.length - view.shape.length;
  return {
    offset: view.offset,
    shape,
    strides: shape.map((_, axis) =>
      axis < lead || view.shape[axis - lead] === 1 ? 0 : (view.strides[axis - lead] as number),
    ),
  };
}

/** Where a view lies in the shape that it views: a box, and the axis along which each dimension steps. */
export interface Box {
  readonly start: readonly number[];
  readonly end: readonly number[];
  /** For each dimension of the view, the axis (-1 for one that does not move) and how many per step. */
  readonly axes: readonly number[];
  readonly steps: readonly number[];
}

/** Undefined for a view that runs on from one row into the next. */
export function boxOf(view: StridedView, shape: readonly number[]): Box | undefined {
  const unit = rowMajor(shape);
  const start: number[] = [];
  let rest = view.offset;
  for (let axis = 0; axis < shape.length; axis++) {
    const step = unit[axis] as number;
    const position =
      step === 0 ? 0 : Math.min(Math.floor(rest / step), (shape[axis] as number) - 1);
    start.push(position);
    rest -= position * step;
  }
  const last = [...start];
  const axes: number[] = [];
  const steps: number[] = [];
  for (let dim = 0; dim < view.shape.length; dim++) {
    const size = view.shape[dim] as number;
    const stride = view.strides[dim] as number;
    if (size === 0) return undefined;
    if (size === 1 || stride === 0) {
      axes.push(-1);
      steps.push(0);
      continue;
    }
    let axis = 0;
    while (axis < shape.length && ((unit[axis] as number) > stride || shape[axis] === 1)) axis++;
    const step = unit[axis] as number;
    if (axis === shape.length || stride % step !== 0) return undefined;
    axes.push(axis);
    steps.push(stride / step);
    last[axis] = (last[axis] as number) + (stride / step) * (size - 1);
  }
  for (let axis = 0; axis < shape.length; axis++) {
    if ((last[axis] as number) >= (shape[axis] as number)) return undefined;
  }
  return { start, end: last.map((position) => position + 1), axes, steps };
}

/** The same view of a part of the shape, which starts at `start` and has lengths `lengths`. */
export function rebase(
  view: StridedView,
  box: Box,
  start: readonly number[],
  lengths: readonly number[],
): StridedView {
  const unit = rowMajor(lengths);
  let offset = 0;
  for (let axis = 0; axis < lengths.length; axis++) {
    offset += ((box.start[axis] as number) - (start[axis] as number)) * (unit[axis] as number);
  }
  const strides = view.shape.map((_, dim) => {
    const axis = box.axes[dim] as number;
    return axis < 0 ? 0 : (box.steps[dim] as number) * (unit[axis] as number);
  });
  return { offset, shape: view.shape, strides };
}
