/**
 * The backward pass. Its idea comes from the blog post that forebay is based on. A node receives one gradient over each
 * of its edges on the wait list. When all of them have arrived, the node sums them, and the gradient rule of its op
 * sends gradients to its inputs.
 *
 * Differentiation is symbolic: all gradients are nodes.
 *
 * A node whose op has several results gets its gradients from the nodes of these results, over ordinary edges. They are
 * summed for each result, and the gradient rule of the op gets one sum for each.
 */

import { brand, describeValue } from '../arguments/describe.js';
import { assertList, isList } from '../arguments/read.js';
import { GraphError, StateError } from '../errors.js';
import { onBehalfOf } from '../graph/calls.js';
import { Constant, constant, Input, Leaf } from '../graph/leaf.js';
import { asDerived, assertValue, isNode, type Node, nextNodeId } from '../graph/node.js';
import { none, type Sent } from '../graph/op.js';
import { hasOrigin, recordOrigin } from '../graph/origins.js';
import { resultIn, resultsOf } from '../graph/results.js';
import {
  type Edge,
  indexOfEdge,
  isWaitList,
  notRegistered,
  pathsBetween,
  positionOfEdge,
  type WaitList,
} from '../graph/waitlist.js';
import type { Region } from '../graph/window.js';
import { broadcastTo } from '../ops/index.js';
import { sameAs } from '../ops/views.js';
import { Gradients } from './gradients.js';
import { asPart, regional, sliceOf } from './regions.js';
import { describeEdge, listed, total, verify } from './sent.js';

/** The gradient of each result of a node with several results. */
type Totals = Readonly<Record<string, Node | typeof none>>;

/** The gradients that have arrived at one node. */
class Mailbox {
  /** The gradient of each edge, in the order of `edges`; undefined until it arrives. */
  readonly arrived: (Sent | undefined)[];
  /** The number of edges over which no gradient has arrived yet. */
  missing: number;
  /** The sum of all gradients; undefined until it is built, and for a node with several results. */
  total: Node | typeof none | undefined;
  /** The sum of the gradients of each result, by key, for a node with several results; undefined until it is built. */
  totals: Totals | undefined;
  /** The node that `gradient` returns to users. It has the value of `total`, and belongs to no other graph. */
  gradient: Node | undefined;

  constructor(readonly edges: readonly Edge[]) {
    this.arrived = new Array<Sent | undefined>(edges.length).fill(undefined);
    this.missing = edges.length;
  }
}

let innerPass: (waits: WaitList, sources: ReadonlySet<Node>) => BackwardPass;

/**
 * A backward pass that a user can run step by step. (`backward` runs a complete pass.) A node is ready when it has
 * received a gradient over each of its edges on the wait list. One step takes a ready node and sums its gradients. Then
 * the gradient rule of its op sends gradients to its inputs.
 */
export class BackwardPass {
  static {
    brand(BackwardPass);
    innerPass = (waits, sources) => {
      const pass = new BackwardPass(waits);
      pass.#sources = sources;
      return pass;
    };
  }

  readonly #waits: WaitList;
  readonly #mailboxes = new Map<Node, Mailbox>();
  /**
   * The nodes that are ready, in the order in which they became ready. The nodes at index `#next` and after it have not
   * sent gradients to their inputs yet.
   */
  readonly #ready: Node[] = [];
  #next = 0;
  /**
   * The id of the first node that is made after the pass has started. All nodes that the pass makes have this id or a
   * higher one.
   */
  readonly #firstId = nextNodeId();
  #inputs: readonly Input[] | undefined;
  /**
   * The nodes at which an inner pass ends. Its wait list has only the paths that lead to them. Undefined if the pass is
   * not an inner pass.
   */
  #sources: ReadonlySet<Node> | undefined;

  /**
   * Starts a pass. Copies the edges of the wait list, so edges that are registered later have no effect on the pass.
   * @throws GraphError if `waits` is not a WaitList
   */
  constructor(waits: WaitList) {
    if (!isWaitList(waits)) {
      throw new GraphError(
        `BackwardPass: expected a WaitList, such as WaitList.of(loss), but received ${describeValue(waits)}`,
      );
    }
    this.#waits = waits;
    for (const node of waits.nodes())
      this.#mailboxes.set(node, new Mailbox([...waits.edges(node)]));
  }

  /**
   * Delivers one gradient to a node. Returns this pass.
   * @param from the parent that sends the gradient, or the name of an outside source. If `node` is two of the inputs of
   *   a parent, call `send` twice. The first call is for the first of these inputs, and the second call is for the
   *   second of them
   * @param gradient a node of the shape and dtype of `node`, a `Part` (a gradient for only a window of `node`), or
   *   `none`
   * @throws GraphError if `node` does not wait for `from`, or `gradient` is not a node, a part or `none`; StateError if
   *   the gradient over this edge has arrived already; ShapeError or DTypeError if the gradient does not fit `node`. A
   *   call that throws delivers nothing
   */
  send(node: Node, from: Node | string, gradient: Sent): this {
    const box = this.#box(node);
    if (!isNode(from) && typeof from !== 'string') {
      throw new GraphError(
        `send: expected a parent of ${node} or the name of a source, but received ${describeValue(from)}`,
      );
    }
    // The edges are sorted, so the edges from one parent follow one another, in the order of the parent's inputs.
    const first = positionOfEdge(box.edges, from, -1);
    if (box.edges[first]?.parent !== from) throw notRegistered(node, from, slotOf(node, from));
    let index = first;
    while (box.edges[index]?.parent === from && box.arrived[index] !== undefined) index++;
    this.#check(box, box.edges[index]?.parent === from ? index : first, gradient);
    this.#deliver(box, index, gradient);
    return this;
  }

  /** Returns whether all gradients of a node have arrived. @throws GraphError if the node is not on the wait list */
  ready(node: Node): boolean {
    return this.#box(node).missing === 0;
  }

  /**
   * Returns the edges of a node over which no gradient has arrived yet.
   * @throws GraphError if the node is not on the wait list
   */
  missing(node: Node): Edge[] {
    const box = this.#box(node);
    return box.edges.filter((_, index) => box.arrived[index] === undefined);
  }

  /**
   * Returns the sum of all gradients of a node. It has the shape and dtype of the node. The gradients are added in the
   * order of the edges, not in the order in which they arrived. If only `none` arrived, the sum is zeros.
   * @throws StateError if gradients are missing; GraphError if the node is not on the wait list, or has several results
   */
  gradient(node: Node): Node {
    const box = this.#box(node);
    assertValue(node, 'gradient:');
    const total = this.#total(node);
    box.gradient ??= this.#withOrigin(total === none ? asDerived(() => zerosLike(node)) : total);
    return box.gradient;
  }

  /**
   * Records the inputs of this graph for a gradient, and returns the gradient. If another graph may use the same node,
   * returns a new node with the same value, so that the record does not apply to the other graph.
   */
  #withOrigin(gradient: Node): Node {
    const own = this.#isOwn(gradient) && !hasOrigin(gradient);
    const node = own ? gradient : asDerived(() => sameAs(gradient));
    this.#inputs ??= [...this.#mailboxes.keys()].filter((leaf) => leaf instanceof Input);
    recordOrigin(node, this.#inputs);
    return node;
  }

  /** Returns whether this pass made the node, so that the node belongs to no other graph. */
  #isOwn(node: Node): boolean {
    // If the node is interned, another graph that builds an equal view of the same input gets the same node. So the
    // node belongs to this pass only if its input does. The loop finds the first input that is not interned.
    let base = node;
    for (let [only] = base.inputs; only && base.op.interned; [only] = base.inputs) base = only;
    return base.derived && base.id >= this.#firstId && !(base instanceof Leaf);
  }

  /**
   * Returns whether a gradient reaches the node. Returns false if only `none` arrived.
   * @throws StateError if gradients are missing; GraphError if the node is not on the wait list
   */
  reaches(node: Node): boolean {
    this.#box(node);
    if (resultsOf(node)) return Object.values(this.#totals(node)).some((total) => total !== none);
    return this.#total(node) !== none;
  }

  /**
   * Runs one step: one ready node sends gradients to its inputs.
   * @returns the node that sent gradients; undefined if no node is ready
   * @throws GraphError, StateError, ShapeError or DTypeError if the gradient rule returns wrong gradients, if an input
   *   does not wait for the node, or if a gradient over the same edge has arrived already. A step that throws delivers
   *   nothing
   */
  step(): Node | undefined {
    const node = this.#ready[this.#next];
    if (node === undefined) return undefined;
    asDerived(() => onBehalfOf(node, () => this.#distribute(node)));
    this.#next++;
    return node;
  }

  /**
   * Runs steps until no node is ready.
   * @returns the gradients of all nodes on the wait list
   * @throws GraphError if some nodes still wait for gradients (the message names them and the missing edges); and the
   *   errors of `step`
   */
  run(): Gradients {
    while (this.step() !== undefined);
    const waiting = [...this.#mailboxes.keys()].filter((node) => !this.ready(node));
    if (waiting.length > 0) throw this.#stopped(waiting);
    return new Gradients(this, this.#waits);
  }

  #distribute(node: Node): void {
    if (this.#sources?.has(node)) return;
    const { inputs } = node;
    const sent = assertList(
      this.#sentBy(node),
      `${node}: expected its gradient rule to return a list of gradients, one for each input,`,
    );
    if (sent.length !== inputs.length) {
      throw new GraphError(
        `${node}: expected its gradient rule to return ${inputs.length} gradients, one for each input, but received ${sent.length}`,
      );
    }
    // All gradients are checked before the first is delivered, so that a step that throws delivers nothing.
    const boxes = inputs.map((input, slot) => {
      const box = this.#mailboxes.get(input);
      const index = box ? indexOfEdge(box.edges, node, slot) : -1;
      if (box && index >= 0) {
        this.#check(box, index, sent[slot] as Sent);
        return box;
      }
      // A wait list that was built by hand may lack a constant, because its gradient is not needed.
      if (input instanceof Constant || this.#sources) return undefined;
      throw notRegistered(input, node, slot);
    });
    boxes.forEach((box, slot) => {
      if (box) this.#deliver(box, indexOfEdge(box.edges, node, slot), sent[slot] as Sent);
    });
  }

  /** Returns what the gradient rule of a node, all of whose gradients have arrived, sends to the inputs. */
  #sentBy(node: Node): readonly Sent[] {
    const { op, inputs, attributes } = node;
    const context = {
      node,
      inputs,
      attributes,
      differentiate: (
        roots: readonly (readonly [Node, Node])[],
        sources: readonly Node[],
      ): readonly (Node | typeof none)[] => differentiate(node, roots, sources),
    };
    if (resultsOf(node)) {
      if (!this.reaches(node)) return inputs.map(() => none);
      return op.gradient({ ...context, gradients: this.#totals(node) });
    }
    const part = op.local && regional(node, this.#complete(node).arrived as Sent[]);
    const local = part && op.local?.({ ...context, region: part.region });
    if (local) {
      const sent = op.gradient({
        ...context,
        node: sliceOf(node, part.region),
        inputs: inputs.map((input, i) => sliceOf(input, local.inputs[i] as Region)),
        attributes: local.attributes,
        gradient: part.gradient,
      });
      return isList(sent) ? sent.map((one, i) => asPart(node, i, one, local.inputs[i])) : sent;
    }
    const gradient = this.#total(node);
    return gradient === none ? inputs.map(() => none) : op.gradient({ ...context, gradient });
  }

  /** Refuses a gradient that does not fit the node, and a second gradient over the same edge. */
  #check(box: Mailbox, index: number, gradient: Sent): void {
    const edge = box.edges[index] as Edge;
    if (box.arrived[index] !== undefined) {
      throw new StateError(
        `${edge.node} has already received its gradient from ${describeEdge(edge)}; send one gradient over each edge`,
      );
    }
    verify(edge, gradient);
  }

  /** Stores a gradient that `#check` accepted. If it was the last one that was missing, the node is ready. */
  #deliver(box: Mailbox, index: number, gradient: Sent): void {
    box.arrived[index] = gradient;
    box.missing--;
    if (box.missing === 0) this.#ready.push((box.edges[index] as Edge).node);
  }

  /** Returns the sum of all gradients of a node. @throws StateError if gradients are missing */
  #total(node: Node): Node | typeof none {
    const box = this.#complete(node);
    box.total ??= asDerived(() => total(node, box.arrived as Sent[]));
    return box.total;
  }

  /**
   * Returns the sum of the gradients of each result of a node with several results. Usually, one node sends the gradient
   * of a result. But a result can be several nodes, for example if one of them got a label.
   * @throws StateError if gradients are missing
   */
  #totals(node: Node): Totals {
    const box = this.#complete(node);
    box.totals ??= asDerived(() => {
      const sums = Object.keys(resultsOf(node) ?? {}).map((name) => {
        const edges = [...box.edges.entries()].filter(([, { parent }]) => keyOf(parent) === name);
        const sent = edges.map(([index]) => box.arrived[index] as Sent);
        const [first] = edges;
        return [name, first ? total(first[1].parent as Node, sent) : none] as const;
      });
      return Object.freeze(Object.fromEntries(sums));
    });
    return box.totals;
  }

  /** Returns the mailbox of a node. @throws StateError if gradients are missing */
  #complete(node: Node): Mailbox {
    const box = this.#box(node);
    if (box.missing > 0) {
      throw new StateError(
        `${node} has no gradient yet: it still waits for ${listed(this.missing(node))}`,
      );
    }
    return box;
  }

  #box(node: Node): Mailbox {
    const box = this.#mailboxes.get(node);
    if (box) return box;
    const what = isNode(node) ? `${node}` : describeValue(node);
    throw new GraphError(`${what} is not on the wait list of this pass`);
  }

  /** Returns the error for a pass in which no node is ready, but the nodes `waiting` still wait for gradients. */
  #stopped(waiting: readonly Node[]): GraphError {
    const shown = waiting.slice(-1000).map((node) => {
      return `  ${node} waits for ${listed(this.missing(node))}`;
    });
    const more =
      waiting.length > shown.length ? `\n  and ${waiting.length - shown.length} more` : '';
    // A node becomes ready when its last gradient arrives. So a node without edges never becomes ready, and never sends
    // gradients to its inputs.
    const idle = [...this.#mailboxes].filter(
      ([node, { edges }]) => edges.length === 0 && node.inputs.length > 0,
    );
    const unsent = idle.map(
      ([node]) =>
        `\n  ${node} has no edges on the wait list, so no gradient can start there; call register(node, 'name') on the wait list, then send(node, 'name', gradient) on a new pass`,
    );
    return new GraphError(
      `the backward pass stopped: ${waiting.length} nodes still wait for a gradient:\n${shown.reverse().join('\n')}${more}${unsent.join('')}`,
    );
  }
}

/** Returns the key of the result that a parent is; undefined if it is not a result. */
function keyOf(parent: Node | string): string | undefined {
  return typeof parent === 'string' ? undefined : resultIn(parent)?.key;
}

function zerosLike(node: Node): Node {
  return broadcastTo(constant(0, { dtype: node.dtype }), node.shape);
}

/**
 * Returns the index of the first input of `from` that is `node`; -1 if no input is, or if `from` is an outside source.
 */
function slotOf(node: Node, from: Node | string): number {
  return typeof from === 'string' ? -1 : from.inputs.indexOf(node);
}

/**
 * Runs a backward pass over the inner graph between `roots` and `sources`, in the gradient rule of `outer`; see
 * `GradientContext.differentiate`.
 */
function differentiate(
  outer: Node,
  roots: readonly (readonly [Node, Node])[],
  sources: readonly Node[],
): (Node | typeof none)[] {
  const where = `${outer}: differentiate:`;
  const wanted = assertList(sources, `${where} expected a list of nodes,`);
  const pairs = assertList(roots, `${where} expected a list of [root, gradient] pairs,`).map(
    (pair) => assertList(pair as readonly unknown[], `${where} expected a [root, gradient] pair,`),
  ) as [Node, Node][];
  for (const node of [...wanted, ...pairs.flat()]) {
    if (isNode(node)) continue;
    throw new GraphError(`${where} expected a node, but received ${describeValue(node)}`);
  }
  if (pairs.length === 0) throw new GraphError(`${where} expected at least one root`);
  const ends = new Set(wanted);
  const { waits, on } = pathsBetween(
    pairs.map(([root]) => root),
    ends,
  );
  if (on.has(outer) && !ends.has(outer)) {
    throw new GraphError(`${where} the inner graph contains ${outer} itself`);
  }
  // Each pair is an outside source of its own, so if a root occurs twice, its starting gradients are added.
  const named = pairs.map(([root, gradient], index) => ({
    root,
    gradient,
    name: `root ${index}`,
  }));
  const started = named.filter(({ root }) => on.has(root));
  for (const { root, name } of started) waits.register(root, name);
  const pass = innerPass(waits, ends);
  for (const { root, gradient, name } of started) pass.send(root, name, gradient);
  const gradients = pass.run();
  return wanted.map((node) =>
    on.has(node) && waits.has(node) && gradients.reaches(node) ? gradients.of(node) : none,
  );
}
