/**
 * Which call of the user made a node. Users call layers and functions, such as `crossEntropy`, that apply several ops;
 * errors of runs name the call next to the node.
 */

import { NativeError, ShapeError, ValueError } from '../errors.js';
import type { Node } from './node.js';

/** What was called when a node was made. */
export interface Call {
  /** The layer, as in `[Embedding 'net.tokens']`; undefined outside of layers. */
  readonly layer: string | undefined;
  /** The function that was called in the layer; undefined if the op itself was. */
  readonly function: Called | undefined;
}

interface Called {
  readonly name: string;
  /** Says in the words of the function that an index is out of range; undefined if it is an index to the user, too. */
  readonly describe: Describe | undefined;
  /** The node that the function returned. It is held weakly, because interned nodes live longer than most results. */
  result: WeakRef<Node> | undefined;
}

/** An element of an operand of indices that is out of range. */
export interface OutOfRange {
  /** The position of the element in its operand, in row-major order. */
  readonly index: number;
  /** The number of valid elements. */
  readonly bound: number;
  /** The element. */
  readonly value: number;
}

type Describe = (failure: OutOfRange) => string;

/** The error of a step of the reference executor in which an index is out of range. */
export class IndexError extends ValueError {
  readonly failure: OutOfRange;

  constructor(message: string, failure: OutOfRange) {
    super(message);
    this.failure = failure;
  }
}

/** The key of the property of a node that has its call. */
export const madeIn: unique symbol = Symbol('madeIn');

let current: Call | undefined;

/** The full names of the layers that are being applied, from the outermost to the innermost. */
const layers: string[] = [];

/** Returns the call that is running; undefined if no layer and no function is. */
export function currentCall(): Call | undefined {
  return current;
}

/** Returns the full name of the innermost layer that is being applied; undefined if there is none. */
export function currentLayer(): string | undefined {
  return layers.at(-1);
}

/** Runs `build` and returns its result. The nodes that it makes belong to `call`. */
export function during<T>(call: Call | undefined, build: () => T): T {
  const before = current;
  current = call;
  try {
    return build();
  } finally {
    current = before;
  }
}

/**
 * Runs `build` and returns its result. If an op throws an error in `build`, the message of the error names the layer. So
 * do errors of runs of the nodes that `build` makes.
 * @param kind the class of the layer
 * @param name the name of the layer. If the layer is within another one, `name` may or may not begin with the full name
 *   of the outer layer
 */
export function withinLayer<T>(kind: string, name: string, build: () => T): T {
  const outer = layers.at(-1);
  const isFull = outer === undefined || name === outer || name.startsWith(`${outer}.`);
  const full = isFull ? name : `${outer}.${name}`;
  layers.push(full);
  try {
    return during({ layer: `[${kind} '${full}']`, function: undefined }, build);
  } finally {
    layers.pop();
  }
}

/**
 * Runs `build`, the body of a public function that applies several ops or an op of another name, and returns its result.
 * Errors of runs of the nodes that it makes name the function. A function that such a function calls is not named.
 * @param describe says that an index is out of range, if what the function was given are not indices to the user
 */
export function calledAs(name: string, build: () => Node, describe?: Describe): Node {
  if (current?.function !== undefined) return build();
  const called: Called = { name, describe, result: undefined };
  const result = during({ layer: current?.layer, function: called }, build);
  called.result = new WeakRef(result);
  return result;
}

/**
 * Runs `build` and returns its result. Errors of runs of the nodes that it makes name `node`: they are its expansion, or
 * its gradient rule made them.
 */
export function onBehalfOf<T>(node: Node, build: () => T): T {
  const { layer, function: outer } = node[madeIn] ?? {};
  const own = () => ({ name: node.op.name, describe: undefined, result: new WeakRef(node) });
  return during({ layer, function: outer ?? own() }, build);
}

/**
 * Returns a node as errors of runs name it: the node itself, followed by the function and the layer that made it, as in
 * `[takeLabels #17] of [crossEntropy 'loss'] in [Net 'net']`.
 */
export function describeNode(node: Node): string {
  const call = node[madeIn];
  if (call === undefined || node.op.lowering.kind === 'leaf') return `${node}`;
  const where = call.layer === undefined ? '' : ` in ${call.layer}`;
  if (call.function === undefined) return `${node}${where}`;
  const { name, result } = call.function;
  const whole = result?.deref();
  if (whole === node) return `[${name} ${labelOf(node)}]${where}`;
  return `${node} of [${name}${whole === undefined ? '' : ` ${labelOf(whole)}`}]${where}`;
}

/** Says that an index is out of range, in the words of the function that made the node. `message` has those of the op. */
export function describeOutOfRange(node: Node, failure: OutOfRange, message: string): string {
  return node[madeIn]?.function?.describe?.(failure) ?? message;
}

/**
 * Calls `run` and returns its result. If it throws a ShapeError, a ValueError or a NativeError, adds the node to the
 * message.
 * @param where returns the text that follows the name of the node
 */
export function naming<T>(node: Node, run: () => T, where: () => string = () => ''): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof ShapeError)
      throw new ShapeError(`${describeNode(node)}${where()} ${cause.message}`, { cause });
    if (cause instanceof ValueError) {
      const { message } = cause;
      const what =
        cause instanceof IndexError ? describeOutOfRange(node, cause.failure, message) : message;
      throw new ValueError(`${describeNode(node)}${where()}: ${what}`, { cause });
    }
    if (cause instanceof NativeError)
      throw new NativeError(`${describeNode(node)}${where()} ${cause.message}`, { cause });
    throw cause;
  }
}

function labelOf({ name, id }: Node): string {
  return name === undefined ? `#${id}` : `'${name}'`;
}
