/** A compiled program, as its user holds it. */

import { setImmediate } from 'node:timers/promises';
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
import type { Input, Variable } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import { createQueue, done, type NativeQueue } from '../native/program.js';
import { threadCount } from '../native/threads.js';
import type { TypedArray } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Encoded, Stats } from './encoded.js';
import { Executable, type Slot } from './executable.js';
import { abortSignal, assertSignal, type Flight, fly, type Landed } from './flight.js';
import { checkInto } from './into.js';
import { type ProfileRow, profileRows } from './profile.js';
import { finished, specialisation } from './specialise.js';

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
  /** Whether a NaN or an infinity is a NumericError, before anything is written. */
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
  /** Whether a NaN or an infinity is a NumericError, before anything is written. */
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
) => Generator<undefined, Encoded>;

// One for the usual minibatch, one for the last short one, the same for validation; and some to spare.
const maxExecutables = 8;

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
  /** By binding; the most recently used stands last. */
  readonly #executables = new Map<string, Executable>();
  #latest: Executable | undefined;
  #runs = 0;
  #inFlight = 0;
  #disposed = false;

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
    this.#queue = createQueue();
    // What has no names to wait for is compiled now, and refused now.
    if (!this.#hasNames()) this.#latest = this.#executableFor(new Map());
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
    const executable = this.#fed(feeds);
    let memory: TypedArray[];
    try {
      memory = executable.stage();
    } finally {
      executable.forget();
    }
    try {
      const start = { memory, steps: 1, checkFinite, signal };
      const { status, run } = await this.#fly(executable, start);
      if (status !== done) {
        throw this.#notFinite(executable, executable.fedWith(memory), status, run);
      }
      return executable.resultsOf(memory) as Record<K, Tensor>;
    } finally {
      executable.unstage(memory);
    }
  }

  /**
   * What the passes made of the graph, for the latest binding of its dimension names.
   * @throws StateError on a disposed program, or before anything has bound its names
   */
  stats(): Stats {
    this.#assertUsable('stats');
    if (this.#latest) return this.#latest.encoded.stats;
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
    this.#disposed = true;
    for (const executable of this.#executables.values()) executable.dispose();
    this.#executables.clear();
    this.#latest = undefined;
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
    if (!this.#executables.has(keyOf(bindings))) await this.#prepare(bindings);
    const executable = this.#executableFor(bindings);
    const taken = (from: ReadonlyMap<string, TypedArray>) => (slot: Slot) =>
      from.get(slot.name) as TypedArray;
    const feeds = executable.feeds.map(taken(request.feeds));
    const memory = [...feeds, ...executable.outputs.map(taken(request.outputs))];
    const landed = await this.#fly(executable, { memory, steps, checkFinite, signal });
    if (landed.status === done) return;
    const failed = executable.feeds.map(({ size }, place) =>
      (feeds[place] as TypedArray).subarray(landed.steps * size, (landed.steps + 1) * size),
    );
    throw this.#notFinite(executable, executable.fedWith(failed), landed.status, landed.run);
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
    const latest = this.#latest;
    if (latest && reading('feeds:', feeds, () => latest.match(feeds))) return latest;
    // It may have taken some of them before it found that they are not its own.
    latest?.forget();
    const { tensors, bindings } = bindFeeds(this.#inputs.inputs, feeds, this.#inputs.optional);
    const executable = this.#executableFor(bindings);
    executable.take(tensors);
    return executable;
  }

  #executableFor(bindings: Bindings): Executable {
    const key = keyOf(bindings);
    const executable =
      this.#executables.get(key) ?? this.#executable(finished(this.#passes(bindings)), bindings);
    this.#executables.delete(key);
    this.#executables.set(key, executable);
    if (this.#executables.size > maxExecutables) {
      const [[oldest, unused]] = this.#executables as unknown as [[string, Executable]];
      this.#executables.delete(oldest);
      unused.dispose();
    }
    this.#latest = executable;
    return executable;
  }

  /** Specialises the program, leaving the JavaScript thread to others between passes. */
  async #prepare(bindings: Bindings): Promise<void> {
    const passes = this.#passes(bindings);
    let step = passes.next();
    while (!step.done) {
      await setImmediate();
      step = passes.next();
    }
    this.#assertUsable('runSteps');
    const key = keyOf(bindings);
    if (!this.#executables.has(key)) {
      this.#executables.set(key, this.#executable(step.value, bindings));
    }
  }

  #passes(bindings: Bindings): Generator<undefined, Encoded> {
    checkBoundUpdates(this.#updates, (node) =>
      node.shape.map((dim) => bindDim(dim, bindings, `${node} `)),
    );
    return this.#specialise(this.#outputs, this.#updates, bindings);
  }

  #executable(encoded: Encoded, bindings: Bindings): Executable {
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
    if (this.#disposed) throw new StateError(`${what}: the program has been disposed of`);
  }

  #assertIdle(what: string): void {
    this.#assertUsable(what);
    if (this.#inFlight > 0) {
      const runs = this.#inFlight === 1 ? 'a run of it is' : `${this.#inFlight} runs of it are`;
      throw new StateError(
        `${what}: the program is busy, ${runs} in flight; await what runAsync returned, or use runAsync`,
      );
    }
  }
}

/**
 * Compiles a graph: all passes, for each binding of its dimension names when it is first run with
 * it; a graph without names is compiled at once. While a program runs, numbers too small to be normal
 * (under 1.2e-38 in float32) count as 0, which `evaluate` keeps.
 * @throws ValueError if an output is not a node, and for an unknown option; GraphError, ShapeError or DTypeError if
 *   updates or leaves do not fit together; NativeError, with the remedy, if the addon does not load
 */
export function compile<K extends string>(options: CompileOptions<K>): Program<K> {
  return new Program(options);
}

// ---- For src/train, not public.

export interface StepRequest {
  /** The runs, one after another: each is a run like any other, with the program's next index. */
  readonly steps: number;
  /** What the names of dimensions are, in all of them. */
  readonly bindings: Bindings;
  /** By input, on SharedArrayBuffers: the first run's feed, then the second's, …. Not to be touched meanwhile. */
  readonly feeds: ReadonlyMap<string, TypedArray>;
  /** By output, likewise: where the first run's value goes, then the second's, …. */
  readonly outputs: ReadonlyMap<string, TypedArray>;
  readonly checkFinite: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Several runs in one call, off the JavaScript thread, on memory that the caller gives. */
export interface Stepper {
  readonly inputs: ReadonlyMap<string, Input>;
  readonly outputs: ReadonlyMap<string, Node>;
  readonly updates: Updates;
  /** Whether a step changes a parameter. */
  readonly trains: boolean;
  /** The index of the next run. */
  runs: number;
  /**
   * Resolves when all steps are done. Rejects with `signal.reason` after an abort, between two steps or before
   * one has written anything; with a NumericError for the first step that went wrong: those before it are
   * done.
   */
  runSteps(request: StepRequest): Promise<void>;
}

export function stepper(program: Program): Stepper {
  return stepperOf(program);
}

function keyOf(bindings: Bindings): string {
  const names = [...bindings].map(([name, value]) => `${name}=${value}`);
  return names.sort().join(' ');
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
