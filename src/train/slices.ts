/**
 * Runs a program over minibatches. Steps run off the JavaScript thread, in slices of a few milliseconds. A slice is one
 * native call: many steps if they are short, only one if it is long. While a slice runs, the examples of the next slice
 * are copied into its minibatches.
 */

import type { Stepper } from '../compile/stepper.js';
import type { DType, TypedArray } from '../tensor/dtype.js';
import { Carried, type CarriedState } from './carried.js';
import { batchName } from './columns.js';
import type { Examples } from './dataset.js';
import { bucketAt, type Plan, sameBucket } from './minibatches.js';
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
  /** The values of the carried inputs in the first step; zeros by default. */
  readonly state?: CarriedState | undefined;
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
  readonly bucket: number;
  readonly feeds: Map<string, TypedArray>;
  readonly outputs: Map<string, TypedArray>;
}

/** What is known of the steps of a bucket. */
interface Pace {
  /** The estimated duration of a step. */
  milliseconds: number;
  /** The number of steps of the last slice. */
  steps: number;
}

export class Slices {
  readonly #program: Stepper;
  readonly #examples: Examples;
  readonly #options: SliceOptions;
  /** For each bucket, the shapes of a step by its number of examples. */
  readonly #shapes: readonly Map<number, StepShapes>[];
  readonly #paces: readonly Pace[];
  /** Two sets of memory: the running slice uses one set while the other set is filled for the next slice. */
  readonly #staging = [new Staging(), new Staging()] as const;
  readonly #carried: Carried | undefined;

  /** @throws ShapeError if the size of a dimension is unknown */
  constructor(program: Stepper, examples: Examples, options: SliceOptions) {
    this.#program = program;
    this.#examples = examples;
    this.#options = options;
    const { bindings } = examples.buckets;
    this.#shapes = bindings.map(() => new Map());
    this.#paces = bindings.map(() => ({ milliseconds: Infinity, steps: 0 }));
    // Throw here, before the first run, if the size of a dimension cannot be determined.
    const { batchSize } = options;
    for (const bucket of bindings.keys()) {
      if (batchSize <= examples.rows) this.#shapesOf(batchSize, bucket);
    }
    const rest = examples.rows % batchSize;
    if (rest > 0) this.#shapesOf(rest, bindings.length - 1);
    if (examples.carried.size > 0) {
      const sizes = new Map([...(bindings[0] ?? []), [batchName, batchSize] as const]);
      this.#carried = new Carried(examples.carried, sizes);
    }
  }

  /** The carried inputs; undefined if there are none. */
  get carried(): Carried | undefined {
    return this.#carried;
  }

  /**
   * Runs a step for each minibatch of a plan. The last minibatch may be smaller.
   * @param each called with the outputs of every slice, in order; the next slice starts when the call is over
   * @throws signal.reason after an abort; each step is done completely or not at all
   */
  async run(
    plan: Plan,
    each: (slice: SliceOutputs) => void | Promise<void>,
    { from = 0, limit = () => Infinity, state }: RunOptions = {},
  ): Promise<void> {
    const { signal } = this.#options;
    signal?.throwIfAborted();
    this.#carried?.begin(state);
    let slice = await this.#stage(plan, from, limit(from), 0);
    for (let number = 1; slice; number++) {
      signal?.throwIfAborted();
      const next = slice.start + slice.steps * slice.rows;
      // Wait for both promises before throwing, so that neither of them writes to memory or rejects later.
      const [ran, staged] = await Promise.allSettled([
        this.#runSlice(slice),
        this.#stage(plan, next, limit(next), number),
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
    plan: Plan,
    start: number,
    limit: number,
    number: number,
  ): Promise<Slice | undefined> {
    const { order } = plan;
    const { batchSize } = this.#options;
    const left = order.length - start;
    if (left === 0) return undefined;
    const rows = Math.min(batchSize, left);
    const bucket = bucketAt(plan, start, batchSize);
    const shapes = this.#shapesOf(rows, bucket);
    const most = Math.min(this.#wantedSteps(shapes, bucket), Math.floor(left / rows), limit);
    const steps = sameBucket(plan, start, batchSize, most);
    const staging = this.#staging[number % 2] as Staging;
    const examples = order.subarray(start, start + steps * rows);
    const feeds = await staging.feeds(this.#examples.columns, examples, steps, shapes);
    const { outputs: all } = this.#program;
    const own = [...all].filter(([name]) => !this.#examples.carried.has(name));
    const outputs = staging.outputs(new Map(own), steps, shapes);
    const dtypes = new Map([...all].map(([name, { dtype }]) => [name, dtype]));
    return { start, rows, bucket, steps, feeds, outputs, shapes: shapes.shapes, dtypes };
  }

  /** Runs the steps of a slice in one native call, and measures their duration. */
  async #runSlice({ rows, bucket, steps, feeds, outputs }: Slice): Promise<void> {
    const { checkFinite, signal } = this.#options;
    const { bindings } = this.#shapesOf(rows, bucket);
    // The slice before this one has ended only now, so the carried values are known only now.
    if (this.#carried) {
      for (const [name, memory] of await this.#carried.memoryFor(steps)) {
        feeds.set(name, memory.feed);
        outputs.set(name, memory.output);
      }
    }
    const pace = this.#paces[bucket] as Pace;
    const began = performance.now();
    await this.#program.runSteps({ steps, bindings, feeds, outputs, checkFinite, signal });
    const took = (performance.now() - began) / steps;
    // Other work on the machine may slow a slice down, so the estimated time of a step rises slowly, but falls at once.
    pace.milliseconds = Math.min(took, (3 * pace.milliseconds + took) / 4);
    pace.steps = steps;
    this.#carried?.ran(steps);
  }

  /** Returns the number of steps that the next slice should have, according to the duration and memory of a step. */
  #wantedSteps({ bytes }: StepShapes, bucket: number): number {
    if (this.#options.single) return 1;
    const pace = this.#paces[bucket] as Pace;
    const inTime = Math.round(sliceMilliseconds / pace.milliseconds);
    const inMemory = Math.floor(stagingBytes / Math.max(1, bytes));
    // At most 4 times the steps of the last slice, because the first steps of a program are not typical.
    return Math.max(1, Math.min(inTime, inMemory, 4 * pace.steps));
  }

  #shapesOf(rows: number, bucket: number): StepShapes {
    const known = this.#shapes[bucket] as Map<number, StepShapes>;
    let shapes = known.get(rows);
    if (!shapes) {
      shapes = stepShapes(rows, bucket, this.#examples, this.#program.outputs);
      known.set(rows, shapes);
    }
    return shapes;
  }
}
