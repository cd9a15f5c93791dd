/**
 * Estimates the rounding errors of a graph's values. The magnitude of an element is proportional to a bound of its
 * rounding error. Magnitudes are computed node by node: a subtraction adds the magnitudes of its operands, and a
 * function multiplies the magnitude of its argument by its slope. The class also finds runs that cannot be compared,
 * because a value is not finite, has too many digits to be exact, or is too near to a kink. A kink is a point at which
 * a function or its slope jumps.
 */

import { expansionOf } from '../../../src/evaluate/lowered.js';
import { type Bindings, bindDim } from '../../../src/graph/dimension.js';
import type { RoutineShapes, SeveralRoutineShapes } from '../../../src/graph/lowering.js';
import { boundResults, resultIn } from '../../../src/graph/results.js';
import { layoutOf } from '../../../src/graph/window.js';
import { Leaf, type Node } from '../../../src/index.js';
import type { DType, TypedArray } from '../../../src/tensor/dtype.js';
import { convolutionSizes } from './convolutions.js';
import type { Numbers } from './draft.js';
import { routineSizes } from './routine-sizes.js';
import { addInto, isFloats, type Known, known, type Sizes, Unfit } from './sizes.js';
import { exactness, kinks, type Slope, slopes } from './slopes.js';
import { indices, reducedTo, sizeOf, stretched } from './walk.js';

/**
 * If the distance of a value from a kink is below this margin, rounding may decide on which side of the kink the value
 * is.
 */
const kinkMargins = { float32: 1e-3, float64: 1e-6 } as const;
/** Above this magnitude, the bound is not valid, because it is computed from first derivatives only. */
const maxMagnitudes = { float32: 1e3, float64: 1e7 } as const;
/** The largest number of bits after the binary point that the numbers of an exact graph may have. */
const maxFractionBits = 6;

/** Returns the nodes from which a node is computed. For a result, they are the inputs of the op with several results. */
const operandsOf = (node: Node) => (resultIn(node)?.several ?? node).inputs;

export class Magnitudes {
  readonly #known = new Map<Node, Known>();
  readonly #nearKink: number;

  /**
   * @param order all nodes, inputs before their parents, with their values
   * @throws Unfit
   */
  constructor(
    order: readonly Node[],
    values: readonly TypedArray[],
    private readonly bindings: Bindings,
    private readonly numbers: Numbers,
    /** The magnitudes and the exactness of leaves that earlier runs have written. */
    carried: ReadonlyMap<Node, Sizes> = new Map(),
  ) {
    this.#nearKink = kinkMargins[numbers.dtype];
    order.forEach((node, i) => {
      const value = values[i] as TypedArray;
      const shape = node.shape.map((dim) => bindDim(dim, bindings));
      const expansion = expansionOf(node);
      if (expansion) {
        this.#known.set(node, this.#of(expansion));
        return;
      }
      const sizes = carried.get(node) ?? this.#sizes(node, shape, value);
      const fractionBits = this.#check(node, value, sizes.magnitude);
      this.#known.set(node, { shape, value, sizes, fractionBits });
    });
  }

  of(node: Node): Sizes {
    return this.#of(node).sizes;
  }

  /** Returns the largest magnitude of the elements of a node. */
  largest(node: Node): number {
    return this.of(node).magnitude.reduce((most, size) => Math.max(most, size), 0);
  }

  #of(node: Node): Known {
    return this.#known.get(node) as Known;
  }

  /**
   * Checks that the values of a node can be compared.
   * @returns the number of bits after the binary point that the values need; 0 for numbers that need not be exact
   */
  #check(node: Node, value: TypedArray, magnitude: Float64Array): number {
    if (!isFloats(value)) return 0;
    // A comparison reads the draw of a dropout. Other nodes that read a draw are checked themselves.
    if (node.op.name === 'randomUniform') return 0;
    let [most, bits] = [0, 0];
    for (let i = 0; i < value.length; i++) {
      const number = value[i] as number;
      if (!Number.isFinite(number)) throw new Unfit('not finite');
      most = Math.max(most, magnitude[i] as number);
      while (!Number.isInteger(number * 2 ** bits) && bits <= maxFractionBits) bits++;
    }
    if (!this.numbers.exact) {
      if (!(most < maxMagnitudes[this.numbers.dtype])) throw new Unfit('too large');
      return 0;
    }
    if (bits > maxFractionBits) throw new Unfit('too fine');
    const operands = operandsOf(node).map((input) => this.#of(input).fractionBits);
    const { kind } = node.op.lowering;
    const multiplies = kind === 'product' || kind === 'convolution' || node.op.name === 'mul';
    const fine = multiplies
      ? operands.reduce((sum, own) => sum + own, 0)
      : Math.max(bits, ...operands) * (node.op.name === 'square' ? 2 : 1);
    const digits = this.numbers.dtype === 'float32' ? 24 : 53;
    if (most * 2 ** fine >= 2 ** digits) throw new Unfit('too large to be exact');
    return bits;
  }

  #sizes(node: Node, shape: readonly number[], value: TypedArray): Sizes {
    const result = resultIn(node);
    const { lowering } = (result?.several ?? node).op;
    const args = operandsOf(node).map((input) => this.#of(input));
    const first = args[0] as Known;
    if (node instanceof Leaf || lowering.kind === 'random' || lowering.kind === 'extent') {
      return known(value);
    }
    const bound = {
      attributes: (result?.several ?? node).attributes,
      shape,
      inputShapes: args.map((arg) => arg.shape),
      bind: (dim: number | string) => bindDim(dim, this.bindings),
      bindings: this.bindings,
      results: boundResults(result?.several ?? node, this.bindings, bindDim),
    };
    switch (lowering.kind) {
      case 'alias':
        return first.sizes;
      case 'view': {
        const { offset, strides } = lowering.view(bound);
        return gathered(first.sizes, indices(shape, offset, strides));
      }
      case 'cast':
        return this.#cast(first, value, node.dtype);
      case 'map':
        return this.#map(lowering.kernel, node, args, shape, value);
      case 'accumulate':
        return this.#accumulate(args);
      case 'reduce':
        return this.#reduce(lowering.kernel, first, lowering.axes(node.attributes), value);
      case 'product':
        return this.#product(args as [Known, Known], lowering.transposes(node.attributes), shape);
      case 'place': {
        const result = known(new Float64Array(value.length));
        lowering.windows(bound).forEach((window, i) => {
          const arg = args[i] as Known;
          const { offset, strides } = layoutOf(window, shape);
          const to = indices(window.shape, offset, strides);
          for (let j = 0; j < to.length; j++) addInto(result, to[j] as number, arg.sizes, j);
        });
        return result;
      }
      case 'convolution': {
        const { computes } = lowering;
        const operands = args as readonly Known[] as [Known, Known];
        return convolutionSizes(lowering.call(bound), computes, operands, this.numbers.exact);
      }
      case 'routine': {
        const nearTie = this.#nearKink;
        const { exact } = this.numbers;
        const call = lowering.call(bound) as RoutineShapes & Partial<SeveralRoutineShapes>;
        return routineSizes(lowering.routine, {
          ...call,
          write: (result && call.writes?.[result.key]) ?? call.write,
          args,
          value,
          nearTie,
          exact,
        });
      }
      default:
        throw new Error(`no magnitude for ${node} of kind ${lowering.kind}`);
    }
  }

  #cast({ value: from, sizes }: Known, value: TypedArray, dtype: DType): Sizes {
    if (isFloats(value)) return known(value);
    for (let i = 0; i < from.length; i++) {
      const near = dtype === 'bool' ? 0 : Math.round(from[i] as number);
      const distance = Math.abs((from[i] as number) - near);
      if (!this.numbers.exact && distance < this.#nearKink && sizes.exact[i] === 0) {
        throw new Unfit('near a jump');
      }
    }
    return known(value);
  }

  #map(
    kernel: string,
    node: Node,
    args: readonly Known[],
    shape: readonly number[],
    value: TypedArray,
  ): Sizes {
    const slope = slopes[kernel] as Slope;
    const kink = this.numbers.exact ? undefined : kinks[kernel];
    const keeps = exactness[kernel];
    const maps = args.map((arg) => stretched(shape, arg.shape));
    const result = known(new Float64Array(value.length));
    const [a, b, c] = args;
    // In an exact graph, the partial sums of a sum must be exact, too, so the magnitudes of all its terms are added.
    // All other kernels read and return complete sums, so the magnitude of their result is its absolute value.
    const additive = kernel === 'add' || kernel === 'sub' || kernel === 'neg';
    const own = this.numbers.exact && !additive;
    const selects = kernel === 'equal' && isItsMaximum(node);
    for (let i = 0; i < value.length; i++) {
      const at = (arg: number) => (maps[arg] as Int32Array)[i] as number;
      const [x, xs, xe] = read(a, a ? at(0) : 0);
      const [y, ys, ye] = read(b, b ? at(1) : 0);
      const [z, zs, ze] = read(c, c ? at(2) : 0);
      const v = value[i] as number;
      result.magnitude[i] = own ? Math.abs(v) : slope(v, x, xs, y, ys, z, zs);
      const safe = kernel === 'where' ? xe > 0 : xe > 0 && (ye > 0 || !b);
      if (kink && !safe && Math.abs(kink(x, y)) < this.#nearKink && !(selects && x === y)) {
        throw new Unfit('near a kink');
      }
      // A result that is not a float is the same number in both executors, or a kink was near.
      result.exact[i] = Number(!isFloats(value) || (keeps ? keeps(x, xe, y, ye, z, ze) : xe > 0));
    }
    return result;
  }

  #accumulate(args: readonly Known[]): Sizes {
    const [first, ...others] = args as readonly [Known, ...Known[]];
    const result = { magnitude: first.sizes.magnitude.slice(), exact: first.sizes.exact.slice() };
    for (const { sizes } of others) {
      for (let i = 0; i < result.exact.length; i++) addInto(result, i, sizes, i);
    }
    return result;
  }

  #reduce(kernel: string, from: Known, axes: readonly number[], value: TypedArray): Sizes {
    const to = reducedTo(from.shape, axes);
    if (kernel === 'sum') {
      const result = known(new Float64Array(value.length));
      for (let i = 0; i < to.length; i++) addInto(result, to[i] as number, from.sizes, i);
      return result;
    }
    const largest = new Float64Array(value.length).fill(Number.NEGATIVE_INFINITY);
    for (let i = 0; i < to.length; i++) {
      const out = to[i] as number;
      largest[out] = Math.max(largest[out] as number, from.value[i] as number);
    }
    const result = known(value);
    const near = new Int32Array(value.length);
    result.exact.fill(1);
    for (let i = 0; i < to.length; i++) {
      const out = to[i] as number;
      if ((largest[out] as number) - (from.value[i] as number) >= this.#nearKink) continue;
      near[out] = (near[out] as number) + 1;
      if (from.sizes.exact[i] === 0) result.exact[out] = 0;
      const size = from.sizes.magnitude[i] as number;
      if (kernel === 'max' && !this.numbers.exact) {
        result.magnitude[out] = Math.max(result.magnitude[out] as number, size);
      }
    }
    // If two elements are nearly equal, rounding may decide which is the largest.
    const undecided = near.some((count, out) => count > 1 && result.exact[out] === 0);
    if (undecided && !this.numbers.exact) throw new Unfit('near a tie');
    if (kernel === 'argmax') result.exact.fill(1);
    return result;
  }

  #product(
    [a, b]: readonly [Known, Known],
    transposes: { readonly a: boolean; readonly b: boolean },
    shape: readonly number[],
  ): Sizes {
    const [m, n] = shape.slice(-2) as [number, number];
    const k = (transposes.a ? a.shape.at(-2) : a.shape.at(-1)) as number;
    const batch = shape.slice(0, -2);
    const starts = [a, b].map((arg) => stretched(batch, arg.shape.slice(0, -2)));
    const result = known(new Float64Array(sizeOf(shape)));
    // In an exact graph, the operands are complete sums, so their absolute values are used instead of their magnitudes.
    const [left, right] = [a, b].map(({ value, sizes }) =>
      this.numbers.exact ? Float64Array.from(value, Math.abs) : sizes.magnitude,
    ) as [Float64Array, Float64Array];
    for (let out = 0; out < result.exact.length; out++) {
      const which = Math.floor(out / (m * n));
      const [i, j] = [Math.floor((out % (m * n)) / n), out % n];
      const fromA = ((starts[0] as Int32Array)[which] as number) * m * k;
      const fromB = ((starts[1] as Int32Array)[which] as number) * k * n;
      let [total, exact] = [0, 1];
      for (let l = 0; l < k; l++) {
        const p = fromA + (transposes.a ? l * m + i : i * k + l);
        const q = fromB + (transposes.b ? j * k + l : l * n + j);
        total += (left[p] as number) * (right[q] as number);
        const zero = a.value[p] === 0 ? a.sizes.exact[p] : b.value[q] === 0 && b.sizes.exact[q];
        if (!zero) exact = 0;
      }
      result.magnitude[out] = total;
      result.exact[out] = exact;
    }
    return result;
  }
}

function gathered({ magnitude, exact }: Sizes, from: Int32Array): Sizes {
  const result = known(new Float64Array(from.length));
  for (let i = 0; i < from.length; i++) {
    result.magnitude[i] = magnitude[from[i] as number] as number;
    result.exact[i] = exact[from[i] as number] as number;
  }
  return result;
}

function read(arg: Known | undefined, at: number): [value: number, size: number, exact: number] {
  if (!arg) return [0, 0, 1];
  const { value, sizes } = arg;
  return [value[at] as number, sizes.magnitude[at] as number, sizes.exact[at] as number];
}

/**
 * Returns true if a node compares x with the maximum of x. The largest elements then equal the maximum bit for bit, so
 * rounding does not decide the comparison.
 */
function isItsMaximum({ inputs }: Node): boolean {
  const [x, largest] = inputs as readonly [Node, Node];
  let source = largest;
  while (source.op.lowering.kind === 'alias') source = source.inputs[0] as Node;
  return source.op.name === 'max' && source.inputs[0] === x;
}
