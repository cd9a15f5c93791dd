/** Ops that compute each element from elements at the same place. */

import type { Node } from '../../graph/node.js';
import type { DType } from '../../tensor/dtype.js';
import { isFloating } from '../../tensor/dtype.js';
import type { Emitter } from './emitter.js';
import { attributesOf, type Exported, expansion, type Rows, row, same } from './row.js';

/** Emits nodes by short calls. The operands are names of values, or numbers of the dtype of the op. */
export function calculator(emitter: Emitter, dtype: DType) {
  return (type: string, ...operands: readonly (string | number)[]): string =>
    emitter.op(
      type,
      operands.map((operand) =>
        typeof operand === 'number' ? emitter.number(operand, dtype) : operand,
      ),
    );
}

type Calculate = ReturnType<typeof calculator>;

/** A function of one operand that several operators compute. */
const formula = (to: string, compute: (op: Calculate, x: string, dtype: DType) => string) =>
  row(to, ({ emitter, node: { dtype }, names: [x] }) =>
    compute(calculator(emitter, dtype), x as string, dtype),
  );

/** A comparison. ONNX has no order of bools, so those are compared by logic. */
const comparison = (type: string, logic: (op: Calculate, a: string, b: string) => string) =>
  row(type, ({ emitter, inputs: [first], names }) => {
    const [a, b] = names as [string, string];
    return (first as Node).dtype === 'bool'
      ? logic(calculator(emitter, 'bool'), a, b)
      : emitter.op(type, [a, b]);
  });

/** log(1 + x). Near 0, the rounding error of the sum is divided out: Higham, Accuracy and Stability, 2002, section 1.14. */
function log1p(op: Calculate, x: string): string {
  const sum = op('Add', x, 1);
  const logarithm = op('Log', sum);
  const near = op('Div', op('Mul', logarithm, x), op('Sub', sum, 1));
  const below = op('Where', op('Equal', sum, 1), x, near);
  return op('Where', op('Less', x, 1), below, logarithm);
}

/** e^x - 1. Near 0, the rounding error of the power is divided out, in the same way. */
function expm1(op: Calculate, x: string): string {
  const power = op('Exp', x);
  const far = op('Sub', power, 1);
  const near = op('Div', op('Mul', far, x), op('Log', power));
  const below = op('Where', op('Equal', power, 1), x, near);
  return op('Where', op('Less', op('Abs', x), 1), below, far);
}

/** The angle of the point (x, y). The result for two infinities is that for their signs. */
function atan2(op: Calculate, y: string, x: string): string {
  const infinite = op('And', isInfinite(op, y), isInfinite(op, x));
  const rise = op('Where', infinite, op('Sign', y), y);
  // A zero of the sign - would turn the angle around.
  const flat = op('Equal', x, 0);
  const run = op('Where', flat, 0, op('Where', infinite, op('Sign', x), x));
  const angle = op('Atan', op('Div', rise, run));
  const half = op('Where', op('Less', y, 0), -Math.PI, Math.PI);
  const turned = op('Where', op('Less', run, 0), op('Add', angle, half), angle);
  return op('Where', op('And', flat, op('Equal', y, 0)), 0, turned);
}

function isInfinite(op: Calculate, x: string): string {
  return op('Equal', op('Abs', x), Infinity);
}

/** The remainder with the sign of the divisor. For floats, ONNX has only the one with the sign of the dividend. */
function mod({ emitter, node, names }: Exported): string {
  const [a, b] = names as [string, string];
  if (!isFloating(node.dtype)) return emitter.op('Mod', [a, b]);
  const op = calculator(emitter, node.dtype);
  const rest = emitter.op('Mod', [a, b], { fmod: 1 });
  const differs = op('Xor', op('Less', rest, 0), op('Less', b, 0));
  const wraps = op('And', differs, op('Not', op('Equal', rest, 0)));
  return op('Where', wraps, op('Add', rest, b), rest);
}

/** Selects elements. ONNX Runtime selects no bools, so those are selected by logic. */
function where({ emitter, node, names }: Exported): string {
  const [condition, a, b] = names as [string, string, string];
  if (node.dtype !== 'bool') return emitter.op('Where', names);
  const op = calculator(emitter, 'bool');
  return op('Or', op('And', condition, a), op('And', op('Not', condition), b));
}

/**
 * Converts elements. Floats that are out of the range of an integer become the nearest number in it, and NaN becomes 0,
 * which ONNX leaves undefined.
 */
function cast({ emitter, node, inputs, names }: Exported): string {
  const [x] = names as [string];
  const from = (inputs[0] as Node).dtype;
  const to = node.dtype;
  const op = calculator(emitter, from);
  if (isFloating(from) && (to === 'int32' || to === 'uint8')) {
    const number = op('Where', op('IsNaN', x), 0, x);
    if (to === 'uint8') return emitter.cast(op('Clip', number, 0, 255), to);
    // 2^31 - 1 is no float32, so the last number is limited as an integer.
    const whole = emitter.cast(op('Clip', number, -(2 ** 31), 2 ** 31), to);
    return emitter.op('Min', [whole, emitter.number(2 ** 31 - 1, to)]);
  }
  if (from === 'int32' && to === 'uint8') return emitter.cast(op('Clip', x, 0, 255), to);
  return emitter.cast(x, to);
}

/** Adds all operands. */
function addN({ emitter, names }: Exported): string {
  if (names.length === 1) return names[0] as string;
  return emitter.op(names.length === 2 ? 'Add' : 'Sum', names);
}

function clamp(exported: Exported): string {
  const { emitter, node, names } = exported;
  const { min, max } = attributesOf<{ min: number | undefined; max: number | undefined }>(exported);
  const limit = (bound: number | undefined) =>
    bound === undefined ? undefined : emitter.number(bound, node.dtype);
  const upper = limit(max);
  return emitter.op('Clip', [names[0], limit(min), ...(upper === undefined ? [] : [upper])]);
}

const isFloat32 = ({ dtype }: Node) => dtype === 'float32';

export const elementwise: Rows = {
  add: same('Add'),
  sub: same('Sub'),
  mul: same('Mul'),
  div: same('Div'),
  pow: same('Pow'),
  mod: row('Mod', mod),
  addN: row('Sum', addN),
  maximum: same('Max'),
  minimum: same('Min'),
  clamp: row('Clip', clamp),

  neg: same('Neg'),
  abs: same('Abs'),
  sign: same('Sign'),
  square: formula('Mul', (op, x) => op('Mul', x, x)),
  sqrt: same('Sqrt'),
  rsqrt: formula('Sqrt, Div', (op, x) => op('Div', 1, op('Sqrt', x))),
  exp: same('Exp'),
  expm1: formula('Exp, Log and others', expm1),
  log: same('Log'),
  log1p: formula('Log and others', log1p),
  sin: same('Sin'),
  cos: same('Cos'),
  // ONNX Runtime has Tan in float32 only.
  tan: formula('Tan', (op, x, dtype) =>
    dtype === 'float32' ? op('Tan', x) : op('Div', op('Sin', x), op('Cos', x)),
  ),
  asin: same('Asin'),
  acos: same('Acos'),
  atan: same('Atan'),
  atan2: row('Atan and others', ({ emitter, node, names }) => {
    const [y, x] = names as [string, string];
    return atan2(calculator(emitter, node.dtype), y, x);
  }),
  // ONNX Runtime computes these two in float32 only.
  sinh: row('Sinh', ({ emitter, names }) => emitter.op('Sinh', names), isFloat32),
  cosh: row('Cosh', ({ emitter, names }) => emitter.op('Cosh', names), isFloat32),
  erf: same('Erf'),
  floor: same('Floor'),
  ceil: same('Ceil'),
  round: same('Round'),
  trunc: formula('Floor, Ceil', (op, x) =>
    op('Where', op('Less', x, 0), op('Ceil', x), op('Floor', x)),
  ),

  sigmoid: same('Sigmoid'),
  tanh: same('Tanh'),
  relu: same('Relu'),
  softplus: row('Softplus', ({ emitter, node, names: [x] }) => {
    // ONNX Runtime has it in float64 only for operator set 18, where it overflows.
    if (node.dtype === 'float32') return emitter.op('Softplus', [x]);
    const op = calculator(emitter, node.dtype);
    const rest = log1p(op, op('Exp', op('Neg', op('Abs', x as string))));
    return op('Add', op('Max', x as string, 0), rest);
  }),
  gelu: row(
    'Gelu',
    ({ emitter, names }) => emitter.op('Gelu', names, { approximate: 'none' }),
    (_node, opset) => opset >= 20,
  ),
  tanhGelu: row(
    'Gelu',
    ({ emitter, names }) => emitter.op('Gelu', names, { approximate: 'tanh' }),
    // The constants of the operator are those of float32.
    (node, opset) => opset >= 20 && isFloat32(node),
  ),
  silu: expansion('Sigmoid, Mul, Max, Min'),
  mish: row(
    'Mish',
    ({ emitter, names }) => emitter.op('Mish', names),
    (node, opset) => opset >= 18 && isFloat32(node),
  ),

  greater: comparison('Greater', (op, a, b) => op('And', a, op('Not', b))),
  greaterEqual: comparison('GreaterOrEqual', (op, a, b) => op('Or', a, op('Not', b))),
  less: comparison('Less', (op, a, b) => op('And', op('Not', a), b)),
  lessEqual: comparison('LessOrEqual', (op, a, b) => op('Or', op('Not', a), b)),
  equal: same('Equal'),
  notEqual: row('Equal, Not', ({ emitter, names }) =>
    emitter.op('Not', [emitter.op('Equal', names)]),
  ),
  where: row('Where', where),
  cast: row('Cast', cast),
  oneHot: expansion('Equal, Cast'),
  and: same('And'),
  or: same('Or'),
  xor: same('Xor'),
  not: same('Not'),
  isNaN: same('IsNaN'),
  isFinite: expansion('Abs, Less'),
};
