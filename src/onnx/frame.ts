/** The names of a graph of a file: which node, which tensor or which input a name stands for. */

import { FormatError } from '../errors.js';
import type { Obstacles } from '../imports/obstacles.js';
import { type Call, describe } from './call.js';
import type { AttributeProto, GraphProto, NodeProto, TensorProto } from './messages.js';
import type { Value } from './value.js';

/** In place of the value of an output that cannot be computed, because forebay does not support a node before it. */
export const absent: unique symbol = Symbol('absent');

/** The versions of the operator sets, by domain. The domain of ONNX itself is ''. */
export type OperatorSets = ReadonlyMap<string, number>;

/** A graph inside of a node: the branch of an If, the body of a loop, or that of a function. */
export interface Inner {
  readonly frame: Frame;
  readonly outputs: readonly string[];
  /**
   * Makes the results of the node of the values of the outputs, which are undefined if one of them is absent. It returns
   * the results, undefined if there are none, or another graph that must be computed first. Without it, the values of the
   * outputs are the results.
   */
  readonly close?: (values: readonly Value[] | undefined) => readonly Value[] | Inner | undefined;
}

/** A node that is computed when one of its outputs is needed. */
export interface Task {
  readonly frame: Frame;
  readonly proto: NodeProto;
  /** The node with its inputs, once they are known. */
  call?: Call;
  /** The graph inside of the node, once it is known. */
  inner?: Inner;
  /** How many times the task has asked for names. If it asks twice for the same, it depends on itself. */
  asked: number;
}

/** What a graph or a function defines. A graph inside of a node also sees the names of the graph around it. */
export class Frame {
  readonly values = new Map<string, Value | typeof absent>();
  readonly stored = new Map<string, TensorProto>();
  readonly producers = new Map<string, Task>();
  /** Why values are absent that a node does not have, although forebay supports the node, by their names. */
  readonly refusals = new Map<string, { readonly node: string; readonly reason: string }>();

  /** The number of nodes. */
  readonly size: number;

  constructor(
    readonly file: string,
    readonly sets: OperatorSets,
    nodes: readonly NodeProto[],
    /** The frame of the graph around this one. */
    readonly outer?: Frame,
    /** The attributes of the function, which its nodes may refer to. */
    readonly attributes?: ReadonlyMap<string, AttributeProto>,
    /** In how many functions the frame is. */
    readonly depth: number = outer?.depth ?? 0,
    /** Where what stands against the nodes of this graph is noted, if it is not noted for the whole model. */
    readonly obstacles: Obstacles | undefined = outer?.obstacles,
  ) {
    this.size = nodes.length;
    for (const proto of nodes) {
      const task: Task = { frame: this, proto, asked: 0 };
      for (const name of proto.output) {
        if (name === '') continue;
        const other = this.producers.get(name);
        if (other !== undefined) {
          throw new FormatError(
            `${file}: both ${describe(other.proto)} and ${describe(proto)} have the output '${name}'`,
          );
        }
        this.producers.set(name, task);
      }
    }
  }

  /** The frame of a graph. */
  static ofGraph(
    file: string,
    sets: OperatorSets,
    graph: GraphProto,
    outer?: Frame,
    obstacles = outer?.obstacles,
  ): Frame {
    const { attributes, depth } = outer ?? {};
    const frame = new Frame(file, sets, graph.node, outer, attributes, depth, obstacles);
    for (const tensor of graph.initializer) frame.#store(tensor.name, tensor);
    for (const { values } of graph.sparseInitializer) {
      const name = values?.name ?? '';
      frame.values.set(name, absent);
      frame.refusals.set(name, { node: `the tensor '${name}'`, reason: 'it is sparse' });
    }
    return frame;
  }

  #store(name: string | undefined, tensor: TensorProto): void {
    if (!name) throw new FormatError(`${this.file}: an initializer has no name`);
    const producer = this.producers.get(name);
    if (this.stored.has(name) || producer !== undefined) {
      const other = producer === undefined ? 'another initializer' : describe(producer.proto);
      throw new FormatError(`${this.file}: an initializer and ${other} are both named '${name}'`);
    }
    this.stored.set(name, tensor);
  }

  /** Notes why the value of a name is absent, if it is that of a name of another frame that is absent. */
  adopt(name: string | undefined, from: Frame, other: string): void {
    const refusal = from.owner(other)?.refusals.get(other);
    if (name && refusal !== undefined) this.refusals.set(name, refusal);
  }

  /** Returns the frame that defines a name: this one, or one around it; undefined if there is none. */
  owner(name: string): Frame | undefined {
    for (let frame: Frame | undefined = this; frame !== undefined; frame = frame.outer) {
      if (frame.values.has(name) || frame.stored.has(name) || frame.producers.has(name)) {
        return frame;
      }
    }
    return undefined;
  }
}
