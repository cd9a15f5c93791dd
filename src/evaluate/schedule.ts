/**
 * A graph prepared for one binding of its dimension names, that is, for one number for each name. A schedule has the
 * steps in the order of execution, and the buffer to which each step writes. When the last step that reads a value is
 * done, later steps reuse the value's buffer.
 */

import { GraphError, ShapeError } from '../errors.js';
import { describeNode, naming } from '../graph/calls.js';
import { type Bindings, bindDim, type Dim } from '../graph/dimension.js';
import { Argument, Constant, Input, Leaf, Variable } from '../graph/leaf.js';
import { describeSteps, loopOf } from '../graph/loop.js';
import type { Node } from '../graph/node.js';
import {
  type BoundResults,
  boundResults,
  type Results,
  resultIn,
  resultsOf,
} from '../graph/results.js';
import type { Step } from '../primitives/record.js';
import type { DType, TypedArray } from '../tensor/dtype.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { allocate } from '../tensor/tensor.js';
import { Course, type Search } from './course.js';
import { prepareLoop } from './loop.js';
import { expansionOf } from './lowered.js';
import { prepareStep } from './steps.js';

/** One step of a schedule. `outs` and `inputs` are indices in `#arrays`. */
interface Instruction {
  readonly node: Node;
  readonly step: Step;
  /** The buffers that the step writes: one, or one for each result of an op with several results. */
  readonly outs: readonly number[];
  readonly inputs: readonly number[];
}

/** The dtype and the shape of a value that a step computes. */
interface Computed {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** The steps and buffers of a graph for one binding. */
export class Schedule {
  readonly #instructions: Instruction[] = [];
  readonly #shapes = new Map<Node, readonly number[]>();
  /**
   * For each node, the index of its value in `#arrays`. A node with the same elements as its input, such as a reshape,
   * has the same index as its input.
   */
  readonly #values = new Map<Node, number>();
  /** For each node with several results, the index of each result in `#arrays`, by key. */
  readonly #results = new Map<Node, ReadonlyMap<string, number>>();
  /** The dtypes and shapes of the values that steps compute, by their index in `#arrays`. */
  readonly #computed = new Map<number, Computed>();
  /** The buffers of the values. */
  readonly #arrays: TypedArray[] = [];
  /**
   * The inputs, and the arguments of the loop whose body this is, by the index of their values in `#arrays`. Their buffers
   * are the feeds, which belong to the caller.
   */
  readonly #fed = new Map<number, Input | Argument>();
  /** For each node of a loop, the keys of the results that are read. */
  readonly #readKeys = new Map<Node, Set<string>>();
  readonly #order: readonly Node[];
  readonly #course: Course;

  /**
   * Prepares the steps and allocates the buffers.
   * @param order the nodes to compute; each node comes after the nodes that it reads
   * @param kept nodes whose values are read after a run, so no later step may reuse their buffers
   * @param course the course of the run in which this schedule runs
   * @throws ShapeError if a dimension of the graph is negative or invalid under this binding
   */
  constructor(
    order: readonly Node[],
    kept: readonly Node[],
    bindings: Bindings,
    course = new Course(),
  ) {
    this.#order = order;
    this.#course = course;
    for (const node of order) this.#noteResult(node);
    for (const node of order) this.#add(node, bindings);
    this.#allocate(kept);
  }

  /**
   * Runs all steps, or those before a search of the course ends. The steps read the feeds without copying them. `run` is
   * the index of the run.
   */
  run(feeds: ReadonlyMap<Leaf, { readonly data: TypedArray }>, run: number): void {
    const arrays = this.#arrays;
    for (const [value, input] of this.#fed) {
      arrays[value] = (feeds.get(input) as { data: TypedArray }).data;
    }
    const { search } = this.#course;
    if (search) this.#searched(search, feeds, run);
    else for (const instruction of this.#instructions) this.#execute(instruction, run);
    // Drops the references to the feeds, so that they can be garbage-collected when the caller does not use them any
    // more.
    for (const value of this.#fed.keys()) arrays[value] = nothing;
  }

  #execute({ node, step, outs, inputs }: Instruction, run: number): void {
    const sources = inputs.map((input) => this.#arrays[input] as TypedArray);
    const results = outs.map((out) => this.#arrays[out] as TypedArray);
    const execute = () => step(results[0] as TypedArray, sources, run, results);
    // Errors of a body name the node of the body, and the steps of the loops.
    if (loopOf(node)) execute();
    else naming(node, execute, () => describeSteps(this.#course.steps));
  }

  /** Runs the steps until the search ends. It looks at the value of each node before its buffer is used again. */
  #searched(
    search: Search,
    feeds: ReadonlyMap<Leaf, { readonly data: TypedArray }>,
    run: number,
  ): void {
    let next = 0;
    for (const node of this.#order) {
      const instruction = this.#instructions[next];
      if (instruction?.node === node) {
        this.#execute(instruction, run);
        next++;
      }
      if (search.looksAt(node)) {
        search.look(node, this.valueOf(node, feeds), this.shapeOf(node), this.#course.steps);
      }
      if (search.ended) return;
    }
  }

  /** Returns the buffer with the value of a kept node. The value is valid from the end of a run until the next run. */
  valueOf(node: Node, feeds: ReadonlyMap<Leaf, { readonly data: TypedArray }>): TypedArray {
    const value = this.#values.get(node) as number;
    const input = this.#fed.get(value);
    return input
      ? (feeds.get(input) as { data: TypedArray }).data
      : (this.#arrays[value] as TypedArray);
  }

  /** Returns the shape of a node under this binding. */
  shapeOf(node: Node): readonly number[] {
    return this.#shapes.get(node) as readonly number[];
  }

  /** Notes which results of loops are read. The others are not computed. */
  #noteResult(node: Node): void {
    const result = resultIn(node);
    if (!result || !loopOf(result.several)) return;
    const keys = this.#readKeys.get(result.several) ?? new Set();
    this.#readKeys.set(result.several, keys.add(result.key));
  }

  /** Adds a node: its shape, its value and, if it is computed, its step. The nodes that it reads were added before. */
  #add(node: Node, bindings: Bindings): void {
    const shape = node.shape.map((dim) => bindDim(dim, bindings, `${node} `));
    if (shape.some((dim) => dim < 0)) {
      throw new ShapeError(
        `${describeNode(node)} has shape ${formatShape(node.shape)}, which is ${formatShape(shape)} in this run`,
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
      inputDTypes: sources.map(({ dtype }) => dtype),
      bind: (dim: Dim) => bindDim(dim, bindings),
      bindings,
      results: boundResults(node, bindings, bindDim),
      resultDTypes: Object.values(resultsOf(node) ?? {}).map(({ dtype }) => dtype),
      loopStep: () => this.#loopStep(node, bindings),
    };
    const step = expansion ? undefined : naming(node, () => prepareStep(node.op.lowering, bound));
    const inputs = sources.map((input) => this.#values.get(input) as number);
    const several = this.#computedResults(node);
    if (step && several) {
      this.#addSeveral(node, step, several, bound.results, inputs);
      return;
    }
    const result = expansion ? undefined : resultIn(node);
    if (result) {
      this.#values.set(node, this.#results.get(result.several)?.get(result.key) as number);
      return;
    }
    const [origin] = inputs;
    if (!step && !(node instanceof Leaf)) {
      this.#alias(node, sources[0], origin);
      return;
    }
    const value = this.#arrays.push(nothing) - 1;
    this.#values.set(node, value);
    if (step) {
      this.#computed.set(value, { dtype: node.dtype, shape });
      this.#instructions.push({ node, step, outs: [value], inputs });
    } else if (node instanceof Input || node instanceof Argument) this.#fed.set(value, node);
    else if (node instanceof Variable || node instanceof Constant)
      this.#arrays[value] = node.value.data;
  }

  /** Returns the results that the step of a node with several results writes: all, or those of a loop that are read. */
  #computedResults(node: Node): Results | undefined {
    const all = resultsOf(node);
    if (!all || !loopOf(node)) return all;
    const read = this.#readKeys.get(node);
    return Object.fromEntries(Object.entries(all).filter(([key]) => read?.has(key)));
  }

  #loopStep(node: Node, bindings: Bindings): Step {
    return prepareLoop(
      node,
      Object.keys(this.#computedResults(node) ?? {}),
      bindings,
      this.#course,
      (order, kept) => new Schedule(order, kept, bindings, this.#course),
    );
  }

  /** Adds a node with several results, which its step writes. */
  #addSeveral(
    node: Node,
    step: Step,
    results: Results,
    shapes: BoundResults,
    inputs: readonly number[],
  ): void {
    const outs: number[] = [];
    const byKey = new Map<string, number>();
    for (const [key, { dtype }] of Object.entries(results)) {
      const value = this.#arrays.push(nothing) - 1;
      this.#computed.set(value, { dtype, shape: shapes[key] as readonly number[] });
      byKey.set(key, value);
      outs.push(value);
    }
    this.#results.set(node, byKey);
    this.#instructions.push({ node, step, outs, inputs });
  }

  /**
   * Adds a node for which nothing is computed: it gets the buffer of its input as its value.
   * @throws GraphError if the node has no input, or if the two sizes differ
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

  /** Gives every computed value a buffer. Values that are not needed at the same time can share a buffer. */
  #allocate(kept: readonly Node[]): void {
    const lastUse = new Array<number>(this.#arrays.length).fill(-1);
    this.#instructions.forEach(({ inputs }, time) => {
      for (const input of inputs) lastUse[input] = time;
    });
    for (const node of kept) {
      const value = this.#values.get(node);
      if (value !== undefined) lastUse[value] = Infinity;
    }

    const free = new Map<string, TypedArray[]>();
    const kind = (value: number) => {
      const { dtype, shape } = this.#computed.get(value) as Computed;
      return `${dtype} ${sizeOf(shape)}`;
    };
    const release = (value: number) => {
      if (!this.#computed.has(value)) return; // a leaf, whose buffer is never reused
      const list = free.get(kind(value));
      if (list) list.push(this.#arrays[value] as TypedArray);
      else free.set(kind(value), [this.#arrays[value] as TypedArray]);
    };
    this.#instructions.forEach(({ node, outs, inputs }, time) => {
      for (const out of outs) {
        const { dtype, shape } = this.#computed.get(out) as Computed;
        this.#arrays[out] = free.get(kind(out))?.pop() ?? allocate(dtype, shape, `${node}`);
      }
      for (const input of new Set(inputs)) if (lastUse[input] === time) release(input);
      for (const out of outs) if (lastUse[out] === -1) release(out);
    });
  }
}

const nothing = new Float32Array(0);
