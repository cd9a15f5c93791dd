/**
 * A program for one binding of the dimension names: what is native, and the memory that its runs read
 * and write. Feeds that look like the last ones are recognised without being bound again: for a small
 * program, binding them costs more than the run.
 */

import { ValueError } from '../errors.js';
import type { Feeds } from '../evaluate/bind.js';
import { type Bindings, bindDim, sameShape } from '../graph/dimension.js';
import { type Input, Variable } from '../graph/leaf.js';
import {
  cancelled,
  createProgram,
  disposeProgram,
  type NativeProgram,
  type NativeQueue,
  overlapOf,
  profileProgram,
  runProgram,
} from '../native/program.js';
import {
  bytesOf,
  type DType,
  dtypeOf,
  sharedArray,
  type TypedArray,
  typedArray,
} from '../tensor/dtype.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { allocate, isTensor, Tensor } from '../tensor/tensor.js';
import type { Encoded } from './encoded.js';
import { nextTurn } from './turns.js';

/** What lies in memory under a name. */
export interface Slot {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly size: number;
}

interface FeedSlot extends Slot {
  readonly input: Input;
  /** Its place among the native program's feeds; -1 where nothing reads it. */
  readonly position: number;
}

export type Tensors = Readonly<Record<string, Tensor>>;

// Small feeds and outputs go by memory of the program's own: copying costs less than handing over an
// array, and much less than handing over a small new one, for which Node has yet to make a buffer.
const smallBytes = 4096;

// Copying so many takes less than 2 ms, where the memory is new to the process as well.
const elementsPerTurn = 2 ** 18;
// Making a tensor takes about as long as copying so many.
const elementsPerTensor = 2 ** 7;

// One for the run in flight, and one for the run that is queued behind it.
const maxStaged = 2;

const nothing: Readonly<Record<DType, TypedArray>> = {
  float32: typedArray('float32', 0),
  float64: typedArray('float64', 0),
  int32: typedArray('int32', 0),
};

export class Executable {
  readonly encoded: Encoded;
  readonly bindings: Bindings;
  readonly native: NativeProgram;
  /** The parameters and states that runs read or write. */
  readonly variables: readonly Variable[];
  /** What the native program is fed with, and what it puts out. */
  readonly feeds: readonly Slot[];
  readonly outputs: readonly Slot[];
  /** The inputs that must be fed. */
  readonly #fed: readonly FeedSlot[];
  /** The next run's feeds and outputs, in native order; and what is there between runs. */
  readonly #memory: TypedArray[];
  readonly #noMemory: readonly TypedArray[];
  readonly #own: readonly TypedArray[] | null;
  /** Memory for runs off this thread: shared, so that nothing can take it away. */
  readonly #staged: TypedArray[][] = [];

  /**
   * @param names of the outputs
   * @param inputs that must be fed
   * @throws ValueError or NativeError when there is too little memory
   */
  constructor(
    encoded: Encoded,
    names: readonly string[],
    inputs: ReadonlyMap<string, Input>,
    bindings: Bindings,
    queue: NativeQueue,
  ) {
    this.encoded = encoded;
    this.bindings = bindings;
    this.variables = encoded.leaves.filter((leaf) => leaf instanceof Variable);
    this.outputs = encoded.outputs.map(({ dtype, shape }, index) => {
      return slotOf(names[index] as string, dtype, shape);
    });
    const positions = new Map(encoded.feeds.map((input, position) => [input, position]));
    this.#fed = [...inputs].map(([name, input]) => {
      const position = positions.get(input) ?? -1;
      return { ...slotOf(name, input.dtype, boundShape(input, bindings)), input, position };
    });
    this.feeds = encoded.feeds.map((input) => {
      return slotOf(input.name as string, input.dtype, boundShape(input, bindings));
    });
    const { feeds } = this;
    const slots = [...feeds, ...this.outputs];
    this.#noMemory = slots.map(({ dtype }) => nothing[dtype]);
    this.#memory = [...this.#noMemory];
    const bytes = slots.reduce((sum, { size, dtype }) => sum + size * bytesOf[dtype], 0);
    this.#own = bytes > smallBytes ? null : slots.map(shared);
    const leaves = encoded.leaves.map(({ value }) => value.data);
    try {
      this.native = createProgram(encoded.code, leaves, queue, this.#own);
    } catch (cause) {
      if (!(cause instanceof ValueError)) throw cause;
      const bound = [...bindings].map(([name, value]) => `${name} = ${value}`).join(', ');
      throw new ValueError(
        `compile: cannot allocate what a run computes${bound && ` where ${bound}`}, an arena of ${encoded.stats.arenaBytes} bytes and more: ${cause.message}`,
        { cause },
      );
    }
  }

  // ---- Feeds: taken, then run, then forgotten.

  /** Takes feeds that need no conversion and have the shapes of this binding; false for any others. */
  match(feeds: Feeds): boolean {
    if (typeof feeds !== 'object' || feeds === null) return false;
    const fed = this.#fed;
    if (Object.keys(feeds).length !== fed.length) return false;
    for (let index = 0; index < fed.length; index++) {
      const slot = fed[index] as FeedSlot;
      const tensor = Object.hasOwn(feeds, slot.name) ? feeds[slot.name] : undefined;
      if (!isTensor(tensor) || !fits(tensor, slot)) return false;
      if (slot.position >= 0) this.#memory[slot.position] = tensor.data;
    }
    return true;
  }

  /** Takes feeds that were bound. */
  take(tensors: ReadonlyMap<Input, Tensor>): void {
    this.encoded.feeds.forEach((input, position) => {
      this.#memory[position] = (tensors.get(input) as Tensor).data;
    });
  }

  /** Feeds and outputs are their caller's: nothing here may keep them alive. */
  forget(): void {
    const memory = this.#memory;
    for (let position = 0; position < memory.length; position++) {
      memory[position] = this.#noMemory[position] as TypedArray;
    }
  }

  /**
   * By input, what a run was fed with, for who looks into one that failed.
   * @param memory in native order; what was taken, unless told
   */
  fedWith(memory: readonly TypedArray[] = this.#memory): Map<Input, { data: TypedArray }> {
    return new Map(
      this.#fed.map(({ input, dtype, size, position }) => [
        input,
        { data: position < 0 ? typedArray(dtype, size) : (memory[position] as TypedArray) },
      ]),
    );
  }

  // ---- Runs on this thread.

  /**
   * Runs with the feeds that were taken.
   * @param into where outputs go, as `accepts` accepts it; else `results` has them
   * @returns what `runProgram` does, but never an overlap
   * @throws ValueError for outputs that overlap each other, a feed or a leaf
   */
  run(into: Tensors | undefined, run: number, threads: number, checkFinite: boolean): number {
    const memory = this.#memory;
    if (this.#own && !into) {
      this.#copyFeeds(this.#own);
      return runProgram(this.native, run, threads, checkFinite, null);
    }
    this.#setOutputs(into);
    let status = runProgram(this.native, run, threads, checkFinite, memory);
    while (this.#separate(status)) {
      status = runProgram(this.native, run, threads, checkFinite, memory);
    }
    return status;
  }

  /** Runs with the feeds that were taken. @returns nanoseconds per instruction */
  profile(run: number, threads: number): Float64Array {
    const times = new Float64Array(this.encoded.nodes.length);
    this.#setOutputs(undefined);
    while (this.#separate(profileProgram(this.native, run, threads, times, this.#memory)));
    return times;
  }

  /** The outputs of the run that was made last, as tensors that are the caller's own. */
  results(): Record<string, Tensor> {
    return this.#tensors(this.#own ?? this.#memory, this.#own !== null);
  }

  /** @throws ValueError where one that was taken has gone: feeds and options may have getters, which may do anything */
  #copyFeeds(to: readonly TypedArray[]): void {
    for (let position = 0; position < this.feeds.length; position++) {
      const { name, size } = this.feeds[position] as Slot;
      const taken = this.#memory[position] as TypedArray;
      if (taken.length !== size) {
        throw new ValueError(
          `run: feed '${name}' went away while the run was prepared: a getter among the feeds or options ran this program, or transferred memory`,
        );
      }
      (to[position] as TypedArray).set(taken);
    }
  }

  #setOutputs(into: Tensors | undefined): void {
    for (let index = 0; index < this.outputs.length; index++) {
      const slot = this.outputs[index] as Slot;
      const data = into ? (into[slot.name] as Tensor).data : fresh(slot);
      this.#memory[this.feeds.length + index] = data;
    }
  }

  #tensors(memory: readonly TypedArray[], copy: boolean): Record<string, Tensor> {
    const tensors: Record<string, Tensor> = {};
    for (let index = 0; index < this.outputs.length; index++) {
      const { name, shape } = this.outputs[index] as Slot;
      const data = memory[this.feeds.length + index] as TypedArray;
      tensors[name] = new Tensor(copy ? copied(data) : data, shape);
    }
    return tensors;
  }

  /** Whether these can be written as the outputs. */
  accepts(into: Tensors): boolean {
    const { outputs } = this;
    if (Object.keys(into).length !== outputs.length) return false;
    for (let index = 0; index < outputs.length; index++) {
      const slot = outputs[index] as Slot;
      const tensor = Object.hasOwn(into, slot.name) ? into[slot.name] : undefined;
      if (!isTensor(tensor) || !fits(tensor, slot)) return false;
    }
    return true;
  }

  /**
   * A run may be fed with the memory of a leaf that it writes: it then reads a copy. True if there is one
   * now, and the run is to be tried again.
   */
  #separate(status: number): boolean {
    if (status >= cancelled) return false;
    const { leaves } = this.encoded;
    const overlap = overlapOf(status, this.feeds.length, this.outputs.length, leaves.length);
    const { subject, object } = overlap;
    if (subject.kind === 'feed') {
      this.#memory[subject.index] = (this.#memory[subject.index] as TypedArray).slice();
      return true;
    }
    const other = {
      feed: () => `that of the feed '${this.feeds[object.index]?.name}'`,
      output: () => `that of '${this.outputs[object.index]?.name}'`,
      leaf: () => `the value of ${leaves[object.index]}`,
    }[object.kind]();
    throw new ValueError(
      `into: the memory of '${this.outputs[subject.index]?.name}' overlaps ${other}`,
    );
  }

  // ---- Memory for runs off this thread.

  /** Memory for one run: feeds, to which those that were taken are copied, then outputs. */
  stage(): TypedArray[] {
    const staged = this.#staged.pop() ?? [...this.feeds, ...this.outputs].map(shared);
    this.#copyFeeds(staged);
    return staged;
  }

  /** Takes the memory back for the next run. */
  unstage(staged: TypedArray[]): void {
    if (this.#staged.length < maxStaged) this.#staged.push(staged);
  }

  /** Memory for one run on feeds that have been copied; its outputs are fresh. */
  stageCopies(copies: ReadonlyMap<Input, TypedArray>): TypedArray[] {
    const feeds = this.encoded.feeds.map((input) => copies.get(input) as TypedArray);
    return [...feeds, ...this.outputs.map(shared)];
  }

  /** The outputs of a staged run, as tensors that are the caller's own. Large ones are copied in several turns. */
  async resultsOf(staged: readonly TypedArray[]): Promise<Record<string, Tensor>> {
    const tensors: Record<string, Tensor> = {};
    let left = elementsPerTurn;
    for (let index = 0; index < this.outputs.length; index++) {
      const { name, shape, dtype, size } = this.outputs[index] as Slot;
      const source = staged[this.feeds.length + index] as TypedArray;
      const copy = typedArray(dtype, size);
      for (let from = 0; from < size; from += elementsPerTurn) {
        const chunk = source.subarray(from, Math.min(size, from + elementsPerTurn));
        copy.set(chunk, from);
        left -= chunk.length + elementsPerTensor;
        if (left > 0) continue;
        await nextTurn();
        left = elementsPerTurn;
      }
      tensors[name] = new Tensor(copy, shape);
    }
    return tensors;
  }

  /** Frees what is native; runs in flight finish first. */
  dispose(): void {
    disposeProgram(this.native);
  }
}

/** Copies of feeds, for a run that starts later. @throws ValueError where there is too little memory */
export function copiesOf(tensors: ReadonlyMap<Input, Tensor>): Map<Input, TypedArray> {
  const copies = new Map<Input, TypedArray>();
  for (const [input, { data, dtype, shape, size }] of tensors) {
    const copy = shared({ name: input.name as string, dtype, shape, size });
    copy.set(data);
    copies.set(input, copy);
  }
  return copies;
}

function slotOf(name: string, dtype: DType, shape: readonly number[]): Slot {
  return { name, dtype, shape, size: sizeOf(shape) };
}

function boundShape(input: Input, bindings: Bindings): readonly number[] {
  return input.shape.map((dim) => bindDim(dim, bindings, `${input} `));
}

function fits(tensor: Tensor, { dtype, shape, size }: Slot): boolean {
  // The length tells of memory that was transferred away or resized.
  return tensor.dtype === dtype && tensor.data.length === size && sameShape(tensor.shape, shape);
}

function fresh({ name, dtype, shape }: Slot): TypedArray {
  return allocate(dtype, shape, `run: '${name}'`);
}

function copied(source: TypedArray): TypedArray {
  const copy = typedArray(dtypeOf(source), source.length);
  copy.set(source);
  return copy;
}

/** @throws ValueError where there is not that much memory */
function shared({ name, dtype, shape, size }: Slot): TypedArray {
  try {
    return sharedArray(dtype, size);
  } catch (cause) {
    throw new ValueError(
      `run: '${name}' cannot allocate ${size * bytesOf[dtype]} bytes for ${dtype} ${formatShape(shape)}`,
      { cause },
    );
  }
}
