/** The memory of slices: copies examples into minibatches, and provides memory for the outputs. */

import { ValueError } from '../errors.js';
import { bindDim } from '../graph/dimension.js';
import type { Node } from '../graph/node.js';
import { bytesOf, type DType, sharedArray, type TypedArray } from '../tensor/dtype.js';
import { sizeOf } from '../tensor/shape.js';
import { batchName, type Column, type Geometry, gather, geometryOf } from './columns.js';
import type { Examples } from './dataset.js';
import { Turns } from './turns.js';

/** The number of elements that are copied at a time into a minibatch, which takes a fraction of a millisecond. */
const unitElements = 2 ** 16;

/**
 * The shapes of the inputs and outputs of one step, for a given number of examples in the step, which belong to a given
 * bucket.
 */
export interface StepShapes {
  readonly bindings: ReadonlyMap<string, number>;
  /** The shape of each column. */
  readonly geometries: ReadonlyMap<Column, Geometry>;
  /** The shape of each output, by name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The bytes of all inputs and outputs. */
  readonly bytes: number;
}

/**
 * Returns the shapes of a step with `rows` examples of a bucket.
 * @throws ShapeError if an output has a dimension whose size cannot be determined
 */
export function stepShapes(
  rows: number,
  bucket: number,
  { columns, buckets }: Examples,
  outputs: ReadonlyMap<string, Node>,
): StepShapes {
  const others = buckets.bindings[bucket] as ReadonlyMap<string, number>;
  const bindings = new Map([...others, [batchName, rows] as const]);
  const geometries = new Map<Column, Geometry>();
  const shapes = new Map<string, readonly number[]>();
  let bytes = 0;
  for (const column of columns) {
    const geometry = geometryOf(column, bindings);
    geometries.set(column, geometry);
    bytes += bytesOf[column.input.dtype] * rows * geometry.width;
  }
  for (const [name, node] of outputs) {
    const shape = node.shape.map((dim) => bindDim(dim, bindings, `output '${name}': `));
    shapes.set(name, shape);
    bytes += bytesOf[node.dtype] * sizeOf(shape);
  }
  return { bindings, geometries, shapes, bytes };
}

/** The memory of one slice. It grows on demand. It is shared memory, so that nobody can transfer it during a run. */
export class Staging {
  readonly #arrays = new Map<string, TypedArray>();

  /**
   * Copies the examples of a slice into the minibatches of its steps, in several turns of the event loop.
   * @param order the indices of the examples, for all steps
   * @returns the feeds of all steps, by the names of the inputs
   * @throws (rejects with) ValueError if there is not enough memory, or if the memory of a tensor was transferred
   */
  async feeds(
    columns: readonly Column[],
    order: Int32Array,
    steps: number,
    { bindings, geometries }: StepShapes,
  ): Promise<Map<string, TypedArray>> {
    const feeds = new Map<string, TypedArray>();
    const turns = new Turns();
    for (const column of columns) {
      const { name } = column;
      const { outer, width } = geometries.get(column) as Geometry;
      const feed = this.#take(`feed '${name}'`, column.input.dtype, order.length * width);
      feeds.set(name, feed);
      // The examples do not fill the minibatches of a padded column.
      if (!column.tensor) await zeroInTurns(feed, turns);
      // If `outer` is 1, the minibatches of all steps are contiguous in memory, and are filled as one.
      const batches = outer === 1 ? 1 : steps;
      const batch = order.length / batches;
      const unit = Math.max(1, Math.floor(unitElements / Math.max(1, width)));
      for (let index = 0; index < batches; index++) {
        const examples = order.subarray(index * batch, (index + 1) * batch);
        const minibatch = feed.subarray(index * batch * width, (index + 1) * batch * width);
        for (let from = 0; from < batch; from += unit) {
          const some = examples.subarray(from, from + unit);
          gather(column, some, from, minibatch, batch, bindings);
          await turns.pass();
        }
      }
    }
    return feeds;
  }

  /**
   * Returns memory for the outputs of all steps, by name.
   * @throws ValueError if there is not enough memory
   */
  outputs(
    outputs: ReadonlyMap<string, { readonly dtype: DType }>,
    steps: number,
    { shapes }: StepShapes,
  ): Map<string, TypedArray> {
    const taken = new Map<string, TypedArray>();
    for (const [name, { dtype }] of outputs) {
      const length = steps * sizeOf(shapes.get(name) as readonly number[]);
      taken.set(name, this.#take(`output '${name}'`, dtype, length));
    }
    return taken;
  }

  #take(key: string, dtype: DType, length: number): TypedArray {
    let array = this.#arrays.get(key);
    if (!array || array.length < length) {
      array = allocated(key, dtype, length);
      this.#arrays.set(key, array);
    }
    return array.subarray(0, length);
  }
}

/** @throws ValueError if there is not enough memory */
function allocated(key: string, dtype: DType, length: number): TypedArray {
  try {
    return sharedArray(dtype, length);
  } catch (cause) {
    throw new ValueError(
      `${key}: cannot allocate ${length * bytesOf[dtype]} bytes for a minibatch; use a smaller batchSize`,
      { cause },
    );
  }
}

async function zeroInTurns(feed: TypedArray, turns: Turns): Promise<void> {
  for (let from = 0; from < feed.length; from += unitElements) {
    feed.fill(0, from, from + unitElements);
    await turns.pass();
  }
}
