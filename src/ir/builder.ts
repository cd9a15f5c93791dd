/**
 * Makes values in a canonical form. Equal values are merged, constants are folded, and a view of an assembled value
 * becomes a view of a block if it reads only this block. Products of concatenations become sums of products, or values
 * assembled from products. Passes make all values with a builder, so all values are in this form. A ref (`Ref`) is a
 * view of a value.
 */

import { constant, type Leaf } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { Pace } from '../graph/sliced.js';
import type { DType } from '../tensor/dtype.js';
import {
  adjacent,
  aloneIn,
  type Block,
  compareLists,
  isMatrix,
  meets,
  overlaps,
} from './blocks.js';
import { defect } from './defect.js';
import { blocksWithin, folded, productOfBlocks, simpler, sumOfAssembled } from './rewrites.js';
import { hashOf, isSame } from './same.js';
import { executor, type Target } from './target.js';
import {
  type Details,
  type Kind,
  narrow,
  numberOf,
  type Ref,
  showsAll,
  transposed,
  Value,
  viewed,
} from './value.js';
import {
  ascends,
  boxOf,
  broadcast,
  compose,
  count,
  dense,
  equalLists,
  rebase,
  SharedLayouts,
  type StridedView,
} from './view.js';

/** For each rewrite, by its name, how often it was applied. The tests check that every rewrite is applied somewhere. */
export type Fired = Map<string, number>;

const noDetails: Details = {};

export class Builder {
  #next = 0;
  readonly #leaves = new Map<Leaf, Value>();
  /** Counts the steps of work of all passes that use this builder. */
  readonly pace = new Pace();
  /**
   * All values except leaves, by key. A key is the hash of the value or, if another value has this key, the next free
   * number. The values are divided among 64 maps, because a map that grows is copied in one step, which takes
   * milliseconds for a large map.
   */
  readonly #known = Array.from({ length: 64 }, () => new Map<number, Value>());
  readonly #layouts = new SharedLayouts();
  readonly #mapDetails = new Map<string, Details>();
  /** Whether products of concatenations are split. The pass `share` sets this to false before it merges products. */
  splitsProducts = true;

  constructor(
    readonly fired: Fired = new Map(),
    readonly target: Target = executor,
  ) {}

  /** One more than the largest id of the values made so far. */
  get end(): number {
    return this.#next;
  }

  /** Counts one application of a rewrite. */
  fire(rewrite: string): void {
    this.fired.set(rewrite, (this.fired.get(rewrite) ?? 0) + 1);
  }

  leaf(leaf: Leaf, shape: readonly number[]): Ref {
    const value =
      this.#leaves.get(leaf) ??
      new Value(this.#next++, 'leaf', leaf.dtype, [], { leaf }, leaf, this.#layouts.of(shape));
    this.#leaves.set(leaf, value);
    return value.whole;
  }

  number(value: number, dtype: DType): Ref {
    return this.leaf(constant(value, { dtype }), []);
  }

  filled(value: number, dtype: DType, shape: readonly number[]): Ref {
    return viewed(this.number(value, dtype).value, broadcast(dense([]), shape));
  }

  map(
    kernel: string,
    dtype: DType,
    shape: readonly number[],
    args: readonly Ref[],
    node?: Node,
    converts = false,
  ): Ref {
    if (count(shape) === 0) return this.filled(0, dtype, shape);
    const known =
      folded(this, kernel, dtype, shape, args, converts) ?? simpler(this, kernel, args, converts);
    if (known) return known;
    return this.#once(shape, args, (small, operands) =>
      this.#value('map', dtype, small, operands, this.#detailsOf(kernel, converts), node),
    );
  }

  /**
   * Makes an element-wise value. If all operands repeat along an axis (their strides are 0), the value is computed for
   * only one index of this axis and then broadcast along it.
   */
  #once(
    shape: readonly number[],
    args: readonly Ref[],
    make: (shape: readonly number[], args: readonly Ref[]) => Ref,
  ): Ref {
    const repeatsAlong = (size: number, axis: number) =>
      size > 1 && args.length > 0 && args.every((arg) => arg.strides[axis] === 0);
    if (!shape.some(repeatsAlong)) return make(shape, args);
    const repeats = shape.map(repeatsAlong);
    this.fire('simplify: repeated map');
    const once = (ref: Ref): Ref =>
      repeats.reduce((r, repeated, axis) => (repeated ? narrow(r, axis, 0, 1) : r), ref);
    const small = shape.map((size, axis) => (repeats[axis] ? 1 : size));
    return this.stretch(make(small, args.map(once)), shape);
  }

  /** Returns the ref broadcast to `shape`. */
  stretch(ref: Ref, shape: readonly number[]): Ref {
    return viewed(ref.value, broadcast(ref, shape));
  }

  /**
   * Returns a ref that has the same elements, and selects all elements of its value in row-major order. If `ref`
   * already selects all elements of a computed value in this order, returns a view of this value; otherwise makes a
   * copy.
   */
  copy(ref: Ref, node?: Node): Ref {
    if (ref.value.kind !== 'leaf' && showsAll(ref)) return viewed(ref.value, dense(ref.shape));
    const { dtype } = ref.value;
    return this.#value('map', dtype, ref.shape, [ref], this.#detailsOf('copy', false), node);
  }

  /**
   * Returns the elements that the view `outer` selects from the elements of the ref. If the composition of the two
   * views is not a strided view, the elements of the ref are copied first.
   */
  through(outer: StridedView, ref: Ref, node?: Node): Ref {
    const direct = compose(outer, ref);
    if (direct) return this.resolve(viewed(ref.value, direct));
    const { value } = this.copy(ref, node);
    return viewed(value, outer);
  }

  reshape(ref: Ref, shape: readonly number[], node?: Node): Ref {
    return equalLists(ref.shape, shape) ? ref : this.through(dense(shape), ref, node);
  }

  sum(dtype: DType, shape: readonly number[], terms: readonly Ref[], node?: Node): Ref {
    if (count(shape) === 0) return this.filled(0, dtype, shape);
    const isZero = (term: Ref) => numberOf(term) === 0;
    const kept = terms.some(isZero) ? terms.filter((term) => !isZero(term)) : terms;
    const [only] = kept;
    if (kept.length < terms.length) this.fire('simplify: zero term');
    if (!only) return this.filled(0, dtype, shape);
    if (kept.length === 1) return only;
    if (kept.every((term) => numberOf(term) !== undefined)) {
      return kept
        .slice(1)
        .reduce(
          (total, term) => this.map('add', dtype, shape, [total, term], node),
          kept[0] as Ref,
        );
    }
    const assembled = sumOfAssembled(this, kept, node);
    return (
      assembled ??
      this.#once(shape, kept, (small, operands) =>
        this.#value('sum', dtype, small, operands, noDetails, node),
      )
    );
  }

  /**
   * Returns the matrix product of `a` [M, K] and `b` [K, N]. If `onto` [M, N] is given, the product is added onto the
   * elements of `onto`, in their memory.
   */
  product(a: Ref, b: Ref, node?: Node, onto?: Ref): Ref {
    const [m, k] = a.shape as readonly [number, number];
    const n = b.shape[1] as number;
    const { dtype } = a.value;
    if (!onto) {
      if (m === 0 || n === 0 || k === 0) return this.filled(0, dtype, [m, n]);
      if (numberOf(a) === 0) {
        this.fire('simplify: zero product');
        return this.stretch(this.#timesZero(b, node), [m, n]);
      }
      if (numberOf(b) === 0) {
        this.fire('simplify: zero product');
        return transposed(this.stretch(this.#timesZero(transposed(a), node), [n, m]));
      }
      const split = this.splitsProducts && productOfBlocks(this, a, b, node);
      if (split) return split;
    }
    const operands = [this.matrix(a), this.matrix(b)];
    if (onto) operands.push(onto);
    return this.#value('product', dtype, [m, n], operands, noDetails, node);
  }

  /** Returns the sum of the rows of a matrix [R, C]. The sum has the shape [C]. */
  columnSum(ref: Ref, node?: Node): Ref {
    const [rows, columns] = ref.shape as readonly [number, number];
    if (rows === 0 || numberOf(ref) === 0) return this.filled(0, ref.value.dtype, [columns]);
    const operand = this.#ascending(ref, node);
    return this.#value('columnSum', ref.value.dtype, [columns], [operand], noDetails, node);
  }

  reduce(kernel: string, dtype: DType, ref: Ref, kept: number, node?: Node): Ref {
    const operand = this.#ascending(ref, node);
    return this.#value('reduce', dtype, ref.shape.slice(0, kept), [operand], { kernel }, node);
  }

  /** Returns the ref if it has no negative strides, which reductions and routines cannot read; otherwise a copy of its elements. */
  #ascending(ref: Ref, node?: Node): Ref {
    return ascends(ref) ? ref : this.copy(ref, node);
  }

  batch(a: Ref, b: Ref, node?: Node): Ref {
    const shape = [...a.shape.slice(0, -1), b.shape.at(-1) as number];
    if (count(shape) === 0 || a.shape.at(-1) === 0) return this.filled(0, a.value.dtype, shape);
    const operands = [a, b].map((ref) =>
      isMatrix(ref.shape, ref.strides) ? ref : this.copy(ref, node),
    );
    return this.#value('batch', a.value.dtype, shape, operands, noDetails, node);
  }

  random(kernel: string, seed: number, dtype: DType, shape: readonly number[], node?: Node): Ref {
    return this.#value('random', dtype, shape, [], { kernel, seed }, node);
  }

  /** Returns the result of a routine of the addon. */
  routine(
    routine: string,
    dtype: DType,
    shape: readonly number[],
    args: readonly Ref[],
    integers: readonly number[],
    node?: Node,
  ): Ref {
    if (count(shape) === 0) return this.filled(0, dtype, shape);
    const operands = args.map((arg) => this.#ascending(arg, node));
    return this.#value('routine', dtype, shape, operands, { kernel: routine, integers }, node);
  }

  /**
   * Returns a value of shape `shape` that is assembled from blocks. If `adds` is true, blocks may overlap and leave
   * gaps: where they overlap, they are added, and a gap is filled with zeros.
   */
  assemble(
    dtype: DType,
    shape: readonly number[],
    blocks: readonly Block[],
    node?: Node,
    adds = false,
  ): Ref {
    let kept = blocks.filter(({ ref }) => !ref.shape.includes(0));
    if (adds) kept = kept.filter(({ ref }) => numberOf(ref) !== 0);
    if (kept.length === 0) return this.filled(0, dtype, shape);
    const size = kept.reduce((total, { ref }) => total + count(ref.shape), 0);
    const overlap = adds && overlaps(kept);
    const gaps = adds && (overlap ? true : size < count(shape));
    if (!overlap && !gaps) {
      kept = kept.flatMap((block) => blocksWithin(this, block));
      kept.sort((p, q) => compareLists(p.start, q.start));
      const view = adjacent(shape, kept);
      if (view) {
        this.fire('simplify: assembled value is a view');
        return view;
      }
    }
    const starts = kept.map(({ start }) => start);
    const args = kept.map(({ ref }) => ref);
    return this.#value('assemble', dtype, shape, args, { starts, adds: overlap, gaps }, node);
  }

  /**
   * Simplifies a ref to an assembled value. If the ref reads only one block, returns a view of this block. If the ref
   * reads only a gap, returns zeros. Otherwise returns the ref.
   */
  resolve(ref: Ref): Ref {
    const { value } = ref;
    const { starts, adds } = value.details;
    if (value.kind !== 'assemble' || !starts) return ref;
    const box = boxOf(ref, value.shape);
    if (!box) return ref;
    let met = 0;
    for (let i = 0; i < starts.length; i++) {
      const block = value.args[i] as Ref;
      const start = starts[i] as readonly number[];
      if (!meets(box.start, box.end, start, block.shape)) continue;
      met++;
      const inside = start.every(
        (from, axis) =>
          (box.start[axis] as number) >= from &&
          (box.end[axis] as number) <= from + (block.shape[axis] as number),
      );
      if (!inside) {
        if (!adds) return ref;
        continue;
      }
      if (adds && !aloneIn(value, i, box)) return ref;
      const within = compose(rebase(ref, box, start, block.shape), block);
      if (!within) return ref;
      this.fire('simplify: view of a block');
      return this.resolve(viewed(block.value, within));
    }
    return met === 0 ? this.filled(0, value.dtype, ref.shape) : ref;
  }

  /**
   * Gives a value other operands, of which its kernel computes the same elements. The values that read it need not be
   * made again, so a pass that changes a few values at the start of a graph need not rebuild the rest. The operands must
   * have smaller ids than the value.
   */
  redefine(value: Value, args: readonly Ref[]): void {
    const late = args.find((arg) => arg.value.id >= value.id);
    if (late) throw defect(`value ${value.id} reads the later value ${late.value.id}`);
    value.args = args;
    const { kind, dtype, shape, details } = value;
    let hash = hashOf(kind, dtype, shape, args, details);
    const all = this.#known[hash & 63] as Map<number, Value>;
    // The value also stays known by its old definition, which it does not equal any more.
    while (all.has(hash)) hash++;
    all.set(hash, value);
  }

  /** Returns the ref if BLAS can read it as a matrix, otherwise a copy of its elements. */
  matrix(ref: Ref): Ref {
    return isMatrix(ref.shape, ref.strides) ? ref : this.copy(ref);
  }

  /** Returns the details of a map. Maps with the same kernel share them. */
  #detailsOf(kernel: string, converts: boolean): Details {
    const key = converts ? `to ${kernel}` : kernel;
    const known = this.#mapDetails.get(key);
    if (known) return known;
    const details = { kernel, converts };
    this.#mapDetails.set(key, details);
    return details;
  }

  #value(
    kind: Kind,
    dtype: DType,
    shape: readonly number[],
    args: readonly Ref[],
    details: Details,
    node?: Node,
  ): Ref {
    let hash = hashOf(kind, dtype, shape, args, details);
    const all = this.#known[hash & 63] as Map<number, Value>;
    for (let known = all.get(hash); known; known = all.get(++hash)) {
      if (!isSame(known, kind, dtype, shape, args, details)) continue;
      this.fire('simplify: common subexpression');
      return known.whole;
    }
    const layout = this.#layouts.of(shape);
    const value = new Value(this.#next++, kind, dtype, args, details, node, layout);
    all.set(hash, value);
    return value.whole;
  }

  /**
   * Returns the product of a row of zeros and a matrix [K, N]. The product has the shape [1, N]. An element is NaN if
   * its column of the matrix contains a NaN or an infinity; otherwise it is 0. The elements are computed as the column
   * sums of 0 * matrix, because these are faster than a product.
   */
  #timesZero(matrix: Ref, node?: Node): Ref {
    const { value, shape } = matrix;
    const zeros = this.filled(0, value.dtype, shape);
    const terms = this.map('mul', value.dtype, shape, [zeros, matrix], node);
    return this.reshape(this.columnSum(terms, node), [1, shape[1] as number], node);
  }
}
