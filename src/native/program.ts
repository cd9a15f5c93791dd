/** Compiled programs as the addon runs them: made of a code that it checks, run here or on its threads. */

import { NativeError, ValueError } from '../errors.js';
import { bytesOf, type DType, type TypedArray } from '../tensor/dtype.js';
import { type Addon, type Handle, load, messageOf } from './addon.js';

export type NativeQueue = Handle<'queue'>;
export type NativeProgram = Handle<'program'>;

/** What a run answers, if not the index of the instruction whose result was not finite. */
export const done = -1;
export const cancelled = -2;
const firstOverlap = -3;

/** @throws NativeError in place of what the addon throws */
function refused(what: string, cause: unknown): never {
  throw new NativeError(`${what}: ${messageOf(cause)}`, { cause });
}

/** Runs of programs in one queue go one at a time, in the order of asking, and are counted. */
export function createQueue(): NativeQueue {
  try {
    return load().addon.createQueue();
  } catch (cause) {
    return refused('compile', cause);
  }
}

/**
 * @param leaves of the code's buffers of kinds variable and constant, on SharedArrayBuffers
 * @param own feeds, then outputs, of runs that are given none, likewise; null if there are no such runs
 * @throws ValueError where there is too little memory: what was asked for is too large
 */
export function createProgram(
  code: Float64Array,
  leaves: readonly TypedArray[],
  queue: NativeQueue,
  own: readonly TypedArray[] | null,
): NativeProgram {
  try {
    return load().addon.createProgram(code, leaves, queue, own);
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'FOREBAY_NATIVE_MEMORY') {
      throw new ValueError(`compile: ${messageOf(cause)}`, { cause });
    }
    return refused('compile', cause);
  }
}

/**
 * Runs on this thread, after runs of other programs that write the same leaves.
 * @param threads 0: as many as the process is set to
 * @param memory feeds, then outputs; none: the program's own
 * @returns `done`, the instruction that was not finite, or what `overlapOf` explains; only `done` has
 *   written anything
 */
export function runProgram(
  program: NativeProgram,
  run: number,
  threads: number,
  checkFinite: boolean,
  memory: readonly TypedArray[] | null,
): number {
  try {
    const { addon } = load();
    return memory === null
      ? addon.runProgram(program, run, threads, checkFinite)
      : addon.runProgram(program, run, threads, checkFinite, ...memory);
  } catch (cause) {
    return refused('run', cause);
  }
}

/** A run whose instructions are timed; `nanoseconds` has one element for each, to which its time is added. */
export function profileProgram(
  program: NativeProgram,
  run: number,
  threads: number,
  nanoseconds: Float64Array,
  memory: readonly TypedArray[],
): number {
  try {
    return load().addon.profileProgram(program, run, threads, nanoseconds, ...memory);
  } catch (cause) {
    return refused('profile', cause);
  }
}

export interface StartedRun {
  readonly program: NativeProgram;
  /** Feeds, then outputs, on SharedArrayBuffers; as long as all steps need, one step's behind the other's. */
  readonly memory: readonly TypedArray[];
  /** The first step's index; -1 for the one after the last run of the queue. */
  readonly run: number;
  readonly steps: number;
  readonly threads: number;
  readonly checkFinite: boolean;
  /**
   * Called later, on this thread: with `done`, `cancelled` or the instruction; how many steps were done;
   * and the index of the last that was begun.
   */
  readonly done: (status: number, steps: number, run: number) => void;
}

/** Starts runs off this thread, one after another. @returns what `cancelRun` takes */
export function startProgram(start: StartedRun): number {
  const { program, memory, run, steps, threads, checkFinite } = start;
  try {
    const { addon } = load();
    return addon.startProgram(program, run, steps, threads, checkFinite, start.done, ...memory);
  } catch (cause) {
    return refused('run', cause);
  }
}

/** Ends a run that was started, unless it has begun to write; `done` is called in any case. */
export function cancelRun(run: number): void {
  load().addon.cancelRun(run);
}

/** Frees it: at once, or after its runs in flight. */
export function disposeProgram(program: NativeProgram): void {
  load().addon.disposeProgram(program);
}

export interface Overlap {
  readonly subject: { readonly kind: 'output' | 'feed'; readonly index: number };
  readonly object: { readonly kind: 'feed' | 'output' | 'leaf'; readonly index: number };
}

/** Which memory overlaps which, of a run that was refused for that: its status is less than `cancelled`. */
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
 * Computes with leaves on this thread as a run does: waits for its turn, and for those who read what
 * it writes.
 * @param write is called after `compute`, when nobody reads the leaves that it writes
 * @throws NativeError where there is no memory to wait with; what `compute` throws
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
 * Copies examples to their places in a minibatch: `out` is [outer, batch, inner], of which rows `from` on are
 * filled with the examples `rows` of `source`, which is [examples, outer, inner].
 * @throws NativeError for an index that is not an example, or rows beyond the batch
 */
export function gatherRows(
  out: TypedArray,
  source: TypedArray,
  rows: Int32Array | Float64Array,
  place: { readonly from: number; readonly batch: number; readonly inner: number },
): void {
  try {
    load().addon.gatherRows(out, source, rows, place.from, place.batch, place.inner);
  } catch (cause) {
    refused('gatherRows', cause);
  }
}

/** Bytes of the panels that a right operand [k, n] is packed into. */
export function panelBytes(dtype: DType, k: number, n: number): number {
  if (dtype === 'int32') throw new NativeError('there are no panels of int32');
  const width = load().description.panels[dtype];
  return Math.ceil(n / width) * width * k * bytesOf[dtype];
}
