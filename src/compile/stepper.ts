/** The interface through which `fit` and `predict` use a program: one call executes several runs. It is not public. */

import type { Updates } from '../evaluate/updates.js';
import type { Bindings } from '../graph/dimension.js';
import type { Input } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { done } from '../native/program.js';
import type { TypedArray } from '../tensor/dtype.js';
import type { Executable, Slot } from './executable.js';
import { failedRun } from './failed-run.js';
import { assertSignal } from './flight.js';
import { type Program, runnerOf } from './program.js';
import type { Runner } from './runner.js';

export interface StepRequest {
  /** The number of runs. They execute one after another. Each is an ordinary run and has the program's next index. */
  readonly steps: number;
  /** The binding of the dimension names, for all runs. */
  readonly bindings: Bindings;
  /**
   * An array on a SharedArrayBuffer for each input, by name. The array contains the feeds of all runs, one after
   * another. Do not change it during the runs.
   */
  readonly feeds: ReadonlyMap<string, TypedArray>;
  /**
   * An array on a SharedArrayBuffer for each output, by name. The runs write their values of the output to this array,
   * one after another.
   */
  readonly outputs: ReadonlyMap<string, TypedArray>;
  readonly checkFinite: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Executes several runs in one call, off the JavaScript thread, on memory of the caller. */
export interface Stepper {
  readonly inputs: ReadonlyMap<string, Input>;
  /** The outputs and the metrics, by name. */
  readonly outputs: ReadonlyMap<string, Node>;
  /** The names of the metrics. */
  readonly metrics: ReadonlySet<string>;
  readonly updates: Updates;
  /** Whether a run changes a parameter. */
  readonly trains: boolean;
  /** The index of the next run. */
  runs: number;
  /**
   * Resolves when all runs have finished. An abort takes effect between two runs, or during a run that has not written
   * anything yet; the promise then rejects with `signal.reason`. If the results of a run are not finite and
   * `checkFinite` is true, the promise rejects with a NumericError, and the earlier runs remain complete.
   */
  runSteps(request: StepRequest): Promise<void>;
}

/** Returns the stepper of a program. */
export function stepper(program: Program): Stepper {
  return stepperOf(runnerOf(program));
}

/** Returns the stepper of a runner. */
export function stepperOf(runner: Runner): Stepper {
  return new ProgramStepper(runner);
}

class ProgramStepper implements Stepper {
  readonly #runner: Runner;
  readonly inputs: ReadonlyMap<string, Input>;
  readonly outputs: ReadonlyMap<string, Node>;
  readonly metrics: ReadonlySet<string>;
  readonly updates: Updates;
  readonly trains: boolean;

  constructor(runner: Runner) {
    this.#runner = runner;
    this.inputs = runner.inputs.inputs;
    this.outputs = runner.outputs;
    this.metrics = runner.metrics;
    this.updates = runner.updates;
    this.trains = runner.updates.some(([leaf]) => leaf.kind === 'parameter');
  }

  get runs(): number {
    return this.#runner.runs;
  }

  set runs(runs: number) {
    this.#runner.runs = runs;
  }

  async runSteps(request: StepRequest): Promise<void> {
    this.#runner.assertUsable('runSteps');
    const { steps, bindings, checkFinite, signal } = request;
    assertSignal('runSteps', signal);
    signal?.throwIfAborted();
    const launch = { memoryOf: memoryIn(request), steps, checkFinite, signal };
    const { executable, memory, landed } = await this.#runner.launch(bindings, launch);
    if (landed.status === done) return;
    // The feeds of the run that failed, which is the one after the completed runs.
    const feeds = executable.feeds.map(({ size }, index) =>
      (memory[index] as TypedArray).subarray(landed.steps * size, (landed.steps + 1) * size),
    );
    const fed = executable.fedWith(feeds);
    throw failedRun(executable, this.#runner.roots, fed, landed.status, landed.run);
  }
}

/** Returns a function that returns the arrays of a request for an executable, in native order. */
function memoryIn(request: StepRequest): (executable: Executable) => TypedArray[] {
  const taken = (from: ReadonlyMap<string, TypedArray>) => (slot: Slot) =>
    from.get(slot.name) as TypedArray;
  return ({ feeds, outputs }) => [
    ...feeds.map(taken(request.feeds)),
    ...outputs.map(taken(request.outputs)),
  ];
}
