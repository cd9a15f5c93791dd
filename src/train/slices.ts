/**
 * Runs a program over minibatches. Steps run off the JavaScript thread, in slices of a few milliseconds. A slice is one
 * native call: many steps if they are short, only one if it is long. While a slice runs, the examples of the next slice
 * are copied into its minibatches.
 */

import type { Stepper } from '../compile/stepper.js';
import type { DType, TypedArray } from '../tensor/dtype.js';
import type { Examples } from './dataset.js';
import { Staging, type StepShapes, stepShapes } from './staging.js';

/** The duration that a slice should have. It is too short to be noticed by a person or a health check. */
const sliceMilliseconds = 4;
/**
 * The memory for the feeds and outputs of one slice, in bytes. Two slices have memory at a time. If a single step
 * needs more than this, its slice gets more.
 */
const stagingBytes = 2 ** 23;

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
  /** The dtypes of the outputs, by name. */
  readonly dtypes: ReadonlyMap<string, DType>;
}

interface Slice extends SliceOutputs {
  readonly feeds: ReadonlyMap<string, TypedArray>;
}

export class Slices {
  readonly #program: Stepper;
  readonly #examples: Examples;
  readonly #options: SliceOptions;
  readonly #shapes = new Map<number, StepShapes>();
  /** Two sets of memory: the running slice uses one set while the other set is filled for the next slice. */
  readonly #staging = [new Staging(), new Staging()] as const;
  /** The estimated duration of a step. */
  #stepMilliseconds = Infinity;
  /** The number of steps of the last slice. */
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
        this.#runSlice(slice),
        this.#stage(order, next, limit(next), number),
      ]);
      if (ran.status === 'rejected') throw ran.reason;
      await each(slice);
      if (staged.status === 'rejected') throw staged.reason;
      slice = staged.value;
    }
    signal?.throwIfAborted();
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
    const shapes = this.#shapesOf(rows);
    const steps = Math.min(this.#wantedSteps(shapes), Math.floor(left / rows), limit);
    const staging = this.#staging[number % 2] as Staging;
    const examples = order.subarray(start, start + steps * rows);
    const feeds = await staging.feeds(this.#examples.columns, examples, steps, shapes);
    const outputs = staging.outputs(this.#program.outputs, steps, shapes);
    const dtypes = new Map([...this.#program.outputs].map(([name, { dtype }]) => [name, dtype]));
    return { start, rows, steps, feeds, outputs, shapes: shapes.shapes, dtypes };
  }

  /** Runs the steps of a slice in one native call, and measures their duration. */
  async #runSlice({ rows, steps, feeds, outputs }: Slice): Promise<void> {
    const { checkFinite, signal } = this.#options;
    const { bindings } = this.#shapesOf(rows);
    const began = performance.now();
    await this.#program.runSteps({ steps, bindings, feeds, outputs, checkFinite, signal });
    const took = (performance.now() - began) / steps;
    // Other work on the machine may slow a slice down, so the estimated time of a step rises slowly, but falls at once.
    this.#stepMilliseconds = Math.min(took, (3 * this.#stepMilliseconds + took) / 4);
    this.#steps = steps;
  }

  /** Returns the number of steps that the next slice should have, according to the duration and memory of a step. */
  #wantedSteps({ bytes }: StepShapes): number {
    if (this.#options.single) return 1;
    const inTime = Math.round(sliceMilliseconds / this.#stepMilliseconds);
    const inMemory = Math.floor(stagingBytes / Math.max(1, bytes));
    // At most 4 times the steps of the last slice, because the first steps of a program are not typical.
    return Math.max(1, Math.min(inTime, inMemory, 4 * this.#steps));
  }

  #shapesOf(rows: number): StepShapes {
    let shapes = this.#shapes.get(rows);
    if (!shapes) {
      shapes = stepShapes(rows, this.#examples, this.#program.outputs);
      this.#shapes.set(rows, shapes);
    }
    return shapes;
  }
}
