/** `unary` and `binary` declare element-wise ops of one and of two operands. They define what these ops share. */

import type { Node } from '../graph/node.js';
import type {
  GradientContext,
  Local,
  LocalContext,
  NotDifferentiable,
  OpDeclaration,
  Sent,
} from '../graph/op.js';
import { broadcastFrom } from '../graph/window.js';
import { sumTo } from './broadcast.js';
import { declare } from './declare.js';
import { broadcastShape, floatingDType } from './rules.js';
import {
  type Binary,
  binarySamples,
  type Range,
  refusesIntegers,
  refusesMismatch,
  type Unary,
  unarySamples,
} from './samples.js';

/** The rule `local` of an element-wise op, whose operands may broadcast. */
export function elementwise<A>({ node, inputs, attributes, region }: LocalContext<A>): Local<A> {
  return {
    inputs: inputs.map(({ shape }) => broadcastFrom(region, shape, node.shape)),
    attributes,
  };
}

/** The argument of `unary`: the properties in which element-wise ops of one operand differ. */
export interface UnaryDeclaration {
  readonly name: string;
  /** The interval from which the elements of the samples are drawn. */
  readonly domain: Range;
  /** Computes the op by other ops. By default, the op has a kernel of its own. */
  readonly expand?: (x: Node) => Node;
  /** The gradient rule. Returns the gradient for `x`. The op computes `y` from `x`, and `g` is the gradient for `y`. */
  readonly gradient: ((g: Node, x: Node, y: Node) => Node) | NotDifferentiable;
}

/** Declares an element-wise op of one operand, and returns its function. The kernel has the same name as the op. */
export function unary({ name, domain, expand, gradient }: UnaryDeclaration): Unary {
  const function_: Unary = (x) => apply([x], {});
  const apply = declare({
    name,
    arity: 1,
    dtype: floatingDType,
    shape: ([x]) => (x as Node).shape,
    lowering: expand
      ? { kind: 'compose', expand: ([x]) => expand(x as Node) }
      : { kind: 'map', kernel: name },
    gradient:
      typeof gradient === 'function'
        ? ({ node, inputs, gradient: g }) => [gradient(g, inputs[0] as Node, node)]
        : gradient,
    local: elementwise,
    samples: unarySamples((x) => function_(x), domain),
    refused: [refusesIntegers(name, (x) => function_(x))],
  });
  return function_;
}

/** The argument of `binary`: the properties in which element-wise ops of two operands differ. */
export interface BinaryDeclaration {
  readonly name: string;
  /** The intervals from which the elements of the samples are drawn, for the first and the second operand. */
  readonly domains: readonly [Range, Range];
  /** The dtype rule. By default, both operands must have the same dtype, float32 or float64. */
  readonly dtype?: OpDeclaration['dtype'] | undefined;
  /** Computes the op by other ops. By default, the op has a kernel of its own. */
  readonly expand?: Binary;
  /**
   * The gradient rule. Returns the gradients for `a` and for `b`, both in the shape of the result `y`; `g` is the
   * gradient for `y`. Then `sumTo` reduces the gradients to the shapes of the operands.
   */
  readonly gradient:
    | ((g: Node, a: Node, b: Node, y: Node) => readonly [Node, Node])
    | NotDifferentiable;
}

/**
 * Declares an element-wise op of two operands that broadcast, and returns its function. The kernel has the same name as
 * the op.
 */
export function binary({ name, domains, dtype, expand, gradient }: BinaryDeclaration): Binary {
  const function_: Binary = (a, b) => apply([a, b], {});
  const apply = declare({
    name,
    arity: 2,
    broadcasts: true,
    dtype: dtype ?? floatingDType,
    shape: broadcastShape,
    lowering: expand
      ? { kind: 'compose', expand: ([a, b]) => expand(a as Node, b as Node) }
      : { kind: 'map', kernel: name },
    gradient: typeof gradient === 'function' ? unbroadcast(gradient) : gradient,
    local: elementwise,
    samples: binarySamples((a, b) => function_(a, b), ...domains),
    refused: [
      ...refusesMismatch(name, (a, b) => function_(a, b)),
      ...(dtype ? [] : [refusesIntegers(name, (x) => function_(x, x))]),
    ],
  });
  return function_;
}

/**
 * Returns a gradient rule that calls `rule`, and sums each gradient over the axes along which its operand was
 * broadcast.
 */
function unbroadcast(
  rule: (g: Node, a: Node, b: Node, y: Node) => readonly [Node, Node],
): (context: GradientContext<object>) => readonly Sent[] {
  return ({ node, inputs, gradient }) => {
    const [a, b] = inputs as readonly [Node, Node];
    const [forA, forB] = rule(gradient, a, b, node);
    return [sumTo(forA, a), sumTo(forB, b)];
  };
}
