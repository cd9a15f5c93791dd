/** The reference executor: node by node through the kernels, prepared once and run as often as needed. */

import { type Input, inFlight, Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { withLeaves } from '../native/program.js';
import type { TypedArray } from '../tensor/dtype.js';
import { allocate, Tensor } from '../tensor/tensor.js';
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

// One for the usual minibatch, one for the last short one, one for validation, and one to spare.
const maxSchedules = 4;

export class Interpreter {
  readonly #outputs: readonly Node[];
  readonly #updates: Updates;
  readonly #order: readonly Node[];
  readonly #inputs: ReadonlyMap<string, Input>;
  /** Inputs of the graphs that gradients among the nodes come from: read by none, but fed with them. */
  readonly #alsoFed: ReadonlyMap<string, Input>;
  readonly #variables: readonly Variable[];
  readonly #schedules = new Map<string, Schedule>();

  /** @throws GraphError, ShapeError or DTypeError for updates or leaves that do not fit together */
  constructor(outputs: readonly Node[], updates: Updates = []) {
    this.#outputs = checkOutputs(outputs);
    this.#updates = checkUpdates(updates);
    this.#order = executionOrder([...this.#outputs, ...this.#updates.map(([, value]) => value)]);
    const { inputs, optional } = inputsOf(this.#order, this.#updates);
    this.#inputs = inputs;
    this.#alsoFed = optional;
    this.#variables = this.#order.filter((node) => node instanceof Variable);
  }

  /**
   * Computes the outputs, then writes the updates: both are functions of the leaves as they were
   * before, and a run that fails writes none.
   * @param run the index of the run, on which random draws depend
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
      const outputs = this.#outputs.map((node) => new Tensor(copyOf(node), schedule.shapeOf(node)));
      // All new values are taken before the first is written: one may be another leaf's old value.
      return { outputs, values: this.#updates.map(([, value]) => copyOf(value)) };
    };
    const write = ({ values }: { values: TypedArray[] }) => {
      this.#updates.forEach(([leaf], index) => {
        leaf.value.data.set(values[index] as TypedArray);
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

  #scheduleFor(bindings: ReadonlyMap<string, number>): Schedule {
    const key = [...bindings].map(([name, value]) => `${name}=${value}`).join(' ');
    let schedule = this.#schedules.get(key);
    if (!schedule) {
      const kept = [...this.#outputs, ...this.#updates.map(([, value]) => value)];
      const made = new Schedule(this.#order, kept, bindings);
      checkBoundUpdates(this.#updates, (node) => made.shapeOf(node));
      schedule = made;
    }
    // The most recently used stands last; the first to go is the one unused for longest.
    this.#schedules.delete(key);
    this.#schedules.set(key, schedule);
    const [oldest] = this.#schedules.keys();
    if (this.#schedules.size > maxSchedules) this.#schedules.delete(oldest as string);
    return schedule;
  }
}
