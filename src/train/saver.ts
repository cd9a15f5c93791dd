/** Writes the checkpoints of `fit`. */

import { checkedLater, wholeNumber } from '../arguments/kinds.js';
import {
  declareOptions,
  type Kind,
  type OptionsOf,
  optional,
  required,
} from '../arguments/options.js';
import type { Stepper } from '../compile/stepper.js';
import { holdLeaves, releaseLeaves } from '../graph/in-flight.js';
import type { Variable } from '../graph/leaf.js';
import { assertWritable, writeInBackground } from '../io/background.js';
import { type FilePlan, layOut } from '../io/safetensors.js';
import { absolutePathOf, type FilePath } from '../io/sources.js';
import type { Tensor } from '../tensor/tensor.js';
import { type CarriedState, carriedTensors } from './carried.js';
import { copies, leavesOf, metadataOf } from './checkpoint.js';
import type { Progress } from './progress.js';
import { Turns } from './turns.js';

const countOrNever: Kind<number> = {
  expected: 'a positive integer or Infinity',
  accepts: (value) => value === Infinity || wholeNumber(1).accepts(value),
};

const everyOptions = declareOptions('fit: checkpoint: every', {
  /** The number of minibatches between two checkpoints. They are counted from the beginning of the training. */
  batches: optional(countOrNever, 'steps'),
  /**
   * The number of seconds after a checkpoint until the next one is due. The time is checked every few milliseconds,
   * or after each step if a step takes longer.
   */
  seconds: optional({
    expected: 'a number of at least 0',
    accepts: (value) => typeof value === 'number' && value >= 0,
  } as Kind<number>),
  /** The number of epochs between two checkpoints. They are counted from the beginning of the training. */
  epochs: optional(countOrNever),
});

/** How often `fit` writes checkpoints. */
export interface CheckpointFrequency extends OptionsOf<typeof everyOptions> {}

const fitCheckpoints = declareOptions('fit: checkpoint', {
  /**
   * A path or a `file:` URL. Each checkpoint replaces the file. A relative path is resolved against the working
   * directory at the time of the call of `fit`.
   */
  file: required(checkedLater<FilePath>('a path'), 'path', 'to'),
  /**
   * How often to write; after every epoch by default. If there are several conditions, each of them is sufficient. A
   * checkpoint is always written at the end of the training.
   */
  every: optional(checkedLater<CheckpointFrequency>('{ batches, seconds, epochs }')),
});

/**
 * Where and how often `fit` writes checkpoints. It writes between two of its own steps. A leaf that another program is
 * writing at that time is saved with its current values.
 */
export interface FitCheckpoints extends OptionsOf<typeof fitCheckpoints> {}

export class Saver {
  readonly #file: string;
  readonly #every: { batches: number; seconds: number; epochs: number };
  readonly #programs: readonly Stepper[];
  readonly #leaves: readonly Variable[];
  /** The values of the leaves. They are copied when no step of this training is in flight. */
  readonly #values: ReadonlyMap<string, Tensor>;
  #saved = performance.now();
  #writing: Promise<void> | undefined;
  #failure: unknown;

  /**
   * @param carried the carried inputs, if there are any
   * @throws ValueError if a setting is not acceptable, a value cannot be saved, or the updates are not valid; GraphError
   *   if two leaves have the same name
   */
  constructor(settings: FitCheckpoints, programs: readonly Stepper[], carried?: CarriedState) {
    const { file, every = { epochs: 1 } } = fitCheckpoints.read(settings);
    this.#file = absolutePathOf(file, 'fit: checkpoint');
    const { batches = Infinity, seconds = Infinity, epochs = Infinity } = everyOptions.read(every);
    this.#every = { batches, seconds, epochs };
    this.#programs = programs;
    const [{ updates }] = programs as [Stepper];
    const leaves = leavesOf('fit: checkpoint', updates);
    this.#leaves = [...leaves.values()];
    this.#values = new Map([...leaves].map(([name, { value }]) => [name, value]));
    // Throw here, before the first run, if a value cannot be saved.
    this.#plan(undefined, carried);
  }

  /** Checks that the file can be written. @throws (rejects with) FormatError if it cannot */
  open(): Promise<void> {
    return assertWritable(this.#file);
  }

  /** Returns how many minibatches remain until the next checkpoint if `done` minibatches of the training are done. */
  batchesLeft(done: number): number {
    return this.#every.batches - (done % this.#every.batches);
  }

  /** Returns whether a checkpoint is due after `batches` minibatches of the training. */
  isDue(batches: number): boolean {
    // After a failed write, a checkpoint is due at once, because `save` then reports the error.
    if (this.#failure !== undefined) return true;
    const seconds = (performance.now() - this.#saved) / 1000;
    return batches % this.#every.batches === 0 || seconds >= this.#every.seconds;
  }

  /** Returns whether a checkpoint is due after `epochs` epochs, which have `batches` minibatches together. */
  isDueAfterEpoch(epochs: number, batches: number): boolean {
    return epochs % this.#every.epochs === 0 || this.isDue(batches);
  }

  /**
   * Copies the values to save, and starts to write them. `fit` calls this between two steps, and no step may run before
   * the promise resolves.
   * @param carried the values of the carried inputs in the next step, in the midst of an epoch
   * @throws (rejects with) FormatError if the previous checkpoint could not be written
   */
  async save(progress: Progress, carried?: CarriedState): Promise<void> {
    // Wait for the previous write, so that memory holds only one copy of the values. A slow disk delays the training.
    await this.finish();
    const { header, tensors } = this.#plan(progress, carried);
    const turns = new Turns();
    holdLeaves(this.#leaves);
    try {
      const copying = copies(tensors);
      let copied = copying.next();
      while (!copied.done) {
        await turns.pass();
        copied = copying.next();
      }
      this.#writing = writeInBackground(this.#file, [header, ...copied.value]);
    } finally {
      releaseLeaves(this.#leaves);
    }
    this.#saved = performance.now();
    this.#writing.catch((cause: unknown) => {
      this.#failure = cause;
    });
  }

  /** Resolves when the pending write is done. @throws (rejects with) FormatError if it failed */
  async finish(): Promise<void> {
    await this.#writing;
  }

  #plan(progress?: Progress, carried: CarriedState = {}): FilePlan {
    const runs = this.#programs.map((program) => program.runs);
    const values = new Map([...this.#values, ...carriedTensors(this.#values, carried)]);
    return layOut('fit: checkpoint', values, metadataOf(runs, progress));
  }
}
