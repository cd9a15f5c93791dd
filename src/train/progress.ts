/**
 * The progress of a training, and its conversion to text and back. The text keeps every number exactly, because a
 * resumed training must give the same bits.
 */

import { describeValue } from '../arguments/describe.js';
import { isList, isRecord } from '../arguments/read.js';
import { ValueError } from '../errors.js';
import { assertSeed } from '../graph/seed.js';
import type { EpochRecord, Means, ValidationMeans } from './history.js';

/** The progress of `fit`. */
export interface Progress {
  /** The number of examples in the dataset. */
  readonly examples: number;
  /** The number of examples in a step. */
  readonly batchSize: number;
  /** The seed of the shuffles; undefined if the examples are not shuffled. */
  readonly seed: number | undefined;
  /**
   * The sizes to which minibatches of ragged data are padded, for each bucket, by dimension. Absent if there is only one
   * bucket.
   */
  readonly buckets?: readonly Readonly<Record<string, number>>[];
  /** True if the training carries state from minibatch to minibatch. */
  readonly stateful?: boolean;
  /** The current epoch, from 0, which is also the number of completed epochs. */
  readonly epoch: number;
  /** The number of examples of the current epoch that the completed steps have used. */
  readonly row: number;
  /** For each output and each metric that has one element, the sum of its values over these `row` examples. */
  readonly sums: Means;
  /** The number of skipped steps of the current epoch. Absent if the optimizer cannot skip steps. */
  readonly skipped?: number;
  /** The results of the completed epochs. */
  readonly epochs: readonly EpochRecord[];
  /** Whether `onEpoch` ended the training. */
  readonly ended: boolean;
}

/** The part of the progress that the options and the dataset of a call of `fit` determine. */
export type Plan = Pick<Progress, 'examples' | 'batchSize' | 'seed' | 'buckets' | 'stateful'>;

/** The fields of the result of `resume` that this module uses. */
interface Resumed {
  readonly file: string;
  readonly runs: readonly number[];
  readonly progress: Progress | undefined;
}

interface Asked {
  readonly epochs: number;
  /** True if the seed is derived from `setSeed`, because the option `seed` was not given. */
  readonly derived: boolean;
  /** The names of the outputs that have one element. */
  readonly outputs: ReadonlySet<string>;
}

/**
 * Returns the progress at which `fit` starts: the progress in `from` or, if it has none, that of a new training.
 * @throws ValueError, naming the file, if a training that continues with these options and this dataset would not give
 *   the result of an uninterrupted training
 */
export function startOf(
  plan: Plan,
  from: Resumed | undefined,
  { epochs, derived, outputs }: Asked,
): Progress {
  const start = { ...plan, epoch: 0, row: 0, sums: {}, epochs: [], ended: false };
  if (from === undefined) return start;
  if (!isResumed(from)) {
    throw new ValueError(`fit: from must be the result of resume, but is ${describeValue(from)}`);
  }
  const { file } = from;
  if (from.progress === undefined) return start;
  // Copy and check the progress, because the caller may have changed the object.
  const progress = parseProgress(formatProgress(from.progress));
  const refuse = (was: string, is: string): never => {
    throw new ValueError(`fit: from: ${file} is of a training ${was}, but ${is}`);
  };
  const { examples, batchSize, seed } = progress;
  if (examples !== plan.examples) {
    refuse(`on ${examples} examples`, `the dataset has ${plan.examples}`);
  }
  if (batchSize !== plan.batchSize) {
    refuse(`with batchSize ${batchSize}`, `batchSize is ${plan.batchSize}`);
  }
  if ((seed === undefined) !== (plan.seed === undefined)) {
    refuse(`with shuffle ${seed !== undefined}`, `shuffle is ${plan.seed !== undefined}`);
  }
  const [was, is] = [progress, plan].map(({ buckets }) => JSON.stringify(buckets) ?? 'one bucket');
  if (was !== is) refuse(`with buckets ${was}`, `those of the dataset are ${is}`);
  const [stateful = false, carries = false] = [progress.stateful, plan.stateful];
  if (stateful !== carries) refuse(`with stateful ${stateful}`, `stateful is ${carries}`);
  if (!derived && seed !== undefined && seed !== plan.seed) {
    refuse(`with seed ${seed}`, `seed is ${plan.seed}`);
  }
  const begun = progress.epoch + (progress.row > 0 ? 1 : 0);
  if (begun > epochs) refuse(`that has begun ${begun} epochs`, `epochs is ${epochs}`);
  const [before, now] = [Object.keys(progress.sums), [...outputs]].map((names) => {
    return names.sort().join(', ') || 'none';
  }) as [string, string];
  if (progress.row > 0 && before !== now) {
    refuse(`whose outputs of one element are ${before}`, `those of the program are ${now}`);
  }
  return progress;
}

function isResumed(from: unknown): from is Resumed {
  try {
    return isRecord(from) && 'progress' in from && isList(from.runs);
  } catch {
    return false; // The value is a proxy whose traps throw.
  }
}

export function formatProgress({ seed, epochs, ...rest }: Progress): string {
  const records = epochs.map(({ outputs, metrics, skipped, validation }) => ({
    outputs,
    metrics,
    skipped,
    validation,
  }));
  return JSON.stringify(
    { ...rest, seed: seed ?? null, epochs: records },
    (_key, value: unknown) => {
      // NaN, the infinities and -0 become strings, because JSON.stringify does not keep them.
      if (typeof value !== 'number' || (Number.isFinite(value) && !Object.is(value, -0)))
        return value;
      return Object.is(value, -0) ? '-0' : String(value);
    },
  );
}

/** Reads the text of `formatProgress`. @throws Error, with the reason, if `formatProgress` cannot have made the text */
export function parseProgress(text: string): Progress {
  const fields = record(JSON.parse(text), 'the progress');
  const examples = count(fields.examples, 'examples', 1);
  const batchSize = count(fields.batchSize, 'batchSize', 1);
  const epoch = count(fields.epoch, 'epoch');
  const row = count(fields.row, 'row');
  if (row >= examples || row % batchSize !== 0) {
    throw new Error(`no minibatch of ${batchSize} begins at row ${row} of ${examples}`);
  }
  if (!Array.isArray(fields.epochs) || fields.epochs.length !== epoch) {
    throw new Error(`expected the records of ${epoch} epochs`);
  }
  if (fields.seed !== null) assertSeed(fields.seed, 'seed:');
  if (fields.stateful !== undefined && fields.stateful !== true) {
    throw new Error('stateful must be true or left out');
  }
  if (typeof fields.ended !== 'boolean') throw new Error('ended must be true or false');
  return {
    examples,
    batchSize,
    seed: fields.seed ?? undefined,
    ...(fields.buckets !== undefined && { buckets: sizes(fields.buckets) }),
    ...(fields.stateful && { stateful: true }),
    epoch,
    row,
    sums: means(fields.sums, 'sums'),
    ...skips(fields.skipped, 'skipped'),
    epochs: fields.epochs.map((fields: unknown, epoch) => {
      const { outputs, metrics, skipped, validation } = record(fields, `epoch ${epoch}`);
      return {
        epoch,
        outputs: means(outputs, `outputs of epoch ${epoch}`),
        ...(metrics !== undefined && { metrics: means(metrics, `metrics of epoch ${epoch}`) }),
        ...skips(skipped, `skipped of epoch ${epoch}`),
        ...(validation !== undefined && {
          validation: validated(validation, `validation of epoch ${epoch}`),
        }),
      };
    }),
    ended: fields.ended,
  };
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Error(`${what} must be an object`);
}

function count(value: unknown, what: string, least = 0): number {
  if (Number.isSafeInteger(value) && (value as number) >= least) return value as number;
  throw new Error(`${what} must be a whole number of at least ${least}`);
}

/** Reads a number of skipped steps, which may be absent. */
function skips(value: unknown, what: string): { readonly skipped?: number } {
  return value === undefined ? {} : { skipped: count(value, what) };
}

/** Reads the sizes of the buckets. */
function sizes(value: unknown): readonly Readonly<Record<string, number>>[] {
  if (!Array.isArray(value)) throw new Error('buckets must be a list');
  return value.map((bucket: unknown, index) => {
    const read = Object.entries(record(bucket, `bucket ${index}`));
    return Object.fromEntries(read.map(([name, size]) => [name, count(size, `'${name}'`)]));
  });
}

const numbers = new Map(['NaN', 'Infinity', '-Infinity', '-0'].map((text) => [text, Number(text)]));

function validated(value: unknown, what: string): ValidationMeans {
  const { metrics, ...outputs } = record(value, what);
  // A program without metrics may have an output of this name, whose mean is not an object.
  if (typeof metrics !== 'object') return means(value, what) as ValidationMeans;
  return {
    ...means(outputs, what),
    metrics: means(metrics, `metrics of the ${what}`),
  } as ValidationMeans;
}

function means(value: unknown, what: string): Means {
  const entries = Object.entries(record(value, what)).map(([name, mean]) => {
    const number = typeof mean === 'string' ? numbers.get(mean) : mean;
    if (typeof number !== 'number') throw new Error(`'${name}' of ${what} must be a number`);
    return [name, number] as const;
  });
  return Object.fromEntries(entries);
}
