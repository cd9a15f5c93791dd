/**
 * An executable is a program for one binding of the dimension names: the native program, and the memory of its feeds
 * and outputs. If the feeds have the shapes of the last run, the names are not bound again, because for a small program
 * the binding takes longer than the run.
 */

import { ValueError } from '../errors.js';
import type { Feeds } from '../evaluate/bind.js';
import { type Bindings, bindDim, sameShape } from '../graph/dimension.js';
import { type Input, Variable } from '../graph/leaf.js';
import {
  cancelled,
  createProgram,
  disposeProgram,
  type IndexFailure,
  type NativeProgram,
  type NativeQueue,
  type Outcome,
  overlapOf,
  profileProgram,
  type RunStatus,
  runProgram,
} from '../native/program.js';
import {
  bytesOf,
  type DType,
  dtypeOf,
  dtypes,
  makeBools,
  sharedArray,
  type TypedArray,
  typedArray,
} from '../tensor/dtype.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { allocate, isTensor, resultTensor, type Tensor } from '../tensor/tensor.js';
import type { Encoded } from './encoded.js';
import { outOfRange } from './failed-run.js';
import type { KeptValues } from './kept.js';
import { nextTurn } from './turns.js';

/** A feed or an output: its name, dtype and shape. */
export interface Slot {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly size: number;
}

interface FeedSlot extends Slot {
  readonly input: Input;
  /** The position of this feed in the native program's list of feeds; -1 if no instruction reads the feed. */
  readonly position: number;
}

export type Tensors = Readonly<Record<string, Tensor>>;

// If the feeds and outputs together have at most this many bytes, they are copied to and from memory of the program. A
// copy is faster than passing an array to the addon, and much faster than passing a small new array, because Node must
// first allocate a buffer for such an array.
const smallBytes = 4096;

// Copying this many elements takes less than 2 ms, even if the process has not used the target memory before.
const elementsPerTurn = 2 ** 18;
// Making a tensor takes about as long as copying this many elements.
const elementsPerTensor = 2 ** 7;

// After an asynchronous run, its arrays are kept, so that a later run can use them. The arrays of at most this many
// runs are kept. Two are enough, because one run is in flight while the feeds of the next run are copied.
const maxStaged = 2;

const nothing = Object.fromEntries(
  dtypes.map((dtype) => [dtype, typedArray(dtype, 0)]),
) as Readonly<Record<DType, TypedArray>>;

export class Executable {
  readonly encoded: Encoded;
  readonly bindings: Bindings;
  readonly native: NativeProgram;
  /** The parameters and states that runs read or write. */
  readonly variables: readonly Variable[];
  /** The feeds of the native program, in its order. Below, "native order" means: these feeds, then the outputs. */
  readonly feeds: readonly Slot[];
  readonly outputs: readonly Slot[];
  /** The inputs that must be fed. */
  readonly #fed: readonly FeedSlot[];
  /** The arrays of the feeds and outputs of the next run, in native order. Between runs, they are empty arrays. */
  readonly #memory: TypedArray[];
  /** An empty array for each feed and output, in native order. */
  readonly #noMemory: readonly TypedArray[];
  /** The program's own memory for small feeds and outputs, in native order; null if they are large (`smallBytes`). */
  readonly #own: readonly TypedArray[] | null;
  /**
   * Arrays that asynchronous runs have used and can use again: for each run, a list in native order. They are on
   * SharedArrayBuffers, because these cannot be detached.
   */
  readonly #staged: TypedArray[][] = [];
  #kept: KeptValues | undefined;

  /**
   * Makes the native program. If the feeds and outputs are small, also allocates memory for them.
   * @param names the names of the outputs
   * @param inputs the inputs that must be fed, by name
   * @param kept the values that runs keep for later runs; `dispose` releases them
   * @throws ValueError or NativeError if there is too little memory
   */
  constructor(
    encoded: Encoded,
    names: readonly string[],
    inputs: ReadonlyMap<string, Input>,
    bindings: Bindings,
    queue: NativeQueue,
    kept: KeptValues | undefined,
  ) {
    this.#kept = kept;
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
    const feedNames = new Map([...inputs].map(([name, input]) => [input, name]));
    this.feeds = encoded.feeds.map((input) => {
      return slotOf(feedNames.get(input) as string, input.dtype, boundShape(input, bindings));
    });
    const { feeds } = this;
    const slots = [...feeds, ...this.outputs];
    this.#noMemory = slots.map(({ dtype }) => nothing[dtype]);
    this.#memory = [...this.#noMemory];
    const bytes = slots.reduce((sum, { size, dtype }) => sum + size * bytesOf[dtype], 0);
    this.#own = bytes > smallBytes ? null : slots.map(shared);
    const leaves = encoded.leaves.map(({ value }) => value.data);
    try {
      this.native = createProgram(encoded.code, leaves, queue, this.#own, kept?.native ?? null);
    } catch (cause) {
      if (!(cause instanceof ValueError)) throw cause;
      const bound = [...bindings].map(([name, value]) => `${name} = ${value}`).join(', ');
      throw new ValueError(
        `compile: cannot allocate memory for a run${bound && ` where ${bound}`}, an arena of ${encoded.stats.arenaBytes} bytes and more: ${cause.message}`,
        { cause },
      );
    }
  }

  // ---- Feeds: they are set before a run and cleared after it.

  /**
   * Sets the feeds of the next run. Returns false if the feeds do not have the names, dtypes and shapes of this
   * executable exactly. In this case, some of the feeds may have been set.
   */
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

  /** Sets the feeds of the next run to tensors that `bindFeeds` has checked for this binding. */
  take(tensors: ReadonlyMap<Input, Tensor>): void {
    this.encoded.feeds.forEach((input, position) => {
      this.#memory[position] = (tensors.get(input) as Tensor).data;
    });
  }

  /** Drops the references to feeds and outputs, so that the garbage collector can free them. */
  forget(): void {
    const memory = this.#memory;
    for (let position = 0; position < memory.length; position++) {
      memory[position] = this.#noMemory[position] as TypedArray;
    }
  }

  /**
   * Returns the feeds of a run by input. They are used to find the cause of a failed run.
   * @param memory the feeds in native order; by default the feeds that are set
   */
  fedWith(memory: readonly TypedArray[] = this.#memory): Map<Input, { data: TypedArray }> {
    return new Map(
      this.#fed.map(({ input, dtype, size, position }) => [
        input,
        { data: position < 0 ? typedArray(dtype, size) : (memory[position] as TypedArray) },
      ]),
    );
  }

  /** Must be called before a run: if leaves have been set, makes the run compute the kept values again. */
  refresh(): void {
    this.#kept?.refresh();
  }

  // ---- Runs on this thread.

  /**
   * Runs the program with the feeds that are set.
   * @param into tensors for the outputs, which `accepts` must accept; if undefined, `results` returns the outputs
   * @returns `done`, or the failure of an instruction
   * @throws ValueError if outputs overlap each other, a feed or a leaf
   */
  run(into: Tensors | undefined, run: number, threads: number, checkFinite: boolean): Outcome {
    this.refresh();
    const memory = this.#memory;
    if (this.#own && !into) {
      this.#copyFeeds(this.#own);
      return runProgram(this.native, run, threads, checkFinite, false, null) as Outcome;
    }
    this.#setOutputs(into);
    const keeps = into !== undefined;
    let status = runProgram(this.native, run, threads, checkFinite, keeps, memory);
    while (this.#separate(status)) {
      status = runProgram(this.native, run, threads, checkFinite, keeps, memory);
    }
    return status as Outcome;
  }

  /**
   * Runs the program with the feeds that are set.
   * @returns the nanoseconds that each instruction took; -1 for an instruction that was not executed, because its
   *   results are kept
   * @throws ValueError if an index is out of range
   */
  profile(run: number, threads: number): Float64Array {
    const times = new Float64Array(this.encoded.nodes.length).fill(-1);
    this.refresh();
    this.#setOutputs(undefined);
    let status: RunStatus;
    do {
      status = profileProgram(this.native, run, threads, times, this.#memory);
    } while (this.#separate(status));
    if (typeof status !== 'number') throw outOfRange(this, status as IndexFailure, run);
    return times;
  }

  /** Returns the outputs of the last run: the tensors `into` to which it wrote them; otherwise new tensors. */
  results(into?: Tensors): Tensors {
    if (!into) return this.#tensors(this.#own ?? this.#memory, this.#own !== null);
    for (let index = 0; index < this.outputs.length; index++) {
      if ((this.outputs[index] as Slot).dtype !== 'bool') continue;
      makeBools(this.#memory[this.feeds.length + index] as Uint8Array);
    }
    return into;
  }

  /**
   * Copies the feeds that are set to the arrays `to`.
   * @throws ValueError if a feed that was set has been detached or cleared, for example by a getter of the options
   */
  #copyFeeds(to: readonly TypedArray[]): void {
    for (let position = 0; position < this.feeds.length; position++) {
      const { name, size } = this.feeds[position] as Slot;
      const taken = this.#memory[position] as TypedArray;
      if (taken.length !== size) {
        throw new ValueError(
          `run: feed '${name}' changed while the run was prepared: a getter of the feeds or options ran this program or transferred memory; remove the getter`,
        );
      }
      (to[position] as TypedArray).set(taken);
    }
  }

  #setOutputs(into: Tensors | undefined): void {
    for (let index = 0; index < this.outputs.length; index++) {
      const slot = this.outputs[index] as Slot;
      const given = into?.[slot.name];
      if (into && !(isTensor(given) && fits(given, slot))) {
        throw new ValueError(`into: '${slot.name}' changed while the run was prepared`);
      }
      this.#memory[this.feeds.length + index] = given?.data ?? fresh(slot);
    }
  }

  #tensors(memory: readonly TypedArray[], copy: boolean): Record<string, Tensor> {
    const tensors: Record<string, Tensor> = {};
    for (let index = 0; index < this.outputs.length; index++) {
      const { name, shape, dtype } = this.outputs[index] as Slot;
      const data = memory[this.feeds.length + index] as TypedArray;
      tensors[name] = resultTensor(copy ? copied(data) : data, shape, dtype);
    }
    return tensors;
  }

  /** Whether the tensors have exactly the names, dtypes and shapes of the outputs. */
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
   * Handles the status of a run that the native program refused because two arrays overlap in memory. If a feed shares
   * memory with a leaf that the run writes, replaces the feed by a copy and returns true; the caller must then try the
   * run again. Returns false if `status` does not report an overlap.
   * @throws ValueError if an output overlaps another output, a feed or a leaf
   */
  #separate(status: RunStatus): boolean {
    if (typeof status !== 'number' || status >= cancelled) return false;
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

  // ---- Memory for asynchronous runs, which execute off the JavaScript thread.

  /** Returns memory for one run: copies of the feeds that are set, followed by memory for the outputs. */
  stage(): TypedArray[] {
    const staged = this.#staged.pop() ?? [...this.feeds, ...this.outputs].map(shared);
    this.#copyFeeds(staged);
    return staged;
  }

  /** Keeps the memory of a finished run, so that a later run can use it. */
  unstage(staged: TypedArray[]): void {
    if (this.#staged.length < maxStaged) this.#staged.push(staged);
  }

  /** Returns memory for one run: feeds that have been copied already, followed by new memory for the outputs. */
  stageCopies(copies: ReadonlyMap<Input, TypedArray>): TypedArray[] {
    const feeds = this.encoded.feeds.map((input) => copies.get(input) as TypedArray);
    return [...feeds, ...this.outputs.map(shared)];
  }

  /**
   * Resolves with the outputs of an asynchronous run, as new tensors. Large outputs are copied in several turns of
   * the event loop.
   */
  async resultsOf(staged: readonly TypedArray[]): Promise<Record<string, Tensor>> {
    const tensors: Record<string, Tensor> = {};
    let left = elementsPerTurn;
    for (let index = 0; index < this.outputs.length; index++) {
      const slot = this.outputs[index] as Slot;
      const { name, shape, dtype, size } = slot;
      const source = staged[this.feeds.length + index] as TypedArray;
      const copy = fresh(slot);
      for (let from = 0; from < size; from += elementsPerTurn) {
        const chunk = source.subarray(from, Math.min(size, from + elementsPerTurn));
        copy.set(chunk, from);
        left -= chunk.length + elementsPerTensor;
        if (left > 0) continue;
        await nextTurn();
        left = elementsPerTurn;
      }
      tensors[name] = resultTensor(copy, shape, dtype);
    }
    return tensors;
  }

  /** Frees native memory, after the runs in flight have finished. */
  dispose(): void {
    disposeProgram(this.native);
    this.#kept?.release();
    this.#kept = undefined;
  }
}

/** Copies the feeds of a run that will start later. @throws ValueError if there is too little memory */
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
  // The length of the data is not the size of the tensor if the memory was detached or resized.
  return tensor.dtype === dtype && tensor.data.length === size && sameShape(tensor.shape, shape);
}

function fresh({ name, dtype, shape }: Slot): TypedArray {
  return allocate(dtype, shape, `run: '${name}'`);
}

function copied(source: TypedArray): TypedArray {
  const copy = allocate(dtypeOf(source), [source.length], 'run:');
  copy.set(source);
  return copy;
}

/** Allocates an array on a SharedArrayBuffer. @throws ValueError if there is too little memory */
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
