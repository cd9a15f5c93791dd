/**
 * Rules for matrix products [M, K] x [K, N]. They do not match a product that is added onto a third operand. After the
 * products of concatenations are split, the pass `share` merges products anew.
 */

import type { Node } from '../../../graph/node.js';
import { columnBlocks } from '../../../ir/blocks.js';
import type { Builder } from '../../../ir/builder.js';
import type { Definition, Rule } from '../../../ir/rule.js';
import { narrow, numberOf, type Ref, transposed } from '../../../ir/value.js';

const zeroProduct: Rule = {
  name: 'simplify: zero product',
  matches: 'a product one of whose operands is 0',
  gives: 'the column sums of 0 * the other operand, broadcast',
  exact:
    'an element is NaN if the other operand has a NaN or an infinity in its column, otherwise 0',
  kernel: undefined,
  apply: ({ shape, args, node }, build) => {
    if (args.length > 2) return undefined;
    const [a, b] = [args[0] as Ref, args[1] as Ref];
    if (numberOf(a) === 0) return build.stretch(timesZero(build, b, node), shape);
    if (numberOf(b) !== 0) return undefined;
    const [m, n] = shape as readonly [number, number];
    return transposed(build.stretch(timesZero(build, transposed(a), node), [n, m]));
  },
};

/** Returns the product [1, N] of a row of zeros and a matrix [K, N]. Column sums are faster than a product. */
function timesZero(build: Builder, matrix: Ref, node?: Node): Ref {
  const { value, shape } = matrix;
  const zeros = build.filled(0, value.dtype, shape);
  const terms = build.map('mul', value.dtype, shape, [zeros, matrix], node);
  return build.reshape(build.columnSum(terms, node), [1, shape[1] as number], node);
}

const alongK: Rule = {
  name: 'simplify: product of a concat along K',
  matches: '[a1 a2] b, a [b1; b2]',
  gives: 'a1 b1 + a2 b2, where the operand that is not a concatenation is sliced',
  exact: 'up to rounding: the terms of an element are added in another order',
  kernel: undefined,
  apply: ({ dtype, shape, args, node }, build) => {
    const [a, b] = [args[0] as Ref, args[1] as Ref];
    const ranges = args.length > 2 ? undefined : (columnBlocks(a, 1) ?? columnBlocks(b, 0));
    if (!ranges) return undefined;
    const terms = ranges.map(([from, to]) => {
      const left = build.resolve(narrow(a, 1, from, to));
      return build.product(left, build.resolve(narrow(b, 0, from, to)), node);
    });
    return build.sum(dtype, shape, terms, node);
  },
};

const alongM: Rule = {
  name: 'simplify: product of a concat along M',
  matches: '[a1; a2] b',
  gives: '[a1 b; a2 b]',
  exact: 'every element is the sum of the same terms',
  kernel: undefined,
  apply: (value, build) => {
    const [a, b] = [value.args[0] as Ref, value.args[1] as Ref];
    const ranges = value.args.length > 2 ? undefined : columnBlocks(a, 0);
    return (
      ranges &&
      assembled(value, build, 0, ranges, (from, to) =>
        build.product(build.resolve(narrow(a, 0, from, to)), b, value.node),
      )
    );
  },
};

const alongN: Rule = {
  name: 'simplify: product of a concat along N',
  matches: 'a [b1 b2]',
  gives: '[a b1, a b2]',
  exact: 'every element is the sum of the same terms',
  kernel: undefined,
  apply: (value, build) => {
    const [a, b] = [value.args[0] as Ref, value.args[1] as Ref];
    const ranges = value.args.length > 2 ? undefined : columnBlocks(b, 1);
    return (
      ranges &&
      assembled(value, build, 1, ranges, (from, to) =>
        build.product(a, build.resolve(narrow(b, 1, from, to)), value.node),
      )
    );
  },
};

/** Returns a value that is assembled from one block for each range of its rows (axis 0) or columns (axis 1). */
function assembled(
  { dtype, shape, node }: Definition,
  build: Builder,
  axis: 0 | 1,
  ranges: readonly (readonly [from: number, to: number])[],
  block: (from: number, to: number) => Ref,
): Ref {
  const blocks = ranges.map(([from, to]) => ({
    start: axis === 0 ? [from, 0] : [0, from],
    ref: block(from, to),
  }));
  return build.assemble(dtype, shape, blocks, node);
}

/** The rules that split the product of a concatenation. The pass `share` drops them, because it makes such products. */
export const splits: readonly Rule[] = [alongK, alongM, alongN];

export const productRules: readonly Rule[] = [zeroProduct, ...splits];
