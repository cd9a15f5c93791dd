/** One call of `fit`. `fit` calls the methods of a training in sequence; each is one step of that sequence. */

import { reading } from '../arguments/read.js';
import type { Stepper } from '../compile/stepper.js';
import { ValueError } from '../errors.js';
import { nextDrawSeed } from '../graph/seed.js';
import type { DType, TypedArray } from '../tensor/dtype.js';
import { resultTensor } from '../tensor/tensor.js';
import type { CarriedState } from './carried.js';
import { assertCarries } from './carried-inputs.js';
import { type Dataset, type Examples, examplesOf } from './dataset.js';
import type { BatchRecord, FitOptions } from './fit-options.js';
import {
  type EpochRecord,
  type History,
  type ProgramMeans,
  type ValidationMeans,
  WeightedMeans,
} from './history.js';
import { Minibatches } from './minibatches.js';
import { type Progress, startOf } from './progress.js';
import { Saver } from './saver.js';
import { SkippedSteps } from './skipped.js';
import { type SliceOutputs, Slices } from './slices.js';
import { type Validation, validationOf } from './validation.js';

export class Training {
  readonly #steps: Stepper;
  readonly #options: FitOptions;
  readonly #slices: Slices;
  readonly #validation: Validation | undefined;
  readonly #saver: Saver | undefined;
  readonly #minibatches: Minibatches;
  /** The number of examples. */
  readonly #rows: number;
  /** The values of the carried inputs where the training that is continued was interrupted, until they are used. */
  #carried: CarriedState | undefined;
  /** The progress at the beginning of the current epoch, or where the training that is continued was interrupted. */
  #progress: Progress;
  /** The records of the completed epochs. */
  readonly #records: EpochRecord[];
  /** The steps of the current epoch that were skipped. */
  #skipped: SkippedSteps;
  /** The index of the next run of each program in the training that is continued; undefined for a new training. */
  readonly #earlierRuns: readonly number[] | undefined;

  /**
   * Checks everything that can be checked before the first run.
   * @throws ValueError, ShapeError, DTypeError or GraphError if the options or the dataset do not fit the program
   */
  constructor(steps: Stepper, dataset: Dataset, options: FitOptions) {
    const { epochs, batchSize, checkFinite = false, signal, stateful = false } = options;
    const { shuffle = !stateful, buckets, onBatch, checkpoint, from } = options;
    if (stateful && shuffle) {
      throw new ValueError(
        'fit: shuffle must not be true with stateful, because each minibatch continues the one before',
      );
    }
    this.#steps = steps;
    this.#options = options;
    const examples = examplesOf('fit', dataset, steps, { batchSize, buckets, stateful });
    if (stateful) assertCarries('fit', examples, steps);
    this.#rows = examples.rows;
    const single = onBatch !== undefined;
    this.#slices = new Slices(steps, examples, { batchSize, checkFinite, signal, single });
    this.#validation = validationOf(options);
    const { carried } = this.#slices;
    this.#saver =
      checkpoint === undefined
        ? undefined
        : new Saver(checkpoint, this.#programs(), carried?.state);

    const seed = shuffle ? (options.seed ?? nextDrawSeed()) : undefined;
    const padded = paddedSizes(examples);
    const plan = {
      examples: examples.rows,
      batchSize,
      seed,
      ...(padded && { buckets: padded }),
      ...(stateful && { stateful }),
    };
    const derived = options.seed === undefined;
    const asked = { epochs, derived, outputs: new WeightedMeans(steps).names };
    const [start, runs] = reading('fit: from:', from, () => {
      const start = startOf(plan, from, asked);
      if (from && start.row > 0) this.#carried = carried?.checked(from.file, from.carried);
      return [start, from?.progress && [...from.runs]] as const;
    });
    this.#records = [...start.epochs];
    this.#progress = { ...start, epochs: this.#records };
    this.#earlierRuns = runs;
    this.#skipped = new SkippedSteps(steps.updates, start.skipped ?? 0);
    this.#minibatches = new Minibatches(examples.rows, batchSize, examples.buckets, start.seed);
  }

  /**
   * Checks that checkpoints can be written, and continues the run counts of an earlier training. Random numbers depend
   * on these counts, so they are the same as if the earlier training had not been interrupted.
   */
  async begin(): Promise<void> {
    await this.#saver?.open();
    if (this.#earlierRuns === undefined) return;
    for (const [index, program] of this.#programs().entries()) {
      const run = this.#earlierRuns[index];
      // If the earlier training did not validate, the checkpoint has no run count for the validating program.
      if (run !== undefined) program.runs = run;
    }
  }

  /** Whether all epochs are completed, or `onEpoch` has ended the training. */
  get isOver(): boolean {
    return this.#progress.epoch >= this.#options.epochs || this.#progress.ended;
  }

  /**
   * Runs the remaining steps of the current epoch. Calls `onBatch` and writes the checkpoints that are due between two
   * steps.
   * @returns the means of the outputs and metrics over the whole epoch
   */
  async runSteps(): Promise<ProgramMeans> {
    const { epoch, row, sums } = this.#progress;
    const means = new WeightedMeans(this.#steps, sums, row);
    this.#skipped = new SkippedSteps(this.#steps.updates, this.#progress.skipped ?? 0);
    const plan = await this.#minibatches.plan(epoch);
    const each = async (slice: SliceOutputs) => {
      means.add(slice);
      await this.#callOnBatch(slice, this.#skipped.add(slice.steps));
      await this.#saveWithinEpoch(slice, means);
    };
    const limit = (start: number) =>
      this.#saver?.batchesLeft(this.#batchesBefore(start)) ?? Infinity;
    const state = this.#carried;
    this.#carried = undefined;
    await this.#slices.run(plan, each, { from: row, limit, state });
    return means.values();
  }

  /**
   * Runs the validating program over its dataset.
   * @returns the means of its outputs and metrics; undefined without validation
   */
  async validate(): Promise<ValidationMeans | undefined> {
    return await this.#validation?.run();
  }

  /** Records the epoch, calls `onEpoch`, and begins the next epoch. */
  async endEpoch(means: ProgramMeans, validation: ValidationMeans | undefined): Promise<void> {
    const { epoch } = this.#progress;
    const record = { epoch, ...means, ...this.#skips(), ...(validation && { validation }) };
    this.#records.push(record);
    const ended = (await this.#options.onEpoch?.(record)) === false;
    const { skipped: _, ...progress } = this.#progress;
    this.#progress = { ...progress, epoch: epoch + 1, row: 0, sums: {}, ended };
  }

  /** Writes a checkpoint if one is due after the epoch that has just ended, or if the training is over. */
  async saveIfDue(): Promise<void> {
    const { epoch } = this.#progress;
    if (this.isOver || this.#saver?.isDueAfterEpoch(epoch, this.#batchesBefore(0))) {
      await this.#saver?.save(this.#progress);
    }
  }

  /** Resolves when the last checkpoint is written. @throws (rejects with) FormatError if it cannot be written */
  async finishSaving(): Promise<void> {
    await this.#saver?.finish();
  }

  /** Waits for a pending write after an error, and ignores its failure, so that no promise rejects unhandled. */
  async settle(): Promise<void> {
    await this.#saver?.finish().catch(() => {});
  }

  get history(): History {
    return { epochs: this.#records };
  }

  /** Returns the programs whose run counts are saved: the trained one and, if there is one, the validating one. */
  #programs(): Stepper[] {
    return this.#validation ? [this.#steps, this.#validation.program] : [this.#steps];
  }

  /** Returns the number of minibatches of the training that come before an example of the current epoch. */
  #batchesBefore(row: number): number {
    const { batchSize } = this.#options;
    const batchesPerEpoch = Math.ceil(this.#rows / batchSize);
    return this.#progress.epoch * batchesPerEpoch + row / batchSize;
  }

  /** Returns copies of the outputs and metrics of a slice that has one step. The callback may keep them. */
  #copiesOf({ outputs, shapes, dtypes }: SliceOutputs): Pick<BatchRecord, 'outputs' | 'metrics'> {
    const { metrics } = this.#steps;
    const of = (metric: boolean) => {
      const names = [...shapes].filter(([name]) => metrics.has(name) === metric);
      return Object.fromEntries(
        names.map(([name, shape]) => {
          const data = (outputs.get(name) as TypedArray).slice();
          return [name, resultTensor(data, shape, dtypes.get(name) as DType)];
        }),
      );
    };
    return { outputs: of(false), ...(metrics.size > 0 && { metrics: of(true) }) };
  }

  async #callOnBatch(slice: SliceOutputs, skipped: number): Promise<void> {
    const { onBatch, batchSize } = this.#options;
    const { start, rows } = slice;
    const { epoch } = this.#progress;
    await onBatch?.({
      epoch,
      batch: start / batchSize,
      rows,
      ...(this.#skipped.possible && { skipped }),
      ...this.#copiesOf(slice),
    });
  }

  /** Writes a checkpoint between two steps if one is due. At the end of an epoch, `saveIfDue` writes it instead. */
  async #saveWithinEpoch(
    { start, steps, rows }: SliceOutputs,
    means: WeightedMeans,
  ): Promise<void> {
    const row = start + steps * rows;
    if (row === this.#rows || !this.#saver?.isDue(this.#batchesBefore(row))) return;
    const progress = { ...this.#progress, row, sums: means.sums(), ...this.#skips() };
    await this.#saver.save(progress, this.#slices.carried?.state);
  }

  /** Returns the number of skipped steps of the epoch, if the optimizer may skip steps. */
  #skips(): { readonly skipped?: number } {
    return this.#skipped.possible ? { skipped: this.#skipped.count } : {};
  }
}

/** Returns the sizes to which minibatches are padded, in all buckets; undefined if there is only one bucket. */
function paddedSizes({
  buckets,
}: Examples): readonly Readonly<Record<string, number>>[] | undefined {
  if (buckets.of === undefined) return undefined;
  return buckets.bindings.map((sizes) => Object.fromEntries(sizes));
}
