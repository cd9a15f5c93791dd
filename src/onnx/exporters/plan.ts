/** Decides for each node of a graph how it is exported, and exports the graph. */

import { GraphError } from '../../errors.js';
import { evaluate } from '../../evaluate/evaluate.js';
import { expansionOf } from '../../evaluate/lowered.js';
import { describeNode } from '../../graph/calls.js';
import { assertUnwritten } from '../../graph/in-flight.js';
import { Constant, isVariable } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import { resultIn } from '../../graph/results.js';
import { reachable, topologicalOrder } from '../../graph/topology.js';
import { isWritable } from '../../io/header.js';
import { sizeOf } from '../../tensor/shape.js';
import { Tensor } from '../../tensor/tensor.js';
import type { Emitter } from './emitter.js';
import { exporterOf } from './index.js';
import { type Match, type Matching, patterns } from './patterns.js';
import { recurrentMatch } from './recurrent.js';
import type { Exported, OperatorRow, Row } from './row.js';

/** The largest number of elements of a node that is computed when the graph is exported, as it depends on constants alone. */
const mostFolded = 2 ** 12;

const none: ReadonlySet<string> = new Set();

/** Exports the graph of some nodes. */
export class Exporter {
  readonly #plans = new Map<Node, Match>();
  readonly #values: Map<Node, string>;
  readonly #shared = new Map<object, readonly string[]>();
  /** The results of nodes with several results. */
  readonly #several = new Map<Node, Readonly<Record<string, string>>>();
  /** The keys of their results that are read. */
  readonly #wanted = new Map<Node, Set<string>>();
  /** Whether a node depends on constants alone. */
  readonly #fixed = new Map<Node, boolean>();
  readonly #matching: Matching;
  /** The labels of nodes, by the names of their values. */
  readonly labels = new Map<string, string>();

  /**
   * @param outputs the nodes that are exported
   * @param inputs the names of the inputs in the file; in the body of a loop, those of the arguments
   */
  constructor(
    readonly emitter: Emitter,
    readonly outputs: readonly Node[],
    inputs: ReadonlyMap<Node, string>,
  ) {
    this.#values = new Map(inputs);
    const readers = new Map<Node, number>();
    const count = (node: Node) => readers.set(node, (readers.get(node) ?? 0) + 1);
    for (const node of reachable(outputs)) for (const read of node.inputs) count(read);
    for (const node of outputs) for (let times = 2; times > 0; times--) count(node);
    const isInner = (node: Node) => (readers.get(node) ?? 1) === 1 && node.name === undefined;
    this.#matching = { opset: emitter.opset, isInner };
  }

  /** Emits the nodes. Returns the names of their values. @throws GraphError if a node cannot be exported */
  run(): string[] {
    const order = topologicalOrder(this.outputs, (node) => this.#planOf(node).inputs);
    for (const node of order) {
      const { several, key } = resultIn(node) ?? {};
      if (several === undefined) continue;
      this.#wanted.set(several, (this.#wanted.get(several) ?? new Set()).add(key as string));
    }
    for (const node of order) {
      if (this.#values.has(node)) continue;
      const value = this.#emit(node);
      this.#values.set(node, value);
      if (node.name !== undefined && isWritable(node.name)) this.labels.set(value, node.name);
    }
    return this.outputs.map((node) => this.#values.get(node) as string);
  }

  #emit(node: Node): string {
    const plan = this.#planOf(node);
    const { emitter } = this;
    return plan.emit({
      emitter,
      node,
      inputs: plan.inputs,
      names: plan.inputs.map((input) => this.#values.get(input) as string),
      once: (key, make) => {
        const known = this.#shared.get(key) ?? make();
        this.#shared.set(key, known);
        return known;
      },
      wanted: this.#wanted.get(resultIn(node)?.several ?? node) ?? none,
      within: (inside, roots, known) => new Exporter(inside, roots, known).run(),
      refuse: (reason) => refusal(node, reason),
    });
  }

  #planOf(node: Node): Match {
    const known = this.#plans.get(node);
    if (known !== undefined) return known;
    const made = this.#plan(node);
    this.#plans.set(node, made);
    return made;
  }

  #plan(node: Node): Match {
    if (this.#values.has(node)) return { inputs: [], emit: () => this.#values.get(node) as string };
    if (node.op.lowering.kind === 'leaf') return { inputs: [], emit: () => this.#leaf(node) };
    // ONNX Runtime refuses some operators without elements, and a sort without elements ends its process.
    if (isNumber(node) && node.shape.includes(0)) return fixed(node, () => emptyOf(node));
    if (this.#isFolded(node)) return fixed(node, () => evaluate(node));
    return recurrentMatch(node) ?? this.#pattern(node) ?? this.#byRow(node);
  }

  #pattern(node: Node): Match | undefined {
    const { name } = node.op;
    const candidates = Object.hasOwn(patterns, name) ? (patterns[name] ?? []) : [];
    for (const pattern of candidates) {
      const match = pattern(node, this.#matching);
      if (match !== undefined) return match;
    }
    return undefined;
  }

  #byRow(node: Node): Match {
    const found = resultIn(node);
    const owner = found?.several ?? node;
    const row = exporterOf(owner.op.name) ?? userRow(owner);
    if (row.kind === 'refused') throw refusal(owner, row.reason);
    if (row.kind === 'input') return renamed(node.inputs[0] as Node);
    if (row.kind === 'expansion') {
      return renamed(row.expand?.(owner, found?.key) ?? this.#expansion(node));
    }
    if (row.when?.(node, this.emitter.opset) === false) return renamed(this.#expansion(node));
    if (found === undefined) {
      const inputs = row.reads?.(node) ?? node.inputs;
      return { inputs, emit: (exported) => row.emit(exported) as string };
    }
    return {
      inputs: owner.inputs,
      emit: (exported) => this.#result(row, { ...exported, node: owner }, found.key),
    };
  }

  #result(row: OperatorRow, exported: Exported, key: string): string {
    const { node } = exported;
    const known =
      this.#several.get(node) ?? (row.emit(exported) as Readonly<Record<string, string>>);
    this.#several.set(node, known);
    return known[key] as string;
  }

  #expansion(node: Node): Node {
    const expansion = expansionOf(node);
    if (expansion === undefined) throw refusal(node, 'it has no form in ONNX');
    return expansion;
  }

  /** Emits the value of a leaf. */
  #leaf(leaf: Node): string {
    if (leaf instanceof Constant) {
      const { value } = leaf;
      return value.shape.length === 0 && leaf.name === undefined
        ? this.emitter.number(value.data[0] as number, value.dtype)
        : this.emitter.constant(value, leaf.name);
    }
    if (!isVariable(leaf)) throw refusal(leaf, 'it is not among the inputs of the file');
    assertUnwritten('exportOnnx', leaf);
    return this.emitter.variable(leaf.name as string, leaf.value, `${leaf}`);
  }

  /** Whether the value of a node is computed now. */
  #isFolded(node: Node): boolean {
    return isNumber(node) && sizeOf(node.shape as number[]) <= mostFolded && this.#isFixed(node);
  }

  #isFixed(node: Node): boolean {
    const unknown = (one: Node) => !this.#fixed.has(one);
    for (const below of topologicalOrder([node], ({ inputs }) => inputs.filter(unknown))) {
      if (this.#fixed.has(below)) continue;
      const { inputs, op } = below;
      const fixed =
        inputs.length > 0
          ? inputs.every((input) => this.#fixed.get(input))
          : below instanceof Constant || op.name === 'positions';
      this.#fixed.set(below, fixed && isNumber(below));
    }
    return this.#fixed.get(node) as boolean;
  }
}

const isNumber = ({ shape }: Node) => shape.every((dim) => typeof dim === 'number');

/** Returns the value of a node without elements. */
function emptyOf({ shape, dtype }: Node): Tensor {
  return Tensor.zeros(shape as number[], { dtype });
}

/** A node whose elements are known now. */
function fixed(node: Node, value: () => Tensor): Match {
  return { inputs: [], emit: ({ emitter }) => emitter.constant(value(), node.name) };
}

/** A node whose value is that of another node. */
function renamed(node: Node): Match {
  return { inputs: [node], emit: ({ names }) => names[0] as string };
}

/** Returns how an op that a user has defined is exported. */
function userRow({ op }: Node): Row {
  if ((op.lowering.kind as string) === 'compose') return { kind: 'expansion', to: '' };
  return {
    kind: 'refused',
    reason: `ops of defineOp need a lowering of kind compose, but that of '${op.name}' is ${op.lowering.kind}`,
  };
}

function refusal(node: Node, reason: string): GraphError {
  return new GraphError(`exportOnnx: ${describeNode(node)} cannot be exported: ${reason}`);
}
