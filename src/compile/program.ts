/** Compiled programs: the class `Program` and the function `compile`. */

import { brand, describeValue } from '../arguments/describe.js';
import { StateError, ValueError } from '../errors.js';
import { checkUpdates } from '../evaluate/updates.js';
import type { Node } from '../graph/node.js';
import { done } from '../native/program.js';
import { checkConstants } from './constants.js';
import { dimsOf } from './dims.js';
import type { Stats } from './encoded.js';
import { failedRun } from './failed-run.js';
import { checkFitting } from './into.js';
import {
  type AsyncRunOptions,
  assertPasses,
  asyncRunOptions,
  type CompileOptions,
  checkComputed,
  checkInputs,
  compileOptions,
  noOptions,
  passesKind,
  type RunOptions,
  runOptions,
  type Specialise,
} from './options.js';
import { type ProfileRow, profileRows } from './profile.js';
import { Runner } from './runner.js';
import type {
  DimsOf,
  FeedsOf,
  Inputs,
  Nodes,
  OrNothing,
  ResultsOf,
  Signature,
} from './signature.js';
import { templatedPasses } from './templates/index.js';

export type { AsyncRunOptions, CompileOptions, RunOptions, Specialise } from './options.js';

let runnerIn: (program: Program) => Runner;
let isOurs: (value: object) => boolean;

/**
 * A compiled graph. It keeps the compiled code for the eight most recently used bindings of its dimension names. Its
 * signature is known only to TypeScript: a `Program` without an argument takes any feeds, and every program can be
 * used as such.
 */
export class Program<T extends Signature = Signature> {
  static {
    brand(Program);
    runnerIn = (program) => program.#runner;
    isOurs = (value) => #runner in value;
  }

  readonly #runner: Runner;

  /**
   * Makes a program. Users call `compile` instead.
   * @internal
   */
  constructor(
    options: CompileOptions<T['inputs'], T['outputs'], T['metrics']>,
    passes: Specialise = templatedPasses(),
  ) {
    const read = compileOptions.read(options, 'compile');
    const inputs = checkInputs(read.inputs);
    const { nodes, metrics } = checkComputed(read.outputs, read.metrics);
    const updates =
      read.updates === undefined ? [] : checkUpdates(read.updates, [...nodes.values()]);
    if (!passesKind.accepts(passes)) {
      throw new ValueError(
        `compile: expected ${passesKind.expected}, but received ${describeValue(passes)}`,
      );
    }
    this.#runner = new Runner({
      inputs,
      outputs: nodes,
      metrics,
      updates,
      constants: checkConstants(read.constants, updates),
      threads: read.threads ?? 0,
      specialise: (...graph) => assertPasses(passes(...graph)),
    });
  }

  /**
   * Runs the program once, on this thread. The run computes the outputs and the new values of the leaves, both from the
   * values that the leaves had before the run. It then writes the leaves. A run that fails writes no leaf.
   * @param feeds the values of the inputs by name; it may be left out if there are no inputs
   * @returns the outputs and metrics by name: new tensors, or the tensors of `into`
   * @throws ValueError, ShapeError or DTypeError if feeds or `into` do not match the graph; ValueError if an option is
   *   unknown; StateError if the program is disposed or a `runAsync` of it is in flight; NumericError if `checkFinite`
   *   is true and a result is NaN or infinite
   */
  run(feeds: OrNothing<FeedsOf<T>>, options?: RunOptions<T>): ResultsOf<T> {
    const runner = this.#runner;
    runner.assertIdle('run');
    const read = options === undefined ? noOptions : runOptions.read(options, 'run');
    const { into, checkFinite = false } = read;
    const executable = runner.fed(given(feeds));
    try {
      if (into !== undefined) checkFitting(into, executable);
      const status = executable.run(into, runner.runs, runner.threads, checkFinite);
      if (status !== done) {
        throw failedRun(executable, runner.roots, executable.fedWith(), status, runner.runs);
      }
      runner.count();
      return executable.results(into) as ResultsOf<T>;
    } finally {
      executable.forget();
    }
  }

  /**
   * Runs the program once, as `run` does, but off the JavaScript thread. The feeds are copied before this method
   * returns. Runs of one program execute one after another, in the order of the calls. An aborted run writes nothing,
   * and its promise rejects with `signal.reason`. A run that has begun to write when it is aborted finishes, and its
   * promise resolves.
   * @param feeds the values of the inputs by name; it may be left out if there are no inputs
   * @returns the outputs and metrics by name, as new tensors
   * @throws (rejects with) ValueError, ShapeError or DTypeError if feeds do not match the graph; ValueError if an
   *   option is unknown; StateError if the program is disposed; NumericError if `checkFinite` is true and a result is
   *   NaN or infinite; `signal.reason` after an abort
   */
  async runAsync(feeds: OrNothing<FeedsOf<T>>, options?: AsyncRunOptions): Promise<ResultsOf<T>> {
    const runner = this.#runner;
    runner.assertUsable('runAsync');
    const read = options === undefined ? noOptions : asyncRunOptions.read(options, 'runAsync');
    const { signal, checkFinite = false } = read;
    signal?.throwIfAborted();
    const { bindings, memoryOf } = runner.stagedFeeds(given(feeds));
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
        throw failedRun(executable, runner.roots, executable.fedWith(memory), status, run);
      }
      return (await executable.resultsOf(memory)) as ResultsOf<T>;
    } finally {
      executable.unstage(memory);
    }
  }

  /**
   * Compiles the program for given sizes of its named dimensions, before the first run with these sizes. The work is
   * divided into slices of about 1 ms, and the event loop continues between them. Without `prepare`, the first
   * `runAsync`, `fit` or `predict` compiles in the same way, and the first `run` compiles without interruption.
   * @param dims the size of every named dimension, such as `{ batch: 64 }`; it may be left out if there are none
   * @throws (rejects with) ValueError if a name is unknown or missing, or if a size is not a whole number of at least
   *   0; ShapeError if a shape of the graph is not valid with these sizes; StateError if the program is disposed,
   *   before or during the call
   */
  async prepare(dims: OrNothing<DimsOf<T>>): Promise<void> {
    this.#runner.assertUsable('prepare');
    const bindings = dimsOf(given(dims), this.#runner.inputs);
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
   * Runs the program once, as `run` does, and measures the time of each instruction. The instructions that run only
   * once (see the option `constants`) are listed, too. The instructions of the body of a loop have rows of their own,
   * with the time of all their executions. The row of the loop has the rest of its time.
   * @returns a row for each instruction, the slowest first; `console.table` prints them well
   * @throws ValueError, ShapeError or DTypeError if feeds do not match the graph; StateError if the program is disposed
   *   or a `runAsync` of it is in flight
   */
  profile(feeds: OrNothing<FeedsOf<T>>): ProfileRow[] {
    const runner = this.#runner;
    runner.assertIdle('profile');
    const executable = runner.fed(given(feeds));
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
 *   updates or leaves do not match each other, if the updates omit a side update of an output, if the updates write a
 *   variable of the option `constants`, or if the option `inputs` lacks an input that a run reads, or has one that no run
 *   reads; NativeError, with the remedy, if the addon does not load
 */
export function compile<
  O extends Nodes,
  I extends Inputs = Inputs,
  M extends Nodes = Record<never, Node>,
>(options: CompileOptions<I, O, M>): Program<{ inputs: I; outputs: O; metrics: M }> {
  return new Program(options);
}

/** Returns an argument, or an empty record if it was left out. */
function given<R>(argument: OrNothing<R>): R {
  return (argument === undefined ? {} : argument) as R;
}

/**
 * Returns whether `value` is a program that this copy of forebay made. Returns false for a proxy of a program. Never
 * throws.
 */
export function isProgram(value: unknown): value is Program {
  return typeof value === 'object' && value !== null && isOurs(value);
}

/** Returns the runner of a program. It is not public: `stepper.ts` uses it. */
export function runnerOf(program: Program): Runner {
  return runnerIn(program);
}
