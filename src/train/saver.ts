/** The checkpoints that `fit` writes on its way. */

import { checkedLater, wholeNumber } from '../arguments/kinds.js';
import {
  declareOptions,
  type Kind,
  type OptionsOf,
  optional,
  required,
} from '../arguments/options.js';
import type { Stepper } from '../compile/program.js';
import { holdLeaves, releaseLeaves, type Variable } from '../graph/leaf.js';
import { assertWritable, writeInBackground } from '../io/background.js';
import { type FilePlan, layOut } from '../io/safetensors.js';
import { absolutePathOf, type FilePath } from '../io/sources.js';
import type { Tensor } from '../tensor/tensor.js';
import { copies, leavesOf, metadataOf } from './checkpoint.js';
import type { Progress } from './progress.js';
import { Turns } from './turns.js';

const countOrNever: Kind<number> = {
  expected: 'a positive integer or Infinity',
  accepts: (value) => value === Infinity || wholeNumber(1).accepts(value),
};

const everyOptions = declareOptions('fit: checkpoint: every', {
  /** Counted from the beginning of the training. */
  batches: optional(countOrNever, 'steps'),
  /** Since the checkpoint before; looked at every few milliseconds, or after a step that takes longer. */
  seconds: optional({
    expected: 'a number of at least 0',
    accepts: (value) => typeof value === 'number' && value >= 0,
  } as Kind<number>),
  /** Counted from the beginning of the training. */
  epochs: optional(countOrNever),
});

/** How often `fit` writes checkpoints. */
export interface CheckpointFrequency extends OptionsOf<typeof everyOptions> {}

const fitCheckpoints = declareOptions('fit: checkpoint', {
  /**
   * Where to, a path or a `file:` URL; replaced by each. A relative path means the file in the folder that was the
   * working directory when `fit` was called.
   */
  file: required(checkedLater<FilePath>('a path'), 'path', 'to'),
  /** After so much, whichever comes first; and at the end. After every epoch when left out. */
  every: optional(checkedLater<CheckpointFrequency>('{ batches, seconds, epochs }')),
});

/**
 * When and where `fit` writes checkpoints. Between two of its own steps; a leaf that another program writes at that
 * moment is saved as it is found.
 */
export interface FitCheckpoints extends OptionsOf<typeof fitCheckpoints> {}

export class Saver {
  readonly #file: string;
  readonly #every: { batches: number; seconds: number; epochs: number };
  readonly #programs: readonly Stepper[];
  readonly #leaves: readonly Variable[];
  /** Their values, whoever else is reading them: no step of this training is in flight when they are copied. */
  readonly #values: ReadonlyMap<string, Tensor>;
  #saved = performance.now();
  #writing: Promise<void> | undefined;
  #failure: unknown;

  /** @throws ValueError for settings that are not acceptable; GraphError for leaves that cannot be told apart */
  constructor(settings: FitCheckpoints, programs: readonly Stepper[]) {
    const { file, every = { epochs: 1 } } = fitCheckpoints.read(settings);
    this.#file = absolutePathOf(file, 'fit: checkpoint');
    const { batches = Infinity, seconds = Infinity, epochs = Infinity } = everyOptions.read(every);
    this.#every = { batches, seconds, epochs };
    this.#programs = programs;
    const [{ updates }] = programs as [Stepper];
    const leaves = leavesOf('fit: checkpoint', updates);
    this.#leaves = [...leaves.values()];
    this.#values = new Map([...leaves].map(([name, { value }]) => [name, value]));
    // What no file can hold is known before anything has run.
    this.#layout();
  }

  /** @throws (rejects with) FormatError where the file cannot be written */
  open(): Promise<void> {
    return assertWritable(this.#file);
  }

  /** How many more minibatches may be run in one call, after so many. */
  batchesLeft(done: number): number {
    return this.#every.batches - (done % this.#every.batches);
  }

  /** Whether one is to be written after so many minibatches of the training. */
  isDue(batches: number): boolean {
    // Whatever has failed is told at the next occasion, not hours later.
    if (this.#failure !== undefined) return true;
    const seconds = (performance.now() - this.#saved) / 1000;
    return batches % this.#every.batches === 0 || seconds >= this.#every.seconds;
  }

  /** Likewise after so many epochs. */
  isDueAfterEpoch(epochs: number, batches: number): boolean {
    return epochs % this.#every.epochs === 0 || this.isDue(batches);
  }

  /**
   * Takes what there is to save, and begins to write it. Between two steps, none of which may be run before
   * this resolves.
   * @throws (rejects with) FormatError when the one before could not be written
   */
  async save(progress: Progress): Promise<void> {
    // A disk that is slower than the training holds it up: memory for one copy is enough.
    await this.finish();
    const { header, tensors } = this.#layout(progress);
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

  /** Resolves when what was begun is written. @throws (rejects with) FormatError when it could not be */
  async finish(): Promise<void> {
    await this.#writing;
  }

  #layout(progress?: Progress): FilePlan {
    const runs = this.#programs.map((program) => program.runs);
    return layOut('fit: checkpoint', this.#values, metadataOf(runs, progress));
  }
}
