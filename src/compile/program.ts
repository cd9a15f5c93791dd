/** A compiled program, as its user holds it. */

import { brand, describeValue } from '../arguments/describe.js';
import { callback, checkedLater, flag } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { isRecord, reading } from '../arguments/read.js';
import { NumericError, StateError, ValueError } from '../errors.js';
import { bindFeeds, type FedInputs, type Feeds, inputsOf } from '../evaluate/bind.js';
import { describeNotFinite, firstNotFinite } from '../evaluate/finite.js';
import { executionOrder } from '../evaluate/lowered.js';
import {
  assertRun,
  checkBoundUpdates,
  checkUpdates,
  type Updates,
  updatesKind,
} from '../evaluate/updates.js';
import { type Bindings, bindDim, namesOf } from '../graph/dimension.js';
import { holdLeaves, type Input, releaseLeaves, Variable } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import type { Sliced } from '../graph/sliced.js';
import { createQueue, done, type NativeQueue } from '../native/program.js';
import { threadCount } from '../native/threads.js';
import type { TypedArray } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { dimsOf } from './dims.js';
import type { Encoded, Stats } from './encoded.js';
import { copiesOf, Executable, type Slot } from './executable.js';
import { Executables } from './executables.js';
import { abortSignal, assertSignal, type Flight, fly, type Landed } from './flight.js';
import { checkInto } from './into.js';
import { Line } from './line.js';
import { untilAborted } from './preparation.js';
import { type ProfileRow, profileRows } from './profile.js';
import { specialisation } from './specialise.js';
import type { Stepper, StepRequest } from './stepper.js';

const compileOptions = declareOptions('compile, new Program', {
  /** What a run computes, by name; leaves and constants may be among it, and one node twice. */
  outputs: required(checkedLater<Readonly<Record<string, Node>>>('a record of nodes by name')),
  /** Leaves to write after everything is computed, each with its new value. */
  updates: optional(updatesKind),
  /** How many threads a run may use; as many as `setThreads` says, unless told. */
  threads: optional(threadCount),
});

/** What `compile` is told. */
export interface CompileOptions<K extends string = string>
  extends OptionsOf<typeof compileOptions> {
  /** What a run computes, by name; leaves and constants may be among it, and one node twice. */
  readonly outputs: Readonly<Record<K, Node>>;
}

const runOptions = declareOptions('Program.run', {
  /** Tensors to write the outputs to, in place of fresh ones. */
  into: optional(checkedLater<Readonly<Record<string, Tensor>>>('a record of tensors by name')),
  /**
   * Whether a NaN or an infinity is a NumericError, before anything is written. False by default: the check makes a
   * run 1.5 to 2.5 times as long.
   */
  checkFinite: optional(flag),
});

/** What `run` may be told. */
export interface RunOptions<K extends string = string> extends OptionsOf<typeof runOptions> {
  /** Tensors to write the outputs to, in place of fresh ones. */
  readonly into?: Readonly<Record<K, Tensor>> | undefined;
}

const asyncRunOptions = declareOptions('Program.runAsync', {
  /** An abort changes nothing, or comes too late: a run that writes ends. */
  signal: optional(abortSignal),
  /**
   * Whether a NaN or an infinity is a NumericError, before anything is written. False by default: the check makes a
   * run 1.5 to 2.5 times as long.
   */
  checkFinite: optional(flag),
});

/** What `runAsync` may be told. */
export interface AsyncRunOptions extends OptionsOf<typeof asyncRunOptions> {}

const noOptions: RunOptions & AsyncRunOptions = {};
const passesKind = callback<Specialise>('the passes of the compiler (a function)');

/** What the passes are to a program. */
export type Specialise = (
  outputs: readonly Node[],
  updates: Updates,
  bindings: Bindings,
) => Sliced<Encoded>;

let stepperOf: (program: Program) => Stepper;

/** A compiled graph. It keeps what it was compiled to for the latest eight bindings of its dimension names. */
export class Program<K extends string = string> {
  static {
    brand(Program);
  }

  readonly #names: readonly K[];
  readonly #outputs: readonly Node[];
  readonly #updates: Updates;
  /** Their leaves. */
  readonly #written: readonly Variable[];
  readonly #threads: number;
  readonly #specialise: Specialise;
  readonly #inputs: FedInputs;
  readonly #queue: NativeQueue;
  readonly #executables = new Executables((bindings) => this.#compile(bindings));
  /** Runs that were asked for and have not started yet. */
  readonly #line = new Line();
  /** Parameters and states that the graph reads or writes. */
  readonly #variables: readonly Variable[];
  #runs = 0;
  /** Runs that have started and have not come back yet. */
  #inFlight = 0;

  /**
   * Programs are made by `compile`.
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
    // What has no names to wait for is compiled now, and refused now.
    if (!this.#hasNames()) this.#executables.get(new Map());
  }

  /**
   * Runs once, on this thread: computes the outputs, then writes the updates. Both are functions of
   * the leaves as they were before; a run that fails writes none.
   * @returns fresh tensors that are the caller's own, or those of `into`
   * @throws ValueError, ShapeError or DTypeError if feeds or `into` do not fit; ValueError for an unknown option;
   *   StateError on a disposed program and while a `runAsync` of it is in flight; NumericError with `checkFinite`
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
        throw this.#notFinite(executable, executable.fedWith(), status, this.#runs);
      }
      this.#runs++;
      return into ?? (executable.results() as Record<K, Tensor>);
    } finally {
      executable.forget();
    }
  }

  /**
   * The same off the JavaScript thread. Feeds are copied before this returns; runs of one program go one
   * after another, in the order of calling. An aborted run has written nothing and rejects with
   * `signal.reason`, unless it had come to its writes: then it ends, and resolves.
   * @throws (rejects with) ValueError, ShapeError or DTypeError if feeds do not fit; ValueError for an unknown option;
   *   StateError on a disposed program; NumericError with `checkFinite`; `signal.reason` after an abort
   */
  async runAsync(feeds: Feeds = {}, options?: AsyncRunOptions): Promise<Record<K, Tensor>> {
    this.#assertUsable('runAsync');
    const read = options === undefined ? noOptions : asyncRunOptions.read(options, 'runAsync');
    const { signal, checkFinite = false } = read;
    signal?.throwIfAborted();
    const { bindings, memoryOf } = this.#stagedFeeds(feeds);
    // A getter among the feeds may have disposed of it.
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
        throw this.#notFinite(executable, executable.fedWith(memory), status, run);
      }
      return (await executable.resultsOf(memory)) as Record<K, Tensor>;
    } finally {
      executable.unstage(memory);
    }
  }

  /**
   * Compiles the program for the first run of these sizes, in slices of about 1 ms between which the event loop goes
   * on. Without it, the first `runAsync`, `fit` or `predict` does the same, and the first `run` compiles at once.
   * @param dims the size of every named dimension, such as `{ batch: 64 }`
   * @throws (rejects with) ValueError for a name that the inputs do not have, one that is missing, or a size that
   *   is not a whole number of at least 0; ShapeError when the graph does not fit these sizes; StateError on a
   *   disposed program, and when it is disposed of meanwhile
   */
  async prepare(dims: Readonly<Record<string, number>> = {}): Promise<void> {
    this.#assertUsable('prepare');
    const bindings = dimsOf(dims, this.#inputs);
    await this.#executables.prepareUntilDisposed(bindings);
  }

  /**
   * What the passes made of the graph, for the latest binding of its dimension names.
   * @throws StateError on a disposed program, or before anything has bound its names
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
   * The index of the next run, on which draws depend; a run that succeeds counts one. While runs are in
   * flight it counts those that have come back, and cannot be set.
   * @throws StateError when it is set while runs are in flight; ValueError if it cannot be the
   *   index of a run
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
   * Runs once, as `run` does, and says where the time went.
   * @returns a row for each instruction, what took longest first; try `console.table`
   * @throws ValueError, ShapeError or DTypeError for feeds that do not fit; StateError on a disposed program and
   *   while a `runAsync` of it is in flight
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

  /** Frees native memory; runs in flight finish first. Whatever else is asked after that is a StateError. */
  dispose(): void {
    this.#executables.dispose();
  }

  /** `dispose`, for `using`. */
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
    throw this.#notFinite(executable, executable.fedWith(failed), landed.status, landed.run);
  }

  /** Copies the feeds of a run that may start later. */
  #stagedFeeds(feeds: Feeds): { bindings: Bindings; memoryOf: Request['memoryOf'] } {
    const { latest } = this.#executables;
    const matches = () => latest?.match(feeds);
    if (this.#line.length === 0 && reading('feeds:', feeds, matches)) {
      return stagedIn(latest as Executable);
    }
    // It may have taken some of them before it found that they are not its own.
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
   * Starts runs when all that were asked for before have started. Where there is nothing compiled for this binding,
   * it is compiled when their turn has come.
   */
  async #launch(bindings: Bindings, request: Request): Promise<Launched> {
    // At once, if that may be: before this returns, for whoever calls it without awaiting.
    const known = this.#line.length === 0 ? this.#executables.find(bindings) : undefined;
    if (known) return await this.#start(known, request);
    // The leaves are the run's from the call on, though they are read and written later.
    holdLeaves(this.#variables, this.#written);
    const entry = this.#line.enter();
    let launched: Promise<Launched>;
    try {
      await untilAborted(entry.turn, request.signal);
      const executable = await this.#executables.prepare(bindings, request.signal);
      launched = this.#start(executable, request);
      // Whoever disposed of the program meanwhile could not dispose of this.
      if (this.#executables.disposed) executable.dispose();
    } finally {
      entry.leave();
      releaseLeaves(this.#variables, this.#written);
    }
    return await launched;
  }

  async #start(executable: Executable, { memoryOf, ...start }: Request): Promise<Launched> {
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
      // Those that are queued count on from whatever those before them come to.
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

  /** The executable for these feeds, which has taken them. */
  #fed(feeds: Feeds): Executable {
    // A getter among them may run the program with another binding, or dispose of it.
    const { latest } = this.#executables;
    if (latest && reading('feeds:', feeds, () => latest.match(feeds))) return latest;
    // It may have taken some of them before it found that they are not its own.
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

  /** Says which node went wrong first, as far as that can be found by running it again. */
  #notFinite(
    { encoded, bindings }: Executable,
    feeds: ReadonlyMap<Input, { readonly data: TypedArray }>,
    instruction: number,
    run: number,
  ): NumericError {
    const nodes = encoded.nodes[instruction] ?? [];
    const found = nodes.length > 0 ? firstNotFinite(nodes, feeds, bindings, run) : undefined;
    const what = found
      ? describeNotFinite(found)
      : `a result of ${nodes.length > 0 ? nodes.join(' ') : `instruction ${instruction}`} is NaN or infinite`;
    return new NumericError(`run ${run}: ${what}; the run has written nothing`);
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
 * Compiles a graph: all passes, for each binding of its dimension names when it is first run with it; a graph without
 * names is compiled at once. The program gives the values that `evaluate` gives, up to rounding. The same elements are
 * NaN or infinite, unless an intermediate result overflows. The sign of a zero may differ.
 * @throws ValueError for what are no nodes; GraphError, ShapeError or DTypeError for updates or leaves that
 *   do not fit together; NativeError, with the remedy, when the addon does not load
 */
export function compile<K extends string>(options: CompileOptions<K>): Program<K> {
  return new Program(options);
}

// ---- For src/train, not public.

export type { Stepper, StepRequest } from './stepper.js';

export function stepper(program: Program): Stepper {
  return stepperOf(program);
}

/** Runs to be started. */
interface Request extends Pick<Flight, 'steps' | 'checkFinite' | 'signal'> {
  /** The memory that they are run on. */
  readonly memoryOf: (executable: Executable) => TypedArray[];
}

/** Runs that have come back. */
interface Launched {
  readonly executable: Executable;
  readonly memory: TypedArray[];
  readonly landed: Landed;
}

/** Feeds that an executable has taken, copied. */
function stagedIn(executable: Executable): {
  bindings: Bindings;
  memoryOf: Request['memoryOf'];
} {
  const { bindings } = executable;
  try {
    const memory = executable.stage();
    return { bindings, memoryOf: () => memory };
  } finally {
    executable.forget();
  }
}

/** The outputs by name. @throws ValueError if they are not a record of nodes */
function checkOutputs(outputs: unknown): readonly (readonly [name: string, node: Node])[] {
  if (!isRecord(outputs)) {
    throw new ValueError(
      `compile: outputs must be a record of nodes by name, but are ${describeValue(outputs)}`,
    );
  }
  const entries = reading('compile: outputs', outputs, () => Object.entries(outputs));
  return entries.map(([name, node]) => {
    if (isNode(node) && name !== '__proto__') return [name, node] as const;
    throw new ValueError(`compile: output '${name}' must be a node, but is ${describeValue(node)}`);
  });
}

function assertPasses(made: ReturnType<Specialise>): ReturnType<Specialise> {
  if (typeof made?.next === 'function') return made;
  throw new ValueError(
    `compile: expected the passes to give a generator, but they gave ${describeValue(made)}`,
  );
}

function checkFitting(into: Readonly<Record<string, Tensor>>, executable: Executable): void {
  reading('into:', into, () => {
    if (!executable.accepts(into)) checkInto(into, executable.outputs);
  });
}
