/**
 * Starts the runs of one program. A runner finds or makes the executable for the binding of the feeds, keeps the order
 * of asynchronous runs, and counts the runs. `Program` and the stepper of a program use it; it reads no options.
 */

import { reading } from '../arguments/read.js';
import { StateError } from '../errors.js';
import {
  bindFeeds,
  type FedInputs,
  type Feeds,
  inputsOf,
  namedInputsOf,
} from '../evaluate/bind.js';
import { executionOrder } from '../evaluate/lowered.js';
import { assertRun, checkBoundUpdates, type Updates } from '../evaluate/updates.js';
import { type Bindings, bindDim, namesOf } from '../graph/dimension.js';
import { holdLeaves, releaseLeaves } from '../graph/in-flight.js';
import { type Input, Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Sliced } from '../graph/sliced.js';
import { createQueue, type NativeQueue } from '../native/program.js';
import { copiesOf, Executable } from './executable.js';
import { Executables } from './executables.js';
import { type Flight, fly, type Landed } from './flight.js';
import { KeptStore } from './kept.js';
import { type Launched, type LaunchRequest, stagedIn } from './launch.js';
import { Line } from './line.js';
import type { Constants, Specialise } from './options.js';
import { untilAborted } from './preparation.js';

/** What a runner runs. The options of `compile` have been checked. */
export interface RunnerOptions {
  /** The option `inputs` of `compile`; undefined if each input is fed under its own name. */
  readonly inputs: ReadonlyMap<string, Input> | undefined;
  /** Whether several parameters and states may have the same name, if `inputs` is given; false by default. */
  readonly namesakes?: boolean;
  /** The outputs and the metrics, by name. */
  readonly outputs: ReadonlyMap<string, Node>;
  /** The names of the metrics. */
  readonly metrics: ReadonlySet<string>;
  readonly updates: Updates;
  readonly constants: Constants;
  /** The number of threads that a run may use; 0 means the number that `setThreads` has set. */
  readonly threads: number;
  /** Runs the passes of the compiler. */
  readonly specialise: Specialise;
  /** Whether a graph without named dimensions is compiled before its first run, in slices; false by default. */
  readonly later?: boolean;
}

export class Runner {
  readonly outputs: ReadonlyMap<string, Node>;
  readonly metrics: ReadonlySet<string>;
  readonly updates: Updates;
  readonly inputs: FedInputs;
  readonly threads: number;
  readonly executables = new Executables((bindings) => this.#compile(bindings));
  readonly #specialise: Specialise;
  readonly #queue: NativeQueue;
  readonly #constants: Constants;
  readonly #kept = new KeptStore();
  /** Parameters and states that the graph reads or writes. */
  readonly #variables: readonly Variable[];
  /** The leaves that the updates write. */
  readonly #written: readonly Variable[];
  /** The queue of asynchronous runs that were requested and have not started yet. */
  readonly #line = new Line();
  /** The number of asynchronous calls that have started and have not finished yet. */
  #inFlight = 0;
  #runs = 0;

  /**
   * Compiles the graph if it has no named dimensions, unless `later` is true, so that the errors of the passes are thrown
   * here.
   * @throws GraphError, ShapeError or DTypeError if leaves or updates do not match each other; NativeError if the addon
   *   does not load
   */
  constructor({
    inputs,
    namesakes,
    outputs,
    metrics,
    updates,
    constants,
    threads,
    specialise,
    later = false,
  }: RunnerOptions) {
    this.outputs = outputs;
    this.metrics = metrics;
    this.updates = updates;
    this.threads = threads;
    this.#specialise = specialise;
    this.#constants = constants;
    this.#written = updates.map(([leaf]) => leaf);
    const order = executionOrder(this.roots);
    this.inputs =
      inputs === undefined
        ? inputsOf(order, updates, '; name them in the option inputs: { a: …, b: … }')
        : namedInputsOf(order, updates, inputs, namesakes);
    const variables = order.filter((node) => node instanceof Variable);
    this.#variables = [...new Set([...variables, ...this.#written])];
    this.#queue = createQueue();
    if (!later && !this.#hasNames()) this.executables.get(new Map());
  }

  /** The outputs and the metrics, and the new values of leaves. */
  get roots(): readonly Node[] {
    return [...this.outputs.values(), ...this.updates.map(([, value]) => value)];
  }

  /**
   * The index of the next run. While runs are in flight, it counts only the runs that have finished.
   * @throws StateError if it is set while runs are in flight or on a disposed program; ValueError if the new value
   *   cannot be the index of a run
   */
  get runs(): number {
    return this.#runs;
  }

  set runs(runs: number) {
    this.assertIdle('runs');
    assertRun(runs);
    this.#runs = runs;
  }

  /** Counts a run on this thread that has succeeded. */
  count(): void {
    this.#runs++;
  }

  /** @throws StateError if the program is disposed */
  assertUsable(what: string): void {
    if (this.executables.disposed)
      throw new StateError(`${what}: the program has been disposed of`);
  }

  /** @throws StateError if the program is disposed, or if asynchronous runs of it have not finished */
  assertIdle(what: string): void {
    this.assertUsable(what);
    const busy = this.#inFlight + this.#line.length;
    if (busy > 0) {
      const runs = busy === 1 ? 'a run of it is' : `${busy} runs of it are`;
      throw new StateError(
        `${what}: the program is busy, ${runs} in flight; await what runAsync returned, or use runAsync`,
      );
    }
  }

  /** Returns the executable for the binding of these feeds. The feeds are set in it for the next run. */
  fed(feeds: Feeds): Executable {
    // `latest` is read once, because a getter among the feeds may run this program with another binding, or dispose of
    // it.
    const { latest } = this.executables;
    if (latest && reading('feeds:', feeds, () => latest.match(feeds))) return latest;
    // `match` may have set some of the feeds before it found one that does not match.
    latest?.forget();
    const { tensors, bindings } = bindFeeds(this.inputs.inputs, feeds, this.inputs.optional);
    const executable = this.executables.get(bindings);
    executable.take(tensors);
    return executable;
  }

  /**
   * Copies the feeds of a run, because the run may start later. Returns the binding of the feeds, and a function that
   * returns memory with these copies for an executable.
   */
  stagedFeeds(feeds: Feeds): { bindings: Bindings; memoryOf: LaunchRequest['memoryOf'] } {
    const { latest } = this.executables;
    const matches = () => latest?.match(feeds);
    if (this.#line.length === 0 && reading('feeds:', feeds, matches)) {
      return stagedIn(latest as Executable);
    }
    // `match` may have set some of the feeds before it found one that does not match.
    latest?.forget();
    const { tensors, bindings } = bindFeeds(this.inputs.inputs, feeds, this.inputs.optional);
    const known = this.#line.length === 0 ? this.executables.find(bindings) : undefined;
    if (known) {
      known.take(tensors);
      return stagedIn(known);
    }
    const copies = copiesOf(tensors);
    return { bindings, memoryOf: (executable) => executable.stageCopies(copies) };
  }

  /**
   * Starts runs when all runs that were requested earlier have started, and resolves when they have finished. If the
   * program is not compiled for this binding yet, it is compiled when it is the turn of the runs.
   */
  async launch(bindings: Bindings, request: LaunchRequest): Promise<Launched> {
    // If the program is compiled for this binding and no other run waits, the run starts before this method returns, so
    // that it starts even if nobody awaits the promise.
    const known = this.#line.length === 0 ? this.executables.find(bindings) : undefined;
    if (known) return await this.#start(known, request);
    // From now on, the leaves cannot be set, although the run reads and writes them only later.
    holdLeaves(this.#variables, this.#written);
    const entry = this.#line.enter();
    let launched: Promise<Launched>;
    try {
      await untilAborted(entry.turn, request.signal);
      const executable = await this.executables.prepare(bindings, request.signal);
      launched = this.#start(executable, request);
      // If `dispose` was called during the compile, it did not dispose of this executable.
      if (this.executables.disposed) executable.dispose();
    } finally {
      entry.leave();
      releaseLeaves(this.#variables, this.#written);
    }
    return await launched;
  }

  async #start(executable: Executable, { memoryOf, ...start }: LaunchRequest): Promise<Launched> {
    executable.refresh();
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
      threads: this.threads,
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

  *#compile(bindings: Bindings): Sliced<Executable> {
    checkBoundUpdates(this.updates, (node) =>
      node.shape.map((dim) => bindDim(dim, bindings, `${node} `)),
    );
    const encoded = yield* this.#specialise(
      [...this.outputs.values()],
      this.updates,
      bindings,
      this.#constants,
    );
    const names = [...this.outputs.keys()];
    const kept = this.#kept.take(encoded);
    try {
      return new Executable(encoded, names, this.inputs.inputs, bindings, this.#queue, kept);
    } catch (cause) {
      kept?.release();
      throw cause;
    }
  }

  #hasNames(): boolean {
    const { inputs, optional } = this.inputs;
    const named = ({ shape }: Input) => shape.some((dim) => namesOf(dim).length > 0);
    return [...inputs.values(), ...optional.values()].some(named);
  }
}
