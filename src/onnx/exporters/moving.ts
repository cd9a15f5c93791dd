/** Ops that move elements and compute nothing, and those that return dimensions and positions. */

import { addDims, type Dim, type Shape, sameShape, subtractDims } from '../../graph/dimension.js';
import type { Node } from '../../graph/node.js';
import type { Emitter } from './emitter.js';
import { attributesOf, type Exported, type Rows, row } from './row.js';

/** Positions beyond the first and the last element. */
const [beforeAll, afterAll] = [-(2 ** 31), 2 ** 31 - 1];

// ---- Reshaping.

/** Returns the axes of `to` that are not axes of `from`, if these have length 1; undefined if the shapes differ in more. */
function addedAxes(from: Shape, to: Shape): number[] | undefined {
  const added: number[] = [];
  let next = 0;
  for (const [axis, dim] of to.entries()) {
    if (next < from.length && from[next] === dim) next++;
    else if (dim === 1) added.push(axis);
    else return undefined;
  }
  return next === from.length ? added : undefined;
}

/** Emits a value in another shape. */
export function reshaped(emitter: Emitter, x: string, node: Node, to: Shape): string {
  const { shape: from, dtype } = node;
  if (sameShape(from, to)) return x;
  const added = addedAxes(from, to);
  if (added !== undefined) return emitter.unsqueeze(x, added);
  const removed = addedAxes(to, from);
  if (removed !== undefined) return emitter.squeeze(x, removed);
  if (to.includes(0) && emitter.opset < 14) {
    // In a shape of older operator sets, 0 has another meaning. The value has no elements, so zeros will do.
    return emitter.op('Expand', [emitter.number(0, dtype), emitter.dims(to)]);
  }
  // A named dimension that stays at its place is 0 in the shape, and a single other one -1.
  const stays = (dim: Dim, axis: number) => typeof dim === 'string' && from[axis] === dim;
  const unknown = to.filter((dim, axis) => typeof dim === 'string' && !stays(dim, axis));
  const staying = to.filter(stays);
  const isKnown = unknown.length === 0 || (unknown.length === 1 && staying.length === 0);
  if (isKnown && !to.includes(0)) {
    const numbers = to.map((dim, axis) =>
      typeof dim === 'number' ? dim : stays(dim, axis) ? 0 : -1,
    );
    return emitter.op('Reshape', [x, emitter.ints(numbers)]);
  }
  // The length of a named dimension may be 0 in a run, and then it must not be that of the input.
  const attributes = emitter.opset >= 14 ? { allowzero: 1 } : {};
  return emitter.op('Reshape', [x, emitter.dims(to)], attributes);
}

// ---- Broadcasting.

/** Emits a value broadcast to a shape. Where the shape has 1, the length of the input stays. */
function broadcast(emitter: Emitter, x: string, from: Shape, to: Shape): string {
  const lead = to.length - from.length;
  const target = to.map((dim, axis) =>
    axis >= lead && typeof dim === 'string' && from[axis - lead] === dim ? 1 : dim,
  );
  return emitter.op('Expand', [x, emitter.dims(target)]);
}

// ---- Slices.

interface SliceAttributes {
  readonly axis: number;
  readonly start: Dim;
  readonly end: Dim;
  readonly step: number;
}

/** Returns a position as a number, which counts from the end if it is negative; undefined if it depends on a name. */
function positionIn(length: Dim, at: Dim): number | undefined {
  if (typeof at === 'number') return at;
  const fromEnd = subtractDims(at, length);
  if (typeof fromEnd !== 'number' || fromEnd > 0) return undefined;
  return fromEnd === 0 ? afterAll : fromEnd;
}

function sliced(exported: Exported): string {
  const { emitter, inputs, names } = exported;
  const { axis, start, end, step } = attributesOf<SliceAttributes>(exported);
  const length = (inputs[0] as Node).shape[axis] as Dim;
  const position = (at: Dim) => {
    const number = positionIn(length, at);
    return number === undefined ? emitter.dim(at) : emitter.ints([number]);
  };
  // An end of -1 is before the first element here, and the last element in ONNX.
  const last = end === -1 ? emitter.ints([beforeAll]) : position(end);
  const first = position(start);
  const inputsOf = [names[0], first, last, emitter.ints([axis])];
  return emitter.op('Slice', step === 1 ? inputsOf : [...inputsOf, emitter.ints([step])]);
}

function flipped(exported: Exported): string {
  const { emitter, names } = exported;
  const { axes } = attributesOf<{ axes: readonly number[] }>(exported);
  const all = (number: number) => emitter.ints(axes.map(() => number));
  return emitter.op('Slice', [names[0], all(-1), all(beforeAll), emitter.ints(axes), all(-1)]);
}

// ---- Joining.

interface AssembleAttributes {
  readonly shape: Shape;
  readonly starts: readonly Shape[];
  readonly steps: readonly (readonly number[])[];
}

/** Adds parts, each at its window, to zeros. */
function assembled(exported: Exported): string {
  const { emitter, node, inputs, names } = exported;
  const { shape, starts, steps } = attributesOf<AssembleAttributes>(exported);
  if (steps.some((list) => list.some((step) => step !== 1))) return scattered(exported);
  const parts = inputs.map((part, index) => {
    const start = starts[index] as Shape;
    const after = shape.map((dim, axis) =>
      subtractDims(subtractDims(dim, start[axis] as Dim), part.shape[axis] as Dim),
    );
    const pads = emitter.dims([...start, ...after]);
    return emitter.op('Pad', [names[index], pads, emitter.number(0, node.dtype)]);
  });
  return parts.length === 1 ? (parts[0] as string) : emitter.op('Sum', parts);
}

/** Adds parts whose windows have steps, each element at its position. */
function scattered(exported: Exported): string {
  const { emitter, node, inputs, names } = exported;
  const { starts, steps } = attributesOf<AssembleAttributes>(exported);
  const numbers = [node.shape, ...starts, ...inputs.map(({ shape }) => shape)];
  if (numbers.flat().some((dim) => typeof dim !== 'number')) {
    throw exported.refuse('parts with steps need dimensions that are numbers');
  }
  if (emitter.opset < 16) throw exported.refuse('parts with steps need operator set 16');
  const whole = node.shape as readonly number[];
  const positions = inputs.flatMap(({ shape }, index) =>
    positionsOf(whole, shape as number[], starts[index] as number[], steps[index] as number[]),
  );
  const size = whole.reduce((a, b) => a * b, 1);
  const zeros = emitter.op('Expand', [emitter.number(0, node.dtype), emitter.ints([size])]);
  const flat = names.map((name) => emitter.op('Reshape', [name, emitter.ints([-1])]));
  const updates = flat.length === 1 ? (flat[0] as string) : emitter.op('Concat', flat, { axis: 0 });
  const sums = emitter.op('ScatterElements', [zeros, emitter.ints(positions), updates], {
    axis: 0,
    reduction: 'add',
  });
  return emitter.op('Reshape', [sums, emitter.ints(whole)]);
}

/** Returns the row-major positions of the elements of a window. */
function positionsOf(
  whole: readonly number[],
  shape: readonly number[],
  start: readonly number[],
  step: readonly number[],
): number[] {
  return shape.reduce<number[]>(
    (positions, length, axis) =>
      positions.flatMap((position) =>
        Array.from(
          { length },
          (_, index) =>
            position * (whole[axis] as number) +
            (start[axis] as number) +
            index * (step[axis] as number),
        ),
      ),
    [0],
  );
}

export const moving: Rows = {
  transpose: row('Transpose', (exported) => {
    const { axes } = attributesOf<{ axes: readonly number[] }>(exported);
    return exported.emitter.op('Transpose', exported.names, { perm: axes });
  }),
  reshape: row('Reshape, Squeeze, Unsqueeze', ({ emitter, node, inputs, names }) =>
    reshaped(emitter, names[0] as string, inputs[0] as Node, node.shape),
  ),
  broadcastTo: row('Expand', ({ emitter, node, inputs, names }) =>
    broadcast(emitter, names[0] as string, (inputs[0] as Node).shape, node.shape),
  ),
  stopGradient: { kind: 'input' },
  sideUpdate: { kind: 'input' },
  slice: row('Slice', sliced),
  flip: row('Slice', flipped),
  concat: row('Concat', (exported) => {
    const { axis } = attributesOf<{ axis: number }>(exported);
    return exported.emitter.op('Concat', exported.names, { axis });
  }),
  stack: row('Unsqueeze, Concat', (exported) => {
    const { emitter, names } = exported;
    const { axis } = attributesOf<{ axis: number }>(exported);
    const parts = names.map((name) => emitter.unsqueeze(name, [axis]));
    return emitter.op('Concat', parts, { axis });
  }),
  assemble: row('Pad, Sum, ScatterElements', assembled),

  extent: row('Shape, Cast', (exported) => {
    const { emitter, node } = exported;
    const { dim } = attributesOf<{ dim: Dim }>(exported);
    const length = emitter.scalarDim(dim);
    return node.dtype === 'int32' ? length : emitter.cast(length, node.dtype);
  }),
  positions: row('Range', (exported) => {
    const { emitter } = exported;
    const { length, first } = attributesOf<{ length: Dim; first: number }>(exported);
    const end = addDims(length, first);
    return emitter.op('Range', [
      emitter.ints([first], []),
      emitter.scalarDim(end),
      emitter.ints([1], []),
    ]);
  }),
};
