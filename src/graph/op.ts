/**
 * What an op is: one declaration that the graph, differentiation, both executors, the tests and
 * the drawings read. Nothing here knows any op by name.
 */

import { brand, describeValue } from '../arguments/describe.js';
import { assertList } from '../arguments/read.js';
import { type ForebayError, GraphError, ValueError } from '../errors.js';
import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Bindings, Dim, Shape } from './dimension.js';
import { isNode, type Node } from './node.js';

/** What an op's functions take: numbers and tensors become constants. */
export type Operand = Node | Tensor | number;

/** Ends a rule with a typed error that names the op, the node in the making and its operands. */
export interface Fail {
  /** Refuses a shape. @throws ShapeError, with `where` and the message */
  shape(message: string): never;
  /** Refuses an element type. @throws DTypeError, with `where` and the message */
  dtype(message: string): never;
  /** Refuses any other argument. @throws ValueError, with `where` and the message */
  value(message: string): never;
  /** The `[matmul 'scores']` that starts a message. */
  readonly where: string;
}

/** Strided reading or writing of a buffer: element (i, j, …) is at offset + i * strides[0] + … */
export interface View {
  /** Of the first element, in elements. */
  readonly offset: number;
  /** From one index to the next along each axis, in elements; 0 repeats. */
  readonly strides: readonly number[];
}

/** What an executor knows of a node in one run: every dimension is a number. */
export interface Bound<A> {
  /** What the op was told besides its inputs. */
  readonly attributes: A;
  /** The node's shape. */
  readonly shape: readonly number[];
  /** The inputs' shapes. */
  readonly inputShapes: readonly (readonly number[])[];
  /** The number that a dimension is in this run. */
  readonly bind: (dim: Dim) => number;
  /** The numbers that dimension names are in this run. */
  readonly bindings: Bindings;
}

/** How an op is computed, as data: executors choose kernels by `kind`, never by the op's name. */
export type Lowering<A extends object = object> =
  /** Not at all: a leaf has its value. */
  | { readonly kind: 'leaf' }
  /** One kernel over corresponding elements; operands broadcast. */
  | { readonly kind: 'map'; readonly kernel: string }
  /** Element type conversion. */
  | { readonly kind: 'cast' }
  /** The element-wise sum of all inputs, from the first to the last. */
  | { readonly kind: 'accumulate' }
  /** One kernel over some axes. */
  | {
      readonly kind: 'reduce';
      readonly kernel: string;
      /** The axes that are reduced, none of them negative. */
      axes(attributes: A): readonly number[];
      /** True when there is no answer over no elements. */
      readonly notEmpty?: boolean;
    }
  /** Matrix product over the last two axes. */
  | {
      readonly kind: 'product';
      /** Whether the operands are read transposed. */
      transposes(attributes: A): { readonly a: boolean; readonly b: boolean };
    }
  /** The same elements in the same order. */
  | { readonly kind: 'alias' }
  /** The input's elements, read through a view. */
  | {
      readonly kind: 'view';
      /** Where they are read. */
      view(bound: Bound<A>): View;
    }
  /** Every input written to its own view of the result; with `accumulate`, added to zeros there. */
  | {
      readonly kind: 'place';
      readonly accumulate: boolean;
      /** Where each input's elements go. */
      views(bound: Bound<A>): readonly View[];
    }
  /** A draw, a pure function of the seed, the run and the element. */
  | {
      readonly kind: 'random';
      readonly kernel: string;
      /** From 0 to 2^53 - 1. */
      seed(attributes: A): number;
    }
  /** The bound value of a dimension, as a scalar. */
  | {
      readonly kind: 'extent';
      /** The dimension. */
      dim(attributes: A): Dim;
    }
  /** Composed of other ops. */
  | {
      readonly kind: 'compose';
      /** The node that stands for it: of its shape and dtype. */
      expand(inputs: readonly Node[], attributes: A): Node;
    };

/** Sent where there is no gradient: it counts as arrived. All `none` adds up to `none`. */
export const none: unique symbol = Symbol('none');

let isOurs: (value: object) => boolean;

/** A gradient for a window of an input only; the window has the gradient's shape. */
export class Part {
  static {
    brand(Part);
    isOurs = (value) => #made in value;
  }

  // Tells a part from an object that only has its prototype.
  readonly #made = true;
  /** Of the dtype of the input that it is sent to. */
  readonly gradient: Node;
  /** Where the window starts, along each axis. */
  readonly start: Shape;

  /**
   * Whether the window fits is checked when the part is sent.
   * @throws ValueError if `gradient` is not a node, or `start` is not a list of dimensions
   */
  constructor(gradient: Node, start: Shape) {
    if (!isNode(gradient)) {
      throw new ValueError(`Part: expected a node, but received ${describeValue(gradient)}`);
    }
    this.gradient = gradient;
    this.start = Object.freeze(assertList(start, 'Part: expected a list of positions,'));
    for (const at of this.start) {
      if (typeof at === 'number' || typeof at === 'string') continue;
      throw new ValueError(
        `Part: expected positions that are numbers or names, but received ${describeValue(at)}`,
      );
    }
  }
}

/** Whether `value` is a part of this copy of forebay. Never throws. */
export function isPart(value: unknown): value is Part {
  return typeof value === 'object' && value !== null && isOurs(value);
}

/** What a gradient rule sends to one input. */
export type Sent = Node | Part | typeof none;

/** What a gradient rule is given. */
export interface GradientContext<A> {
  /** The node that distributes; its value may be used by the rule. */
  readonly node: Node;
  /** The inputs of `node`: a rule sends one gradient to each. */
  readonly inputs: readonly Node[];
  /** What the op was told besides its inputs. */
  readonly attributes: A;
  /** The gradient of the root with respect to `node`; of its shape and dtype. */
  readonly gradient: Node;
}

/** An op through which no gradient flows, and why. */
export interface NotDifferentiable {
  /** Why there is none. */
  readonly notDifferentiable: string;
}

/**
 * Says, in an op's declaration, that no gradient flows through it, and why.
 * @throws ValueError if `reason` is not a string
 */
export function notDifferentiable(reason: string): NotDifferentiable {
  if (typeof reason !== 'string') {
    throw new ValueError(
      `notDifferentiable: expected a reason (a string), but received ${describeValue(reason)}`,
    );
  }
  return { notDifferentiable: reason };
}

/** One operand of a sample: values are drawn uniformly from [low, high), or given. */
export interface SampleInput {
  /** Of this operand. */
  readonly shape: readonly number[];
  /** Where drawn values begin. */
  readonly low?: number;
  /** Where drawn values end. */
  readonly high?: number;
  /** Keeps drawn values at least this far from 0, where the op has a kink there. */
  readonly gap?: number;
  /** The elements, in place of drawn ones, in row-major order. */
  readonly values?: readonly number[];
  /** `float64` unless told otherwise. */
  readonly dtype?: DType;
}

/** A use of the op that tests run: values against shapes, gradients against finite differences. */
export interface Sample {
  /** The operands, in order. */
  readonly inputs: readonly SampleInput[];
  /** Applies the op to them. */
  build(...inputs: Node[]): Node;
  /** True for the sample that shows operands of different shapes. */
  readonly broadcast?: boolean;
  /** The step of finite differences, where the usual one does not suit the op. */
  readonly step?: number;
}

/** A use that must be refused, and what the message must say. */
export interface Refusal {
  /** The use, which throws. */
  build(): unknown;
  /** The class of the error. */
  readonly error: new (
    message: string,
  ) => ForebayError;
  /** What its message must match. */
  readonly message: RegExp;
}

/** All there is to know of an op; `defineOp` makes a function of it, and tests can walk over its samples. */
export interface OpDeclaration<A extends object = object> {
  /** What errors, drawings and profiles call it; no two ops have one name. */
  readonly name: string;
  /** The number of inputs, or the least number of them for an op that takes any. */
  readonly arity: number | { readonly atLeast: number };
  /** True when operands of different shapes broadcast: a broadcast sample is then required. */
  readonly broadcasts?: boolean;
  /** True when equal attributes on the same inputs give the same node (views). */
  readonly interned?: boolean;
  /** The dtype of the result, or an error by `fail`. */
  dtype(inputs: readonly Node[], attributes: A, fail: Fail): DType;
  /** The shape of the result, or an error by `fail`. */
  shape(inputs: readonly Node[], attributes: A, fail: Fail): Shape;
  /** How it is computed. */
  readonly lowering: Lowering<A>;
  /** What it sends to its inputs, of the gradient that it got: `df` beside `f`. Or why it sends nothing. */
  readonly gradient: ((context: GradientContext<A>) => readonly Sent[]) | NotDifferentiable;
  /** At least three: one that is not square, one of rank 3 or more, one of zero size. */
  readonly samples: readonly Sample[];
  /** Uses that must be refused. */
  readonly refused: readonly Refusal[];
  /** What a drawing shows besides the name, such as an axis. */
  label?(attributes: A): string;
}

/** A declared op, its attributes' type erased: what a node carries. */
export type Op = Omit<OpDeclaration, 'gradient'> & {
  /** What it sends to its inputs: `none` to each where it is not differentiable. */
  gradient(context: GradientContext<object>): readonly Sent[];
  readonly notDifferentiable?: string;
};

const declared = new Map<string, Op>();

/** All declared ops by name, in the order of declaration; the tests and the docs walk over it. */
export function declaredOps(): ReadonlyMap<string, Op> {
  return declared;
}

/** Registers an op. @throws GraphError when the name is taken */
export function declareOp<A extends object>(declaration: OpDeclaration<A>): Op {
  if (declared.has(declaration.name)) {
    throw new GraphError(`defineOp: an op named '${declaration.name}' is declared already`);
  }
  const op = { ...declaration, ...gradientOf(declaration) } as unknown as Op;
  declared.set(op.name, op);
  return op;
}

function gradientOf<A extends object>({
  gradient,
}: OpDeclaration<A>): Pick<Op, 'gradient' | 'notDifferentiable'> {
  if (typeof gradient !== 'function') {
    return {
      gradient: ({ inputs }) => inputs.map(() => none),
      notDifferentiable: gradient.notDifferentiable,
    };
  }
  return { gradient: gradient as unknown as Op['gradient'] };
}
