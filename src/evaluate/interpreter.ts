/** The reference executor: node by node through the kernels, prepared once and run as often as needed. */

import {
  assertList,
  DTypeError,
  describeValue,
  GraphError,
  ShapeError,
  ValueError,
} from '../errors.js';
import { sameShape } from '../graph/dimension.js';
import { type Input, Variable } from '../graph/leaf.js';
import { Node } from '../graph/node.js';
import { originOf } from '../graph/origins.js';
import type { TypedArray } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';
import { allocate, Tensor } from '../tensor/tensor.js';
import { bindFeeds, type Feeds, inputsByName } from './bind.js';
import { executionOrder } from './lowered.js';
import { Schedule } from './schedule.js';

/** New values for leaves: what a training step writes. */
export type Updates = readonly (readonly [leaf: Variable, value: Node])[];

// One for the usual minibatch, one for the last short one, one for validation, and one to spare.
const maxSchedules = 4;

export class Interpreter {
  readonly #outputs: readonly Node[];
  readonly #updates: Updates;
  readonly #order: readonly Node[];
  readonly #inputs: ReadonlyMap<string, Input>;
  /** Inputs of the graphs that gradients among the nodes come from: read by none, but fed with them. */
  readonly #alsoFed: ReadonlyMap<string, Input>;
  readonly #schedules = new Map<string, Schedule>();

  /** @throws GraphError, ShapeError or DTypeError for updates or leaves that do not fit together */
  constructor(outputs: readonly Node[], updates: Updates = []) {
    for (const output of outputs) {
      if (!(output instanceof Node)) {
        throw new ValueError(`expected a node to evaluate, but received ${describeValue(output)}`);
      }
    }
    checkUpdates(updates);
    this.#outputs = outputs;
    this.#updates = updates;
    this.#order = executionOrder([...outputs, ...updates.map(([, value]) => value)]);
    this.#inputs = inputsByName(new Set([...this.#order, ...updates.map(([leaf]) => leaf)]));
    this.#alsoFed = new Map(
      this.#order.flatMap(originOf).map((input) => [input.name as string, input]),
    );
  }

  /**
   * Computes the outputs, then writes the updates: both are functions of the leaves as they were
   * before, and a run that fails writes none.
   * @param run the index of the run, on which random draws depend
   */
  run(feeds: Feeds = {}, run = 0): Tensor[] {
    if (!Number.isSafeInteger(run) || run < 0) {
      throw new ValueError(
        `run must be an integer from 0 to 2^53 - 1, but is ${describeValue(run)}`,
      );
    }
    const { tensors, bindings } = bindFeeds(this.#inputs, feeds, this.#alsoFed);
    const schedule = this.#scheduleFor(bindings);
    schedule.run(tensors, run);
    const copyOf = (node: Node): TypedArray => {
      const copy = allocate(node.dtype, schedule.shapeOf(node), `${node}`);
      copy.set(schedule.valueOf(node, tensors));
      return copy;
    };
    const outputs = this.#outputs.map((node) => new Tensor(copyOf(node), schedule.shapeOf(node)));
    // All new values are taken before the first is written: one may be another leaf's old value.
    const values = this.#updates.map(([, value]) => copyOf(value));
    this.#updates.forEach(([leaf], index) => {
      leaf.value.data.set(values[index] as TypedArray);
    });
    return outputs;
  }

  #scheduleFor(bindings: ReadonlyMap<string, number>): Schedule {
    const key = [...bindings].map(([name, value]) => `${name}=${value}`).join(' ');
    let schedule = this.#schedules.get(key);
    if (!schedule) {
      const kept = [...this.#outputs, ...this.#updates.map(([, value]) => value)];
      schedule = new Schedule(this.#order, kept, bindings);
      for (const [leaf, value] of this.#updates) {
        if (!sameShape(schedule.shapeOf(value), leaf.shape)) {
          throw new ShapeError(
            `update of ${leaf}: expected shape ${formatShape(leaf.shape)}, but ${value} is ${formatShape(schedule.shapeOf(value))}`,
          );
        }
      }
    }
    // The most recently used stands last; the first to go is the one unused for longest.
    this.#schedules.delete(key);
    this.#schedules.set(key, schedule);
    const [oldest] = this.#schedules.keys();
    if (this.#schedules.size > maxSchedules) this.#schedules.delete(oldest as string);
    return schedule;
  }
}

function checkUpdates(updates: Updates): void {
  const seen = new Set<Node>();
  for (const update of assertList(updates, 'updates: expected [leaf, value] pairs,')) {
    const [leaf, value] = assertList(
      update,
      'updates: expected a [leaf, value] pair,',
    ) as typeof update;
    if (!(leaf instanceof Variable)) {
      throw new GraphError(`only parameters and states can be updated, but ${leaf} is neither`);
    }
    if (!(value instanceof Node)) {
      throw new GraphError(
        `update of ${leaf}: expected a node, but received ${describeValue(value)}`,
      );
    }
    if (seen.has(leaf)) throw new GraphError(`${leaf} is updated twice in one run`);
    seen.add(leaf);
    if (value.dtype !== leaf.dtype) {
      throw new DTypeError(
        `update of ${leaf}: expected ${leaf.dtype}, but ${value} is ${value.dtype}`,
      );
    }
    const known = value.shape.every((dim) => typeof dim === 'number');
    if (known && !sameShape(value.shape, leaf.shape)) {
      throw new ShapeError(
        `update of ${leaf}: expected shape ${formatShape(leaf.shape)}, but ${value} has ${formatShape(value.shape)}`,
      );
    }
  }
}
