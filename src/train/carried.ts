/** The memory of the inputs that are carried from minibatch to minibatch, in trainings with the option `stateful`. */

import { assertRecord } from '../arguments/read.js';
import { GraphError, ShapeError, ValueError } from '../errors.js';
import { bindDim } from '../graph/dimension.js';
import type { Input } from '../graph/leaf.js';
import { bytesOf, type DType, sharedArray, type TypedArray } from '../tensor/dtype.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { isTensor, Tensor } from '../tensor/tensor.js';
import { Turns } from './turns.js';

/** Tensors by the names of the inputs that are carried. */
export type CarriedState = Readonly<Record<string, Tensor>>;

interface Slots {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly size: number;
  /**
   * The values of the input in the steps of a slice, one after another, and after them the value of the output in the last
   * step. The output of each step is in the memory of the input of the next one.
   */
  memory: TypedArray;
}

// In a checkpoint, the values of carried inputs have names that begin with this.
const prefix = 'forebay.carried/';

/** Returns the tensors of a checkpoint for the carried inputs. @throws GraphError if a leaf has the name of one of them */
export function carriedTensors(
  leaves: ReadonlyMap<string, unknown>,
  state: CarriedState,
): readonly (readonly [name: string, tensor: Tensor])[] {
  return Object.entries(state).map(([name, tensor]) => {
    const stored = `${prefix}${name}`;
    if (!leaves.has(stored)) return [stored, tensor];
    throw new GraphError(
      `fit: checkpoint: a leaf is named '${stored}', the name of the carried input '${name}' in a checkpoint; rename it`,
    );
  });
}

/** Returns the name of the carried input that a tensor of a checkpoint belongs to; undefined for other tensors. */
export function carriedName(stored: string): string | undefined {
  return stored.startsWith(prefix) ? stored.slice(prefix.length) : undefined;
}

/** The number of elements that are copied at a time, which takes a fraction of a millisecond. */
const unitElements = 2 ** 18;

export class Carried {
  readonly #slots = new Map<string, Slots>();
  /** The position, in the memory, of the values for the next step. */
  #last = 0;

  /**
   * @param inputs the carried inputs by name
   * @param bindings the sizes of the named dimensions in every minibatch
   * @throws ShapeError if the size of a dimension is unknown; ValueError if there is not enough memory
   */
  constructor(inputs: ReadonlyMap<string, Input>, bindings: ReadonlyMap<string, number>) {
    for (const [name, input] of inputs) {
      const { dtype } = input;
      const shape = input.shape.map((dim) => bindDim(dim, bindings, `${input}: `));
      const size = sizeOf(shape);
      this.#slots.set(name, { dtype, shape, size, memory: allocated(name, dtype, size) });
    }
  }

  /** The values for the next step. They are the memory of the steps, not copies. */
  get state(): CarriedState {
    return Object.fromEntries(
      [...this.#slots].map(([name, slots]) => {
        const values = slots.memory.subarray(
          this.#last * slots.size,
          (this.#last + 1) * slots.size,
        );
        return [name, new Tensor(values, slots.shape, slots.dtype)];
      }),
    );
  }

  /** Sets the values for the next step: a state that `checked` returned, or zeros. */
  begin(state?: CarriedState): void {
    this.#last = 0;
    for (const [name, { memory, size }] of this.#slots) {
      const values = state?.[name];
      if (values) memory.set(values.data);
      else memory.fill(0, 0, size);
    }
  }

  /**
   * Returns a copy of the state that a checkpoint has.
   * @throws ValueError or ShapeError, naming the file, if it is not a state of these inputs
   */
  checked(file: string, state: CarriedState | undefined = {}): CarriedState {
    const context = `fit: from: ${file} is of a training`;
    const given = new Map(assertRecord(state, `${context} whose carried inputs must be a record,`));
    const names = (of: Iterable<string>) => [...of].sort().join(', ') || 'none';
    const [own, came] = [names(this.#slots.keys()), names(given.keys())];
    if (own !== came) {
      throw new ValueError(
        `${context} whose carried inputs are ${came}, but those of the program are ${own}`,
      );
    }
    const copies = [...this.#slots].map(([name, { dtype, shape }]) => {
      const tensor = given.get(name);
      const wanted = `${dtype} ${formatShape(shape)}`;
      const is = isTensor(tensor) ? `${tensor.dtype} ${formatShape(tensor.shape)}` : 'no tensor';
      if (wanted === is) return [name, new Tensor((tensor as Tensor).data.slice(), shape, dtype)];
      throw new ShapeError(
        `${context} whose carried input '${name}' is ${is}, but that of the program is ${wanted}`,
      );
    });
    return Object.fromEntries(copies) as CarriedState;
  }

  /** Returns the memory of the inputs and the outputs of the next steps, by name. */
  async memoryFor(
    steps: number,
  ): Promise<ReadonlyMap<string, { readonly feed: TypedArray; readonly output: TypedArray }>> {
    const turns = new Turns();
    const taken = new Map<string, { feed: TypedArray; output: TypedArray }>();
    for (const [name, slots] of this.#slots) {
      const { dtype, size, memory } = slots;
      const length = (steps + 1) * size;
      if (memory.length < length) slots.memory = allocated(name, dtype, length);
      const from = this.#last * size;
      for (let at = 0; at < size; at += unitElements) {
        const to = Math.min(size, at + unitElements);
        slots.memory.set(memory.subarray(from + at, from + to), at);
        await turns.pass();
      }
      const feed = slots.memory.subarray(0, steps * size);
      taken.set(name, { feed, output: slots.memory.subarray(size, length) });
    }
    this.#last = 0;
    return taken;
  }

  /** Must be called after `steps` steps on the memory of `memoryFor`. */
  ran(steps: number): void {
    this.#last = steps;
  }
}

/** @throws ValueError if there is not enough memory */
function allocated(name: string, dtype: DType, length: number): TypedArray {
  try {
    return sharedArray(dtype, length);
  } catch (cause) {
    throw new ValueError(
      `carried input '${name}': cannot allocate ${length * bytesOf[dtype]} bytes; use a smaller batchSize`,
      { cause },
    );
  }
}
