/**
 * Rewrites that the builder applies while it makes a value: constant folding, identities, and products and sums of
 * assembled values. Each rewrite returns an equal value that is cheaper to compute, or undefined if the rewrite does
 * not apply.
 */

import { Constant, constant } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { prepareMap } from '../native/kernels.js';
import { type DType, typedArray } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import { type Block, columnBlocks } from './blocks.js';
import type { Builder } from './builder.js';
import { narrow, numberOf, type Ref, showsAll, viewed } from './value.js';
import { compose, count, dense, equalLists } from './view.js';

// The maximum number of elements of a folded constant. Larger values are computed in every run instead of being stored.
const maxFolded = 4096;

/** The smallest positive normal number of each dtype. */
const smallest: Readonly<Record<DType, number>> = {
  float32: 2 ** -126,
  float64: 2 ** -1022,
  int32: 1,
  bool: 1,
  uint8: 1,
};

function isNormal(number: number, dtype: DType): boolean {
  return Number.isFinite(number) && Math.abs(number) >= smallest[dtype];
}

/** If all operands of a map are constants and the result is not too large, returns the result as a constant. */
export function folded(
  build: Builder,
  kernel: string,
  dtype: DType,
  shape: readonly number[],
  args: readonly Ref[],
  converts: boolean,
): Ref | undefined {
  if (args.length === 0 || !args.every((arg) => arg.value.details.leaf instanceof Constant))
    return undefined;
  const numbers = args.every((arg) => numberOf(arg) !== undefined);
  const target = numbers ? [] : shape;
  if (count(shape) === 0 || count(target) > maxFolded) return undefined;
  build.fire('simplify: constant folding');
  const out = typedArray(dtype, count(target));
  const layouts = args.map((arg) => (numbers ? { offset: arg.offset, strides: [] } : arg));
  const sources = args.map((arg) => (arg.value.details.leaf as Constant).value.data);
  prepareMap(kernel, target, dense(target), layouts, converts ? 'cast' : 'map')(out, ...sources);
  const result = numbers
    ? constant(out[0] as number, { dtype })
    : new Constant(new Tensor(out, target, dtype));
  return build.stretch(build.leaf(result, target), shape);
}

/** Returns a value that equals the map and is cheaper, if an identity such as x * 1 = x applies. */
export function simpler(
  build: Builder,
  kernel: string,
  args: readonly Ref[],
  converts: boolean,
): Ref | undefined {
  const [x, y] = args as [Ref, Ref | undefined];
  if (converts || !x) return undefined;
  const simpler = () => {
    if (kernel === 'mul' && y && numberOf(y) === 1) return x;
    if (kernel === 'mul' && y && numberOf(x) === 1) return y;
    if (kernel === 'div' && y && numberOf(y) === 1) return x;
    if (kernel === 'sub' && y && Object.is(numberOf(y), 0)) return x;
    if (kernel === 'mul' && y) return scaledTwice(build, x, y) ?? scaledTwice(build, y, x);
    const inner = x.value;
    if (kernel === 'neg' && inner.kind === 'map' && inner.details.kernel === 'neg') {
      const within = compose(x, inner.args[0] as Ref);
      return within && viewed((inner.args[0] as Ref).value, within);
    }
    return undefined;
  };
  const result = simpler();
  if (result) build.fire('simplify: identity');
  return result;
}

/**
 * Returns factor * product with one multiplication instead of two, if `factor` is a number and `product` multiplies a
 * value by a number: a * (b * x) becomes (a * b) * x.
 */
function scaledTwice(build: Builder, factor: Ref, product: Ref): Ref | undefined {
  const { kind, details, args, node } = product.value;
  const [x, y] = args as readonly [Ref, Ref];
  if (numberOf(factor) === undefined || kind !== 'map' || details.kernel !== 'mul')
    return undefined;
  if (!showsAll(product) || !equalLists(product.shape, product.value.shape)) return undefined;
  const [inner, other] = numberOf(x) === undefined ? [y, x] : [x, y];
  if (numberOf(inner) === undefined || numberOf(other) !== undefined) return undefined;
  const { dtype } = factor.value;
  const both = build.map('mul', dtype, product.shape, [factor, inner]);
  // If the product of the two numbers overflows or is subnormal, the rewrite would change the result.
  if (!isNormal(numberOf(both) as number, dtype)) return undefined;
  return build.map('mul', dtype, product.shape, [both, other], node);
}

/**
 * If all terms are assembled values and their blocks have the same positions and shapes, returns the sum of the terms
 * as a value that is assembled from sums of blocks.
 */
export function sumOfAssembled(
  build: Builder,
  terms: readonly Ref[],
  node?: Node,
): Ref | undefined {
  const first = (terms[0] as Ref).value;
  const { starts } = first.details;
  const alike = (term: Ref) =>
    term.value.kind === 'assemble' &&
    !term.value.details.adds &&
    !term.value.details.gaps &&
    showsAll(term) &&
    equalLists(term.shape, first.shape) &&
    term.value.args.length === first.args.length &&
    term.value.args.every(
      (arg, i) =>
        equalLists(arg.shape, (first.args[i] as Ref).shape) &&
        equalLists(
          term.value.details.starts?.[i] as readonly number[],
          starts?.[i] as readonly number[],
        ),
    );
  if (!starts || !terms.every(alike)) return undefined;
  build.fire('simplify: sum of assembled values');
  const blocks = starts.map((start, i) => {
    const { shape } = first.args[i] as Ref;
    return {
      start,
      ref: build.sum(
        first.dtype,
        shape,
        terms.map((term) => term.value.args[i] as Ref),
        node,
      ),
    };
  });
  return build.assemble(first.dtype, first.shape, blocks, node);
}

/**
 * Splits the product of a concatenation. A concatenation along K gives a sum of products, a1 b1 + a2 b2. A
 * concatenation along M or N gives a value that is assembled from products.
 */
export function productOfBlocks(build: Builder, a: Ref, b: Ref, node?: Node): Ref | undefined {
  const { dtype } = a.value;
  const m = a.shape[0] as number;
  const n = b.shape[1] as number;
  const alongK = columnBlocks(a, 1) ?? columnBlocks(b, 0);
  if (alongK) {
    build.fire('simplify: product of a concat along K');
    const terms = alongK.map(([from, to]) =>
      build.product(
        build.resolve(narrow(a, 1, from, to)),
        build.resolve(narrow(b, 0, from, to)),
        node,
      ),
    );
    return build.sum(dtype, [m, n], terms, node);
  }
  const alongM = columnBlocks(a, 0);
  if (alongM) {
    build.fire('simplify: product of a concat along M');
    const blocks = alongM.map(([from, to]) => ({
      start: [from, 0],
      ref: build.product(build.resolve(narrow(a, 0, from, to)), b, node),
    }));
    return build.assemble(dtype, [m, n], blocks, node);
  }
  const alongN = columnBlocks(b, 1);
  if (!alongN) return undefined;
  build.fire('simplify: product of a concat along N');
  const blocks = alongN.map(([from, to]) => ({
    start: [0, from],
    ref: build.product(a, build.resolve(narrow(b, 1, from, to)), node),
  }));
  return build.assemble(dtype, [m, n], blocks, node);
}

/**
 * If the block is a whole assembled value whose blocks are not added and leave no gaps, returns the blocks of this
 * value, with their positions in the outer assembled value. Otherwise returns the block.
 */
export function blocksWithin(build: Builder, { ref, start }: Block): Block[] {
  const { value } = ref;
  const { starts, adds, gaps } = value.details;
  if (value.kind !== 'assemble' || !starts || adds || gaps) return [{ ref, start }];
  if (showsAll(ref) && equalLists(ref.shape, value.shape)) {
    build.fire('simplify: nested assemble');
    return value.args.map((arg, i) => ({
      ref: arg,
      start: start.map((at, axis) => at + (starts[i]?.[axis] as number)),
    }));
  }
  return [{ ref, start }];
}
