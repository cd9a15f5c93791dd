/** Creates compiled programs in the addon, which checks their code. Runs them on this thread or on other threads. */

import { NativeError, ValueError } from '../errors.js';
import { bytesOf, type DType, isFloating, type TypedArray } from '../tensor/dtype.js';
import { type Addon, type Handle, load, messageOf } from './addon.js';
import { dtypeCodes } from './table.js';

export type NativeQueue = Handle<'queue'>;
export type NativeProgram = Handle<'program'>;
export type NativeKept = Handle<'kept'>;

/**
 * The statuses of a run. A status of `firstOverlap` or less says which memory overlaps (see `overlapOf`). A run that
 * failed in an instruction has a `RunFailure` as its status.
 */
export const done = -1;
export const cancelled = -2;
const outOfRange = -3;
const firstOverlap = -4;

/** The instruction in which a run failed, because its result is not finite. */
export interface NotFiniteFailure {
  /** The index of the instruction. The instructions of a loop follow the loop. */
  readonly instruction: number;
  /** The iterations of the loops around the instruction, from the outermost loop to the innermost. */
  readonly iterations: readonly number[];
}

/** An element of an operand of indices that is out of range. */
export interface IndexOutOfRange {
  /** The position of the element in its operand, in row-major order. It is the first element that is out of range. */
  readonly index: number;
  /** The axis that is indexed, as the instruction numbers it; -1 if the elements are labels of classes. */
  readonly axis: number;
  /** The size of the axis. Indices from -bound to bound - 1 and labels from 0 to bound - 1 are valid. */
  readonly bound: number;
  /** The element. */
  readonly value: number;
}

/** The instruction in which a run failed, because an index is out of range. */
export interface IndexFailure extends NotFiniteFailure, IndexOutOfRange {}

export type RunFailure = NotFiniteFailure | IndexFailure;

export type RunStatus = number | RunFailure;

/** The status of a run that was neither cancelled nor refused. */
export type Outcome = typeof done | RunFailure;

/** The number of numbers in the report of an index that is out of range. The first is the index of the instruction. */
export const failureNumbers = 5;

/** The most loops that can be around an instruction. The addon has the same number, in native/program/window.h. */
export const maxLoopDepth = 8;

/** Reads the report of an index that is out of range, which the addon wrote. */
export function indexIn(report: ArrayLike<number>): IndexOutOfRange {
  const [, index, axis, bound, value] = Array.from(report) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { index, axis, bound, value };
}

/**
 * Returns the status of a run.
 * @param status the status that the addon returned: if it is 0 or more, the instruction whose result is not finite
 * @param reported returns the report of an index that is out of range
 * @param iterations returns the iterations of the loops around the instruction that failed
 */
function statusOf(
  status: number,
  reported: () => ArrayLike<number>,
  iterations: () => readonly number[],
): RunStatus {
  if (status >= 0) return { instruction: status, iterations: iterations() };
  if (status !== outOfRange) return status;
  const report = reported();
  return { instruction: report[0] as number, iterations: iterations(), ...indexIn(report) };
}

/** Describes an index or a label that is out of range. */
export function describeIndex({ index, axis, bound, value }: IndexOutOfRange): string {
  if (axis < 0) {
    const classes = bound > 0 ? `from 0 to ${bound - 1}` : 'none';
    return `the label of row ${index} is ${value}, but the labels of ${bound} classes are ${classes}; to leave out rows, give them one label outside of the classes and pass it as ignoreIndex`;
  }
  const valid = bound > 0 ? `from ${-bound} to ${bound - 1}` : 'none, because it has no elements';
  return `element ${index} of the indices is ${value}, but the valid indices of axis ${axis} are ${valid}`;
}

/** @throws NativeError with the message of `cause`, the error that the addon threw */
function refused(what: string, cause: unknown): never {
  throw new NativeError(`${what}: ${messageOf(cause)}`, { cause });
}

/** Creates a queue. Its programs run one at a time, in the order of the calls, and the queue counts the runs. */
export function createQueue(): NativeQueue {
  try {
    return load().addon.createQueue();
  } catch (cause) {
    return refused('compile', cause);
  }
}

/**
 * Creates a program.
 * @param leaves the memory of the leaves (the buffers of kinds variable and constant in `code`), on SharedArrayBuffers
 * @param own the program's own memory (the feeds, then the outputs), on SharedArrayBuffers, for runs that are given no
 *   memory; null if there are no such runs
 * @param kept the memory of the values that are kept from run to run; null if there are none
 * @throws ValueError if there is not enough memory; NativeError if the addon refuses the code
 */
export function createProgram(
  code: Float64Array,
  leaves: readonly TypedArray[],
  queue: NativeQueue,
  own: readonly TypedArray[] | null,
  kept: NativeKept | null,
): NativeProgram {
  try {
    return load().addon.createProgram(code, leaves, queue, own, kept);
  } catch (cause) {
    return notCreated(cause);
  }
}

/** @throws ValueError if the addon threw `cause` because there is not enough memory; otherwise NativeError */
function notCreated(cause: unknown): never {
  if ((cause as { code?: unknown }).code === 'FOREBAY_NATIVE_MEMORY') {
    throw new ValueError(`compile: ${messageOf(cause)}`, { cause });
  }
  return refused('compile', cause);
}

/**
 * Allocates memory for values that programs keep from run to run. The instructions that run once compute these values
 * in the first run, and again after a run has changed a leaf from which they are computed.
 * @throws ValueError if there is not enough memory
 */
export function createKept(bytes: number): NativeKept {
  try {
    return load().addon.createKept(bytes);
  } catch (cause) {
    return notCreated(cause);
  }
}

/** Makes the next run compute the kept values again. It is called after a leaf has changed. */
export function expireKept(kept: NativeKept): void {
  load().addon.expireKept(kept);
}

/** Frees kept values when no program uses them any more. */
export function disposeKept(kept: NativeKept): void {
  load().addon.disposeKept(kept);
}

/**
 * Runs a program on this thread. If other programs that write the same leaves are running, waits for them first.
 * @param threads the number of threads; 0 means the number set for the process
 * @param keepOutputs whether a run that fails must not change the memory of the outputs
 * @param memory the feeds, then the outputs; null means the program's own memory
 * @returns `done`, the failure of an instruction, or a status for `overlapOf`; values are written only if the status is
 *   `done`
 */
export function runProgram(
  program: NativeProgram,
  run: number,
  threads: number,
  checkFinite: boolean,
  keepOutputs: boolean,
  memory: readonly TypedArray[] | null,
): RunStatus {
  try {
    const { addon } = load();
    const status =
      memory === null
        ? addon.runProgram(program, run, threads, checkFinite, keepOutputs)
        : addon.runProgram(program, run, threads, checkFinite, keepOutputs, ...memory);
    return endedWith(status, addon, program);
  } catch (cause) {
    return refused('run', cause);
  }
}

/** Returns the status of a run on this thread, which has ended. */
function endedWith(status: number, addon: Addon, program: NativeProgram): RunStatus {
  if (status === done) return done;
  const report = () => {
    const numbers = new Float64Array(failureNumbers);
    addon.readFailure(program, numbers);
    return numbers;
  };
  const iterations = () => {
    const numbers = new Float64Array(maxLoopDepth);
    return [...numbers.subarray(0, addon.readIterations(program, numbers))];
  };
  return statusOf(status, report, iterations);
}

/**
 * Runs a program and times its instructions. Writes the time of instruction i to `nanoseconds[i]`, unless the
 * instruction was not executed, because its results are kept.
 */
export function profileProgram(
  program: NativeProgram,
  run: number,
  threads: number,
  nanoseconds: Float64Array,
  memory: readonly TypedArray[],
): RunStatus {
  try {
    const { addon } = load();
    const status = addon.profileProgram(program, run, threads, nanoseconds, ...memory);
    return endedWith(status, addon, program);
  } catch (cause) {
    return refused('profile', cause);
  }
}

export interface StartedRun {
  readonly program: NativeProgram;
  /** The feeds, then the outputs, on SharedArrayBuffers. Each holds the values of all steps, one after another. */
  readonly memory: readonly TypedArray[];
  /** The run index of the first step; -1 means the next index of the queue. */
  readonly run: number;
  readonly steps: number;
  readonly threads: number;
  readonly checkFinite: boolean;
  /**
   * Called later on this thread, with the status (`done`, `cancelled` or the failure of an instruction), the number of
   * completed steps, and the run index of the last step that was begun.
   */
  readonly done: (status: RunStatus, steps: number, run: number) => void;
}

/** Starts a run of `steps` steps off this thread, one step after another. @returns the id for `cancelRun` */
export function startProgram(start: StartedRun): number {
  const { program, memory, run, steps, threads, checkFinite } = start;
  // An index out of range is reported first, then the iterations of the loops.
  const ended = (status: number, completed: number, last: number, ...failure: number[]) => {
    const iterations = () => (status === outOfRange ? failure.slice(failureNumbers) : failure);
    start.done(
      statusOf(status, () => failure, iterations),
      completed,
      last,
    );
  };
  try {
    const { addon } = load();
    return addon.startProgram(program, run, steps, threads, checkFinite, ended, ...memory);
  } catch (cause) {
    return refused('run', cause);
  }
}

/** Cancels a started run, unless it has begun to write. `done` is called whether or not the run is cancelled. */
export function cancelRun(run: number): void {
  load().addon.cancelRun(run);
}

/** Frees a program: at once or, if runs are in flight, after these runs. */
export function disposeProgram(program: NativeProgram): void {
  load().addon.disposeProgram(program);
}

export interface Overlap {
  readonly subject: { readonly kind: 'output' | 'feed'; readonly index: number };
  readonly object: { readonly kind: 'feed' | 'output' | 'leaf'; readonly index: number };
}

/**
 * Decodes a status less than `cancelled`. It means that the run was refused, because two of its feeds, outputs and
 * leaves overlap in memory.
 * @returns the two that overlap
 */
export function overlapOf(status: number, feeds: number, outputs: number, leaves: number): Overlap {
  const objects = feeds + outputs + leaves;
  const subject = Math.floor((firstOverlap - status) / objects);
  const object = (firstOverlap - status) % objects;
  return {
    subject:
      subject < outputs
        ? { kind: 'output', index: subject }
        : { kind: 'feed', index: subject - outputs },
    object:
      object < feeds
        ? { kind: 'feed', index: object }
        : object < feeds + outputs
          ? { kind: 'output', index: object - feeds }
          : { kind: 'leaf', index: object - feeds - outputs },
  };
}

/**
 * Computes with leaves on this thread. Before `compute`, waits until no run writes these leaves. Before `write`, waits
 * until no run reads the leaves in `writes`. A run of a program waits in the same way.
 * @param write called after `compute` with its result
 * @throws NativeError if there is no memory to record that these leaves are in use; the error of `compute`
 */
export function withLeaves<T>(
  reads: readonly TypedArray[],
  writes: readonly TypedArray[],
  compute: () => T,
  write: (computed: T) => void,
): T {
  const { addon } = load();
  const claim = claimLeaves(addon, reads, writes);
  try {
    const computed = compute();
    if (writes.length > 0) addon.beginWrites(claim);
    write(computed);
    return computed;
  } finally {
    addon.releaseLeaves(claim);
  }
}

function claimLeaves(
  addon: Addon,
  reads: readonly TypedArray[],
  writes: readonly TypedArray[],
): Handle<'claim'> {
  try {
    return addon.claimLeaves(reads, writes);
  } catch (cause) {
    return refused('evaluate', cause);
  }
}

/**
 * Copies examples into a minibatch. `out` has shape [outer, batch, inner], `source` has shape [examples, outer, inner].
 * `rows` lists the indices of the examples in `source`. The examples are written to `out` at the positions `from`,
 * `from + 1`, … along the axis `batch`.
 * @throws NativeError if `source` has no example with an index in `rows`, or if the axis `batch` has too few positions,
 *   counted from `from`
 */
export function gatherRows(
  out: TypedArray,
  source: TypedArray,
  rows: Int32Array | Float64Array,
  target: { readonly from: number; readonly batch: number; readonly inner: number },
): void {
  try {
    load().addon.gatherRows(out, source, rows, target.from, target.batch, target.inner);
  } catch (cause) {
    refused('gatherRows', cause);
  }
}

/** Returns the size in bytes of the panels into which a right operand of shape [k, n] is packed. */
export function panelBytes(dtype: DType, k: number, n: number): number {
  if (!isFloating(dtype)) throw new NativeError(`there are no panels of ${dtype}`);
  const width = load().description.panels[dtype as 'float32' | 'float64'];
  return Math.ceil(n / width) * width * k * bytesOf[dtype];
}

/**
 * Returns whether a product [M, K] x [K, N] takes less time if its right operand is already packed into panels, and then
 * gives the same bits.
 * @param strides the strides of the rows and columns of the left operand, then those of the right operand
 */
export function panelsSave(
  dtype: DType,
  [m, n, k]: readonly [m: number, n: number, k: number],
  strides: readonly number[],
): boolean {
  const geometry = new Float64Array([dtypeCodes[dtype], m, n, k, ...strides]);
  return load().addon.panelsSave(geometry) === 1;
}
