/** Compiled programs: the class `Program` and the function `compile`. */

import { brand, describeValue } from '../arguments/describe.js';
import { StateError, ValueError } from '../errors.js';
import type { Feeds } from '../evaluate/bind.js';
import { checkUpdates } from '../evaluate/updates.js';
import { done } from '../native/program.js';
import type { Tensor } from '../tensor/tensor.js';
import { dimsOf } from './dims.js';
import type { Stats } from './encoded.js';
import { failedRun } from './failed-run.js';
import { checkFitting } from './into.js';
import {
  type AsyncRunOptions,
  assertPasses,
  asyncRunOptions,
  type CompileOptions,
  checkOutputs,
  compileOptions,
  noOptions,
  passesKind,
  type RunOptions,
  runOptions,
  type Specialise,
} from './options.js';
import { type ProfileRow, profileRows } from './profile.js';
import { Runner } from './runner.js';
import { specialisation } from './specialise.js';

export type { AsyncRunOptions, CompileOptions, RunOptions, Specialise } from './options.js';

let runnerIn: (program: Program) => Runner;

/** A compiled graph. It keeps the compiled code for the eight most recently used bindings of its dimension names. */
export class Program<K extends string = string> {
  static {
    brand(Program);
    runnerIn = (program) => program.#runner;
  }

  readonly #runner: Runner;

  /**
   * Makes a program. Users call `compile` instead.
   * @internal
   */
  constructor(options: CompileOptions<K>, passes: Specialise = specialisation) {
    const read = compileOptions.read(options, 'compile');
    const outputs = checkOutputs(read.outputs);
    const updates = checkUpdates(read.updates ?? []);
    if (!passesKind.accepts(passes)) {
      throw new ValueError(
        `compile: expected ${passesKind.expected}, but received ${describeValue(passes)}`,
      );
    }
    this.#runner = new Runner({
      outputs: new Map(outputs),
      updates: updates.map(([leaf, value]) => [leaf, value] as const),
      threads: read.threads ?? 0,
      specialise: (...graph) => assertPasses(passes(...graph)),
    });
  }

  /**
   * Runs the program once, on this thread. The run computes the outputs and the new values of the leaves, both from the
   * values that the leaves had before the run. It then writes the leaves. A run that fails writes no leaf.
   * @returns the outputs by name: new tensors, or the tensors of `into`
   * @throws ValueError, ShapeError or DTypeError if feeds or `into` do not match the graph; ValueError if an option is
   *   unknown; StateError if the program is disposed or a `runAsync` of it is in flight; NumericError if `checkFinite`
   *   is true and a result is NaN or infinite
   */
  run(feeds: Feeds = {}, options?: RunOptions<K>): Record<K, Tensor> {
    const runner = this.#runner;
    runner.assertIdle('run');
    const read = options === undefined ? noOptions : runOptions.read(options, 'run');
    const { into, checkFinite = false } = read as RunOptions<K>;
    const executable = runner.fed(feeds);
    try {
      if (into !== undefined) checkFitting(into, executable);
      const status = executable.run(into, runner.runs, runner.threads, checkFinite);
      if (status !== done) {
        throw failedRun(executable, executable.fedWith(), status, runner.runs);
      }
      runner.count();
      return into ?? (executable.results() as Record<K, Tensor>);
    } finally {
      executable.forget();
    }
  }

  /**
   * Runs the program once, as `run` does, but off the JavaScript thread. The feeds are copied before this method
   * returns. Runs of one program execute one after another, in the order of the calls. An aborted run writes nothing,
   * and its promise rejects with `signal.reason`. A run that has begun to write when it is aborted finishes, and its
   * promise resolves.
   * @returns the outputs by name, as new tensors
   * @throws (rejects with) ValueError, ShapeError or DTypeError if feeds do not match the graph; ValueError if an
   *   option is unknown; StateError if the program is disposed; NumericError if `checkFinite` is true and a result is
   *   NaN or infinite; `signal.reason` after an abort
   */
  async runAsync(feeds: Feeds = {}, options?: AsyncRunOptions): Promise<Record<K, Tensor>> {
    const runner = this.#runner;
    runner.assertUsable('runAsync');
    const read = options === undefined ? noOptions : asyncRunOptions.read(options, 'runAsync');
    const { signal, checkFinite = false } = read;
    signal?.throwIfAborted();
    const { bindings, memoryOf } = runner.stagedFeeds(feeds);
    // A getter among the feeds may have disposed of the program.
    runner.assertUsable('runAsync');
    const { executable, memory, landed } = await runner.launch(bindings, {
      memoryOf,
      steps: 1,
      checkFinite,
      signal,
    });
    try {
      const { status, run } = landed;
      if (status !== done) {
        throw failedRun(executable, executable.fedWith(memory), status, run);
      }
      return (await executable.resultsOf(memory)) as Record<K, Tensor>;
    } finally {
      executable.unstage(memory);
    }
  }

  /**
   * Compiles the program for given sizes of its named dimensions, before the first run with these sizes. The work is
   * divided into slices of about 1 ms, and the event loop continues between them. Without `prepare`, the first
   * `runAsync`, `fit` or `predict` compiles in the same way, and the first `run` compiles without interruption.
   * @param dims the size of every named dimension, such as `{ batch: 64 }`
   * @throws (rejects with) ValueError if a name is unknown or missing, or if a size is not a whole number of at least
   *   0; ShapeError if a shape of the graph is not valid with these sizes; StateError if the program is disposed,
   *   before or during the call
   */
  async prepare(dims: Readonly<Record<string, number>> = {}): Promise<void> {
    this.#runner.assertUsable('prepare');
    const bindings = dimsOf(dims, this.#runner.inputs);
    await this.#runner.executables.prepareUntilDisposed(bindings);
  }

  /**
   * Returns statistics of the compiled program, for the binding of its dimension names that was used last.
   * @throws StateError if the program is disposed, or if its dimension names have not been bound yet
   */
  stats(): Stats {
    this.#runner.assertUsable('stats');
    const { latest } = this.#runner.executables;
    if (latest) return latest.encoded.stats;
    throw new StateError(
      'stats: the graph has named dimensions, which are bound when it is run; run it before',
    );
  }

  /**
   * The index of the next run. The random numbers of a run depend on it. Every run that succeeds adds 1. While runs are
   * in flight, the index counts only the runs that have finished, and it cannot be set.
   * @throws StateError if it is set while runs are in flight or on a disposed program; ValueError if the new value
   *   cannot be the index of a run
   */
  get runs(): number {
    return this.#runner.runs;
  }

  set runs(runs: number) {
    this.#runner.runs = runs;
  }

  /**
   * Runs the program once, as `run` does, and measures the time of each instruction.
   * @returns a row for each instruction, the slowest first; `console.table` prints them well
   * @throws ValueError, ShapeError or DTypeError if feeds do not match the graph; StateError if the program is disposed
   *   or a `runAsync` of it is in flight
   */
  profile(feeds: Feeds = {}): ProfileRow[] {
    const runner = this.#runner;
    runner.assertIdle('profile');
    const executable = runner.fed(feeds);
    try {
      const times = executable.profile(runner.runs, runner.threads);
      runner.count();
      return profileRows(executable.encoded, times);
    } finally {
      executable.forget();
    }
  }

  /** Frees native memory when the runs in flight have finished. Later calls of other methods throw a StateError. */
  dispose(): void {
    this.#runner.executables.dispose();
  }

  /** Calls `dispose`, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Compiles a graph to a program. A graph with named dimensions is compiled at the first run with each binding of the
 * names. A graph without named dimensions is compiled immediately. The program computes the values that `evaluate`
 * computes, up to rounding. The same elements are NaN or infinite, unless an intermediate result overflows. The sign of
 * a zero may differ.
 * @throws ValueError if an output is not a node or an option is invalid; GraphError, ShapeError or DTypeError if
 *   updates or leaves do not match each other; NativeError, with the remedy, if the addon does not load
 */
export function compile<K extends string>(options: CompileOptions<K>): Program<K> {
  return new Program(options);
}

/** Returns the runner of a program. It is not public: `stepper.ts` uses it. */
export function runnerOf(program: Program): Runner {
  return runnerIn(program);
}
