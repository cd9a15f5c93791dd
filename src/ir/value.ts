/**
 * The intermediate representation (IR) of the passes. It consists of values, which are in single-assignment form and
 * are read through strided views. A pass makes new values, or gives a value other operands (`Builder.redefine` and
 * `Builder.remake`). Slices, transposes, reshapes and broadcasts become views. The ops concat, stack and assemble become
 * values of kind 'assemble'. All dimensions are numbers, because a program is specialised for one binding of its
 * dimension names.
 */

import { Constant, type Leaf } from '../graph/leaf.js';
import type { Lowering } from '../graph/lowering.js';
import type { Node } from '../graph/node.js';
import { finished, Pace, type Sliced, stepsPerSlice } from '../graph/sliced.js';
import type { Window } from '../graph/window.js';
import type { DType } from '../tensor/dtype.js';
import type { IrLoop } from './loop.js';
import { count, isWhole, type Layout, type StridedView } from './view.js';

/** The kinds of lowerings that have no values of their own: their records make values of other kinds. */
type WithoutValues =
  | 'cast'
  | 'accumulate'
  | 'alias'
  | 'view'
  | 'place'
  | 'extent'
  | 'positions'
  | 'convolution'
  | 'compose';

/**
 * The kinds of values:
 * - leaf: the memory of a leaf: a feed, a parameter, a state or a constant
 * - map: one element-wise kernel or dtype conversion. The operands have the shape of the value
 * - product: a matrix product [M, K] x [K, N]. If there is a third operand [M, N], the product is added onto it, in
 *   place
 * - reduce: a reduction over the last axes of its operand. The first axes of the operand are the axes of the value
 * - random: random numbers
 * - routine: one routine of the addon, which reads all operands. If it has several results, this is the first of them
 * - result: a further result of a routine, or a result of a loop, which is its operand
 * - scan: a loop (`loop.ts`)
 *
 * Any further kind of lowering also has values of its own kind, unless `WithoutValues` lists it.
 */
export type Kind =
  | Exclude<Lowering['kind'], WithoutValues>
  /** The element-wise sum of all operands. */
  | 'sum'
  /** The sum of the rows of a matrix [R, C]. */
  | 'columnSum'
  /** A batch of matrix products, [.., M, K] x [.., K, N]. */
  | 'batch'
  /** A value assembled from blocks. The blocks are its operands, and each has its own start in the value. */
  | 'assemble';

/** A use of a value: a view of all or some of its elements. */
export interface Ref extends StridedView {
  readonly value: Value;
}

export interface Details {
  readonly leaf?: Leaf | undefined;
  /** The name of the kernel of a value of kind map, reduce or random, or of the routine. */
  readonly kernel?: string | undefined;
  /** True for a map that converts its operand. Its kernel is then the dtype of the result. */
  readonly converts?: boolean | undefined;
  readonly seed?: number | undefined;
  /** The integers of a routine. */
  readonly integers?: readonly number[] | undefined;
  /** For a routine with several results: the dtype and the shape of each further result. */
  readonly results?: readonly (readonly [dtype: DType, ...shape: number[]])[] | undefined;
  /** For a further result: its index among the results of the instruction that computes the operand. */
  readonly result?: number | undefined;
  readonly loop?: IrLoop | undefined;
  /** For a leaf of the body of a loop: whether the body may write to its memory, because nothing else reads it. */
  readonly consumable?: boolean | undefined;
  /** For an assembled value: the start of each block along each axis. */
  readonly starts?: readonly (readonly number[])[] | undefined;
  /** For an assembled value: whether blocks overlap. Where they overlap, they are added. */
  readonly adds?: boolean | undefined;
  /** For an assembled value: whether the blocks may leave gaps. The elements in a gap are 0. */
  readonly gaps?: boolean | undefined;
}

export class Value {
  readonly shape: readonly number[];
  /** The number of elements. */
  readonly size: number;
  /** The view of all elements. */
  readonly whole: Ref;
  /** The operands. Only the builder changes them. */
  args: readonly Ref[];

  constructor(
    /** A number that is larger than the ids of the operands. Only the builder changes it. */
    public id: number,
    readonly kind: Kind,
    readonly dtype: DType,
    args: readonly Ref[],
    readonly details: Details,
    /**
     * The node for which this value is computed. This value may be only a part of the node's value. Errors and profiles
     * show the node.
     */
    readonly node: Node | undefined,
    { shape, strides }: Layout,
  ) {
    this.shape = shape;
    this.size = count(shape);
    this.whole = { value: this, offset: 0, shape, strides };
    this.args = args;
  }
}

/** An output or a new value of a leaf. */
export interface Root {
  readonly ref: Ref;
  readonly node: Node;
}

/** Whether the ref selects all elements of its value, in row-major order. */
export function showsAll(ref: Ref): boolean {
  return ref === ref.value.whole || isWhole(ref, ref.value.size);
}

export function viewed(value: Value, { offset, shape, strides }: StridedView): Ref {
  return { value, offset, shape, strides };
}

/** Returns the elements of a ref whose index along the dimension `dim` is at least `start` and less than `end`. */
export function narrow(ref: Ref, dim: number, start: number, end: number): Ref {
  const shape = [...ref.shape];
  shape[dim] = end - start;
  const offset = ref.offset + start * (ref.strides[dim] as number);
  return { value: ref.value, offset, shape, strides: ref.strides };
}

/** Returns the elements of a ref in a region of it. */
export function inRegion(ref: Ref, { start, shape }: Pick<Window, 'start' | 'shape'>): Ref {
  let { offset } = ref;
  for (let dim = 0; dim < start.length; dim++) {
    offset += (start[dim] as number) * (ref.strides[dim] as number);
  }
  return { value: ref.value, offset, shape, strides: ref.strides };
}

/** Returns the transpose of a matrix. */
export function transposed({ value, offset, shape, strides }: Ref): Ref {
  return { value, offset, shape: [...shape].reverse(), strides: [...strides].reverse() };
}

/** If the ref reads only one element of a constant, returns this element. Otherwise returns undefined. */
export function numberOf(ref: Ref): number | undefined {
  const { leaf } = ref.value.details;
  if (!(leaf instanceof Constant)) return undefined;
  const { shape, strides } = ref;
  for (let i = 0; i < shape.length; i++) {
    if (shape[i] !== 1 && strides[i] !== 0) return undefined;
  }
  return leaf.value.data[ref.offset];
}

/**
 * Returns an array of length `end` that is filled with undefined. The passes use it to store something for each value,
 * at the index that is the value's id. The array has its full length from the start, because V8 turns an array with
 * large gaps into a hash table.
 */
export function byId<T>(end: number): (T | undefined)[] {
  return new Array<T | undefined>(end).fill(undefined);
}

/**
 * Returns all values on which the roots depend, in the order of their ids. Operands precede the values that read them.
 */
export function reachableFrom(roots: readonly Ref[]): Value[] {
  return finished(reachable(roots, new Pace()));
}

/**
 * Does the same as `reachableFrom`, in slices. A loop over all values, here and in the passes, uses an index instead of
 * `for … of`. Until V8 has optimised a function, `for … of` makes an object for each element, and collecting this
 * garbage blocks the event loop.
 */
export function* reachable(roots: readonly Ref[], pace: Pace): Sliced<Value[]> {
  const stack: Value[] = [];
  let end = 0;
  for (const { value } of roots) {
    stack.push(value);
    end = Math.max(end, value.id + 1);
    if (pace.due()) yield;
  }
  const found = byId<Value>(end);
  while (stack.length > 0) {
    find(stack, found, stepsPerSlice);
    if (pace.due(stepsPerSlice)) yield;
  }
  const order: Value[] = [];
  for (let id = 0; id < end; id += stepsPerSlice) {
    collect(found, id, Math.min(id + stepsPerSlice, end), order);
    if (pace.due(stepsPerSlice)) yield;
  }
  return order;
}

/** Takes up to `most` values from the stack, stores each by its id, and puts the operands that are new on the stack. */
function find(stack: Value[], found: (Value | undefined)[], most: number): void {
  for (let taken = 0; taken < most; taken++) {
    const value = stack.pop();
    if (!value) return;
    if (found[value.id]) continue;
    found[value.id] = value;
    for (let i = 0; i < value.args.length; i++) {
      const operand = (value.args[i] as Ref).value;
      if (!found[operand.id]) stack.push(operand);
    }
  }
}

/** Adds the values with the ids `from` to `to` - 1 to a list. */
function collect(
  found: readonly (Value | undefined)[],
  from: number,
  to: number,
  order: Value[],
): void {
  for (let id = from; id < to; id++) {
    const value = found[id];
    if (value) order.push(value);
  }
}

/** Returns one more than the largest id of these values, which must be in the order of `reachableFrom`. */
export function endOf(order: readonly Value[]): number {
  return (order.at(-1)?.id ?? -1) + 1;
}

/** A use of a value by another value, or by a root (then `reader` is undefined). */
export interface Use {
  readonly reader: Value | undefined;
  readonly ref: Ref;
}

/**
 * Stores all uses of all values in two common lists. If each value had a list of its own, these lists would be a large
 * part of the objects that a garbage collection during the compile has to copy.
 */
export class Uses {
  /** In the lists below, the uses of the value with id i are at the positions #first[i] … #first[i + 1] - 1. */
  readonly #first: Int32Array;
  readonly #readers: (Value | undefined)[];
  readonly #refs: Ref[];

  private constructor(first: Int32Array) {
    this.#first = first;
    const count = first[first.length - 1] as number;
    this.#readers = new Array<Value | undefined>(count);
    this.#refs = new Array<Ref>(count);
  }

  /**
   * Collects the uses of values.
   * @param order the values, in the order in which `reachable` returns them
   * @param roots the refs that are not operands: outputs and new values of leaves
   */
  static *of(order: readonly Value[], roots: readonly Ref[], pace: Pace): Sliced<Uses> {
    const first = new Int32Array(endOf(order) + 1);
    for (let at = 0; at < order.length; at += stepsPerSlice) {
      const end = Math.min(at + stepsPerSlice, order.length);
      for (let i = at; i < end; i++) countRefs((order[i] as Value).args, first);
      if (pace.due(stepsPerSlice)) yield;
    }
    countRefs(roots, first);
    if (pace.due(roots.length)) yield;
    for (let id = 1; id < first.length; id += stepsPerSlice) {
      addUp(first, id, Math.min(id + stepsPerSlice, first.length));
      if (pace.due(stepsPerSlice)) yield;
    }
    const uses = new Uses(first);
    const next = first.slice();
    for (let at = 0; at < order.length; at += stepsPerSlice) {
      const end = Math.min(at + stepsPerSlice, order.length);
      for (let i = at; i < end; i++) {
        const reader = order[i] as Value;
        uses.#add(next, reader, reader.args);
      }
      if (pace.due(stepsPerSlice)) yield;
    }
    uses.#add(next, undefined, roots);
    if (pace.due(roots.length)) yield;
    return uses;
  }

  /** The number of uses of a value. */
  count({ id }: Value): number {
    return id + 1 < this.#first.length
      ? (this.#first[id + 1] as number) - (this.#first[id] as number)
      : 0;
  }

  /** Returns the use of a value that has this index, from 0 to `count(value)` - 1. */
  at({ id }: Value, index: number): Use {
    const at = (this.#first[id] as number) + index;
    return { reader: this.#readers[at], ref: this.#refs[at] as Ref };
  }

  of(value: Value): Use[] {
    const uses: Use[] = [];
    for (let i = 0; i < this.count(value); i++) uses.push(this.at(value, i));
    return uses;
  }

  /** Whether all uses of a value pass the test, which is not called again after it fails. */
  every(value: Value, test: (use: Use) => boolean): boolean {
    for (let i = 0; i < this.count(value); i++) if (!test(this.at(value, i))) return false;
    return true;
  }

  #add(next: Int32Array, reader: Value | undefined, refs: readonly Ref[]): void {
    for (let i = 0; i < refs.length; i++) {
      const ref = refs[i] as Ref;
      const at = next[ref.value.id] as number;
      next[ref.value.id] = at + 1;
      this.#readers[at] = reader;
      this.#refs[at] = ref;
    }
  }
}

/** Adds each of these refs to the number of uses of its value, which is at the index id + 1. */
function countRefs(refs: readonly Ref[], counts: Int32Array): void {
  for (let i = 0; i < refs.length; i++) {
    const at = (refs[i] as Ref).value.id + 1;
    counts[at] = (counts[at] as number) + 1;
  }
}

/** Adds to each number from the index `from` to `to` - 1 all numbers before it. */
function addUp(numbers: Int32Array, from: number, to: number): void {
  let sum = numbers[from - 1] as number;
  for (let i = from; i < to; i++) {
    sum += numbers[i] as number;
    numbers[i] = sum;
  }
}

/**
 * Returns the values on which the roots depend as text, one line for each. The tests of the passes compare this text.
 */
export function format(roots: readonly Ref[]): string {
  const order = reachableFrom(roots);
  const numbers = new Map(order.map((value, index) => [value, index]));
  const show = (ref: Ref) => {
    const name = `%${numbers.get(ref.value)}`;
    return showsAll(ref) && ref.shape.join() === ref.value.shape.join()
      ? name
      : `${name}[${ref.offset}: ${ref.shape.map((size, i) => `${size}*${ref.strides[i]}`).join(' ')}]`;
  };
  const lines = order.map((value, index) => {
    const { kind, details, args, dtype, shape } = value;
    const name = details.leaf ? `${details.leaf.kind} ${details.leaf.name ?? ''}`.trim() : kind;
    const starts = (i: number) => (details.starts ? ` at ${details.starts[i]?.join(',')}` : '');
    const operands = args.map((arg, i) => `${show(arg)}${starts(i)}`).join(', ');
    return `%${index} = ${[name, details.kernel].filter(Boolean).join(' ')}(${operands}) ${dtype} [${shape.join(', ')}]`;
  });
  return [...lines, `roots: ${roots.map(show).join(', ')}`].join('\n');
}
