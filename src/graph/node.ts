/** Nodes, the vertices of the graph. A node is an op applied to inputs. */

import { brand, describeValue } from '../arguments/describe.js';
import type { Kind } from '../arguments/options.js';
import { isList, isRecord } from '../arguments/read.js';
import { DTypeError, GraphError, ShapeError, ValueError } from '../errors.js';
import { type DType, dtypes } from '../tensor/dtype.js';
import { inspected } from '../tensor/inspected.js';
import { formatShape, maxRank } from '../tensor/shape.js';
import { type Call, currentCall, currentLayer, during, madeIn } from './calls.js';
import type { Shape } from './dimension.js';
import { forget, isShared, keyOf, NodeTable, share, twin } from './interning.js';
import type { Fail, Op } from './op.js';
import { recordResults, resultsOf } from './results.js';

let nextId = 0;
let derived = false;
let isOurs: (value: object) => boolean;

/** A vertex of the graph: an op applied to inputs, or a leaf. Only the label of a node can change. */
export class Node {
  static {
    brand<Node>(Node, (node) => `${node} of ${node.dtype} ${formatShape(node.shape)}`);
    isOurs = (value) => #fixed in value;
  }

  /**
   * The number of the node. Every new node gets a higher number than all nodes before it. The inputs of a node are made
   * before the node and never change. So the order of ids is a topological order, and cycles are impossible.
   */
  readonly id: number;
  /** The op that the node applies. The op of a leaf has the kind of the leaf as its name. */
  readonly op: Op;
  /** The operands of the op, in order; empty for a leaf. */
  readonly inputs: readonly Node[];
  /** The arguments of the op besides its inputs, such as an axis. */
  readonly attributes: object;
  /**
   * The dimensions, outermost first. Each is a number, a name, or a polynomial over names. A node whose op has several
   * results has no value, so its shape and its dtype mean nothing; see `result`.
   */
  readonly shape: Shape;
  /** The dtype of the elements. */
  readonly dtype: DType;
  /** True if differentiation built the node. Drawings show such nodes in another colour. */
  readonly derived: boolean;
  /**
   * The call of the user that made the node; undefined if the op itself was called, outside of layers.
   * @internal
   */
  readonly [madeIn]: Call | undefined;
  readonly #fixed: boolean;
  #name: string | undefined;

  /**
   * Users do not call this constructor. The functions of ops call it, after they have checked the attributes and the
   * shape.
   * @param name the name of a leaf that is fed, saved or updated by name. `named` does not change this name
   * @throws GraphError if an argument has a wrong type
   * @internal
   */
  constructor(
    op: Op,
    inputs: readonly Node[],
    attributes: object,
    shape: Shape,
    dtype: DType,
    name?: string,
  ) {
    if (!areParts(op, inputs, attributes, shape, dtype, name)) {
      throw new GraphError(
        'Node: expected an op, a list of nodes as inputs, attributes, a shape, a dtype and, for a leaf, a name; nodes are made by the functions of ops',
      );
    }
    this.id = nextId++;
    this.op = op;
    this.inputs = inputs;
    this.attributes = attributes;
    this.shape = shape;
    this.dtype = dtype;
    this.derived = derived;
    this[madeIn] = currentCall();
    this.#name = name;
    this.#fixed = name !== undefined;
  }

  /** The label given with `named`, or the name of a leaf. */
  get name(): string | undefined {
    return this.#name;
  }

  /**
   * Labels the node for errors, drawings and profiles, and returns the labelled node. Usually this is the node itself.
   * But equal views and equal constant numbers share one node. If such a node was built more than once, a new node is
   * returned, so that the other users do not get the label. A parameter, a state or an input keeps its own name, by
   * which it is fed, saved and updated.
   * @throws ValueError if `name` is not a string or is empty
   */
  named(name: string): this {
    if (typeof name !== 'string' || name === '') {
      throw new ValueError(
        `named: expected a non-empty string, but received ${describeValue(name)}`,
      );
    }
    if (this.#fixed) return this;
    if (isShared(this)) {
      const labelled = this[twin]();
      labelled.#name = name;
      return labelled;
    }
    forget(this);
    this.#name = name;
    return this;
  }

  /**
   * Returns a new node that equals this one but has no label.
   * @internal
   */
  [twin](): this {
    const make = () =>
      during(
        this[madeIn],
        () => new Node(this.op, this.inputs, this.attributes, this.shape, this.dtype),
      );
    const made = (this.derived ? asDerived(make) : make()) as this;
    const results = resultsOf(this);
    if (results) recordResults(made, results);
    return made;
  }

  /**
   * Returns the op and the name, as in `[matmul 'scores']`; if the node has no name, returns the op and the id, as in
   * `[matmul #17]`.
   */
  toString(): string {
    return `[${this.op.name} ${this.#name === undefined ? `#${this.id}` : `'${this.#name}'`}]`;
  }

  /**
   * Returns the text that `console.log` and `util.inspect` show.
   * @internal
   */
  [inspected](): string {
    const results = resultsOf(this);
    if (results) return `${this} with the results ${Object.keys(results).join(', ')}`;
    return `${this} ${this.dtype} ${formatShape(this.shape)}`;
  }
}

/**
 * Checks that a node has a value.
 * @param where the beginning of the message
 * @throws GraphError if the op of the node has several results
 */
export function assertValue(node: Node, where: string): void {
  const results = resultsOf(node);
  if (results === undefined) return;
  throw new GraphError(
    `${where} ${node} has several results (${Object.keys(results).join(', ')}) and no value of its own; choose one with result(node, key)`,
  );
}

/** Returns whether the op accepts this number of inputs. */
function fitsArity({ arity }: Op, { length }: readonly Node[]): boolean {
  return typeof arity === 'number' ? length === arity : length >= arity.atLeast;
}

const isDim = (dim: unknown) => typeof dim === 'number' || typeof dim === 'string';

/**
 * Returns whether the arguments of the constructor have the right types. The contents of `attributes` are not checked.
 */
function areParts(
  op: Op,
  inputs: readonly Node[],
  attributes: object,
  shape: Shape,
  dtype: DType,
  name: string | undefined,
): boolean {
  try {
    return (
      typeof op.name === 'string' &&
      typeof op.gradient === 'function' &&
      typeof op.lowering.kind === 'string' &&
      isList(inputs) &&
      inputs.every(isNode) &&
      fitsArity(op, inputs) &&
      typeof attributes === 'object' &&
      attributes !== null &&
      isList(shape) &&
      shape.every(isDim) &&
      dtypes.includes(dtype) &&
      (name === undefined || typeof name === 'string')
    );
  } catch {
    return false; // reading an argument threw: it is undefined, or a proxy whose traps throw
  }
}

/**
 * Returns whether `value` is a node that this copy of forebay made. Returns false for a proxy of a node, and for an
 * object that only has the prototype of a node. Never throws.
 */
export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && isOurs(value);
}

/** Returns the `Kind` of an option whose value is a node. `expected` describes the option in errors. */
export function nodeOf(expected = 'a node'): Kind<Node> {
  return { expected, accepts: isNode, error: GraphError };
}

/** Returns the id that the next node will have. */
export function nextNodeId(): number {
  return nextId;
}

/** Runs `build` and returns its result. The nodes that `build` makes are marked as derived. */
export function asDerived<T>(build: () => T): T {
  const before = derived;
  derived = true;
  try {
    return build();
  } finally {
    derived = before;
  }
}

/**
 * The methods with which an op refuses inputs. Their errors name the op, the innermost layer that is being applied, and
 * the inputs that have names.
 */
class Refusals implements Fail {
  constructor(
    private readonly op: { readonly name: string },
    private readonly inputs: readonly Node[],
  ) {}

  get where(): string {
    const layer = currentLayer();
    return `[${this.op.name}${layer === undefined ? '' : ` '${layer}'`}]`;
  }

  shape(message: string): never {
    throw new ShapeError(this.#text(message));
  }

  dtype(message: string): never {
    throw new DTypeError(this.#text(message));
  }

  value(message: string): never {
    throw new ValueError(this.#text(message));
  }

  #text(message: string): string {
    const named = this.inputs.filter((input) => input.name !== undefined).slice(0, 8);
    const operands = named.length === 0 ? '' : ` (operands: ${named.join(', ')})`;
    return `${this.where} ${message}${operands}`;
  }
}

/** Returns the methods with which an op throws errors that refuse `inputs`. */
export function failFor(op: { readonly name: string }, inputs: readonly Node[]): Fail {
  return new Refusals(op, inputs);
}

const noShape: Shape = Object.freeze([]);

/**
 * Applies an op: runs its shape rule and its dtype rule, and returns the node. If the op is interned and an equal node
 * exists, returns the existing node.
 * @throws ShapeError, DTypeError or ValueError if a rule refuses the inputs (the message names the op and the
 *   operands); ShapeError also if the result would have more than 32 axes; GraphError if the number of inputs is wrong,
 *   or an input has several results
 */
export function createNode(op: Op, inputs: readonly Node[], attributes: object = {}): Node {
  if (!fitsArity(op, inputs)) {
    const { arity } = op;
    const wanted = typeof arity === 'number' ? `${arity}` : `at least ${arity.atLeast}`;
    throw new GraphError(`[${op.name}] expected ${wanted} inputs, but received ${inputs.length}`);
  }
  if (op.lowering.kind !== 'result') {
    for (const input of inputs) {
      if (input.op.results !== undefined) assertValue(input, `[${op.name}]`);
    }
  }
  const fail = failFor(op, inputs);
  // The attributes are copied, and the copy is frozen, because the caller may change the original later. An instance of
  // a class is not copied, because the copy would lose its class.
  const own: object = isRecord(attributes) ? Object.freeze({ ...attributes }) : attributes;
  const only = inputs.length === 1 ? inputs[0] : undefined;
  if (!op.interned || !only) return nodeOfOp(op, inputs, attributes, own, fail);
  return interned(only, op, own, () => nodeOfOp(op, inputs, attributes, own, fail));
}

/** Makes the node of an op. The rules for shapes get the attributes `given`; the node and the dtype rule get the copy `own`. */
function nodeOfOp(op: Op, inputs: readonly Node[], given: object, own: object, fail: Fail): Node {
  const operands = Object.freeze([...inputs]);
  if (op.results === undefined) {
    const shape = checkedShape(op.shape(inputs, given, fail), fail);
    return new Node(op, operands, own, shape, op.dtype(inputs, own, fail));
  }
  const results = Object.entries(op.results(inputs, given, fail)).map(
    ([key, { dtype, shape }]) =>
      [key, Object.freeze({ dtype, shape: checkedShape(shape, fail) })] as const,
  );
  const node = new Node(op, operands, own, noShape, 'float32');
  recordResults(node, Object.freeze(Object.fromEntries(results)));
  return node;
}

function checkedShape(shape: Shape, fail: Fail): Shape {
  if (shape.length > maxRank)
    fail.shape(`expected at most ${maxRank} axes, but received ${shape.length}`);
  // A frozen shape, such as the shape of an operand, cannot change, so it needs no copy.
  return Object.isFrozen(shape) ? shape : Object.freeze([...shape]);
}

// For each node, the interned nodes that have it as their only input.
const views = new WeakMap<Node, NodeTable<Node>>();

/** Returns the interned node with these arguments, if there is one. Otherwise calls `make` and interns the new node. */
function interned(input: Node, op: Op, attributes: object, make: () => Node): Node {
  const attributesKey = keyOf(attributes);
  if (attributesKey === undefined) return make();
  const known = views.get(input) ?? new NodeTable<Node>();
  views.set(input, known);
  const key = `${op.name} ${attributesKey}`;
  const existing = known.get(key);
  // A node that differentiation built is marked as derived, so user code must not get it.
  if (existing && (!existing.derived || derived)) {
    if (!derived) share(existing);
    return existing;
  }
  const node = make();
  known.set(key, node);
  return node;
}
