/**
 * The loop over minibatches. Steps leave the JavaScript thread in slices of a few milliseconds: many
 * for one call where a step is short, a single one where it is long. While a slice runs, the rows of
 * the next one are gathered.
 */

import type { Stepper } from '../compile/program.js';
import { ValueError } from '../errors.js';
import { bindDim } from '../graph/dimension.js';
import { bytesOf, type DType, sharedArray, type TypedArray } from '../tensor/dtype.js';
import { sizeOf } from '../tensor/shape.js';
import { batchName, type Column, type Examples, gather, widthOf } from './dataset.js';
import { Turns } from './turns.js';

/** How long a slice should take: short beside what a person or a health check notices. */
const sliceMilliseconds = 4;
/** Memory for the feeds and outputs of one slice; there are two, and a step may need more than this. */
const stagingBytes = 2 ** 23;
/** A unit of gathering: a fraction of a millisecond, of rows of any width. */
const unitElements = 2 ** 16;

export interface SliceOptions {
  readonly batchSize: number;
  readonly checkFinite: boolean;
  readonly signal: AbortSignal | undefined;
  /** One step a slice: for those who want to act between any two. */
  readonly single: boolean;
}

export interface RunOptions {
  /** Where in the order to begin; 0 unless told. */
  readonly from?: number;
  /** How many steps a slice may have that begins at `start`. */
  readonly limit?: (start: number) => number;
}

/** Outputs of one slice's steps, in memory that the next slices use again. */
export interface SliceOutputs {
  readonly steps: number;
  /** How many examples each step saw. */
  readonly rows: number;
  /** Where the first step's first example is in the order. */
  readonly start: number;
  /** By name: the first step's output, then the second's, …. */
  readonly outputs: ReadonlyMap<string, TypedArray>;
  /** The shape of one step's output. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

/** A number of examples in a step: what that makes of the inputs and outputs. */
interface Layout {
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
  readonly #layouts = new Map<number, Layout>();
  /** Two sets of memory: one is read and written by the slice that runs, the other is filled. */
  readonly #staging = [new Staging(), new Staging()] as const;
  #stepMilliseconds = Infinity;
  #steps = 0;

  constructor(program: Stepper, examples: Examples, options: SliceOptions) {
    this.#program = program;
    this.#examples = examples;
    this.#options = options;
    // What cannot be bound is known before anything has run.
    const { batchSize } = options;
    if (batchSize <= examples.rows) this.#layoutOf(batchSize);
    if (examples.rows % batchSize > 0) this.#layoutOf(examples.rows % batchSize);
  }

  /**
   * Runs a step for each minibatch of the examples in `order`, the last of which may be short.
   * @param each gets every slice's outputs, in order; the next slice starts when it is done
   * @throws signal.reason after an abort: whole steps are done, and no part of another
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
      // Both end before anything is thrown: nothing may be left that writes to memory or rejects.
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
    const { bindings } = this.#layoutOf(rows);
    const began = performance.now();
    await this.#program.runSteps({ steps, bindings, feeds, outputs, checkFinite, signal });
    const took = (performance.now() - began) / steps;
    // Other work on the machine makes a step look long; the next slices get over that.
    this.#stepMilliseconds = Math.min(took, (3 * this.#stepMilliseconds + took) / 4);
    this.#steps = steps;
  }

  /** Gathers the rows of the slice that begins at `start`; nothing when there are none. */
  async #stage(
    order: Int32Array,
    start: number,
    limit: number,
    number: number,
  ): Promise<Slice | undefined> {
    const left = order.length - start;
    if (left === 0) return undefined;
    const rows = Math.min(this.#options.batchSize, left);
    const layout = this.#layoutOf(rows);
    const steps = Math.min(this.#wantedSteps(layout), Math.floor(left / rows), limit);
    const staging = this.#staging[number % 2] as Staging;
    const [feeds, outputs] = [new Map<string, TypedArray>(), new Map<string, TypedArray>()];
    const turns = new Turns();
    for (const column of this.#examples.columns) {
      const { name, dtype } = column.input;
      const length = layout.lengths.get(name as string) as number;
      const feed = staging.take(`feed '${name}'`, dtype, steps * length);
      feeds.set(name as string, feed);
      // Batches of rows that lie together are together one batch.
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

  #wantedSteps({ bytes }: Layout): number {
    if (this.#options.single) return 1;
    const inTime = Math.round(sliceMilliseconds / this.#stepMilliseconds);
    const inMemory = Math.floor(stagingBytes / Math.max(1, bytes));
    // Not many times more than were measured: the first steps of a program are not like the rest.
    return Math.max(1, Math.min(inTime, inMemory, 4 * this.#steps));
  }

  #layoutOf(rows: number): Layout {
    let layout = this.#layouts.get(rows);
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
      this.#layouts.set(rows, layout);
    }
    return layout;
  }

  #bytesOf(lengths: Layout['lengths'], shapes: Layout['shapes']): number {
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

/** Memory that grows to what is asked of it; shared, so that nobody can take it from a run. */
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

/** @throws ValueError where there is not that much memory */
function allocated(key: string, dtype: DType, length: number): TypedArray {
  try {
    return sharedArray(dtype, length);
  } catch (cause) {
    throw new ValueError(
      `${key}: cannot allocate ${length * bytesOf[dtype]} bytes for a minibatch; a smaller batchSize takes less`,
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
