/**
 * The seed's backward walk: a node receives one gradient over each edge of its wait list; when none
 * is missing it sums them and distributes the sum to its inputs, by its op's rule.
 *
 * Differentiation is symbolic: what is sent, summed and distributed are nodes.
 */

import { brand, describeValue } from '../arguments/describe.js';
import { assertList } from '../arguments/read.js';
import { DTypeError, GraphError, ShapeError, StateError } from '../errors.js';
import { addDims, type Dim, type Shape, sameShape } from '../graph/dimension.js';
import { Constant, constant, Input, Leaf } from '../graph/leaf.js';
import { asDerived, isNode, type Node, nextNodeId } from '../graph/node.js';
import { isPart, none, Part, type Sent } from '../graph/op.js';
import { hasOrigin, recordOrigin } from '../graph/origins.js';
import {
  type Edge,
  indexOfEdge,
  isWaitList,
  notRegistered,
  placeOfEdge,
  type WaitList,
} from '../graph/waitlist.js';
import { addN, assemble, broadcastTo } from '../ops/index.js';
import { sameAs } from '../ops/views.js';
import { formatShape } from '../tensor/shape.js';
import { Gradients } from './gradients.js';

/** What has arrived at a node so far. */
class Mailbox {
  readonly arrived: (Sent | undefined)[];
  missing: number;
  total: Node | typeof none | undefined;
  /** The total as a node of this graph alone. */
  gradient: Node | undefined;

  constructor(readonly edges: readonly Edge[]) {
    this.arrived = new Array<Sent | undefined>(edges.length).fill(undefined);
    this.missing = edges.length;
  }
}

/**
 * The backward walk, one gradient at a time: `backward` is such a pass run to its end. A node that has got a gradient over
 * each edge of its wait list is ready; a step lets one ready node sum them, and send to its inputs by its op's rule.
 */
export class BackwardPass {
  static {
    brand(BackwardPass);
  }

  readonly #waits: WaitList;
  readonly #mailboxes = new Map<Node, Mailbox>();
  /** Complete but not distributed yet, in the order in which they became so. */
  readonly #ready: Node[] = [];
  #next = 0;
  /** All nodes that the pass makes have this id or a higher one. */
  readonly #firstId = nextNodeId();
  #inputs: readonly Input[] | undefined;

  /**
   * The wait list is read, never changed; edges registered later are not seen.
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
   * Delivers one gradient.
   * @param from the parent that sends, or the name of an outside source. A parent that uses `node`
   *   twice sends twice, for its inputs in order.
   * @throws GraphError if `node` does not wait for `from`, or the gradient is neither a node, a part nor `none`;
   *   StateError if it has that gradient already; ShapeError or DTypeError if the gradient does not fit; nothing is
   *   delivered then
   */
  send(node: Node, from: Node | string, gradient: Sent): this {
    const box = this.#box(node);
    if (!isNode(from) && typeof from !== 'string') {
      throw new GraphError(
        `send: expected a parent of ${node} or the name of a source, but received ${describeValue(from)}`,
      );
    }
    // A parent's edges stand side by side, in the order of its inputs.
    const first = placeOfEdge(box.edges, from, -1);
    if (box.edges[first]?.parent !== from) throw notRegistered(node, from, slotOf(node, from));
    let index = first;
    while (box.edges[index]?.parent === from && box.arrived[index] !== undefined) index++;
    this.#check(box, box.edges[index]?.parent === from ? index : first, gradient);
    this.#deliver(box, index, gradient);
    return this;
  }

  /** True when every gradient has arrived. @throws GraphError for a node that is not on the wait list */
  ready(node: Node): boolean {
    return this.#box(node).missing === 0;
  }

  /** The edges over which nothing has arrived yet. @throws GraphError for a node that is not on the wait list */
  missing(node: Node): Edge[] {
    const box = this.#box(node);
    return box.edges.filter((_, index) => box.arrived[index] === undefined);
  }

  /**
   * The sum of all gradients of a node, ordered by edge and never by arrival; zeros where none was sent.
   * @throws StateError while gradients are missing; GraphError for a node that is not on the wait list
   */
  gradient(node: Node): Node {
    const box = this.#box(node);
    const total = this.#total(node);
    box.gradient ??= this.#withOrigin(total === none ? asDerived(() => zerosLike(node)) : total);
    return box.gradient;
  }

  /** A gradient that is known to be one of this graph, which nobody else's node may be. */
  #withOrigin(gradient: Node): Node {
    const own = this.#isOwn(gradient) && !hasOrigin(gradient);
    const node = own ? gradient : asDerived(() => sameAs(gradient));
    this.#inputs ??= [...this.#mailboxes.keys()].filter((leaf) => leaf instanceof Input);
    recordOrigin(node, this.#inputs);
    return node;
  }

  /** Whether this pass made the node, so that no other graph has it. */
  #isOwn(node: Node): boolean {
    // An interned node is its input's, for whoever builds an equal one.
    let base = node;
    for (let [only] = base.inputs; only && base.op.interned; [only] = base.inputs) base = only;
    return base.derived && base.id >= this.#firstId && !(base instanceof Leaf);
  }

  /**
   * Whether a gradient reaches the node at all; false where all that arrived is `none`.
   * @throws StateError while gradients are missing; GraphError for a node that is not on the wait list
   */
  reaches(node: Node): boolean {
    return this.#total(node) !== none;
  }

  /** Lets one ready node distribute and returns it; undefined when no node is ready. */
  step(): Node | undefined {
    const node = this.#ready[this.#next];
    if (node === undefined) return undefined;
    asDerived(() => this.#distribute(node));
    this.#next++;
    return node;
  }

  /**
   * Steps until no node is ready.
   * @throws GraphError when nodes are still waiting then; it names them and for whom they wait
   */
  run(): Gradients {
    while (this.step() !== undefined);
    const waiting = [...this.#mailboxes.keys()].filter((node) => !this.ready(node));
    if (waiting.length > 0) throw this.#stopped(waiting);
    return new Gradients(this, this.#waits);
  }

  #distribute(node: Node): void {
    const gradient = this.#total(node);
    const { op, inputs, attributes } = node;
    const sent =
      gradient === none
        ? inputs.map(() => none)
        : assertList(
            op.gradient({ node, inputs, attributes, gradient }),
            `${node}: expected its gradient rule to give a list of gradients, one for each input,`,
          );
    if (sent.length !== inputs.length) {
      throw new GraphError(
        `${node} has ${inputs.length} inputs, but its gradient rule sent ${sent.length} gradients`,
      );
    }
    // All are checked before the first is delivered: a step that fails has delivered nothing.
    const deliveries = inputs.flatMap((input, slot) => {
      const box = this.#mailboxes.get(input);
      const index = box ? indexOfEdge(box.edges, node, slot) : -1;
      if (box && index >= 0) {
        this.#check(box, index, sent[slot] as Sent);
        return [{ box, index, gradient: sent[slot] as Sent }];
      }
      // Nobody asks for the gradient of a constant that was wired by hand without being registered.
      if (input instanceof Constant) return [];
      throw notRegistered(input, node, slot);
    });
    for (const { box, index, gradient } of deliveries) this.#deliver(box, index, gradient);
  }

  /** Each edge carries one gradient, whoever sends it: a rule in a step, or the caller by hand. */
  #check(box: Mailbox, index: number, gradient: Sent): void {
    const edge = box.edges[index] as Edge;
    if (box.arrived[index] !== undefined) {
      throw new StateError(`${edge.node} has received its gradient from ${describe(edge)} already`);
    }
    verify(edge, gradient);
  }

  #deliver(box: Mailbox, index: number, gradient: Sent): void {
    box.arrived[index] = gradient;
    box.missing--;
    if (box.missing === 0) this.#ready.push((box.edges[index] as Edge).node);
  }

  #total(node: Node): Node | typeof none {
    const box = this.#box(node);
    if (box.missing > 0) {
      throw new StateError(
        `${node} has no gradient yet: it still waits for ${listed(this.missing(node))}`,
      );
    }
    box.total ??= asDerived(() => total(node, box.arrived as Sent[]));
    return box.total;
  }

  #box(node: Node): Mailbox {
    const box = this.#mailboxes.get(node);
    if (box) return box;
    const what = isNode(node) ? `${node}` : describeValue(node);
    throw new GraphError(`${what} is not on the wait list of this pass`);
  }

  #stopped(waiting: readonly Node[]): GraphError {
    const shown = waiting.slice(-1000).map((node) => {
      return `  ${node} waits for ${listed(this.missing(node))}`;
    });
    const more =
      waiting.length > shown.length ? `\n  and ${waiting.length - shown.length} more` : '';
    // What waits for nobody is ready from the start, but only what is sent to makes a pass move.
    const idle = [...this.#mailboxes].filter(
      ([node, { edges }]) => edges.length === 0 && node.inputs.length > 0,
    );
    const unsent = idle.map(
      ([node]) =>
        `\n  ${node} waits for nobody, so nothing starts there: register(node, 'name') on the wait list, then send(node, 'name', gradient)`,
    );
    return new GraphError(
      `the backward pass stopped: ${waiting.length} nodes still wait for a gradient:\n${shown.reverse().join('\n')}${more}${unsent.join('')}`,
    );
  }
}

function zerosLike(node: Node): Node {
  return broadcastTo(constant(0, { dtype: node.dtype }), node.shape);
}

function total(node: Node, arrived: readonly Sent[]): Node | typeof none {
  const gradients = arrived.filter((sent): sent is Node | Part => sent !== none);
  const [first] = gradients;
  if (first === undefined) return none;
  if (gradients.every(isNode)) {
    return gradients.length === 1 ? (first as Node) : addN(gradients as Node[]);
  }
  const whole = node.shape.map(() => 0);
  return assemble(
    node.shape,
    gradients.map((sent) => (isPart(sent) ? sent : new Part(sent, whole))),
  );
}

/** A gradient has the shape and dtype of what it is the gradient of; a part fits into it. */
function verify({ node, parent }: Edge, sent: Sent): void {
  if (sent === none) return;
  const gradient = isPart(sent) ? sent.gradient : sent;
  if (!isNode(gradient)) {
    throw new GraphError(
      `the gradient that ${nameOf(parent)} sent to ${node} must be a node, but is ${describeValue(gradient)}`,
    );
  }
  if (gradient.dtype !== node.dtype) {
    throw new DTypeError(
      `the gradient that ${nameOf(parent)} sent to ${node} must be ${node.dtype}, but is ${gradient.dtype}`,
    );
  }
  const fits = isPart(sent) ? within(sent, node.shape) : sameShape(gradient.shape, node.shape);
  if (!fits) {
    const part = isPart(sent) ? ` at ${formatShape(sent.start)}` : '';
    throw new ShapeError(
      `the gradient that ${nameOf(parent)} sent to ${node} must ${part ? 'lie within' : 'have'} shape ${formatShape(node.shape)}, but has ${formatShape(gradient.shape)}${part}`,
    );
  }
}

function within({ gradient, start }: Part, shape: Shape): boolean {
  return (
    gradient.shape.length === shape.length &&
    start.length === shape.length &&
    gradient.shape.every((dim, axis) => {
      const [from, whole] = [start[axis] as Dim, shape[axis] as Dim];
      const end = addDims(from, dim);
      // What depends on a name is checked when the name is bound.
      if (typeof from === 'number' && from < 0) return false;
      return typeof end !== 'number' || typeof whole !== 'number' || end <= whole;
    })
  );
}

function slotOf(node: Node, from: Node | string): number {
  return typeof from === 'string' ? -1 : from.inputs.indexOf(node);
}

function nameOf(from: Node | string): string {
  return typeof from === 'string' ? `the outside source '${from}'` : `${from}`;
}

/** For whom a node waits; of very many, the first. */
function listed(edges: readonly Edge[]): string {
  const most = 100;
  const rest = edges.length > most ? ` and ${edges.length - most} more` : '';
  return edges.slice(0, most).map(describe).join(', ') + rest;
}

function describe({ parent, slot }: Edge): string {
  return typeof parent === 'string' ? nameOf(parent) : `${parent} (its input ${slot})`;
}
