/**
 * Prepares the steps of the interpreter. A step computes one node with one or a few kernel calls. For each kind of
 * lowering, a function in this file prepares the step. It is called when all dimensions are numbers.
 */

import { GraphError, ShapeError } from '../errors.js';
import type { Bound, Lowering } from '../graph/op.js';
import { assertWindows, layoutOf } from '../graph/window.js';
import {
  type Layout,
  prepareMap,
  prepareProduct,
  prepareRandom,
  prepareReduce,
  zero,
} from '../native/kernels.js';
import type { DType, TypedArray } from '../tensor/dtype.js';
import { formatShape, sizeOf, stridesOf } from '../tensor/shape.js';

/**
 * Computes the value of one node and writes it to `out`. `run` is the index of the run, on which random draws depend.
 */
export type Step = (out: TypedArray, inputs: readonly TypedArray[], run: number) => void;

/** A node during one run, in which all its dimensions are numbers, with its dtype. */
export interface BoundNode extends Bound<object> {
  readonly dtype: DType;
}

// For each kind of lowering, the type of the function that prepares its step.
type Kinds = { [L in Lowering as L['kind']]: (lowering: L, node: BoundNode) => Step };

const uncomputed = ['leaf', 'alias', 'compose'] as const;

/**
 * The kinds of lowering that need a step. The others need none: leaves have values, aliases share the buffer of their
 * input, and composed ops are expanded to other nodes.
 */
type Computed = Omit<Kinds, (typeof uncomputed)[number]>;

const steps: Computed = {
  map: ({ kernel }, { shape, inputShapes }) => {
    const map = prepareMap(
      kernel,
      shape,
      dense(shape),
      inputShapes.map((from) => stretched(from, shape)),
    );
    return (out, inputs) => map(out, ...inputs);
  },

  cast: (_lowering, { shape, dtype }) => {
    const map = prepareMap(dtype, shape, dense(shape), [dense(shape)], 'cast');
    return (out, [input]) => map(out, input as TypedArray);
  },

  accumulate: (_lowering, { shape }) => {
    const layout = dense(shape);
    const copy = prepareMap('copy', shape, layout, [layout]);
    const add = prepareMap('add', shape, layout, [layout, layout]);
    return (out, [first, ...others]) => {
      copy(out, first as TypedArray);
      for (const other of others) add(out, out, other);
    };
  },

  reduce: ({ kernel, axes, notEmpty = false }, { attributes, inputShapes: [from] }) => {
    const shape = from as readonly number[];
    if (notEmpty && axes(attributes).some((axis) => shape[axis] === 0)) {
      throw new ShapeError(
        `expected at least one element along each reduced axis, but received shape ${formatShape(shape)}`,
      );
    }
    const reduce = prepareReduce(kernel, shape, axes(attributes), stridesOf(shape));
    return (out, [input]) => reduce(out, input as TypedArray);
  },

  product: ({ transposes }, { attributes, shape, inputShapes }) => {
    const [a, b] = inputShapes as [readonly number[], readonly number[]];
    const flags = transposes(attributes);
    const [m, n] = shape.slice(-2) as [number, number];
    const k = (flags.a ? a.at(-2) : a.at(-1)) as number;
    const matrix = { n, k, transposeA: flags.a, transposeB: flags.b };
    // If `b` is one matrix and `a` is a batch of matrices that are not transposed, one product computes the rows of the
    // whole batch.
    const folds = b.length === 2 && !flags.a;
    const batch = folds ? [] : shape.slice(0, -2);
    const product = prepareProduct({
      ...matrix,
      m: folds ? sizeOf(shape.slice(0, -1)) : m,
      batch,
      batchStridesA: folds ? [] : stretched(a.slice(0, -2), batch, m * k).strides,
      batchStridesB: folds ? [] : stretched(b.slice(0, -2), batch, k * n).strides,
      batchStridesC: folds ? [] : stretched(batch, batch, m * n).strides,
    });
    return (out, [left, right]) => product(out, left as TypedArray, right as TypedArray);
  },

  view: ({ view }, node) => {
    const copy = prepareMap('copy', node.shape, dense(node.shape), [view(node)]);
    return (out, [input]) => copy(out, input as TypedArray);
  },

  place: ({ accumulate, windows }, node) => {
    const kernel = accumulate ? 'add' : 'copy';
    const clear = prepareMap('copy', node.shape, dense(node.shape), [stretched([], node.shape)]);
    const targets = windows(node);
    assertWindows(targets, node.shape, node.inputShapes);
    const writes = targets.map((window) => {
      const target = layoutOf(window, node.shape);
      const source = dense(window.shape);
      return prepareMap(kernel, window.shape, target, accumulate ? [target, source] : [source]);
    });
    return (out, inputs) => {
      if (accumulate) clear(out, zero[node.dtype]);
      writes.forEach((write, index) => {
        const input = inputs[index] as TypedArray;
        if (accumulate) write(out, out, input);
        else write(out, input);
      });
    };
  },

  random: ({ kernel, seed }, { attributes }) => {
    const draw = prepareRandom(kernel, seed(attributes));
    return (out, _inputs, run) => draw(out, run);
  },

  extent: ({ dim }, { attributes, bind }) => {
    const value = bind(dim(attributes));
    return (out) => {
      out[0] = value;
    };
  },
};

/**
 * Returns the step that computes a node; undefined if the node needs no step.
 * @throws GraphError if the kind of the lowering is unknown; ShapeError if the lowering refuses the bound shapes
 */
export function prepareStep(lowering: Lowering, node: BoundNode): Step | undefined {
  if (!Object.hasOwn(steps, lowering.kind)) {
    if (uncomputed.some((kind) => kind === lowering.kind)) return undefined;
    throw new GraphError(`there is no lowering of kind '${lowering.kind}'`);
  }
  // In the table, the function of a kind takes a lowering of this kind. TypeScript cannot infer this for a computed
  // key.
  const prepare = steps[lowering.kind as keyof Computed] as (l: Lowering, n: BoundNode) => Step;
  return prepare(lowering, node);
}

/** Returns the row-major layout of a shape. */
function dense(shape: readonly number[]): Layout {
  return { offset: 0, strides: stridesOf(shape) };
}

/**
 * Returns the layout with which a row-major operand of shape `from` is read as if it had `shape`, to which it
 * broadcasts. `unit` is the number of elements of one entry: 1, or the size of a matrix in a batch of matrices.
 */
function stretched(from: readonly number[], shape: readonly number[], unit = 1): Layout {
  const strides = stridesOf(from);
  const lead = shape.length - from.length;
  return {
    offset: 0,
    strides: shape.map((_, axis) =>
      axis < lead || from[axis - lead] === 1 ? 0 : (strides[axis - lead] as number) * unit,
    ),
  };
}
