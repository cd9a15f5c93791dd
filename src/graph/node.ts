/** A node: an op applied to inputs. Immutable but for its label. */

import { brand, describeValue } from '../arguments/describe.js';
import type { Kind } from '../arguments/options.js';
import { isList, isRecord } from '../arguments/read.js';
import { DTypeError, GraphError, ShapeError, ValueError } from '../errors.js';
import { type DType, dtypes } from '../tensor/dtype.js';
import { inspected } from '../tensor/inspected.js';
import { formatShape, maxRank } from '../tensor/shape.js';
import type { Shape } from './dimension.js';
import { forget, isShared, keyOf, NodeTable, share, twin } from './interning.js';
import type { Fail, Op } from './op.js';

let nextId = 0;
let derived = false;
let isOurs: (value: object) => boolean;

/** A vertex of the graph: an op on inputs, or a leaf. Immutable but for its label. */
export class Node {
  static {
    brand<Node>(Node, (node) => `${node} of ${node.dtype} ${formatShape(node.shape)}`);
    isOurs = (value) => #fixed in value;
  }

  /**
   * Counts up as nodes are made. A node's inputs exist before it does and never change, so ids are
   * a topological order, and a cycle cannot be built.
   */
  readonly id: number;
  /** What it computes; leaves have an op of their kind's name. */
  readonly op: Op;
  /** What feeds it, in the order of the op's operands; empty for a leaf. */
  readonly inputs: readonly Node[];
  /** What the op was told besides its inputs, such as an axis. */
  readonly attributes: object;
  /** Dimensions: numbers, names, or polynomials over names. */
  readonly shape: Shape;
  /** The type of its elements. */
  readonly dtype: DType;
  /** True when differentiation built the node: drawings tell the gradient graph apart. */
  readonly derived: boolean;
  readonly #fixed: boolean;
  #name: string | undefined;

  /**
   * Nodes are made by the ops' functions, which check what is in the parts.
   * @param name one that stays, for leaves that are known by it
   * @throws GraphError if a part is not of its type
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
    this.#name = name;
    this.#fixed = name !== undefined;
  }

  /** The label given with `named`, or a leaf's own name. */
  get name(): string | undefined {
    return this.#name;
  }

  /**
   * Labels the node for errors, drawings and profiles, and returns the labelled node. That is the node itself, except
   * for a view or a constant that was built more than once: equal ones are one node, and the label is for this use
   * alone, so a new node is returned. A parameter, a state or an input keeps its own name: it is fed, saved and
   * updated by that name.
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
   * A new node that is the same in everything but its label.
   * @internal
   */
  [twin](): this {
    const make = () => new Node(this.op, this.inputs, this.attributes, this.shape, this.dtype);
    return (this.derived ? asDerived(make) : make()) as this;
  }

  /** `[matmul 'scores']`, or `[matmul #17]` for a node without a name. */
  toString(): string {
    return `[${this.op.name} ${this.#name === undefined ? `#${this.id}` : `'${this.#name}'`}]`;
  }

  /**
   * What `console.log` and `util.inspect` show.
   * @internal
   */
  [inspected](): string {
    return `${this} ${this.dtype} ${formatShape(this.shape)}`;
  }
}

function fitsArity({ arity }: Op, { length }: readonly Node[]): boolean {
  return typeof arity === 'number' ? length === arity : length >= arity.atLeast;
}

/** Whether a node can be made of these; what is in the attributes and the shape is the op's to check. */
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
      shape.every((dim) => typeof dim === 'number' || typeof dim === 'string') &&
      dtypes.includes(dtype) &&
      (name === undefined || typeof name === 'string')
    );
  } catch {
    return false; // undefined, or a proxy whose traps throw
  }
}

/**
 * Whether `value` is a node of this copy of forebay: false for a proxy of one, and for an object that only has its
 * prototype. Never throws.
 */
export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && isOurs(value);
}

/** An option that is a node. */
export function nodeOf(expected = 'a node'): Kind<Node> {
  return { expected, accepts: isNode, error: GraphError };
}

/** The id of the node that is made next. */
export function nextNodeId(): number {
  return nextId;
}

/** Runs `build`; nodes made meanwhile are marked as derived. */
export function asDerived<T>(build: () => T): T {
  const before = derived;
  derived = true;
  try {
    return build();
  } finally {
    derived = before;
  }
}

/** The full names of the layers that are being applied, the innermost last. */
const scope: string[] = [];

/**
 * Runs `build`; errors thrown meanwhile name the layer that builds the nodes.
 * @param name of the layer; that of a layer within another may begin with the other's name
 */
export function withinLayer<T>(name: string, build: () => T): T {
  const outer = scope.at(-1);
  scope.push(outer === undefined || name.startsWith(`${outer}.`) ? name : `${outer}.${name}`);
  try {
    return build();
  } finally {
    scope.pop();
  }
}

/** Messages that name the op, the layer it is built for, and the operands that have names. */
class Refusals implements Fail {
  constructor(
    private readonly op: { readonly name: string },
    private readonly inputs: readonly Node[],
  ) {}

  get where(): string {
    const layer = scope.at(-1);
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

/** How an op that is applied to `inputs` refuses them. */
export function failFor(op: { readonly name: string }, inputs: readonly Node[]): Fail {
  return new Refusals(op, inputs);
}

/**
 * Applies an op: runs its rules and makes the node.
 * @throws ShapeError, DTypeError or ValueError from the op's rules, naming op and operands; GraphError if the number of
 *   inputs is wrong
 */
export function createNode(op: Op, inputs: readonly Node[], attributes: object = {}): Node {
  if (!fitsArity(op, inputs)) {
    const { arity } = op;
    const wanted = typeof arity === 'number' ? `${arity}` : `at least ${arity.atLeast}`;
    throw new GraphError(`[${op.name}] expected ${wanted} inputs, but received ${inputs.length}`);
  }
  const fail = failFor(op, inputs);
  // A frozen copy: what the caller holds stays the caller's. An instance of a class cannot be copied so.
  const own: object = isRecord(attributes) ? Object.freeze({ ...attributes }) : attributes;
  const make = () => {
    const shape = op.shape(inputs, attributes, fail);
    if (shape.length > maxRank)
      fail.shape(`expected at most ${maxRank} axes, but received ${shape.length}`);
    return new Node(
      op,
      Object.freeze([...inputs]),
      own,
      // Most often an operand's, which is frozen.
      Object.isFrozen(shape) ? shape : Object.freeze([...shape]),
      op.dtype(inputs, own, fail),
    );
  };
  const [only] = inputs;
  return op.interned && only && inputs.length === 1 ? interned(only, op, own, make) : make();
}

const views = new WeakMap<Node, NodeTable<Node>>();

function interned(input: Node, op: Op, attributes: object, make: () => Node): Node {
  const attributesKey = keyOf(attributes);
  if (attributesKey === undefined) return make();
  const known = views.get(input) ?? new NodeTable<Node>();
  views.set(input, known);
  const key = `${op.name} ${attributesKey}`;
  const existing = known.get(key);
  // What a user builds is the user's, even if differentiation has built the same before.
  if (existing && (!existing.derived || derived)) {
    if (!derived) share(existing);
    return existing;
  }
  const node = make();
  known.set(key, node);
  return node;
}
