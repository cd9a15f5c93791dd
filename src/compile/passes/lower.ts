/** Lower: makes IR values from the nodes of a graph, for one binding of the dimension names. */

import { GraphError, ShapeError } from '../../errors.js';
import { expansionOf } from '../../evaluate/lowered.js';
import { describeNode, naming } from '../../graph/calls.js';
import { type Bindings, bindDim, type Dim } from '../../graph/dimension.js';
import { loopOf } from '../../graph/loop.js';
import type { Node } from '../../graph/node.js';
import { boundResults, resultIn } from '../../graph/results.js';
import type { Sliced } from '../../graph/sliced.js';
import type { Builder } from '../../ir/builder.js';
import type { Ref } from '../../ir/value.js';
import { loweringRecord } from '../../primitives/index.js';
import { formatShape } from '../../tensor/shape.js';
import { lowerLoop } from './lower-loop.js';

/**
 * Lowers the nodes of `order`, which are in the order of execution.
 * @returns for each node, the ref that has its elements
 * @throws ShapeError if the shape of a node is not valid under this binding; the message names the node
 */
export function* lower(
  order: readonly Node[],
  bindings: Bindings,
  build: Builder,
): Sliced<Map<Node, Ref>> {
  const pass = new Lower(bindings, build, order);
  for (let i = 0; i < order.length; i++) {
    const node = order[i] as Node;
    pass.add(node);
    if (build.pace.due(1 + node.inputs.length)) yield;
  }
  return pass.refs;
}

class Lower {
  readonly refs = new Map<Node, Ref>();
  // These functions are made once, because a graph has many nodes.
  readonly #bind = (dim: Dim) => bindDim(dim, this.bindings);
  readonly #refOf = (node: Node) => this.refs.get(node) as Ref;

  /** For each node of a loop, the keys of the results that are read. */
  readonly #readKeys = new Map<Node, string[]>();
  /** For each node of a loop without steps, its results, by key. */
  readonly #withoutSteps = new Map<Node, ReadonlyMap<string, Ref>>();

  constructor(
    private readonly bindings: Bindings,
    private readonly build: Builder,
    order: readonly Node[],
  ) {
    for (const node of order) {
      const result = resultIn(node);
      if (!result || !loopOf(result.several)) continue;
      const keys = this.#readKeys.get(result.several);
      if (keys) keys.push(result.key);
      else this.#readKeys.set(result.several, [result.key]);
    }
  }

  /** Lowers a node. Its inputs, or its expansion, must have been lowered. */
  add(node: Node): void {
    const expansion = expansionOf(node);
    this.refs.set(node, expansion ? this.#refOf(expansion) : this.#lowered(node));
  }

  #lowered(node: Node): Ref {
    const { build, bindings } = this;
    const { lowering } = node.op;
    const record = loweringRecord(lowering);
    if (!record) throw new GraphError(`there is no lowering of kind '${lowering.kind}'`);
    const result = resultIn(node);
    const known = result && this.#withoutSteps.get(result.several)?.get(result.key);
    if (known) return known;
    const shape = this.#shapeOf(node);
    const args = node.inputs.map(this.#refOf);
    const inputShapes = args.map(shapeOf);
    const bound = {
      attributes: node.attributes,
      shape,
      inputShapes,
      bind: this.#bind,
      bindings,
      results: boundResults(node, bindings, bindDim),
    };
    return naming(node, () =>
      record.lower(lowering, { build, node, bound, args, loop: () => this.#loop(node, args) }),
    );
  }

  /** Makes the value of a loop, and the values of its body. */
  #loop(node: Node, args: readonly Ref[]): Ref {
    const keys = this.#readKeys.get(node) ?? [];
    const lowered = lowerLoop(
      node,
      keys,
      args,
      this.bindings,
      this.build,
      (order, build, known) => {
        const pass = new Lower(this.bindings, build, order);
        for (const [at, ref] of known) pass.refs.set(at, ref);
        for (const one of order) if (!pass.refs.has(one)) pass.add(one);
        return pass.refs;
      },
    );
    if (lowered.value) return lowered.value;
    this.#withoutSteps.set(node, lowered.results);
    return this.build.filled(0, 'float32', []);
  }

  /** Returns the shape of a node under the binding. @throws ShapeError if a dimension is negative */
  #shapeOf(node: Node): readonly number[] {
    const shape: number[] = [];
    let negative = false;
    for (let axis = 0; axis < node.shape.length; axis++) {
      const dim = node.shape[axis] as Dim;
      const known = typeof dim === 'number' ? dim : this.bindings.get(dim);
      const size = known ?? bindDim(dim, this.bindings, `${node} `);
      negative ||= size < 0;
      shape.push(size);
    }
    if (!negative) return this.build.shared(shape);
    throw new ShapeError(
      `${describeNode(node)} has shape ${formatShape(node.shape)}, which is ${formatShape(shape)} in this run`,
    );
  }
}

const shapeOf = ({ shape }: Ref) => shape;
