/**
 * Ops: each op has one declaration, which the graph, differentiation, both executors, the tests and the drawings read.
 * Nothing in this file depends on a particular op.
 */

import { brand, describeValue } from '../arguments/describe.js';
import { assertList } from '../arguments/read.js';
import { type ForebayError, GraphError, ValueError } from '../errors.js';
import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Shape } from './dimension.js';
import type { Lowering, SeveralLowering } from './lowering.js';
import { isNode, type Node } from './node.js';
import type { Results } from './results.js';
import type { Region } from './window.js';

/** An operand of an op. A tensor or a number becomes a constant node. */
export type Operand = Node | Tensor | number;

/**
 * The methods with which the shape rule or the dtype rule of an op refuses its inputs. Each throws a typed error, whose
 * message names the op, the layer that is being applied, and the operands that have names.
 */
export interface Fail {
  /** Refuses a shape. @throws ShapeError, whose message begins with `where`, followed by `message` */
  shape(message: string): never;
  /** Refuses a dtype. @throws DTypeError, whose message begins with `where`, followed by `message` */
  dtype(message: string): never;
  /** Refuses any other argument. @throws ValueError, whose message begins with `where`, followed by `message` */
  value(message: string): never;
  /** The beginning of each message: the op, and the layer that is being applied, if any, as in `[matmul 'lstm']`. */
  readonly where: string;
}

/**
 * The value that a gradient rule sends over an edge through which no gradient flows. It counts as an arrived gradient
 * and adds nothing. If a node receives only `none`, it sends `none` to all its inputs, and `Gradients.of` returns zeros
 * for it.
 */
export const none: unique symbol = Symbol('none');

let isOurs: (value: object) => boolean;

/**
 * A gradient for only a window of an input. The window has the shape of the gradient. Outside the window, the gradient
 * of the input is 0.
 */
export class Part {
  static {
    brand(Part);
    isOurs = (value) => #made in value;
  }

  // The constructor sets this private field. An object that only has the prototype of a part lacks it.
  readonly #made = true;
  /** The gradient of the window. It has the dtype of the input to which the part is sent. */
  readonly gradient: Node;
  /** The index of the window's first element in the input, along each axis. */
  readonly start: Shape;
  /** The distance from one element of the window to the next, along each axis. It may be negative. */
  readonly step: readonly number[];

  /**
   * Makes a part. When the part is sent, it is checked that the window fits into the input.
   * @param start the index of the window's first element in the input, along each axis
   * @param step the distance from one element of the window to the next, along each axis: integers, which may be
   *   negative but not 0; by default 1 for each axis
   * @throws ValueError if `gradient` is not a node, `start` is not a list of numbers and names, or `step` is not a list
   *   of integers that are not 0
   */
  constructor(gradient: Node, start: Shape, step?: readonly number[]) {
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
    this.step = Object.freeze(
      step === undefined
        ? this.start.map(() => 1)
        : assertList(step, 'Part: expected a list of steps,'),
    );
    for (const by of this.step) {
      if (Number.isSafeInteger(by) && by !== 0) continue;
      throw new ValueError(
        `Part: expected steps that are integers and not 0, but received ${describeValue(by)}`,
      );
    }
  }
}

/** Returns whether `value` is a Part that this copy of forebay made. Never throws. */
export function isPart(value: unknown): value is Part {
  return typeof value === 'object' && value !== null && isOurs(value);
}

/** The value that a gradient rule sends to one input: a node of the input's shape and dtype, a part, or `none`. */
export type Sent = Node | Part | typeof none;

/** The argument of a gradient rule. */
export interface GradientContext<A> {
  /**
   * The node that sends gradients to its inputs. The rule may use its value. If the op has a rule `local`, this and the
   * inputs may be slices: of the node for which the rule is called, and of its inputs. Then use only their values, shapes
   * and dtypes, not `node.inputs` or `node.attributes`.
   */
  readonly node: Node;
  /** The inputs. The rule returns one gradient for each, of its shape. */
  readonly inputs: readonly Node[];
  /** The arguments of the op besides its inputs. */
  readonly attributes: A;
  /** The gradient of the root of the backward pass with respect to `node`. It has the shape and dtype of `node`. */
  readonly gradient: Node;
  /**
   * Differentiates an inner graph: runs a backward pass from the roots, which ends at the sources. Use it in the rule of
   * an op whose result is computed by a graph. The inner graph must not contain the node itself.
   * @param roots pairs of a root and its starting gradient, which has the shape and dtype of the root. A root may occur
   *   several times
   * @param sources the nodes whose gradients are wanted
   * @returns the gradient of each source; `none` if no gradient flows to it from a root
   * @throws GraphError if a root or a source is not a node, `roots` is empty, or the inner graph contains the node;
   *   ValueError if an argument is not a list; ShapeError or DTypeError if a starting
   *   gradient does not fit its root
   */
  differentiate(
    roots: readonly (readonly [root: Node, gradient: Node])[],
    sources: readonly Node[],
  ): readonly (Node | typeof none)[];
}

/** The argument of the gradient rule of an op with several results. */
export interface SeveralContext<A> extends Omit<GradientContext<A>, 'gradient'> {
  /**
   * For each key, the gradient of the root of the backward pass with respect to this result, in its shape and dtype;
   * `none` if no gradient flows to it. At least one of them is a node.
   */
  readonly gradients: Readonly<Record<string, Node | typeof none>>;
}

/** The argument of `OpDeclaration.local`. */
export interface LocalContext<A>
  extends Pick<GradientContext<A>, 'node' | 'inputs' | 'attributes'> {
  /** A region of `node`. */
  readonly region: Region;
}

/** What the elements of a region of a node depend on. */
export interface Local<A> {
  /** The region of each input. */
  readonly inputs: readonly Region[];
  /** The attributes with which the op computes the region of the node from these regions of the inputs. */
  readonly attributes: A;
}

/** The value of `gradient` in the declaration of an op through which no gradient flows. */
export interface NotDifferentiable {
  /** The reason why no gradient flows. */
  readonly notDifferentiable: string;
}

/**
 * Declares that no gradient flows through an op. Use the result as the `gradient` of the op's declaration.
 * @param reason why there is no gradient
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

/** One operand of a sample. Its elements are either given as `values`, or drawn uniformly from [low, high). */
export interface SampleInput {
  /** The shape of the operand. */
  readonly shape: readonly number[];
  /** The lower bound of drawn elements. It is included. */
  readonly low?: number;
  /** The upper bound of drawn elements. It is not included. */
  readonly high?: number;
  /** The smallest absolute value of drawn elements. Use it for an op that is not differentiable at 0. */
  readonly gap?: number;
  /** The elements in row-major order. If they are given, no elements are drawn. */
  readonly values?: readonly number[];
  /** The dtype; `float64` by default. */
  readonly dtype?: DType;
}

/**
 * A use of the op for tests. The tests compare the shape of the result with the shape rule, and the gradients with
 * finite differences.
 */
export interface Sample {
  /** The operands, in order. */
  readonly inputs: readonly SampleInput[];
  /** Applies the op to the operands. */
  build(...inputs: Node[]): Node;
  /** True for a sample whose operands have different shapes and broadcast. */
  readonly broadcast?: boolean;
  /** The step size of the finite differences, if the default of `checkGradients` does not suit the op. */
  readonly step?: number;
}

/** A use of the op that must be refused, and the expected error. */
export interface Refusal {
  /** Applies the op, which must throw. */
  build(): unknown;
  /** The class of the error. */
  readonly error: new (
    message: string,
  ) => ForebayError;
  /** A pattern that the message must match. */
  readonly message: RegExp;
}

/** The complete declaration of an op. `defineOp` makes a function from it. Tests can use its samples. */
export interface OpDeclaration<A extends object = object> {
  /** The name of the op in errors, drawings and profiles. No two ops have the same name. */
  readonly name: string;
  /** The number of inputs. For an op with a variable number of inputs, the least number. */
  readonly arity: number | { readonly atLeast: number };
  /** True if operands of different shapes broadcast. Then `samples` must contain a broadcast sample. */
  readonly broadcasts?: boolean;
  /**
   * If true, applying the op again to the same input with equal attributes returns the existing node. This is used for
   * views. It has an effect only if the op is applied to one input.
   */
  readonly interned?: boolean;
  /** Returns the dtype of the result, or refuses the inputs with `fail`. */
  dtype(inputs: readonly Node[], attributes: A, fail: Fail): DType;
  /** Returns the shape of the result, or refuses the inputs with `fail`. */
  shape(inputs: readonly Node[], attributes: A, fail: Fail): Shape;
  /** How the op is computed. */
  readonly lowering: Lowering<A>;
  /**
   * The gradient rule, which returns one gradient for each input; or the reason why no gradient flows through the op.
   */
  readonly gradient: ((context: GradientContext<A>) => readonly Sent[]) | NotDifferentiable;
  /**
   * For an op whose elements do not depend on all elements of the inputs: returns the regions of the inputs on which a
   * region of the result depends; undefined if it depends on all. If the gradient of a node arrives for only a region,
   * because only a slice of the node is read, the gradient rule is called for this region: its inputs and its node then
   * are slices, its attributes are those that this function returns, and its gradients are sent on as parts. So the
   * zeros around the region are not multiplied.
   */
  local?(context: LocalContext<A>): Local<A> | undefined;
  /**
   * At least three uses of the op for tests: one with a shape that is not square, one of rank 3 or more, and one of
   * size 0.
   */
  readonly samples: readonly Sample[];
  /** Uses that the op must refuse. */
  readonly refused: readonly Refusal[];
  /** Returns a text, such as the axis, that drawings show next to the name of the op. */
  label?(attributes: A): string;
}

/** The declaration of an op with several results, such as the sorted elements and their indices. */
export interface SeveralDeclaration<A extends object = object>
  extends Omit<OpDeclaration<A>, 'dtype' | 'shape' | 'lowering' | 'gradient' | 'local' | 'label'> {
  /**
   * Returns the dtype and the shape of each result by its key, or refuses the inputs with `fail`. The keys do not depend
   * on the inputs.
   */
  results(inputs: readonly Node[], attributes: A, fail: Fail): Results;
  /** How the op is computed. */
  readonly lowering: SeveralLowering<A>;
  /**
   * The gradient rule, which gets a gradient or `none` for each result, and returns one gradient for each input; or the
   * reason why no gradient flows through the op.
   */
  readonly gradient: ((context: SeveralContext<A>) => readonly Sent[]) | NotDifferentiable;
  /** Returns a text, such as the axis, that drawings show next to the name of the op. */
  label?(attributes: A): string;
}

/** A declared op, without the type of its attributes. Each node refers to the op that it applies. */
export type Op = Omit<OpDeclaration, 'gradient'> & {
  /** The gradient rule. If the op is not differentiable, it returns `none` for each input. */
  gradient(context: GradientContext<object> | SeveralContext<object>): readonly Sent[];
  readonly notDifferentiable?: string;
  /** Returns the results by key, if the op has several. Then `dtype` and `shape` mean nothing. */
  readonly results?: SeveralDeclaration['results'];
};

const declared = new Map<string, Op>();

/** Returns all declared ops by name, in the order of their declarations. Tests and docs use it. */
export function declaredOps(): ReadonlyMap<string, Op> {
  return declared;
}

/** The dtype and the shape of an op with several results, which has no value of its own. */
const placeholders: Pick<Op, 'dtype' | 'shape'> = { dtype: () => 'float32', shape: () => [] };

/** Registers an op and returns it. @throws GraphError if an op with this name is declared already */
export function declareOp<A extends object>(
  declaration: OpDeclaration<A> | SeveralDeclaration<A>,
): Op {
  if (declared.has(declaration.name)) {
    throw new GraphError(`defineOp: an op named '${declaration.name}' is declared already`);
  }
  const op = { ...placeholders, ...declaration, ...gradientOf(declaration) } as unknown as Op;
  declared.set(op.name, op);
  return op;
}

/** Returns the gradient rule of an op. If the op is not differentiable, the rule returns `none` for each input. */
function gradientOf<A extends object>({
  gradient,
}: OpDeclaration<A> | SeveralDeclaration<A>): Pick<Op, 'gradient' | 'notDifferentiable'> {
  if (typeof gradient !== 'function') {
    return {
      gradient: ({ inputs }) => inputs.map(() => none),
      notDifferentiable: gradient.notDifferentiable,
    };
  }
  return { gradient: gradient as unknown as Op['gradient'] };
}
