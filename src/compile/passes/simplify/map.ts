/** Rules for element-wise values: maps, and what sums share with them. */

import { Constant, constant } from '../../../graph/leaf.js';
import type { Builder } from '../../../ir/builder.js';
import type { Definition, Rule } from '../../../ir/rule.js';
import type { Target } from '../../../ir/target.js';
import { narrow, numberOf, type Ref, showsAll, viewed } from '../../../ir/value.js';
import { compose, count, dense, equalLists } from '../../../ir/view.js';
import { prepareMap } from '../../../native/kernels.js';
import { type DType, smallestNormal, typedArray } from '../../../tensor/dtype.js';
import { Tensor } from '../../../tensor/tensor.js';

const constantFolding: Rule = {
  name: 'simplify: constant folding',
  matches:
    'a map whose operands are constants, and which has few elements (`Target.memory.folded`)',
  gives: 'a constant',
  exact: 'the constant is computed by the same kernel',
  kernel: undefined,
  apply: ({ dtype, shape, args, details }, build) => {
    if (args.length === 0 || !args.every(isConstant)) return undefined;
    const numbers = args.every((arg) => numberOf(arg) !== undefined);
    const target = numbers ? [] : shape;
    if (count(target) > build.target.memory.folded) return undefined;
    const { kernel, converts } = details;
    const layouts = args.map((arg) => (numbers ? { offset: arg.offset, strides: [] } : arg));
    const family = converts ? 'cast' : 'map';
    const run = prepareMap(kernel as string, target, dense(target), layouts, family);
    const folded = (operands: readonly Constant[]): Constant => {
      const out = typedArray(dtype, count(target));
      run(out, ...operands.map(({ value }) => value.data));
      return numbers
        ? constant(out[0] as number, { dtype })
        : new Constant(new Tensor(out, target, dtype));
    };
    const leaves = args.map((arg) => arg.value.details.leaf as Constant);
    const known = folded(leaves);
    const formulas = leaves.map((leaf) => build.formulas.get(leaf));
    const varies =
      leaves.every(({ value }) => value.size === 1) &&
      formulas.some((formula) => formula !== undefined);
    const result = varies
      ? build.computed(known, target, (bindings) =>
          folded(leaves.map((leaf, i) => formulas[i]?.(bindings) ?? leaf)),
        )
      : build.leaf(known, target);
    return build.stretch(result, shape);
  },
};

function isConstant({ value }: Ref): boolean {
  return value.details.leaf instanceof Constant;
}

const factorOfOne: Rule = {
  name: 'simplify: factor or divisor of 1',
  matches: 'x * 1, 1 * x, x / 1',
  gives: 'x',
  exact: 'a product and a quotient by 1 are not rounded',
  kernel: undefined,
  apply: ({ args, details: { kernel } }) => {
    if (kernel !== 'mul' && kernel !== 'div') return undefined;
    if (numberOf(args[1] as Ref) === 1) return args[0];
    return kernel === 'mul' && numberOf(args[0] as Ref) === 1 ? args[1] : undefined;
  },
};

const zeroSubtrahend: Rule = {
  name: 'simplify: zero subtrahend',
  matches: 'x - 0',
  gives: 'x',
  exact: '-0 - 0 is -0, too. The rule does not match x - -0, because -0 - -0 is 0',
  kernel: 'sub',
  apply: ({ args }) => (Object.is(numberOf(args[1] as Ref), 0) ? args[0] : undefined),
};

const doubleNegation: Rule = {
  name: 'simplify: double negation',
  matches: '-(-x)',
  gives: 'x',
  exact: 'a negation only changes the sign',
  kernel: 'neg',
  apply: ({ args }) => {
    const ref = args[0] as Ref;
    if (!isMap(ref, 'neg')) return undefined;
    const inner = ref.value.args[0] as Ref;
    const within = compose(ref, inner);
    return within && viewed(inner.value, within);
  },
};

const twoFactors: Rule = {
  name: 'simplify: two factors',
  matches: 'a * (b * x), where a and b are numbers',
  gives: '(a * b) * x',
  exact: 'up to rounding. The rule does not match if a * b overflows, or is zero or subnormal',
  kernel: 'mul',
  apply: ({ args }, build) => {
    const [x, y] = [args[0] as Ref, args[1] as Ref];
    return scaledTwice(build, x, y) ?? scaledTwice(build, y, x);
  },
};

/** Returns factor * product with one multiplication, if `factor` is a number and `product` multiplies by a number. */
function scaledTwice(build: Builder, factor: Ref, product: Ref): Ref | undefined {
  if (numberOf(factor) === undefined || !isMap(product, 'mul')) return undefined;
  if (!showsAll(product) || !equalLists(product.shape, product.value.shape)) return undefined;
  const [x, y] = product.value.args as readonly [Ref, Ref];
  const [inner, other] = numberOf(x) === undefined ? [y, x] : [x, y];
  if (numberOf(inner) === undefined || numberOf(other) !== undefined) return undefined;
  const { dtype } = factor.value;
  const both = build.map('mul', dtype, product.shape, [factor, inner]);
  if (!isNormal(numberOf(both) as number, dtype)) return undefined;
  return build.map('mul', dtype, product.shape, [both, other], product.value.node);
}

function isMap({ value }: Ref, kernel: string): boolean {
  return value.kind === 'map' && value.details.kernel === kernel;
}

function isNormal(number: number, dtype: DType): boolean {
  return Number.isFinite(number) && Math.abs(number) >= smallestNormal[dtype];
}

/**
 * Whether this is a mask that each loop that reads it computes again: a bool that one map computes from leaves, of which
 * it reads at most one whole. A causal mask is one: it compares the indices of rows and columns.
 */
export function isLeafMask(
  { kind, dtype, shape, args }: Omit<Definition, 'details' | 'node'>,
  { maskShare }: Target['loop'],
): boolean {
  if (kind !== 'map' || dtype !== 'bool') return false;
  let whole = 0;
  for (const arg of args) {
    if (arg.value.kind !== 'leaf') return false;
    const read = count(arg.shape.filter((_, axis) => arg.strides[axis] !== 0));
    if (read * maskShare > count(shape)) whole++;
  }
  return whole <= 1;
}

function isBroadcastMap({ value, shape }: Ref): boolean {
  return value.kind === 'map' && value.dtype === 'bool' && count(shape) > value.size;
}

/** Returns the elements that the ref reads of a mask of leaves, computed one by one, if the mask is broadcast. */
function stretchedMask(ref: Ref, build: Builder): Ref | undefined {
  if (!isBroadcastMap(ref)) return undefined;
  const { value, shape } = ref;
  const { kind, dtype, details, node } = value;
  const args: Ref[] = [];
  for (const arg of value.args) {
    const view = compose(ref, arg);
    if (!view) return undefined;
    args.push(viewed(arg.value, view));
  }
  if (!isLeafMask({ kind, dtype, shape, args }, build.target.loop)) return undefined;
  return build.map(details.kernel as string, dtype, shape, args, node, details.converts);
}

const broadcastMask: Rule = {
  name: 'simplify: broadcast mask',
  matches: 'a map that reads a broadcast bool which one map computes from leaves (a causal mask)',
  gives:
    'the map of a bool with as many elements as are read, which the loops that read it compute again',
  exact: 'the elements are computed by the same kernels from the same numbers',
  kernel: undefined,
  apply: ({ dtype, shape, args, details, node }, build) => {
    if (!args.some(isBroadcastMap)) return undefined;
    let found = false;
    const stretched = args.map((arg) => {
      const mask = stretchedMask(arg, build);
      found ||= mask !== undefined;
      return mask ?? arg;
    });
    if (!found) return undefined;
    return build.map(details.kernel as string, dtype, shape, stretched, node, details.converts);
  },
};

/** Also a rule of sums. */
export const repeatedMap: Rule = {
  name: 'simplify: repeated map',
  matches:
    'an element-wise value, but not a mask of leaves, all of whose operands repeat along an axis (their strides are 0)',
  gives: 'the value for one index of this axis, broadcast along it',
  exact: 'all elements along the axis are computed from the same numbers',
  kernel: undefined,
  apply: (value, build) => {
    const { shape, args } = value;
    let found = false;
    for (let axis = 0; axis < shape.length; axis++) found ||= repeatsAlong(value, axis);
    if (!found || isLeafMask(value, build.target.loop)) return undefined;
    const repeats = shape.map((_, axis) => repeatsAlong(value, axis));
    const once = (ref: Ref): Ref =>
      repeats.reduce((r, repeated, axis) => (repeated ? narrow(r, axis, 0, 1) : r), ref);
    const small = shape.map((size, axis) => (repeats[axis] ? 1 : size));
    return build.stretch(build.value({ ...value, shape: small, args: args.map(once) }), shape);
  },
};

function repeatsAlong({ shape, args }: Definition, axis: number): boolean {
  if ((shape[axis] as number) <= 1) return false;
  for (let i = 0; i < args.length; i++) if ((args[i] as Ref).strides[axis] !== 0) return false;
  return args.length > 0;
}

export const mapRules: readonly Rule[] = [
  constantFolding,
  factorOfOne,
  zeroSubtrahend,
  doubleNegation,
  twoFactors,
  broadcastMask,
  repeatedMap,
];
