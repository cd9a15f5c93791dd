/**
 * Writes and reads checkpoints. A checkpoint is a file from which another process can continue a training, and get the
 * same bits as without the interruption. It holds the leaves that the updates read and write, the run counts of the
 * programs (because random numbers depend on them), and the progress of `fit`. It is a safetensors file, so
 * Python can read the leaves by name.
 */

import { describeValue } from '../arguments/describe.js';
import { checkedLater } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { assertList, assertRecord, isList, reading } from '../arguments/read.js';
import { FormatError, GraphError, ValueError } from '../errors.js';
import { executionOrder } from '../evaluate/lowered.js';
import { assertRun, checkUpdates, type Updates } from '../evaluate/updates.js';
import { Variable } from '../graph/leaf.js';
import { writeInBackground } from '../io/background.js';
import { writtenBytes } from '../io/bytes.js';
import { fitting } from '../io/fitting.js';
import type { Header, Metadata } from '../io/header.js';
import { layOut, restoreTensors } from '../io/safetensors.js';
import { absolutePathOf, type FilePath, type FileSource, sourceOf } from '../io/sources.js';
import { described } from '../io/stored.js';
import { allocate, type Tensor } from '../tensor/tensor.js';
import { type CarriedState, carriedName } from './carried.js';
import { adaptedTo } from './optimizer-states.js';
import { formatProgress, type Progress, parseProgress } from './progress.js';

/** An object that counts its runs, such as a program. */
export interface Counted {
  /** The index of the next run of the object. */
  runs: number;
}

const resumeDeclaration = {
  /**
   * The updates of a step, as `sgd` and `adam` return them. The file holds all parameters and states that the updates
   * write or depend on, for example the weights, the moments of Adam, and a rate that is a state.
   */
  updates: required(checkedLater<Updates>('a list of [leaf, value] pairs'), 'update', 'parameters'),
  /**
   * A program, or a list of programs. The file holds the run count of each program, so that the random numbers of the
   * program continue after `resume`. A list must have the same order in `checkpoint` and `resume`.
   */
  program: optional(checkedLater<Counted | readonly Counted[]>('a program'), 'programs'),
};
const resumeOptions = declareOptions('resume', resumeDeclaration);

/** The options of `resume`. */
export interface ResumeOptions extends OptionsOf<typeof resumeOptions> {}

const checkpointOptions = declareOptions('checkpoint', {
  ...resumeDeclaration,
  /** Strings of your own by name, such as the progress of your own training loop. `resume` returns them. */
  metadata: optional(checkedLater<Metadata>('a record of strings')),
});

/** The options of `checkpoint`. */
export interface CheckpointOptions extends OptionsOf<typeof checkpointOptions> {}

/** The content of a checkpoint except the leaves. Give it to the option `from` of `fit`. */
export interface Checkpoint {
  /** The name of the file from which the checkpoint was read. */
  readonly file: string;
  /** The index of each program's next run. */
  readonly runs: readonly number[];
  /** The progress of `fit`; undefined if `fit` did not write the file. */
  readonly progress: Progress | undefined;
  /**
   * The values of the inputs that `fit` carries from minibatch to minibatch (its option `stateful`), by the names of the
   * inputs. Absent unless `fit` wrote the file in the midst of an epoch.
   */
  readonly carried?: CarriedState;
  /** The strings of the user that were given to `checkpoint`. */
  readonly metadata: Metadata;
}

// The prefix of forebay's own metadata keys. User keys may not begin with it.
const prefix = 'forebay.';
const versionKey = `${prefix}checkpoint`;
const runsKey = `${prefix}runs`;
const progressKey = `${prefix}progress`;
const version = '1';

/**
 * Writes a checkpoint off the JavaScript thread, completely or not at all. The values are copied during the
 * call, so training may continue before the promise resolves. Checkpoints to one file are written in the order of
 * the calls. When the promise resolves, the file is on the disk, except under `node --permission`, which forbids fsync.
 *
 *     await checkpoint('model.checkpoint', { updates, program });
 *
 * @param file a path or a `file:` URL; a relative path is resolved against the working directory at the time of the
 *   call
 * @throws (rejects with) ValueError or GraphError if values cannot be saved, if two leaves have the same name, or if
 *   an option is unknown; StateError if a run in flight writes a leaf; FormatError, naming the file, if it cannot be
 *   written. After an error the file is unchanged
 */
export async function checkpoint(file: FilePath, options: CheckpointOptions): Promise<void> {
  const path = absolutePathOf(file, 'checkpoint');
  const { updates, program, metadata: others } = checkpointOptions.read(options);
  const { leaves, programs } = asked('checkpoint', updates, program);
  const runs = programs.map((program) => program.runs);
  const metadata = metadataOf(runs, undefined, others);
  const { header, tensors } = layOut('checkpoint', leaves, metadata);
  const copying = copies(tensors);
  let copied = copying.next();
  while (!copied.done) copied = copying.next();
  await writeInBackground(path, [header, ...copied.value]);
}

/**
 * Reads a checkpoint into the leaves of the updates, and sets `program.runs`. The file is read and checked against
 * all leaves before the first leaf is written. After an error all leaves are unchanged.
 *
 * Parameters may have been frozen or unfrozen since the checkpoint was written. States of optimizers that belong to frozen
 * parameters are ignored. States of parameters that were frozen when it was written keep their values.
 *
 *     const from = existsSync(file) ? resume(file, { updates, program }) : undefined;
 *     await fit(program, dataset, { epochs, batchSize, from, checkpoint: { file } });
 *
 * @param file a path, a `file:` URL, or the bytes of a file
 * @throws FormatError, naming the file, if it is missing, damaged or not a checkpoint, or if the names of its tensors
 *   are not the names of the leaves; ShapeError or DTypeError if a leaf does not fit; ValueError if there are
 *   more programs than run counts in the file, or an option is unknown; StateError if a run in flight uses a leaf or a
 *   program
 */
export function resume(file: FileSource, options: ResumeOptions): Checkpoint {
  const { name, read } = sourceOf(file, 'resume');
  const { updates, program } = resumeOptions.read(options);
  const { leaves, programs } = asked('resume', updates, program);
  let found!: Checkpoint;
  const choose = (header: Header) => {
    found = parse(name, header.metadata);
    const { runs } = found;
    if (programs.length > runs.length) {
      throw new ValueError(
        `resume: ${name} has the runs of ${runs.length} programs, but ${programs.length} were given`,
      );
    }
    const entries = header.entries.map((entry) => described(entry));
    const names = entries.map((entry) => entry.name);
    const { wanted, ignored } = adaptedTo(names, leaves, updates);
    fitting('resume', name, entries, wanted);
    const carried = names.filter((entry) => !leaves.has(entry) && carriedName(entry) !== undefined);
    const known = new Set([...wanted.keys(), ...ignored, ...carried]);
    refuseOthers(name, header, leaves.size, known);
    // Set each count to its present value. A busy or disposed program then throws here, before anything is changed.
    for (const program of programs) {
      const { runs } = program;
      program.runs = runs;
    }
    return new Map([...wanted, ...carried.map((entry) => [entry, undefined] as const)]);
  };
  const tensors = read((open) => restoreTensors(name, open, choose));
  for (const [index, program] of programs.entries()) program.runs = found.runs[index] as number;
  const carried = Object.entries(tensors).flatMap(([entry, tensor]) => {
    const input = leaves.has(entry) ? undefined : carriedName(entry);
    return input === undefined ? [] : [[input, tensor] as const];
  });
  return { ...found, ...(carried.length > 0 && { carried: Object.fromEntries(carried) }) };
}

/**
 * Returns the parameters and states that the updates write or depend on, by name.
 * @throws ValueError or GraphError if `updates` are not updates, or if two leaves have the same name
 */
export function leavesOf(context: string, updates: Updates): ReadonlyMap<string, Variable> {
  reading(`${context}: updates:`, updates, () => checkUpdates(updates));
  const written = updates.map(([leaf]) => leaf);
  const nodes = new Set([...written, ...executionOrder(updates.map(([, value]) => value))]);
  const named = new Map<string, Variable>();
  for (const node of nodes) {
    if (!(node instanceof Variable)) continue;
    const name = node.name as string;
    if (named.has(name)) {
      throw new GraphError(
        `${context}: two of the leaves that the updates write or read are named '${name}': give each its own name`,
      );
    }
    named.set(name, node);
  }
  return named;
}

/**
 * Returns the metadata of a checkpoint.
 * @throws ValueError if `given` is not a record, or a key begins with 'forebay.'
 */
export function metadataOf(
  runs: readonly number[],
  progress?: Progress,
  given: Metadata = {},
): Metadata {
  const expected = 'checkpoint: expected metadata as a record of strings,';
  const others = Object.fromEntries(assertRecord(given, expected));
  for (const key of Object.keys(others)) {
    if (key.startsWith(prefix)) {
      throw new ValueError(
        `checkpoint: your own metadata may not begin with '${prefix}', but one is '${key}'`,
      );
    }
  }
  for (const run of runs) assertRun(run);
  return {
    ...others,
    [versionKey]: version,
    [runsKey]: JSON.stringify(runs),
    ...(progress && { [progressKey]: formatProgress(progress) }),
  };
}

// The number of elements that are copied at a time. Copying them takes a fraction of a millisecond.
const pieceElements = 2 ** 18;

/** Copies the bytes of tensors. Yields after each piece, so that the caller can let the event loop run. */
export function* copies(tensors: readonly Tensor[]): Generator<undefined, Uint8Array[]> {
  const copied: Uint8Array[] = [];
  for (const { data, dtype, shape } of tensors) {
    const copy = allocate(dtype, shape, 'checkpoint:');
    for (let start = 0; start < data.length; start += pieceElements) {
      copy.set(data.subarray(start, start + pieceElements), start);
      yield;
    }
    copied.push(writtenBytes({ data: copy, dtype }));
  }
  return copied;
}

function asked(
  context: string,
  updates: Updates,
  program: Counted | readonly Counted[] | undefined,
) {
  const expected = `${context}: expected a program, or a list of programs,`;
  const given = isList(program) ? assertList(program, expected) : [program];
  const programs = given.filter((one) => one !== undefined).map((one) => counted(context, one));
  return { leaves: leavesOf(context, updates), programs };
}

/** Returns `program` if it has a number `runs`. @throws ValueError if it has none */
function counted(context: string, program: unknown): Counted {
  const refused = () =>
    new ValueError(`${context}: expected a program, but received ${describeValue(program)}`);
  return reading(`${context}: the program`, program, () => {
    if (!(program instanceof Object && 'runs' in program)) throw refused();
    if (typeof program.runs !== 'number') throw refused();
    return program as Counted;
  });
}

/** Reads the metadata of a checkpoint. @throws FormatError if `metadataOf` cannot have made them */
function parse(file: string, metadata: Metadata): Checkpoint {
  const { [versionKey]: found, [runsKey]: runs, [progressKey]: progress, ...others } = metadata;
  if (found === undefined) {
    throw new FormatError(
      `${file}: not a checkpoint: its metadata have no '${versionKey}'; use load for the files of save`,
    );
  }
  if (found !== version) {
    throw new FormatError(
      `${file}: expected a checkpoint of version ${version}, but its version is ${found}`,
    );
  }
  const parsed = <T>(key: string, read: () => T): T => {
    try {
      return read();
    } catch (cause) {
      const { message } = cause as Error;
      throw new FormatError(`${file}: the metadatum '${key}' is damaged: ${message}`, { cause });
    }
  };
  return {
    file,
    runs: parsed(runsKey, () => parseRuns(runs)),
    progress: parsed(progressKey, () =>
      progress === undefined ? undefined : parseProgress(progress),
    ),
    metadata: others,
  };
}

function parseRuns(text = ''): number[] {
  const runs: unknown = JSON.parse(text);
  if (!Array.isArray(runs)) throw new Error('it must be a list');
  runs.forEach(assertRun);
  return runs as number[];
}

function refuseOthers(
  file: string,
  { entries }: Header,
  leaves: number,
  known: ReadonlySet<string>,
): void {
  const other = entries.find(({ name }) => !known.has(name));
  if (other === undefined) return;
  throw new FormatError(
    `${file}: expected the ${leaves} leaves of the updates, but it also has '${other.name}': it belongs to another graph`,
  );
}
