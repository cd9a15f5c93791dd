/** `substitute` rebuilds a graph with other nodes in place of leaves. */

import { types } from 'node:util';
import { describeValue } from '../arguments/describe.js';
import { assertList, assertRecord, isList, isRecord, reading } from '../arguments/read.js';
import { DTypeError, GraphError, ShapeError, ValueError } from '../errors.js';
import { formatShape } from '../tensor/shape.js';
import { during, madeIn } from './calls.js';
import { sameShape } from './dimension.js';
import { isVariable, Leaf } from './leaf.js';
import { asDerived, assertValue, createNode, isNode, type Node } from './node.js';
import { hasOrigin, originOf, recordOrigin } from './origins.js';
import { nextValue, sideUpdate, sideUpdateIn } from './side-updates.js';
import { reachable } from './topology.js';

/** Nodes by the leaves that they replace. */
export type Replacements = ReadonlyMap<Leaf, Node>;

/**
 * Returns the graph of a root with other nodes in place of leaves: what the user would have built with these nodes. Use
 * it to add to weights (LoRA), to tie weights, to evaluate with averaged weights, or to make weights constants:
 *
 * ```ts
 * const adapted = substitute(y, new Map([[w, add(w, matmul(a, b))]]));
 * ```
 *
 * All leaves are replaced at once, and the replacements themselves are used as they are, so they may contain the leaves.
 * Nodes that do not depend on the leaves stay the same nodes. Other nodes are made again, with their attributes and
 * names. Random draws depend on no leaf, so they stay the same draws: in one run, both graphs get equal numbers. Side
 * updates are rebuilt, too. If their state is replaced by another state, they update that one; if it is replaced by
 * another node, there is nothing to update, and they are left out.
 * @param root a node, a list of nodes, or a record of nodes
 * @param replacements a Map of leaves to the nodes that replace them, of the same shapes and dtypes. Leaves that the
 *   graph does not contain are allowed
 * @returns nodes in the form of `root`
 * @throws GraphError if a root or a replacement is not a node, or a key is not a leaf; ShapeError or DTypeError if a
 *   replacement has another shape or dtype than its leaf; ValueError if `replacements` is not a Map
 */
export function substitute(root: Node, replacements: Replacements): Node;
export function substitute(roots: readonly Node[], replacements: Replacements): Node[];
export function substitute<K extends string>(
  roots: Readonly<Record<K, Node>>,
  replacements: Replacements,
): Record<K, Node>;
export function substitute(
  root: Node | readonly Node[] | Readonly<Record<string, Node>>,
  replacements: Replacements,
): Node | Node[] | Record<string, Node> {
  const substitution = new Substitution(checked(replacements));
  const expected = 'substitute: expected a node, a list of nodes or a record of nodes,';
  if (isNode(root)) return substitution.of([root])[0] as Node;
  if (isList(root))
    return substitution.of(assertList(root as readonly Node[], expected).map(valued));
  if (!isRecord(root)) throw new GraphError(`${expected} but received ${describeValue(root)}`);
  const entries = assertRecord(root as Readonly<Record<string, Node>>, expected);
  const nodes = substitution.of(entries.map(([, node]) => valued(node)));
  return Object.fromEntries(entries.map(([name], index) => [name, nodes[index] as Node]));
}

/**
 * Returns the roots, rebuilt with other nodes in place of some of their nodes, which need not be leaves. Nothing is
 * checked.
 */
export function rebuilt(
  roots: readonly Node[],
  replacements: ReadonlyMap<Node, Node>,
): readonly Node[] {
  return new Substitution(replacements).of(roots);
}

function valued(node: unknown): Node {
  if (isNode(node)) return node;
  throw new GraphError(`substitute: expected nodes, but received ${describeValue(node)}`);
}

/** Returns a copy of the replacements. @throws the errors of `substitute` */
function checked(replacements: unknown): Map<Node, Node> {
  if (!types.isMap(replacements)) {
    throw new ValueError(
      `substitute: expected a Map of leaves to nodes, but received ${describeValue(replacements)}; write new Map([[leaf, node]])`,
    );
  }
  const entries = reading('substitute:', replacements, () => [...replacements]);
  for (const [leaf, node] of entries as [unknown, unknown][]) {
    if (!isNode(leaf) || !(leaf instanceof Leaf)) {
      throw new GraphError(
        `substitute: expected a leaf (an input, a parameter, a state or a constant) to replace, but received ${describeValue(leaf)}`,
      );
    }
    if (!isNode(node)) {
      throw new GraphError(
        `substitute: expected a node in place of ${leaf}, but received ${describeValue(node)}; make it a node with constant()`,
      );
    }
    assertValue(node, `substitute: in place of ${leaf}:`);
    if (node.dtype !== leaf.dtype) {
      throw new DTypeError(
        `substitute: ${leaf} is ${leaf.dtype}, but ${node}, which replaces it, is ${node.dtype}; cast() it`,
      );
    }
    if (!sameShape(node.shape, leaf.shape)) {
      throw new ShapeError(
        `substitute: ${leaf} has shape ${formatShape(leaf.shape)}, but ${node}, which replaces it, has ${formatShape(node.shape)}`,
      );
    }
  }
  return new Map(entries as [Node, Node][]);
}

/** The new node of each node. A node that is not replaced has itself. */
type Done = ReadonlyMap<Node, Node>;

class Substitution {
  readonly #replacements: ReadonlyMap<Node, Node>;
  readonly #done: Map<Node, Node>;

  constructor(replacements: ReadonlyMap<Node, Node>) {
    this.#replacements = replacements;
    this.#done = new Map(replacements);
  }

  of(roots: readonly Node[]): Node[] {
    for (const node of undone(roots, this.#done))
      this.#done.set(node, this.#again(node, this.#done));
    return roots.map((root) => this.#done.get(root) as Node);
  }

  /** Returns the new node of a node whose inputs are done. */
  #again(node: Node, done: Done): Node {
    const inputs = node.inputs.map((input) => done.get(input) ?? input);
    const changed = inputs.some((input, index) => input !== node.inputs[index]);
    const carries = sideUpdateIn(node) !== undefined;
    if (!changed && !carries) return node;
    const make = () =>
      carries
        ? this.#carrier(node, inputs[0] as Node, changed)
        : during(node[madeIn], () => createNode(node.op, inputs, node.attributes));
    const made = node.derived ? asDerived(make) : make();
    if (made === node || made === inputs[0]) return made;
    if (hasOrigin(node)) {
      recordOrigin(
        made,
        originOf(node).filter((input) => !this.#replacements.has(input)),
      );
    }
    return node.name === undefined ? made : made.named(node.name);
  }

  /** Returns the new node of a node that carries a side update. */
  #carrier(node: Node, input: Node, changed: boolean): Node {
    const { state, next } = sideUpdateIn(node) as NonNullable<ReturnType<typeof sideUpdateIn>>;
    const target = this.#replacements.get(state) ?? state;
    if (!isVariable(target) || target.kind !== 'state') return input;
    // The value may depend on leaves on which the input of the node does not depend.
    const value = nextValue(node, state);
    const depends = reachable([value]).some((below) => this.#replacements.has(below));
    if (!changed && !depends && target === state) return node;
    return sideUpdate(input, target, (old) => this.#within(next(old), old));
  }

  /** Returns the new node of a value of a state. `old` is the value before it, which is not substituted again. */
  #within(value: Node, old: Node): Node {
    const done = new Map(this.#done).set(old, old);
    for (const node of undone([value], done)) done.set(node, this.#again(node, done));
    return done.get(value) as Node;
  }
}

/** Returns the nodes of the graphs of `roots` that must be done, in an order in which each comes after its inputs. */
function undone(roots: readonly Node[], done: Done): Node[] {
  const found = new Set(roots.filter((root) => !done.has(root)));
  for (const node of found) {
    for (const input of node.inputs) if (!done.has(input)) found.add(input);
  }
  return [...found].sort((a, b) => a.id - b.id);
}
