/** Compiled programs: the class `Program` and the function `compile`. */

import { brand, describeValue } from '../arguments/describe.js';
import { reading } from '../arguments/read.js';
import { StateError, ValueError } from '../errors.js';
import { bindFeeds, type FedInputs, type Feeds, inputsOf } from '../evaluate/bind.js';
import { executionOrder } from '../evaluate/lowered.js';
import { assertRun, checkBoundUpdates, checkUpdates, type Updates } from '../evaluate/updates.js';
import { type Bindings, bindDim, namesOf } from '../graph/dimension.js';
import { holdLeaves, releaseLeaves } from '../graph/in-flight.js';
import { type Input, Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Sliced } from '../graph/sliced.js';
import { createQueue, done, type NativeQueue } from '../native/program.js';
import type { TypedArray } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { dimsOf } from './dims.js';
import type { Stats } from './encoded.js';
import { copiesOf, Executable, type Slot } from './executable.js';
import { Executables } from './executables.js';
import { assertSignal, type Flight, fly, type Landed } from './flight.js';
import { checkFitting } from './into.js';
import { type Launched, type LaunchRequest, stagedIn } from './launch.js';
import { Line } from './line.js';
import { notFinite } from './not-finite.js';
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
import { untilAborted } from './preparation.js';
import { type ProfileRow, profileRows } from './profile.js';
import { specialisation } from './specialise.js';
import type { Stepper, StepRequest } from './stepper.js';

export type { AsyncRunOptions, CompileOptions, RunOptions, Specialise } from './options.js';

let stepperOf: (program: Program) => Stepper;

/** A compiled graph. It keeps the compiled code for the eight most recently used bindings of its dimension names. */
export class Program<K extends string = string> {
  static {
    brand(Program);
  }

  readonly #names: readonly K[];
  readonly #outputs: readonly Node[];
  readonly #updates: Updates;
  /** The leaves that the updates write. */
  readonly #written: readonly Variable[];
  readonly #threads: number;
  readonly #specialise: Specialise;
  readonly #inputs: FedInputs;
  readonly #queue: NativeQueue;
  readonly #executables = new Executables((bindings) => this.#compile(bindings));
  /** The queue of asynchronous runs that were requested and have not started yet. */
  readonly #line = new Line();
  /** Parameters and states that the graph reads or writes. */
  readonly #variables: readonly Variable[];
  #runs = 0;
  /** The number of asynchronous calls that have started and have not finished yet. */
  #inFlight = 0;

  /**
   * Makes a program. Users call `compile` instead.
   * @internal
   */
  constructor(options: CompileOptions<K>, passes: Specialise = specialisation) {
    const read = compileOptions.read(options, 'compile');
    const { threads } = read;
    const outputs = checkOutputs(read.outputs);
    const updates = checkUpdates(read.updates ?? []);
    if (!passesKind.accepts(passes)) {
      throw new ValueError(
        `compile: expected ${passesKind.expected}, but received ${describeValue(passes)}`,
      );
    }
    this.#names = outputs.map(([name]) => name) as K[];
    this.#outputs = outputs.map(([, node]) => node);
    this.#updates = updates.map(([leaf, value]) => [leaf, value] as const);
    this.#written = updates.map(([leaf]) => leaf);
    this.#threads = threads ?? 0;
    this.#specialise = (...graph) => assertPasses(passes(...graph));
    const order = executionOrder([...this.#outputs, ...updates.map(([, value]) => value)]);
    this.#inputs = inputsOf(order, updates);
    const variables = order.filter((node) => node instanceof Variable);
    this.#variables = [...new Set([...variables, ...this.#written])];
    this.#queue = createQueue();
    // A graph without named dimensions is compiled here, so that `compile` throws the errors of the passes.
    if (!this.#hasNames()) this.#executables.get(new Map());
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
    this.#assertIdle('run');
    const read = options === undefined ? noOptions : runOptions.read(options, 'run');
    const { into, checkFinite = false } = read as RunOptions<K>;
    const executable = this.#fed(feeds);
    try {
      if (into !== undefined) checkFitting(into, executable);
      const status = executable.run(into, this.#runs, this.#threads, checkFinite);
      if (status !== done) {
        throw notFinite(executable, executable.fedWith(), status, this.#runs);
      }
      this.#runs++;
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
    this.#assertUsable('runAsync');
    const read = options === undefined ? noOptions : asyncRunOptions.read(options, 'runAsync');
    const { signal, checkFinite = false } = read;
    signal?.throwIfAborted();
    const { bindings, memoryOf } = this.#stagedFeeds(feeds);
    // A getter among the feeds may have disposed of the program.
    this.#assertUsable('runAsync');
    const { executable, memory, landed } = await this.#launch(bindings, {
      memoryOf,
      steps: 1,
      checkFinite,
      signal,
    });
    try {
      const { status, run } = landed;
      if (status !== done) {
        throw notFinite(executable, executable.fedWith(memory), status, run);
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
    this.#assertUsable('prepare');
    const bindings = dimsOf(dims, this.#inputs);
    await this.#executables.prepareUntilDisposed(bindings);
  }

  /**
   * Returns statistics of the compiled program, for the binding of its dimension names that was used last.
   * @throws StateError if the program is disposed, or if its dimension names have not been bound yet
   */
  stats(): Stats {
    this.#assertUsable('stats');
    const { latest } = this.#executables;
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
    return this.#runs;
  }

  set runs(runs: number) {
    this.#assertIdle('runs');
    assertRun(runs);
    this.#runs = runs;
  }

  /**
   * Runs the program once, as `run` does, and measures the time of each instruction.
   * @returns a row for each instruction, the slowest first; `console.table` prints them well
   * @throws ValueError, ShapeError or DTypeError if feeds do not match the graph; StateError if the program is disposed
   *   or a `runAsync` of it is in flight
   */
  profile(feeds: Feeds = {}): ProfileRow[] {
    this.#assertIdle('profile');
    const executable = this.#fed(feeds);
    try {
      const times = executable.profile(this.#runs, this.#threads);
      this.#runs++;
      return profileRows(executable.encoded, times);
    } finally {
      executable.forget();
    }
  }

  /** Frees native memory when the runs in flight have finished. Later calls of other methods throw a StateError. */
  dispose(): void {
    this.#executables.dispose();
  }

  /** Calls `dispose`, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  static {
    stepperOf = (program) => ({
      inputs: program.#inputs.inputs,
      outputs: new Map(
        program.#names.map((name, index) => [name, program.#outputs[index] as Node]),
      ),
      updates: program.#updates,
      trains: program.#updates.some(([leaf]) => leaf.kind === 'parameter'),
      get runs() {
        return program.runs;
      },
      set runs(runs) {
        program.runs = runs;
      },
      runSteps: (request) => program.#runSteps(request),
    });
  }

  async #runSteps(request: StepRequest): Promise<void> {
    this.#assertUsable('runSteps');
    const { steps, bindings, checkFinite, signal } = request;
    assertSignal('runSteps', signal);
    signal?.throwIfAborted();
    const taken = (from: ReadonlyMap<string, TypedArray>) => (slot: Slot) =>
      from.get(slot.name) as TypedArray;
    const memoryOf = ({ feeds, outputs }: Executable) => [
      ...feeds.map(taken(request.feeds)),
      ...outputs.map(taken(request.outputs)),
    ];
    const { executable, memory, landed } = await this.#launch(bindings, {
      memoryOf,
      steps,
      checkFinite,
      signal,
    });
    if (landed.status === done) return;
    const failed = executable.feeds.map(({ size }, index) =>
      (memory[index] as TypedArray).subarray(landed.steps * size, (landed.steps + 1) * size),
    );
    throw notFinite(executable, executable.fedWith(failed), landed.status, landed.run);
  }

  /**
   * Copies the feeds of a run, because the run may start later. Returns the binding of the feeds, and a function that
   * returns memory with these copies for an executable.
   */
  #stagedFeeds(feeds: Feeds): { bindings: Bindings; memoryOf: LaunchRequest['memoryOf'] } {
    const { latest } = this.#executables;
    const matches = () => latest?.match(feeds);
    if (this.#line.length === 0 && reading('feeds:', feeds, matches)) {
      return stagedIn(latest as Executable);
    }
    // `match` may have set some of the feeds before it found one that does not match.
    latest?.forget();
    const { tensors, bindings } = bindFeeds(this.#inputs.inputs, feeds, this.#inputs.optional);
    const known = this.#line.length === 0 ? this.#executables.find(bindings) : undefined;
    if (known) {
      known.take(tensors);
      return stagedIn(known);
    }
    const copies = copiesOf(tensors);
    return { bindings, memoryOf: (executable) => executable.stageCopies(copies) };
  }

  /**
   * Starts runs when all runs that were requested earlier have started. If the program is not compiled for this binding
   * yet, it is compiled at that time.
   */
  async #launch(bindings: Bindings, request: LaunchRequest): Promise<Launched> {
    // If the program is compiled for this binding and no other run waits, the run starts before this method returns, so
    // that it starts even if nobody awaits the promise.
    const known = this.#line.length === 0 ? this.#executables.find(bindings) : undefined;
    if (known) return await this.#start(known, request);
    // From now on, the leaves cannot be set, although the run reads and writes them only later.
    holdLeaves(this.#variables, this.#written);
    const entry = this.#line.enter();
    let launched: Promise<Launched>;
    try {
      await untilAborted(entry.turn, request.signal);
      const executable = await this.#executables.prepare(bindings, request.signal);
      launched = this.#start(executable, request);
      // If `dispose` was called during the compile, it did not dispose of this executable.
      if (this.#executables.disposed) executable.dispose();
    } finally {
      entry.leave();
      releaseLeaves(this.#variables, this.#written);
    }
    return await launched;
  }

  async #start(executable: Executable, { memoryOf, ...start }: LaunchRequest): Promise<Launched> {
    const memory = memoryOf(executable);
    const landed = await this.#fly(executable, { ...start, memory });
    return { executable, memory, landed };
  }

  #fly(
    executable: Executable,
    start: Pick<Flight, 'memory' | 'steps' | 'checkFinite' | 'signal'>,
  ): Promise<Landed> {
    return fly({
      ...start,
      program: executable.native,
      variables: executable.variables,
      written: this.#written,
      threads: this.#threads,
      // -1 means that the native queue chooses the index: one more than the index of the run before this one.
      run: this.#inFlight === 0 ? this.#runs : -1,
      launched: () => {
        this.#inFlight++;
      },
      landed: (steps) => {
        this.#inFlight--;
        this.#runs += steps;
      },
    });
  }

  /** Returns the executable for the binding of these feeds. The feeds are set in it for the next run. */
  #fed(feeds: Feeds): Executable {
    // `latest` is read once, because a getter among the feeds may run this program with another binding, or dispose of
    // it.
    const { latest } = this.#executables;
    if (latest && reading('feeds:', feeds, () => latest.match(feeds))) return latest;
    // `match` may have set some of the feeds before it found one that does not match.
    latest?.forget();
    const { tensors, bindings } = bindFeeds(this.#inputs.inputs, feeds, this.#inputs.optional);
    const executable = this.#executables.get(bindings);
    executable.take(tensors);
    return executable;
  }

  *#compile(bindings: Bindings): Sliced<Executable> {
    checkBoundUpdates(this.#updates, (node) =>
      node.shape.map((dim) => bindDim(dim, bindings, `${node} `)),
    );
    const encoded = yield* this.#specialise(this.#outputs, this.#updates, bindings);
    return new Executable(encoded, this.#names, this.#inputs.inputs, bindings, this.#queue);
  }

  #hasNames(): boolean {
    const { inputs, optional } = this.#inputs;
    const named = ({ shape }: Input) => shape.some((dim) => namesOf(dim).length > 0);
    return [...inputs.values(), ...optional.values()].some(named);
  }

  #assertUsable(what: string): void {
    if (this.#executables.disposed)
      throw new StateError(`${what}: the program has been disposed of`);
  }

  #assertIdle(what: string): void {
    this.#assertUsable(what);
    const busy = this.#inFlight + this.#line.length;
    if (busy > 0) {
      const runs = busy === 1 ? 'a run of it is' : `${busy} runs of it are`;
      throw new StateError(
        `${what}: the program is busy, ${runs} in flight; await what runAsync returned, or use runAsync`,
      );
    }
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

// ---- Used by src/train; not public.

export type { Stepper, StepRequest } from './stepper.js';

export function stepper(program: Program): Stepper {
  return stepperOf(program);
}
