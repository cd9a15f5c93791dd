/**
 * A training in a file, so that it can go on in another process with the same bits: what its updates
 * read and write, how many runs its programs have done (on which draws depend), and how far `fit` has come.
 * A safetensors file, of which Python reads the leaves by their names.
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
import { bytesIn } from '../io/bytes.js';
import type { Header, Metadata } from '../io/header.js';
import { fitting } from '../io/restore.js';
import { described, layOut, restoreTensors } from '../io/safetensors.js';
import { absolutePathOf, type FilePath, type FileSource, sourceOf } from '../io/sources.js';
import { allocate, type Tensor } from '../tensor/tensor.js';
import { formatProgress, type Progress, parseProgress } from './progress.js';

/** What has an index of its next run: a program. */
export interface Counted {
  /** The index of its next run. */
  runs: number;
}

const resumeDeclaration = {
  /**
   * What a step writes, as `sgd` and `adam` give it. The file holds all parameters and states that these
   * write or depend on: weights, moments, a rate that is a state.
   */
  updates: required(checkedLater<Updates>('a list of [leaf, value] pairs'), 'update', 'parameters'),
  /** The program whose draws are to go on, or several in a fixed order. */
  program: optional(checkedLater<Counted | readonly Counted[]>('a program'), 'programs'),
};
const resumeOptions = declareOptions('resume', resumeDeclaration);

/** What `resume` is told. */
export interface ResumeOptions extends OptionsOf<typeof resumeOptions> {}

const checkpointOptions = declareOptions('checkpoint', {
  ...resumeDeclaration,
  /** Your own strings, such as how far a loop written by hand has come; `resume` gives them back. */
  metadata: optional(checkedLater<Metadata>('a record of strings')),
});

/** What `checkpoint` is told. */
export interface CheckpointOptions extends OptionsOf<typeof checkpointOptions> {}

/** What `resume` finds beside the leaves; `fit` goes on `from` it. */
export interface Checkpoint {
  /** Where it was read from. */
  readonly file: string;
  /** The index of each program's next run. */
  readonly runs: readonly number[];
  /** How far `fit` had come, if it wrote the file. */
  readonly progress: Progress | undefined;
  /** The strings of one's own that it was written with. */
  readonly metadata: Metadata;
}

// Of our metadata; others may not begin so.
const prefix = 'forebay.';
const versionKey = `${prefix}checkpoint`;
const runsKey = `${prefix}runs`;
const progressKey = `${prefix}progress`;
const version = '1';

/**
 * Writes a checkpoint off the JavaScript thread, whole or not at all. The values are those at the time of the
 * call: training may go on before the promise resolves. Checkpoints to one file are written in the order of
 * calling. When the promise resolves the file is on the disk, except under `node --permission`, which forbids fsync.
 *
 *     await checkpoint('model.checkpoint', { updates, program });
 *
 * @param file a path or a `file:` URL; a relative path means the file in the folder that is the working directory at
 *   the time of the call
 * @throws (rejects with) ValueError or GraphError if values cannot be saved, two leaves of one name among them, or an
 *   option is unknown; StateError if a run in flight writes a leaf; FormatError, naming the file, if it cannot be
 *   written: then it is as it was
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
 * Reads a checkpoint into the leaves that it is of, and sets `program.runs`. The file is read and held against
 * all of them before the first is written: after an error every one is as it was.
 *
 *     const from = existsSync(file) ? resume(file, { updates, program }) : undefined;
 *     await fit(program, dataset, { epochs, batchSize, from, checkpoint: { file } });
 *
 * @param file a path, a `file:` URL, or the bytes of a file
 * @throws FormatError, naming the file, if it is missing, damaged or not a checkpoint, and if it has a leaf too
 *   many or too few, by name; ShapeError or DTypeError for a leaf that does not fit; ValueError for more programs
 *   than it has counts of, or an unknown option; StateError for a leaf or a program of a run in flight
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
    fitting('resume', name, header.entries.map(described), leaves);
    refuseOthers(name, header, leaves);
    // Set to what they are: one that is busy or disposed refuses that before anything has changed.
    for (const program of programs) {
      const { runs } = program;
      program.runs = runs;
    }
    return leaves;
  };
  read((open) => restoreTensors(name, open, choose));
  for (const [index, program] of programs.entries()) program.runs = found.runs[index] as number;
  return found;
}

/**
 * The parameters and states that updates write or depend on, by name.
 * @throws ValueError or GraphError if they are not updates, or two leaves have one name
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
        `${context}: two of the leaves that the updates write or read are named '${name}': each needs a name of its own`,
      );
    }
    named.set(name, node);
  }
  return named;
}

/** The metadata of a checkpoint. @throws ValueError for keys that are ours, and for what is not a record */
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

// A fraction of a millisecond's work.
const pieceElements = 2 ** 18;

/** The bytes of tensors as they are now, a piece at each step. */
export function* copies(tensors: readonly Tensor[]): Generator<undefined, Uint8Array[]> {
  const copied: Uint8Array[] = [];
  for (const { data, dtype, shape } of tensors) {
    const copy = allocate(dtype, shape, 'checkpoint:');
    for (let start = 0; start < data.length; start += pieceElements) {
      copy.set(data.subarray(start, start + pieceElements), start);
      yield;
    }
    copied.push(bytesIn({ data: copy }));
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

/** @throws ValueError if a value has no index of its next run */
function counted(context: string, program: unknown): Counted {
  const refused = () =>
    new ValueError(`${context}: expected a program, but received ${describeValue(program)}`);
  return reading(`${context}: the program`, program, () => {
    if (!(program instanceof Object && 'runs' in program)) throw refused();
    if (typeof program.runs !== 'number') throw refused();
    return program as Counted;
  });
}

/** @throws FormatError for metadata that `metadataOf` cannot have made */
function parse(file: string, metadata: Metadata): Checkpoint {
  const { [versionKey]: found, [runsKey]: runs, [progressKey]: progress, ...others } = metadata;
  if (found === undefined) {
    throw new FormatError(
      `${file}: no checkpoint: its metadata have no '${versionKey}'; what save wrote is read by load`,
    );
  }
  if (found !== version) {
    throw new FormatError(
      `${file}: expected a checkpoint of version ${version}, but it is of version ${found}`,
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
  leaves: ReadonlyMap<string, Variable>,
): void {
  const other = entries.find(({ name }) => !leaves.has(name));
  if (other === undefined) return;
  throw new FormatError(
    `${file}: expected the ${leaves.size} leaves of the updates, but it also has '${other.name}': it is of another graph`,
  );
}
