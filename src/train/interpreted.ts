/** A program that the reference executor computes node by node. The results of compiled programs must agree with it. */

import { setImmediate } from 'node:timers/promises';
import type { Stepper, StepRequest } from '../compile/stepper.js';
import { ValueError } from '../errors.js';
import { type Feeds, inputsOf } from '../evaluate/bind.js';
import { Interpreter, type Updates } from '../evaluate/interpreter.js';
import { executionOrder } from '../evaluate/lowered.js';
import { bindDim } from '../graph/dimension.js';
import type { Input } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { TypedArray } from '../tensor/dtype.js';
import { sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';

export class InterpretedProgram implements Stepper {
  readonly inputs: ReadonlyMap<string, Input>;
  readonly outputs: ReadonlyMap<string, Node>;
  readonly metrics: ReadonlySet<string> = new Set();
  readonly updates: Updates;
  readonly trains: boolean;
  readonly #interpreter: Interpreter;
  /** The index of the next run. */
  runs = 0;

  constructor(graph: {
    readonly outputs: Readonly<Record<string, Node>>;
    readonly updates?: Updates;
  }) {
    const { outputs, updates = [] } = graph;
    this.outputs = new Map(Object.entries(outputs));
    this.updates = updates;
    this.trains = updates.some(([leaf]) => leaf.kind === 'parameter');
    this.#interpreter = new Interpreter([...this.outputs.values()], updates);
    const roots = [...this.outputs.values(), ...updates.map(([, value]) => value)];
    this.inputs = inputsOf(executionOrder(roots), updates).inputs;
  }

  run(feeds: Feeds = {}): Record<string, Tensor> {
    const tensors = this.#interpreter.run(feeds, this.runs++);
    const names = [...this.outputs.keys()];
    return Object.fromEntries(names.map((name, index) => [name, tensors[index] as Tensor]));
  }

  /** Lets the event loop run once, then runs the steps on the JavaScript thread. (This executor has no worker.) */
  async runSteps({ steps, bindings, feeds, outputs, checkFinite }: StepRequest): Promise<void> {
    if (checkFinite) {
      throw new ValueError(
        'checkFinite: the reference executor cannot check for NaN; compile the program',
      );
    }
    await setImmediate();
    for (let step = 0; step < steps; step++) {
      const fed = [...this.inputs].map(([name, input]) => {
        const shape = input.shape.map((dim) => bindDim(dim, bindings));
        const size = sizeOf(shape);
        const all = feeds.get(name) as TypedArray;
        return [
          name,
          new Tensor(all.subarray(step * size, (step + 1) * size), shape, input.dtype),
        ] as const;
      });
      for (const [name, { data }] of Object.entries(this.run(Object.fromEntries(fed)))) {
        (outputs.get(name) as TypedArray).set(data, step * data.length);
      }
    }
  }
}
