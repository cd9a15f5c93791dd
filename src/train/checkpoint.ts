/**
 * A training in a file, so that it can go on in another process with the same bits: what its updates
 * read and write, how many runs its programs have done (on which draws depend), and how far `fit` has come.
 * A safetensors file, of which Python reads the leaves by their names.
 */

import { describeValue } from '../arguments/describe.js';
import { FormatError, GraphError, ValueError } from '../errors.js';
import { executionOrder } from '../evaluate/lowered.js';
import { assertRun, checkUpdates, type Updates } from '../evaluate/updates.js';
import { Variable } from '../graph/leaf.js';
import { writeInBackground } from '../io/background.js';
import { bytesIn } from '../io/bytes.js';
import { assertPath, withFile } from '../io/files.js';
import type { Header, Metadata } from '../io/header.js';
import { fitting, layOut, readTensors } from '../io/safetensors.js';
import { allocate, type Tensor } from '../tensor/tensor.js';
import { formatProgress, type Progress, parseProgress } from './progress.js';

/** What has an index of its next run: a program. */
export interface Counted {
  /** The index of its next run. */
  runs: number;
}

/** What `resume` is told. */
export interface ResumeOptions {
  /**
   * What a step writes, as `sgd` and `adam` give it. The file holds all parameters and states that these
   * write or depend on: weights, moments, a rate that is a state.
   */
  readonly updates: Updates;
  /** The program whose draws are to go on, or several in a fixed order. */
  readonly program?: Counted | readonly Counted[] | undefined;
}

/** What `checkpoint` is told. */
export interface CheckpointOptions extends ResumeOptions {
  /** Strings of one's own, such as how far a loop written by hand has come; `resume` gives them back. */
  readonly metadata?: Metadata | undefined;
}

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
 * calling.
 *
 *     await checkpoint('model.checkpoint', { updates, program });
 *
 * @throws (rejects with) ValueError or GraphError for what cannot be saved, two leaves of one name among it;
 *   StateError for a leaf that a run in flight writes; FormatError, naming the file, when it cannot be written:
 *   then it is as it was
 */
export async function checkpoint(file: string, options: CheckpointOptions): Promise<void> {
  const { leaves, programs } = asked('checkpoint', file, options);
  const runs = programs.map((program) => program.runs);
  const metadata = metadataOf(runs, undefined, options.metadata);
  const { header, tensors } = layOut('checkpoint', leaves, metadata);
  const copying = copies(tensors);
  let copied = copying.next();
  while (!copied.done) copied = copying.next();
  await writeInBackground(file, [header, ...copied.value]);
}

/**
 * Reads a checkpoint into the leaves that it is of, and sets `program.runs`. The file is read and held against
 * all of them before the first is written: after an error every one is as it was.
 *
 *     const from = existsSync(file) ? resume(file, { updates, program }) : undefined;
 *     await fit(program, dataset, { epochs, batchSize, from, checkpoint: { file } });
 *
 * @throws FormatError, naming the file, when it is missing, damaged or no checkpoint, and when it has a leaf too
 *   many or too few, by name; ShapeError or DTypeError for a leaf that does not fit; ValueError for more programs
 *   than it has counts of; StateError for a leaf or a program of a run in flight
 */
export function resume(file: string, options: ResumeOptions): Checkpoint {
  const { leaves, programs } = asked('resume', file, options);
  let found!: Checkpoint;
  const choose = (header: Header) => {
    found = parse(file, header.metadata);
    const { runs } = found;
    if (programs.length > runs.length) {
      throw new ValueError(
        `resume: ${file} has the runs of ${runs.length} programs, but ${programs.length} were given`,
      );
    }
    fitting('resume', file, header, leaves);
    refuseOthers(file, header, leaves);
    // Set to what they are: one that is busy or disposed refuses that before anything has changed.
    for (const program of programs) {
      const { runs } = program;
      program.runs = runs;
    }
    return leaves;
  };
  withFile(file, (open) => readTensors(file, open, choose));
  for (const [index, program] of programs.entries()) program.runs = found.runs[index] as number;
  return found;
}

/** The parameters and states that updates write or depend on, by name. @throws GraphError for two of one name */
export function leavesOf(context: string, updates: Updates): ReadonlyMap<string, Variable> {
  checkUpdates(updates);
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

/** The metadata of a checkpoint. @throws ValueError for what cannot be among them */
export function metadataOf(
  runs: readonly number[],
  progress?: Progress,
  others: Metadata = {},
): Metadata {
  for (const key of Object.keys(others)) {
    if (key.startsWith(prefix)) {
      throw new ValueError(
        `checkpoint: metadata of one's own may not begin with '${prefix}', but one is '${key}'`,
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

function asked(context: string, file: string, options: ResumeOptions) {
  assertPath(file, `${context}:`);
  if (typeof options !== 'object' || options === null) {
    throw new ValueError(
      `${context}: expected options, at least updates, but received ${describeValue(options)}`,
    );
  }
  const { updates, program = [] } = options;
  const programs = Array.isArray(program) ? (program as readonly Counted[]) : [program as Counted];
  for (const counted of programs) {
    if (!(counted instanceof Object && 'runs' in counted)) {
      throw new ValueError(
        `${context}: expected a program, but received ${describeValue(counted)}`,
      );
    }
  }
  return { leaves: leavesOf(context, updates), programs };
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
