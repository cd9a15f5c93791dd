/**
 * Side updates: what a graph changes besides the parameters that it trains, such as the running statistics of a batch
 * normalisation. A node carries them. All graphs that contain the node have them, so nobody can forget them.
 */

import { describeValue } from '../arguments/describe.js';
import { DTypeError, GraphError, ShapeError, ValueError } from '../errors.js';
import { formatShape } from '../tensor/shape.js';
import { sameShape } from './dimension.js';
import { isVariable, type Variable } from './leaf.js';
import { assertValue, createNode, isNode, type Node } from './node.js';
import type { GradientContext, Op } from './op.js';

type Next = (old: Node) => Node;

interface SideUpdate {
  readonly state: Variable;
  readonly next: Next;
}

/** Like the ops of leaves, this op is not declared: its value is that of its input. */
const carryOp: Op = {
  name: 'sideUpdate',
  arity: 1,
  dtype: ([x]) => (x as Node).dtype,
  shape: ([x]) => (x as Node).shape,
  lowering: { kind: 'alias' },
  gradient: ({ gradient }: GradientContext<object>) => [gradient],
  label: (attributes) => `${(attributes as SideUpdate).state.name}`,
  samples: [],
  refused: [],
};

/** The attributes are an instance of a class, so that nodes keep them as they are. */
class Carried implements SideUpdate {
  constructor(
    readonly state: Variable,
    readonly next: Next,
  ) {}
}

/**
 * Returns a node with the value of `node` that carries a side update: training with a graph that contains the returned
 * node also writes `next(old)` to the state, where `old` is the value of the state before the run. The optimizers add
 * the side updates of their loss to their updates; `sideUpdates` returns those of any graph. If a graph has several side
 * updates of one state, the later ones get the result of the earlier ones, in the order in which they were made.
 * @param next returns the next value of the state, which has the shape and dtype of the state. It may be called later
 *   and more than once
 * @throws GraphError if `node` is not a node, or `state` is not a state; ValueError if `next` is not a function
 */
export function sideUpdate(node: Node, state: Variable, next: (old: Node) => Node): Node {
  if (!isNode(node)) {
    throw new GraphError(`sideUpdate: expected a node, but received ${describeValue(node)}`);
  }
  assertValue(node, 'sideUpdate:');
  if (!isVariable(state) || state.kind !== 'state') {
    throw new GraphError(`sideUpdate: expected a state, but received ${describeValue(state)}`);
  }
  if (typeof next !== 'function') {
    throw new ValueError(
      `sideUpdate: expected a function that returns the next value of ${state}, but received ${describeValue(next)}`,
    );
  }
  return createNode(carryOp, [node], new Carried(state, next));
}

/** Returns the side update that a node carries; undefined if it carries none. */
export function sideUpdateIn(node: Node): SideUpdate | undefined {
  return node.op === carryOp ? (node.attributes as SideUpdate) : undefined;
}

/** The values that side updates give to their states, for a node that carries one: by the value before it. */
const valuesOf = new WeakMap<Node, WeakMap<Node, Node>>();

/** Returns the value that the side update of a node gives to its state, whose value before it is `old`. */
export function nextValue(carrier: Node, old: Node): Node {
  const values = entryIn(valuesOf, carrier, () => new WeakMap<Node, Node>());
  const known = values.get(old);
  if (known !== undefined) return known;
  const { state, next } = carrier.attributes as SideUpdate;
  const value = next(old);
  checkValue(state, value);
  values.set(old, value);
  return value;
}

/** For each state and each value that side updates gave to it: the nodes that carry these side updates. */
const foldedIn = new WeakMap<Variable, WeakMap<Node, Set<Node>>>();

/** Returns the value that a state gets from the side updates of `carriers`, which are in the order of their ids. */
function fold(state: Variable, carriers: readonly Node[]): Node {
  const value = carriers.reduce<Node>((old, carrier) => nextValue(carrier, old), state);
  const values = entryIn(foldedIn, state, () => new WeakMap<Node, Set<Node>>());
  const folded = entryIn(values, value, () => new Set<Node>());
  for (const carrier of carriers) folded.add(carrier);
  return value;
}

function entryIn<K extends object, V>(map: WeakMap<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

function checkValue(state: Variable, value: Node): void {
  const context = `side update of ${state}:`;
  if (!isNode(value)) {
    throw new GraphError(`${context} expected a node, but received ${describeValue(value)}`);
  }
  assertValue(value, context);
  if (value.dtype !== state.dtype) {
    throw new DTypeError(`${context} expected ${state.dtype}, but ${value} is ${value.dtype}`);
  }
  const known = value.shape.every((dim) => typeof dim === 'number');
  if (known && !sameShape(value.shape, state.shape)) {
    throw new ShapeError(
      `${context} expected shape ${formatShape(state.shape)}, but ${value} has ${formatShape(value.shape)}`,
    );
  }
}

/**
 * Returns the side updates of the graphs of `roots`: a [state, value] pair for each state that they update. Equal graphs
 * give equal pairs.
 * @throws GraphError if a root is not a node, or if a function that was given to `sideUpdate` does not return a node;
 *   DTypeError or ShapeError if its result does not fit the state
 */
export function sideUpdates(...roots: Node[]): (readonly [state: Variable, value: Node])[] {
  for (const root of roots) {
    if (!isNode(root)) {
      throw new GraphError(`sideUpdates: expected nodes, but received ${describeValue(root)}`);
    }
  }
  return [...carriersByState(roots)].map(([state, carriers]) => [state, fold(state, carriers)]);
}

/** Chooses between the next value of a state and its old value. */
type Restriction = (next: Node) => Node;

/** The restrictions of values that `restricted` returned. */
const restrictions = new WeakMap<Node, ReadonlySet<Restriction>>();

/**
 * Returns the value of a state that `restriction` makes of the result of side updates: its old value in runs that must
 * not change it. It is also a result of these side updates, so it can be joined with others.
 */
export function restricted(state: Variable, value: Node, restriction: Restriction): Node {
  const made = restriction(value);
  const values = entryIn(foldedIn, state, () => new WeakMap<Node, Set<Node>>());
  if (made === value) return value;
  values.set(made, new Set(values.get(value)));
  restrictions.set(made, new Set([...(restrictions.get(value) ?? []), restriction]));
  return made;
}

/**
 * Returns the value that a state gets from the side updates of two values together: both values are results of side
 * updates, as `sideUpdates` returns them. Returns undefined if one of them is not.
 */
export function joined(state: Variable, one: Node, other: Node): Node | undefined {
  const [first, second] = [one, other].map((value) => foldedIn.get(state)?.get(value));
  if (first === undefined || second === undefined) return undefined;
  const both = fold(state, sorted(new Set([...first, ...second])));
  const all = new Set([one, other].flatMap((value) => [...(restrictions.get(value) ?? [])]));
  return [...all].reduce((value, one) => restricted(state, value, one), both);
}

/**
 * Returns the states with a side update in the graphs of `roots` that `updates` omits: the state is not updated, or its
 * value is the result of other side updates only. A state that gets another value is not listed, because the user has
 * chosen this value.
 */
export function omittedStates(
  roots: readonly Node[],
  updates: ReadonlyMap<Variable, Node>,
): Variable[] {
  return [...carriersByState(roots)].flatMap(([state, carriers]) => {
    const value = updates.get(state);
    if (value === undefined) return [state];
    const folded = foldedIn.get(state)?.get(value);
    return folded === undefined || carriers.every((carrier) => folded.has(carrier)) ? [] : [state];
  });
}

/** Returns the nodes that carry side updates in the graphs of `roots`, in the order in which they were made, by state. */
function carriersByState(roots: readonly Node[]): Map<Variable, Node[]> {
  const byState = new Map<Variable, Node[]>();
  for (const carrier of carriersIn(roots)) {
    const { state } = carrier.attributes as SideUpdate;
    const known = byState.get(state);
    if (known) known.push(carrier);
    else byState.set(state, [carrier]);
  }
  return byState;
}

/** Returns the nodes that carry side updates in the graphs of `roots`, in the order in which they were made. */
function carriersIn(roots: readonly Node[]): Node[] {
  // Most graphs have none, and sorting the nodes of a large graph takes time, so only the found nodes are sorted.
  const seen = new Set<Node>(roots);
  const found = new Set<Node>();
  for (const node of seen) {
    if (node.op === carryOp) found.add(node);
    for (const input of node.inputs) seen.add(input);
  }
  return sorted(found);
}

function sorted(nodes: ReadonlySet<Node>): Node[] {
  return [...nodes].sort((a, b) => a.id - b.id);
}
