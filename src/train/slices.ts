/**
 * Runs a program over minibatches. Steps run off the JavaScript thread, in slices of a few milliseconds. A slice is one
 * native call: many steps if they are short, only one if it is long. While a slice runs, the examples of the next slice
 * are copied into its minibatches.
 */

import type { Stepper } from '../compile/stepper.js';
import { ValueError } from '../errors.js';
import { bindDim } from '../graph/dimension.js';
import { bytesOf, type DType, sharedArray, type TypedArray } from '../tensor/dtype.js';
import { sizeOf } from '../tensor/shape.js';
import { batchName, type Column, type Examples, gather, widthOf } from './dataset.js';
import { Turns } from './turns.js';

/** The duration that a slice should have. It is too short to be noticed by a person or a health check. */
const sliceMilliseconds = 4;
/**
 * The memory for the feeds and outputs of one slice, in bytes. Two slices have memory at a time. If a single step
 * needs more than this, its slice gets more.
 */
const stagingBytes = 2 ** 23;
/** The number of elements that are copied at a time into a minibatch, which takes a fraction of a millisecond. */
const unitElements = 2 ** 16;

export interface SliceOptions {
  readonly batchSize: number;
  readonly checkFinite: boolean;
  readonly signal: AbortSignal | undefined;
  /** Whether each slice has only one step, so that the caller can act between two steps. */
  readonly single: boolean;
}

export interface RunOptions {
  /** The position, in the order of the examples, at which to begin; 0 by default. */
  readonly from?: number;
  /** Returns the largest number of steps for a slice that begins at position `start` of the order. */
  readonly limit?: (start: number) => number;
}

/** The outputs of the steps of a slice. Later slices overwrite their memory. */
export interface SliceOutputs {
  readonly steps: number;
  /** The number of examples of each step. */
  readonly rows: number;
  /** The position of the first example of the slice, in the order of the examples. */
  readonly start: number;
  /** The outputs by name. Each array has the values of the first step, then those of the second step, and so on. */
  readonly outputs: ReadonlyMap<string, TypedArray>;
  /** The shapes of the outputs of one step, by name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

/** The lengths of the inputs and the shapes of the outputs of one step, for a given number of examples in the step. */
interface BatchShapes {
  readonly bindings: ReadonlyMap<string, number>;
  readonly lengths: ReadonlyMap<string, number>;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly bytes: number;
}

interface Slice extends SliceOutputs {
  readonly feeds: ReadonlyMap<string, TypedArray>;
}

export class Slices {
  readonly #program: Stepper;
  readonly #examples: Examples;
  readonly #options: SliceOptions;
  readonly #shapes = new Map<number, BatchShapes>();
  /** Two sets of memory: the running slice uses one set while the other set is filled for the next slice. */
  readonly #staging = [new Staging(), new Staging()] as const;
  #stepMilliseconds = Infinity;
  #steps = 0;

  constructor(program: Stepper, examples: Examples, options: SliceOptions) {
    this.#program = program;
    this.#examples = examples;
    this.#options = options;
    // Throw here, before the first run, if the size of a dimension cannot be determined.
    const { batchSize } = options;
    if (batchSize <= examples.rows) this.#shapesOf(batchSize);
    if (examples.rows % batchSize > 0) this.#shapesOf(examples.rows % batchSize);
  }

  /**
   * Runs a step for each minibatch of the examples in `order`. The last minibatch may be smaller.
   * @param each called with the outputs of every slice, in order; the next slice starts when the call is over
   * @throws signal.reason after an abort; each step is done completely or not at all
   */
  async run(
    order: Int32Array,
    each: (slice: SliceOutputs) => void | Promise<void>,
    { from = 0, limit = () => Infinity }: RunOptions = {},
  ): Promise<void> {
    const { signal } = this.#options;
    signal?.throwIfAborted();
    let slice = await this.#stage(order, from, limit(from), 0);
    for (let number = 1; slice; number++) {
      signal?.throwIfAborted();
      const next = slice.start + slice.steps * slice.rows;
      // Wait for both promises before throwing, so that neither of them writes to memory or rejects later.
      const [ran, staged] = await Promise.allSettled([
        this.#start(slice),
        this.#stage(order, next, limit(next), number),
      ]);
      if (ran.status === 'rejected') throw ran.reason;
      await each(slice);
      if (staged.status === 'rejected') throw staged.reason;
      slice = staged.value;
    }
    signal?.throwIfAborted();
  }

  async #start({ rows, steps, feeds, outputs }: Slice): Promise<void> {
    const { checkFinite, signal } = this.#options;
    const { bindings } = this.#shapesOf(rows);
    const began = performance.now();
    await this.#program.runSteps({ steps, bindings, feeds, outputs, checkFinite, signal });
    const took = (performance.now() - began) / steps;
    // Other work on the machine may slow a slice down, so the estimated time of a step rises slowly, but falls at once.
    this.#stepMilliseconds = Math.min(took, (3 * this.#stepMilliseconds + took) / 4);
    this.#steps = steps;
  }

  /** Prepares the slice that begins at `start`: copies its examples. Returns undefined if no examples are left. */
  async #stage(
    order: Int32Array,
    start: number,
    limit: number,
    number: number,
  ): Promise<Slice | undefined> {
    const left = order.length - start;
    if (left === 0) return undefined;
    const rows = Math.min(this.#options.batchSize, left);
    const layout = this.#shapesOf(rows);
    const steps = Math.min(this.#wantedSteps(layout), Math.floor(left / rows), limit);
    const staging = this.#staging[number % 2] as Staging;
    const [feeds, outputs] = [new Map<string, TypedArray>(), new Map<string, TypedArray>()];
    const turns = new Turns();
    for (const column of this.#examples.columns) {
      const { name, dtype } = column.input;
      const length = layout.lengths.get(name as string) as number;
      const feed = staging.take(`feed '${name}'`, dtype, steps * length);
      feeds.set(name as string, feed);
      // If `outer` is 1, the minibatches of all steps are contiguous in memory, and are filled as one.
      const [batches, batch] = column.outer === 1 ? [1, steps * rows] : [steps, rows];
      for (let index = 0; index < batches; index++) {
        const examples = order.subarray(start + index * batch, start + (index + 1) * batch);
        await gatherInTurns(column, examples, feed.subarray(index * length), turns);
      }
    }
    for (const [name, shape] of layout.shapes) {
      const { dtype } = this.#program.outputs.get(name) as { dtype: DType };
      outputs.set(name, staging.take(`output '${name}'`, dtype, steps * sizeOf(shape)));
    }
    return { start, rows, steps, feeds, outputs, shapes: layout.shapes };
  }

  #wantedSteps({ bytes }: BatchShapes): number {
    if (this.#options.single) return 1;
    const inTime = Math.round(sliceMilliseconds / this.#stepMilliseconds);
    const inMemory = Math.floor(stagingBytes / Math.max(1, bytes));
    // At most 4 times the steps of the last slice, because the first steps of a program are not typical.
    return Math.max(1, Math.min(inTime, inMemory, 4 * this.#steps));
  }

  #shapesOf(rows: number): BatchShapes {
    let layout = this.#shapes.get(rows);
    if (!layout) {
      const bindings = new Map([...this.#examples.bindings, [batchName, rows] as const]);
      const lengths = new Map(
        this.#examples.columns.map((column) => [
          column.input.name as string,
          rows * widthOf(column),
        ]),
      );
      const shapes = new Map(
        [...this.#program.outputs].map(([name, node]) => [
          name,
          node.shape.map((dim) => bindDim(dim, bindings, `output '${name}': `)),
        ]),
      );
      layout = { bindings, lengths, shapes, bytes: this.#bytesOf(lengths, shapes) };
      this.#shapes.set(rows, layout);
    }
    return layout;
  }

  #bytesOf(lengths: BatchShapes['lengths'], shapes: BatchShapes['shapes']): number {
    const { columns } = this.#examples;
    const fed = columns.map(
      ({ input }) => bytesOf[input.dtype] * (lengths.get(input.name as string) as number),
    );
    const out = [...this.#program.outputs].map(
      ([name, { dtype }]) => bytesOf[dtype] * sizeOf(shapes.get(name) as readonly number[]),
    );
    return [...fed, ...out].reduce((sum, bytes) => sum + bytes, 0);
  }
}

/** Arrays by name that grow on demand. They are in shared memory, so that nobody can transfer them during a run. */
class Staging {
  readonly #arrays = new Map<string, TypedArray>();

  take(key: string, dtype: DType, length: number): TypedArray {
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

async function gatherInTurns(
  column: Column,
  examples: Int32Array,
  target: TypedArray,
  turns: Turns,
): Promise<void> {
  const batch = examples.length;
  const minibatch = target.subarray(0, batch * widthOf(column));
  const unit = Math.max(1, Math.floor(unitElements / Math.max(1, widthOf(column))));
  for (let from = 0; from < batch; from += unit) {
    gather(column, examples.subarray(from, from + unit), from, minibatch, batch);
    await turns.pass();
  }
}
