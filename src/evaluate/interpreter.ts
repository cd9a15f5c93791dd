/** The interpreter computes a graph node by node, with the kernels. It is prepared once and can then run many times. */

import { noteChange } from '../graph/changes.js';
import { inFlight } from '../graph/in-flight.js';
import { type Input, Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { withLeaves } from '../native/program.js';
import type { TypedArray } from '../tensor/dtype.js';
import { allocate, resultTensor, type Tensor } from '../tensor/tensor.js';
import { bindFeeds, type Feeds, inputsOf } from './bind.js';
import { executionOrder } from './lowered.js';
import { Schedule } from './schedule.js';
import {
  assertRun,
  checkBoundUpdates,
  checkOutputs,
  checkUpdates,
  type Updates,
} from './updates.js';

export type { Updates } from './updates.js';

// The greatest number of schedules that an interpreter keeps. Training needs one for full minibatches, one for the
// shorter last minibatch and one for validation. The fourth is a reserve.
const maxSchedules = 4;

/**
 * Computes outputs and updates node by node. For each binding (the numbers of the dimension names in a run), it needs a
 * schedule. It keeps the schedules that were used most recently.
 */
export class Interpreter {
  readonly #outputs: readonly Node[];
  readonly #updates: Updates;
  readonly #order: readonly Node[];
  readonly #inputs: ReadonlyMap<string, Input>;
  /** Inputs that may be fed even if the run does not read them; see `FedInputs.optional`. */
  readonly #alsoFed: ReadonlyMap<string, Input>;
  readonly #variables: readonly Variable[];
  readonly #schedules = new Map<string, Schedule>();

  /**
   * @throws ValueError if `outputs` is not a list of nodes or `updates` is not a list of pairs; GraphError, ShapeError
   *   or DTypeError if an update is invalid, or if two leaves have the same name
   */
  constructor(outputs: readonly Node[], updates?: Updates) {
    this.#outputs = checkOutputs(outputs);
    this.#updates = updates === undefined ? [] : checkUpdates(updates, this.#outputs);
    this.#order = executionOrder([...this.#outputs, ...this.#updates.map(([, value]) => value)]);
    const { inputs, optional } = inputsOf(this.#order, this.#updates);
    this.#inputs = inputs;
    this.#alsoFed = optional;
    this.#variables = this.#order.filter((node) => node instanceof Variable);
  }

  /**
   * Computes the outputs and the new values of the updated leaves, all from the old values of the leaves. Then writes
   * the new values to the leaves. A run that throws writes nothing.
   * @param run the index of the run, on which random draws depend
   * @returns a new tensor for each output
   */
  run(feeds: Feeds = {}, run = 0): Tensor[] {
    assertRun(run);
    const { tensors, bindings } = bindFeeds(this.#inputs, feeds, this.#alsoFed);
    const schedule = this.#scheduleFor(bindings);
    const copyOf = (node: Node): TypedArray => {
      const copy = allocate(node.dtype, schedule.shapeOf(node), `${node}`);
      copy.set(schedule.valueOf(node, tensors));
      return copy;
    };
    const compute = () => {
      schedule.run(tensors, run);
      const outputs = this.#outputs.map((node) =>
        resultTensor(copyOf(node), schedule.shapeOf(node), node.dtype),
      );
      // All new values are copied before the first is written, because the new value of one leaf can be the old value
      // of another leaf, which is overwritten.
      return { outputs, values: this.#updates.map(([, value]) => copyOf(value)) };
    };
    const write = ({ values }: { values: TypedArray[] }) => {
      this.#updates.forEach(([leaf], index) => {
        leaf.value.data.set(values[index] as TypedArray);
        noteChange(leaf);
      });
    };
    const written = this.#updates.map(([leaf]) => leaf);
    if (this.#variables.some(inFlight) || written.some(inFlight)) {
      const dataOf = ({ value }: Variable) => value.data;
      return withLeaves(this.#variables.map(dataOf), written.map(dataOf), compute, write).outputs;
    }
    const computed = compute();
    write(computed);
    return computed.outputs;
  }

  /** Returns the schedule for a binding. Makes the schedule if it is not kept already. */
  #scheduleFor(bindings: ReadonlyMap<string, number>): Schedule {
    const key = [...bindings].map(([name, value]) => `${name}=${value}`).join(' ');
    let schedule = this.#schedules.get(key);
    if (!schedule) {
      const kept = [...this.#outputs, ...this.#updates.map(([, value]) => value)];
      const made = new Schedule(this.#order, kept, bindings);
      checkBoundUpdates(this.#updates, (node) => made.shapeOf(node));
      schedule = made;
    }
    // The schedules in the map are in the order of their last use. If there are too many, the first one is deleted.
    this.#schedules.delete(key);
    this.#schedules.set(key, schedule);
    const [oldest] = this.#schedules.keys();
    if (this.#schedules.size > maxSchedules) this.#schedules.delete(oldest as string);
    return schedule;
  }
}
