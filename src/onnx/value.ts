/** The values of a model while its graph is built: nodes, and tensors whose elements are known. */

import { FormatError } from '../errors.js';
import { evaluate } from '../evaluate/evaluate.js';
import type { Dim, Shape } from '../graph/dimension.js';
import { sizeOfDims } from '../graph/dimension.js';
import { constant, Leaf } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { reshape, stack } from '../ops/index.js';
import { extent } from '../ops/mean.js';
import type { DType } from '../tensor/dtype.js';
import { type ElementType, Known, knownOf, type Stored } from './elements.js';

/** A tensor with more elements than this is not computed when a model is imported. */
const mostKnown = 2 ** 16;

/** What an input or an output of a node is. It becomes a node of a graph when it is needed as one. */
export class Value {
  readonly type: ElementType;
  readonly shape: Shape;
  /** The tensor of the file that this is, if its elements are neither computed nor fed. */
  readonly stored: Stored | undefined;
  #node: Node | (() => Node);
  #known: Known | undefined | (() => Known | undefined);

  private constructor(
    type: ElementType,
    shape: Shape,
    node: Node | (() => Node),
    known: Known | undefined | (() => Known | undefined),
    stored?: Stored,
  ) {
    this.type = type;
    this.shape = shape;
    this.stored = stored;
    this.#node = node;
    this.#known = known;
  }

  /** A value that a graph computes. Its elements are known if they depend on constants alone. */
  static computed(type: ElementType, node: Node): Value {
    return new Value(type, node.shape, node, () => constantElements(type, node));
  }

  /** A value whose elements are known. */
  static known(known: Known, dtype: DType): Value {
    return new Value(known.type, known.shape, () => nodeOf(known, dtype), known);
  }

  /** A tensor of the file. @param node returns the leaf that has its elements */
  static stored(stored: Stored, node: () => Node): Value {
    const known = () =>
      stored.size <= mostKnown ? new Known(stored.type, stored.shape, stored.numbers()) : undefined;
    return new Value(stored.type, stored.shape, node, known, stored);
  }

  /** The value as a node. @throws FormatError if its elements do not fit the dtype of its type */
  get node(): Node {
    if (typeof this.#node === 'function') this.#node = this.#node();
    return this.#node;
  }

  /** The elements; undefined if they depend on inputs or parameters, or are too many to compute now. */
  get known(): Known | undefined {
    if (typeof this.#known === 'function') this.#known = this.#known();
    return this.#known;
  }

  /** Returns the same elements as another type. */
  as(type: ElementType): Value {
    const known = () => this.known && new Known(type, this.known.shape, this.known.elements);
    return new Value(type, this.shape, () => this.node, known, this.stored);
  }
}

/** Returns the elements of a node that depends on constants alone; undefined for any other. */
function constantElements(type: ElementType, node: Node): Known | undefined {
  const size = sizeOfDims(node.shape);
  if (typeof size !== 'number' || size > mostKnown) return undefined;
  return isConstant(node) ? knownOf(type, evaluate(node)) : undefined;
}

/** Whether nodes depend on constants alone, for those that were asked for and those below them. */
const constancy = new WeakMap<Node, boolean>();

/** The kinds of ops that are never computed at the import. A loop of constants may have any number of steps. */
const computedInRuns: ReadonlySet<string> = new Set(['random', 'extent', 'scan']);

/** Returns whether a node depends on constants alone. */
export function isConstant(node: Node): boolean {
  const stack = [node];
  while (stack.length > 0) {
    const one = stack.at(-1) as Node;
    const unknown = one.inputs.find((below) => !constancy.has(below));
    if (constancy.has(one)) stack.pop();
    else if (one instanceof Leaf) constancy.set(one, one.kind === 'constant');
    else if (computedInRuns.has(one.op.lowering.kind)) constancy.set(one, false);
    else if (one.inputs.some((below) => constancy.get(below) === false)) constancy.set(one, false);
    else if (unknown !== undefined) stack.push(unknown);
    else constancy.set(one, true);
  }
  return constancy.get(node) === true;
}

function nodeOf(known: Known, dtype: DType): Node {
  const tensor = known.tensor(dtype);
  if (tensor !== undefined) {
    const [only] = tensor.data;
    return tensor.shape.length === 0 ? constant(only as number, { dtype }) : constant(tensor);
  }
  const large = known.numbers()?.find((number) => number < -(2 ** 31) || number >= 2 ** 31);
  if (large !== undefined) {
    throw new FormatError(
      `the ${known.type.name} ${large} is used in arithmetic on tensors, but does not fit in ${dtype}`,
    );
  }
  const parts = known.elements.map((element: Dim) => extent(element, dtype));
  return parts.length === 1 && known.shape.length === 0
    ? (parts[0] as Node)
    : reshape(stack(parts, 0), known.shape);
}
