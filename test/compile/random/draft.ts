/**
 * A draft is a random graph under construction. It contains the leaves and the nodes that were built so far, and draws
 * the values of the leaves.
 */

import { type Bindings, bindDim, type Dim, isDimensionName } from '../../../src/graph/dimension.js';
import {
  broadcastTo,
  constant,
  type Input,
  input,
  type Node,
  parameter,
  state,
  Tensor,
  type Variable,
} from '../../../src/index.js';
import { type DType, isFloating } from '../../../src/tensor/dtype.js';
import type { Draws } from './draws.js';

/** The kind of numbers that a graph computes with. */
export interface Numbers {
  /** True if the graph uses only small integers, and ops that are exact for them. */
  readonly exact: boolean;
  readonly dtype: 'float32' | 'float64';
  /** Sizes of dimensions that are above 1 are multiplied by about this factor. */
  readonly scale: number;
}

// The largest number of elements of a node, if the scale is 1. Larger nodes take more time, but find no more bugs.
const maxElements = 240;
export const classes = 4;

const kinds = [
  [40, 'parameter'],
  [25, 'input'],
  [15, 'state'],
  [20, 'constant'],
] as const;

/** Returns sizes 0 and 1 unchanged. Multiplies a larger size by the scale and subtracts a random number below it. */
export function scaled(draws: Draws, { scale }: Numbers, size: number): number {
  return scale === 1 || size <= 1 ? size : size * scale - draws.below(scale);
}

export class Draft {
  /** Floating-point nodes of all shapes, in the order of construction. */
  readonly pool: Node[] = [];
  /** int32 nodes. */
  readonly integers: Node[] = [];
  /** Nodes of bool and uint8. */
  readonly bytes: Node[] = [];
  readonly inputs: Input[] = [];
  readonly variables: Variable[] = [];
  #names = 0;

  constructor(
    readonly draws: Draws,
    readonly numbers: Numbers,
    /** For each run, the sizes of the named dimensions. */
    readonly bindings: readonly Bindings[],
  ) {}

  get dtype(): 'float32' | 'float64' {
    return this.numbers.dtype;
  }

  /** The names of the dimensions; empty in a graph without named dimensions. */
  get names(): string[] {
    return [...(this.bindings[0] as Bindings).keys()];
  }

  // ---- Sizes.

  dim(): Dim {
    const { draws, names } = this;
    if (names.length > 0 && draws.chance(0.2)) return draws.pick(names);
    return this.size();
  }

  /** Returns a random size of a dimension: 1 to 5, or rarely 0, before it is scaled. */
  size(): number {
    return this.#scaled(
      this.draws.weighted([
        [25, 1],
        [18, 2],
        [27, 3],
        [12, 4],
        [18, 5],
        [2, 0],
      ]),
    );
  }

  /** Returns a random number of units, rows or features. */
  units(low: number, high: number): number {
    return this.#scaled(this.draws.between(low, high));
  }

  #scaled(size: number): number {
    return scaled(this.draws, this.numbers, size);
  }

  /** Returns the smallest size that a dimension has in any of the bindings. */
  least(dim: Dim): number {
    return Math.min(...this.bindings.map((bindings) => bindDim(dim, bindings)));
  }

  isSmall(shape: readonly Dim[]): boolean {
    return this.bindings.every((bindings) => {
      const elements = shape.reduce<number>((size, dim) => size * bindDim(dim, bindings), 1);
      return elements <= maxElements * this.numbers.scale ** 2;
    });
  }

  // ---- Leaves.

  /** Returns a new leaf of any kind, broadcast to the shape if a leaf of this kind cannot have the shape itself. */
  leaf(shape: readonly Dim[]): Node {
    const named = shape.some((dim) => typeof dim !== 'number');
    const kind = this.draws.weighted(kinds);
    if (!named) return this[kind](shape as readonly number[]);
    // A dimension of an input must be a plain name, not an expression.
    if (shape.every((dim) => typeof dim === 'number' || isDimensionName(dim))) {
      if (kind === 'input' || this.draws.chance(0.5)) return this.input(shape);
    }
    const stretched = shape.map((dim) => (typeof dim === 'number' ? dim : 1));
    return broadcastTo(this[kind](stretched), shape);
  }

  input(shape: readonly Dim[], dtype: DType = this.dtype): Input {
    const made = input(this.#name('x'), shape, { dtype });
    this.inputs.push(made);
    this.keep(made);
    return made;
  }

  parameter(shape: readonly number[]): Variable {
    return this.#variable(parameter(this.#name('w'), Tensor.zeros(shape, { dtype: this.dtype })));
  }

  state(shape: readonly number[], dtype: DType = this.dtype): Variable {
    return this.#variable(state(this.#name('s'), Tensor.zeros(shape, { dtype })));
  }

  constant(shape: readonly number[]): Node {
    const value = Tensor.zeros(shape, { dtype: this.dtype });
    if (this.draws.chance(0.2)) value.data.fill(this.draws.between(0, 2));
    else this.#fill(value, 0);
    return this.keep(constant(value));
  }

  #variable(made: Variable): Variable {
    this.variables.push(made);
    this.keep(made);
    return made;
  }

  #name(prefix: string): string {
    return `${prefix}${this.#names++}`;
  }

  /** Adds a node to the lists from which later steps choose their operands. Returns the node. */
  keep<N extends Node>(node: N): N {
    const others = node.dtype === 'int32' ? this.integers : this.bytes;
    (isFloating(node.dtype) ? this.pool : others).push(node);
    return node;
  }

  // ---- Nodes that were built.

  /** Returns any floating-point node. Recent nodes are more likely, so that graphs become deep. */
  any(): Node {
    const { pool, draws } = this;
    if (pool.length === 0) return this.leaf(this.shape());
    return draws.chance(0.5) ? draws.pick(pool.slice(-6)) : draws.pick(pool);
  }

  shape(): Dim[] {
    const rank = this.draws.weighted([
      [8, 0],
      [20, 1],
      [45, 2],
      [20, 3],
      [7, 4],
    ]);
    const shape = Array.from({ length: rank }, () => this.dim());
    return this.isSmall(shape) ? shape : shape.slice(0, 2);
  }

  /** Returns a node of this shape: an existing node or a new leaf. */
  like(shape: readonly Dim[]): Node {
    const text = shape.join();
    const there = this.pool.filter((node) => node.shape.join() === text);
    return there.length > 0 && this.draws.chance(0.75) ? this.draws.pick(there) : this.leaf(shape);
  }

  /** Returns an existing node or a new leaf that can be broadcast to this shape. */
  fitting(shape: readonly Dim[]): Node {
    const { draws } = this;
    if (draws.chance(0.6)) {
      const there = this.pool.filter(
        (node) =>
          node.shape.length <= shape.length &&
          node.shape.every(
            (dim, axis) => dim === 1 || dim === shape[axis + shape.length - node.shape.length],
          ),
      );
      if (there.length > 0) return draws.pick(there);
    }
    if (draws.chance(0.5)) return this.leaf(shape);
    const fewer = shape.slice(draws.between(0, shape.length));
    return this.leaf(fewer.map((dim) => (draws.chance(0.3) ? 1 : dim)));
  }

  // ---- Values.

  /** Draws the values of all parameters and states. In later attempts, the values are smaller. */
  setLeaves(attempt: number): void {
    for (const { value } of this.variables) this.#fill(value, attempt);
  }

  feeds(bindings: Bindings, attempt: number): Record<string, Tensor> {
    return Object.fromEntries(
      this.inputs.map(({ name, shape, dtype }) => {
        const value = Tensor.zeros(
          shape.map((dim) => bindDim(dim, bindings)),
          { dtype },
        );
        this.#fill(value, attempt);
        return [name as string, value];
      }),
    );
  }

  #fill({ data, dtype }: Tensor, attempt: number): void {
    const { draws } = this;
    const draw = !isFloating(dtype)
      ? () => draws.below(dtype === 'bool' ? 2 : classes)
      : this.numbers.exact
        ? () => this.#integer(attempt)
        : () => draws.number(-1, 1) / (1 + attempt);
    for (let i = 0; i < data.length; i++) data[i] = draw();
  }

  #integer(attempt: number): number {
    const size = this.draws.weighted([
      [(3 + 2 * attempt) * this.numbers.scale, 0],
      [5, 1],
      [attempt === 0 ? 2 : 0, 2],
    ]);
    return size !== 0 && this.draws.chance(0.5) ? -size : size;
  }
}
