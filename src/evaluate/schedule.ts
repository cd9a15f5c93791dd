/**
 * A graph prepared for one binding of its dimension names: the steps in order, and the buffer that each writes. A
 * buffer is reused after the last step that reads its value.
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

/** One step. `out` and `inputs` are indices of values in `#arrays`. */
interface Instruction {
  readonly node: Node;
  readonly step: Step;
  readonly out: number;
  readonly inputs: readonly number[];
}

/** The steps and buffers of a graph for one binding. */
export class Schedule {
  readonly #instructions: Instruction[] = [];
  readonly #shapes = new Map<Node, readonly number[]>();
  /** The index of each node's value in `#arrays`. An alias has the index of its input. */
  readonly #values = new Map<Node, number>();
  readonly #arrays: TypedArray[] = [];
  /** Values that are fed. Their buffers belong to the caller. */
  readonly #fed = new Map<number, Input>();

  /**
   * @param order the nodes to compute, inputs first
   * @param kept nodes whose values must last until the end of a run
   * @throws ShapeError if a dimension of the graph is negative or invalid under this binding
   */
  constructor(order: readonly Node[], kept: readonly Node[], bindings: Bindings) {
    for (const node of order) this.#add(node, bindings);
    this.#allocate(kept);
  }

  /** Runs every step. Feeds are read without a copy. */
  run(feeds: ReadonlyMap<Input, { readonly data: TypedArray }>, run: number): void {
    const arrays = this.#arrays;
    for (const [value, input] of this.#fed) {
      arrays[value] = (feeds.get(input) as { data: TypedArray }).data;
    }
    for (const { node, step, out, inputs } of this.#instructions) {
      const sources = inputs.map((input) => arrays[input] as TypedArray);
      naming(node, () => step(arrays[out] as TypedArray, sources, run));
    }
    // Drop the references to the caller's feeds, so that they can be collected.
    for (const value of this.#fed.keys()) arrays[value] = nothing;
  }

  /** The buffer of a kept node's value, which is valid from the end of a run until the next run. */
  valueOf(node: Node, feeds: ReadonlyMap<Input, { readonly data: TypedArray }>): TypedArray {
    const value = this.#values.get(node) as number;
    const input = this.#fed.get(value);
    return input
      ? (feeds.get(input) as { data: TypedArray }).data
      : (this.#arrays[value] as TypedArray);
  }

  /** The shape of a node under this binding. */
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

  /**
   * Gives a node without a computation the value of its input.
   * @throws GraphError if it has none or the sizes differ
   */
  #alias(node: Node, source: Node | undefined, value: number | undefined): void {
    if (!source || value === undefined) {
      throw new GraphError(
        `${node}: its op's lowering '${node.op.lowering.kind}' computes nothing from its inputs`,
      );
    }
    const [from, to] = [this.shapeOf(source), this.shapeOf(node)];
    if (sizeOf(from) !== sizeOf(to)) {
      throw new GraphError(
        `${node}: its op is declared as an alias, but changes ${formatShape(from)} to ${formatShape(to)}, which has another size`,
      );
    }
    this.#values.set(node, value);
  }

  /** Allocates a buffer for every computed value. Values that are not needed at the same time share one. */
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
      if (!sizes.has(value)) return; // the buffer of a leaf is never reused
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

/** Runs a function, and adds the node to the message of a ShapeError or NativeError that it throws. */
function naming<T>(node: Node, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof ShapeError) throw new ShapeError(`${node} ${cause.message}`, { cause });
    if (cause instanceof NativeError) throw new NativeError(`${node} ${cause.message}`, { cause });
    throw cause;
  }
}
