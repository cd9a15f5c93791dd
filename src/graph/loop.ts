/**
 * Loops: what a node of the op `scan` computes. The body of a loop is a graph of its own, whose leaves are arguments and
 * numbers. It is computed once in each step.
 */

import { ShapeError } from '../errors.js';
import { type Bindings, bindDim, type Dim } from './dimension.js';
import type { Argument } from './leaf.js';
import type { Node } from './node.js';
import type { Result, Results } from './results.js';

/** A value that a loop carries from step to step. */
export interface Carry {
  /** The name that the user gave it. */
  readonly key: string;
  /** The value at the start of a step. */
  readonly argument: Argument;
  /** The value at the end of a step: a node of the body, of the shape and dtype of the argument. */
  readonly next: Node;
}

/**
 * A result of a loop: the last value of a carry; the values of a node of the body in all steps, stacked along a new first
 * axis; or their sum. The row `t` of stacked values belongs to the step in which the index is t.
 */
export type LoopResult =
  | { readonly kind: 'last'; readonly carry: Carry }
  | { readonly kind: 'rows'; readonly node: Node }
  | { readonly kind: 'sum'; readonly node: Node };

/** The parts of a loop. */
export interface LoopParts {
  readonly name: string | undefined;
  /** The number of steps. */
  readonly steps: Dim;
  /** Whether the steps run from the last index to the first. */
  readonly reverse: boolean;
  readonly carries: readonly Carry[];
  /** The arguments that in each step are a row of an input of the node: the row `t` along its first axis. */
  readonly rows: readonly Argument[];
  /** The arguments that have the value of an input of the node in all steps. */
  readonly captures: readonly Argument[];
  /** The index t of the step, an int32 scalar. */
  readonly index: Argument;
  /**
   * Whether the backward pass computes the values of a step again, from the carries at its start, instead of having the
   * loop keep them. Then nothing else is kept for all steps: memory for it is what this saves.
   */
  readonly recomputes: boolean;
  /** The number of loops that are in one another in this one, itself included. */
  readonly depth: number;
}

/**
 * The attributes of a node of the op `scan`. The inputs of the node are the first values of the carries, the inputs of
 * which `rows` are rows, and the values of `captures`, in this order.
 */
export class Loop implements LoopParts {
  readonly name: string | undefined;
  readonly steps: Dim;
  readonly reverse: boolean;
  readonly carries: readonly Carry[];
  readonly rows: readonly Argument[];
  readonly captures: readonly Argument[];
  readonly index: Argument;
  readonly recomputes: boolean;
  readonly depth: number;
  readonly #results = new Map<string, LoopResult>();
  readonly #described: { [key: string]: Result } = {};
  readonly #keys = new Map<Node, Map<LoopResult['kind'], string>>();

  constructor(parts: LoopParts) {
    this.name = parts.name;
    this.steps = parts.steps;
    this.reverse = parts.reverse;
    this.carries = parts.carries;
    this.rows = parts.rows;
    this.captures = parts.captures;
    this.index = parts.index;
    this.recomputes = parts.recomputes;
    this.depth = parts.depth;
  }

  /** The results that have been asked for, by their keys. */
  get results(): ReadonlyMap<string, LoopResult> {
    return this.#results;
  }

  /** Returns the key of a result. Results are computed only if something reads them, so any may be asked for. */
  keyOf(result: LoopResult): string {
    const node = result.kind === 'last' ? result.carry.argument : result.node;
    const keys = this.#keys.get(node) ?? new Map<LoopResult['kind'], string>();
    this.#keys.set(node, keys);
    const known = keys.get(result.kind);
    if (known !== undefined) return known;
    const key =
      result.kind === 'last' ? `last.${result.carry.key}` : `${result.kind}.${this.#results.size}`;
    keys.set(result.kind, key);
    this.#results.set(key, Object.freeze(result));
    const { dtype, shape } = node;
    this.#described[key] = Object.freeze({
      dtype,
      shape: result.kind === 'rows' ? Object.freeze([this.steps, ...shape]) : shape,
    });
    return key;
  }

  /** The dtypes and shapes of the results that have been asked for, by their keys. It grows with them. */
  get described(): Results {
    return this.#described;
  }

  /** All arguments, in no particular order. */
  get arguments(): readonly Argument[] {
    return [
      ...this.carries.map(({ argument }) => argument),
      ...this.rows,
      ...this.captures,
      this.index,
    ];
  }
}

/** Returns the loop of a node of the op `scan`; undefined for any other node. */
export function loopOf(node: Node): Loop | undefined {
  return node.op.lowering.kind === 'scan' ? (node.attributes as Loop) : undefined;
}

/** The inputs of a node of the op `scan`, by what they are. */
export interface LoopInputs<T> {
  readonly initial: readonly T[];
  readonly over: readonly T[];
  readonly captured: readonly T[];
}

/** Divides a list with an element for each input of a node of the op `scan`. */
export function dividedInputs<T>({ carries, rows }: Loop, inputs: readonly T[]): LoopInputs<T> {
  const [first, second] = [carries.length, carries.length + rows.length];
  return {
    initial: inputs.slice(0, first),
    over: inputs.slice(first, second),
    captured: inputs.slice(second),
  };
}

/** Returns the nodes of the body from which a result is computed. */
export function rootOf(result: LoopResult): Node {
  return result.kind === 'last' ? result.carry.next : result.node;
}

/** The largest number of steps. The index of a step is an int32. */
export const mostSteps = 2 ** 31 - 1;

/**
 * Returns the number of steps of a loop during one run.
 * @param scan a node of the op `scan`
 * @throws ShapeError if there are too many
 */
export function boundSteps(scan: Node, bindings: Bindings): number {
  const steps = bindDim((loopOf(scan) as Loop).steps, bindings);
  if (steps <= mostSteps) return steps;
  throw new ShapeError(`expected at most ${mostSteps} steps, but there are ${steps}`);
}

/** A step of a loop. */
export interface StepOfLoop {
  /** A node of the op `scan`. */
  readonly scan: Node;
  /** The index of the step. */
  readonly t: number;
}

/**
 * Returns a step of a loop.
 * @param scan a node of the op `scan`
 * @param iteration the number of steps that are computed before it
 */
export function stepOfLoop(scan: Node, iteration: number, bindings: Bindings): StepOfLoop {
  const { reverse, steps } = loopOf(scan) as Loop;
  return { scan, t: reverse ? bindDim(steps, bindings) - 1 - iteration : iteration };
}

/**
 * Returns the text that follows the name of a node in an error message, if the node is in the bodies of loops:
 * ` in [scan 'outer'], step 2, in [scan 'inner'], step 5`.
 * @param steps the steps, those of the outermost loop first
 */
export function describeSteps(steps: readonly StepOfLoop[]): string {
  const each = steps.map(({ scan, t }) => `in ${scan}, step ${t}`);
  return each.length === 0 ? '' : ` ${each.join(', ')}`;
}
