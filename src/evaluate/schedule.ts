/**
 * A graph made ready for one binding of its dimension names: the steps in order, and the memory that
 * each writes. A value's memory is handed on after its last reader.
 */

import { GraphError, NativeError, ShapeError } from '../errors.js';
import { type Bindings, bindDim, type Dim } from '../graph/dimension.js';
import { Constant, Input, Leaf, Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { TypedArray } from '../tensor/dtype.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { allocate } from '../tensor/tensor.js';
import { expansionOf } from './lowered.js';
import { prepareStep, type Step } from './steps.js';

interface Instruction {
  readonly node: Node;
  readonly step: Step;
  readonly out: number;
  readonly inputs: readonly number[];
}

export class Schedule {
  readonly #instructions: Instruction[] = [];
  readonly #shapes = new Map<Node, readonly number[]>();
  /** For each node, its value's index among `#arrays`; aliases have their origin's. */
  readonly #values = new Map<Node, number>();
  readonly #arrays: TypedArray[] = [];
  /** Values that are fed: their memory is the caller's. */
  readonly #fed = new Map<number, Input>();

  /** @throws ShapeError when a dimension of the graph is negative or does not fit under this binding */
  constructor(order: readonly Node[], kept: readonly Node[], bindings: Bindings) {
    for (const node of order) this.#add(node, bindings);
    this.#allocate(kept);
  }

  /** Runs every step; feeds are read where they lie. */
  run(feeds: ReadonlyMap<Input, { readonly data: TypedArray }>, run: number): void {
    const arrays = this.#arrays;
    for (const [value, input] of this.#fed) {
      arrays[value] = (feeds.get(input) as { data: TypedArray }).data;
    }
    for (const { node, step, out, inputs } of this.#instructions) {
      const sources = inputs.map((input) => arrays[input] as TypedArray);
      naming(node, () => step(arrays[out] as TypedArray, sources, run));
    }
    // A feed belongs to its caller: nothing here may keep it alive.
    for (const value of this.#fed.keys()) arrays[value] = nothing;
  }

  /** The memory of a kept node's value; after a run, valid until the next. */
  valueOf(node: Node, feeds: ReadonlyMap<Input, { readonly data: TypedArray }>): TypedArray {
    const value = this.#values.get(node) as number;
    const input = this.#fed.get(value);
    return input
      ? (feeds.get(input) as { data: TypedArray }).data
      : (this.#arrays[value] as TypedArray);
  }

  shapeOf(node: Node): readonly number[] {
    return this.#shapes.get(node) as readonly number[];
  }

  #add(node: Node, bindings: Bindings): void {
    const shape = node.shape.map((dim) => bindDim(dim, bindings, `${node} `));
    if (shape.some((dim) => dim < 0)) {
      throw new ShapeError(
        `${node} has shape ${formatShape(node.shape)}, which is ${formatShape(shape)} in this run`,
      );
    }
    this.#shapes.set(node, shape);
    const expansion = expansionOf(node);
    const sources = expansion ? [expansion] : node.inputs;
    const bound = {
      attributes: node.attributes,
      shape,
      dtype: node.dtype,
      inputShapes: sources.map((input) => this.shapeOf(input)),
      bind: (dim: Dim) => bindDim(dim, bindings),
      bindings,
    };
    const step = expansion ? undefined : naming(node, () => prepareStep(node.op.lowering, bound));
    const inputs = sources.map((input) => this.#values.get(input) as number);
    const [origin] = inputs;
    if (!step && !(node instanceof Leaf)) {
      this.#alias(node, sources[0], origin);
      return;
    }
    const value = this.#arrays.push(nothing) - 1;
    this.#values.set(node, value);
    if (step) this.#instructions.push({ node, step, out: value, inputs });
    else if (node instanceof Input) this.#fed.set(value, node);
    else if (node instanceof Variable || node instanceof Constant)
      this.#arrays[value] = node.value.data;
  }

  /** A node that computes nothing has its input's value: of the same size, and computed before it. */
  #alias(node: Node, source: Node | undefined, value: number | undefined): void {
    if (!source || value === undefined) {
      throw new GraphError(
        `${node}: its op's lowering '${node.op.lowering.kind}' computes nothing from its inputs`,
      );
    }
    const [from, to] = [this.shapeOf(source), this.shapeOf(node)];
    if (sizeOf(from) !== sizeOf(to)) {
      throw new GraphError(
        `${node}: its op is declared as an alias, but makes ${formatShape(to)} of ${formatShape(from)}`,
      );
    }
    this.#values.set(node, value);
  }

  #allocate(kept: readonly Node[]): void {
    const lastUse = new Array<number>(this.#arrays.length).fill(-1);
    this.#instructions.forEach(({ inputs }, time) => {
      for (const input of inputs) lastUse[input] = time;
    });
    for (const node of kept) lastUse[this.#values.get(node) as number] = Infinity;

    const sizes = new Map(
      this.#instructions.map(({ node, out }) => [out, sizeOf(this.shapeOf(node))]),
    );
    const dtypes = new Map(this.#instructions.map(({ node, out }) => [out, node.dtype]));
    const free = new Map<string, TypedArray[]>();
    const kind = (value: number) => `${dtypes.get(value)} ${sizes.get(value)}`;
    const release = (value: number) => {
      if (!sizes.has(value)) return; // a leaf's memory is its own
      const list = free.get(kind(value));
      if (list) list.push(this.#arrays[value] as TypedArray);
      else free.set(kind(value), [this.#arrays[value] as TypedArray]);
    };
    this.#instructions.forEach(({ node, out, inputs }, time) => {
      this.#arrays[out] =
        free.get(kind(out))?.pop() ?? allocate(node.dtype, this.shapeOf(node), `${node}`);
      for (const input of new Set(inputs)) if (lastUse[input] === time) release(input);
      if (lastUse[out] === -1) release(out);
    });
  }
}

const nothing = new Float32Array(0);

/** What a node's rules and kernels refuse names the node. */
function naming<T>(node: Node, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof ShapeError) throw new ShapeError(`${node} ${cause.message}`, { cause });
    if (cause instanceof NativeError) throw new NativeError(`${node} ${cause.message}`, { cause });
    throw cause;
  }
}
