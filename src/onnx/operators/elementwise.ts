/** Operators that compute each element from elements at the same place: arithmetic, comparisons, logic, casts. */

import {
  addDims,
  type Dim,
  divideDims,
  floorDivideDim,
  multiplyDims,
  subtractDims,
} from '../../graph/dimension.js';
import { constant } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import {
  abs,
  acos,
  add,
  and,
  asin,
  atan,
  broadcastTo,
  cast,
  ceil,
  clamp,
  cos,
  cosh,
  div,
  dropout,
  equal,
  erf,
  exp,
  floor,
  greater,
  greaterEqual,
  isNaN as isNotANumber,
  less,
  lessEqual,
  log,
  log1p,
  maximum,
  minimum,
  mod,
  mul,
  neg,
  not,
  or,
  pow,
  reciprocal,
  round,
  sign,
  sin,
  sinh,
  sqrt,
  square,
  sub,
  tan,
  tanh,
  trunc,
  where,
  xor,
} from '../../ops/index.js';
import type { Call } from '../call.js';
import {
  type ElementType,
  elementTypeName,
  elementTypeOf,
  elementTypes,
  isFloatingType,
  Known,
  rangeOf,
} from '../elements.js';
import type { Value } from '../value.js';
import { elementwiseKnown, foldable, numeric, type Row, type Rows, row, wrapped } from './row.js';

/** A function of floats. */
const unary = (apply: (x: Node) => Node): Row => row((call) => apply(call.node(0)));

/** A function of floats and integers. */
const number = (apply: (x: Node) => Node, known?: (x: Dim) => Dim | undefined): Row =>
  row((call) => {
    const { type } = call.value(0);
    const folded = known && elementwiseKnown(call, type, known);
    return folded ?? call.as(type, numeric(type, [call.node(0)], apply));
  });

/** A function of two numbers of one type. */
const arithmetic = (
  apply: (a: Node, b: Node) => Node,
  known: (a: Dim, b: Dim) => Dim | undefined,
  operands: (call: Call) => readonly Node[] = (call) => call.nodes(),
): Row =>
  row((call) => {
    const { type } = call.value(0);
    const folded = elementwiseKnown(call, type, known);
    return folded ?? call.as(type, numeric(type, operands(call), apply));
  });

/** A function of any number of numbers of one type. */
const variadic = (
  apply: (a: Node, b: Node) => Node,
  known?: (a: Dim, b: Dim) => Dim | undefined,
  last: (sum: Node, count: number) => Node = (sum) => sum,
): Row =>
  row((call) => {
    const { type } = call.value(0);
    const folded =
      known &&
      elementwiseKnown(call, type, (first, ...others) =>
        others.reduce<Dim | undefined>((a, b) => (a === undefined ? a : known(a, b)), first),
      );
    const all = (...nodes: Node[]) => last(nodes.reduce(apply), nodes.length);
    return folded ?? call.as(type, numeric(type, call.nodes(), all));
  });

/** A comparison of two numbers. The result is bool. */
const comparison = (
  apply: (a: Node, b: Node) => Node,
  known: (a: Dim, b: Dim) => boolean | undefined,
): Row =>
  row((call) => {
    const folded = elementwiseKnown(call, elementTypes.bool, (a, b) => {
      const holds = known(a, b);
      return holds === undefined ? undefined : Number(holds);
    });
    if (folded !== undefined) return folded;
    const [a, b] = call.nodes() as [Node, Node];
    return call.as(elementTypes.bool, apply(a, b));
  });

/** A function of bools. */
const logic = (apply: (a: Node, b: Node) => Node, known: (a: number, b: number) => number): Row =>
  row((call) => {
    const folded = elementwiseKnown(call, elementTypes.bool, (a, b) => known(Number(a), Number(b)));
    const [a, b] = call.nodes() as [Node, Node];
    return folded ?? call.as(elementTypes.bool, apply(a, b));
  });

const onNumbers =
  <T>(apply: (a: number, b: number) => T) =>
  (a: Dim, b: Dim): T | undefined =>
    typeof a === 'number' && typeof b === 'number' ? apply(a, b) : undefined;

/** Whether a dimension is at least 0 for all values of its names, which are not negative. */
function isNatural(dim: Dim): boolean {
  return typeof dim === 'number' ? dim >= 0 : !dim.includes('-');
}

/** Returns whether two dimensions are equal; undefined if that depends on their names. */
function equalDims(a: Dim, b: Dim): boolean | undefined {
  if (a === b) return true;
  if (typeof a === 'number' && typeof b === 'number') return false;
  // Exporters compare a dimension with -1.
  const differ = (one: Dim, other: Dim) => isNatural(one) && typeof other === 'number' && other < 0;
  return differ(a, b) || differ(b, a) ? false : undefined;
}

/** Returns the larger of two dimensions; undefined if that depends on their names. */
function largerDim(a: Dim, b: Dim): Dim | undefined {
  if (typeof a === 'number' && typeof b === 'number') return Math.max(a, b);
  if (a === b || (isNatural(a) && typeof b === 'number' && b <= 0)) return a;
  return isNatural(b) && typeof a === 'number' && a <= 0 ? b : undefined;
}

/** Returns a / b, rounded towards 0. */
function quotient(a: Dim, b: Dim): Dim | undefined {
  if (b === 0) return undefined;
  if (typeof a === 'number' && typeof b === 'number') return Math.trunc(a / b);
  const exact = divideDims(a, b);
  if (exact !== undefined || typeof b !== 'number' || b < 0 || !isNatural(a)) return exact;
  return floorDivideDim(a, b);
}

/** The remainder with the sign of the dividend, as in C. */
function remainder(a: Node, b: Node): Node {
  const size = abs(b);
  return where(less(a, 0), neg(mod(neg(a), size)), mod(a, size));
}

/**
 * asinh(x) = log1p(x + x^2 / (1 + sqrt(1 + x^2))) for x >= 0, which is exact near 0. Of large numbers, whose squares
 * overflow, it is log(2 x).
 */
function asinh(x: Node): Node {
  const negative = less(x, 0);
  const size = where(negative, neg(x), x);
  const isLarge = greater(size, 1e9);
  const small = where(isLarge, 1, size);
  const squared = square(small);
  const near = log1p(add(small, div(squared, add(1, sqrt(add(1, squared))))));
  const value = where(isLarge, add(log(where(isLarge, size, 1)), Math.LN2), near);
  return where(negative, neg(value), value);
}

/** acosh(x) = log1p(t + sqrt(t) sqrt(t + 2)) with t = x - 1, which is exact near 1 and does not overflow. */
function acosh(x: Node): Node {
  const t = sub(x, 1);
  return log1p(add(t, mul(sqrt(t), sqrt(add(t, 2)))));
}

/** atanh(x) = log1p(2 x / (1 - x)) / 2, which is exact near 0. */
function atanh(x: Node): Node {
  return mul(0.5, log1p(div(mul(2, x), sub(1, x))));
}

/** Returns a value converted to a type. */
function converted(call: Call, value: Value, to: ElementType): Value {
  const known = foldable(value);
  if (known !== undefined && !isFloatingType(to)) {
    const floats = isFloatingType(value.type);
    const elements = known.elements.map((element): Dim | undefined => {
      if (typeof element !== 'number') return to.bytes >= 4 ? element : undefined;
      if (to === elementTypes.bool) return element !== 0 ? 1 : 0;
      if (floats && !Number.isFinite(element)) return undefined;
      return Math.trunc(element) + 0;
    });
    const [least, greatest] = to === elementTypes.bool ? [0, 1] : rangeOf(to);
    const fits = elements.every(
      (element) =>
        typeof element === 'string' ||
        (element !== undefined && element >= least && element <= greatest),
    );
    if (fits) return call.result(new Known(to, known.shape, elements as Dim[]));
  }
  const dtype = call.dtypeOf(to);
  const { node } = value;
  if (value.type === to || node.dtype === dtype) {
    if (isFloatingType(to) || node.dtype === 'bool') return value.as(to);
  }
  if (isFloatingType(to) || to.dtype === 'bool' || to.bytes >= 4 || node.dtype === 'bool') {
    return call.as(to, cast(node, dtype));
  }
  // Integers wrap around in the range of a smaller type. Floats are cut towards 0, and those out of range become the
  // nearest number of it; the specification leaves that open.
  const numbers = cast(node, 'float64');
  const [least, most] = rangeOf(to);
  const within = isFloatingType(value.type)
    ? clamp(numbers, { min: least, max: most })
    : wrapped(numbers, to);
  return call.as(to, cast(within, dtype));
}

function castTo(call: Call, code: number): Value {
  const to = elementTypeOf(code);
  if (to === undefined) return call.unsupported(`a cast to ${elementTypeName(code)}`);
  // These options are for types of 8 bits and fewer.
  call.int('saturate', 1);
  call.text('round_mode', undefined);
  return converted(call, call.value(0), to);
}

/** Limits numbers. A limit that is left out is undefined. */
function clipped(call: Call): Value {
  const value = call.value(0);
  const { type, node } = value;
  if (call.version < 11) {
    const [min, max] = [call.float('min', undefined), call.float('max', undefined)];
    return call.as(type, limited(node, min, max));
  }
  const [min, max] = [1, 2].map((index) =>
    call.has(index) ? (foldable(call.value(index))?.numbers()?.[0] ?? call.node(index)) : undefined,
  );
  return call.as(
    type,
    numeric(type, [node], (x) => limited(x, min, max)),
  );
}

function limited(x: Node, min: number | Node | undefined, max: number | Node | undefined): Node {
  if (min === undefined && max === undefined) return x;
  if (typeof min !== 'object' && typeof max !== 'object') {
    return clamp(x, { ...(min !== undefined && { min }), ...(max !== undefined && { max }) });
  }
  const of = (limit: number | Node) =>
    typeof limit === 'number' ? constant(limit, { dtype: x.dtype }) : cast(limit, x.dtype);
  const above = min === undefined ? x : maximum(x, of(min));
  return max === undefined ? above : minimum(above, of(max));
}

/** Returns the base to the power of an exponent, which may have another type. */
function power(call: Call): Value {
  const [base, exponent] = [call.value(0), call.value(1)];
  if (isFloatingType(base.type)) {
    return call.as(base.type, pow(base.node, cast(exponent.node, base.node.dtype)));
  }
  const [a, b] = [base.node, exponent.node].map((node) => cast(node, 'float64')) as [Node, Node];
  return call.as(base.type, cast(trunc(pow(a, b)), base.node.dtype));
}

const chosen = row((call) => {
  const [condition, a, b] = call.values() as [Value, Value, Value];
  const folded = elementwiseKnown(call, a.type, (holds, x, y) =>
    typeof holds === 'number' ? (holds ? x : y) : undefined,
  );
  return folded ?? call.as(a.type, where(condition.node, a.node, b.node));
});

function identityRow(call: Call): Value {
  return call.value(0);
}

export const elementwise: Rows = {
  Abs: number(abs, (x) => (typeof x === 'number' ? Math.abs(x) : isNatural(x) ? x : undefined)),
  Neg: number(neg, (x) => subtractDims(0, x)),
  Sign: number(sign, (x) => (typeof x === 'number' ? Math.sign(x) : undefined)),
  Exp: unary(exp),
  Log: unary(log),
  Sqrt: unary(sqrt),
  Reciprocal: unary(reciprocal),
  Floor: unary(floor),
  Ceil: unary(ceil),
  Round: unary(round),
  Sin: unary(sin),
  Cos: unary(cos),
  Tan: unary(tan),
  Asin: unary(asin),
  Acos: unary(acos),
  Atan: unary(atan),
  Sinh: unary(sinh),
  Cosh: unary(cosh),
  Tanh: unary(tanh),
  Asinh: unary(asinh),
  Acosh: unary(acosh),
  Atanh: unary(atanh),
  Erf: unary(erf),
  // ONNX has no such operator, but tf2onnx 1.17 writes it for the exact GELU of Keras.
  Erfc: unary((x) => sub(1, erf(x))),

  // A weight with a single element is the bias of a layer with one unit; other such numbers are constants.
  Add: arithmetic(add, addDims, (call) => [call.addend(0), call.addend(1)]),
  Sub: arithmetic(sub, subtractDims),
  Mul: arithmetic(mul, multiplyDims),
  Div: row((call) => {
    const { type } = call.value(0);
    const folded = elementwiseKnown(call, type, quotient);
    if (folded !== undefined) return folded;
    const whole = isFloatingType(type) ? div : (a: Node, b: Node) => trunc(div(a, b));
    return call.as(type, numeric(type, call.nodes(), whole));
  }),
  Mod: row((call) => {
    const { type } = call.value(0);
    const likeC = call.flag('fmod');
    const folded = elementwiseKnown(
      call,
      type,
      onNumbers((a, b) => (likeC || b === 0 ? a % b : a - b * Math.floor(a / b))),
    );
    return folded ?? call.as(type, numeric(type, call.nodes(), likeC ? remainder : mod));
  }),
  Pow: row(power),
  Max: variadic(maximum, largerDim),
  Min: variadic(minimum, onNumbers(Math.min)),
  Sum: variadic(add),
  Mean: variadic(add, undefined, (sum, count) => div(sum, count)),
  Clip: row(clipped),

  Equal: comparison(equal, equalDims),
  Less: comparison(
    less,
    onNumbers((a, b) => a < b),
  ),
  LessOrEqual: comparison(
    lessEqual,
    onNumbers((a, b) => a <= b),
  ),
  Greater: comparison(
    greater,
    onNumbers((a, b) => a > b),
  ),
  GreaterOrEqual: comparison(
    greaterEqual,
    onNumbers((a, b) => a >= b),
  ),
  And: logic(and, (a, b) => a & b),
  Or: logic(or, (a, b) => a | b),
  Xor: logic(xor, (a, b) => a ^ b),
  Not: row((call) => {
    const folded = elementwiseKnown(call, elementTypes.bool, (x) => (x === 0 ? 1 : 0));
    return folded ?? call.as(elementTypes.bool, not(call.node(0)));
  }),
  IsNaN: row((call) => call.as(elementTypes.bool, isNotANumber(call.node(0)))),
  IsInf: row((call) => {
    const x = call.node(0);
    const [negative, positive] = [
      call.flag('detect_negative', true),
      call.flag('detect_positive', true),
    ];
    const found = [
      ...(positive ? [equal(x, Number.POSITIVE_INFINITY)] : []),
      ...(negative ? [equal(x, Number.NEGATIVE_INFINITY)] : []),
    ];
    return call.as(
      elementTypes.bool,
      found.length === 0 ? less(abs(x), 0) : found.reduce((a, b) => or(a, b)),
    );
  }),
  Where: chosen,

  Cast: row((call) => castTo(call, call.int('to', 0))),
  CastLike: row((call) => castTo(call, call.value(1).type.code)),
  Identity: row(identityRow),
  Dropout: row((call) => {
    call.int('seed', 0);
    const x = call.value(0);
    const rate =
      call.version < 12
        ? call.float('ratio', 0.5)
        : call.has(1)
          ? call.number(1, 'the ratio')
          : 0.5;
    const live = call.version >= 12 && call.has(2) && call.number(2, 'training_mode') !== 0;
    if (live && rate > 0) call.unsupported('training_mode, in which its result is random');
    const kept = broadcastTo(constant(1, { dtype: 'bool' }), x.shape);
    return [call.as(x.type, dropout(x.node, { rate })), call.as(elementTypes.bool, kept)];
  }, 'training_mode'),
};
