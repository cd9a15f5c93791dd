/** The op `einsum`: sums of products of elements, written in Einstein's notation. */

import { calledAs } from '../graph/calls.js';
import { type Dim, sizeOfDims } from '../graph/dimension.js';
import { lift } from '../graph/leaf.js';
import { failFor, type Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { mul } from './arithmetic.js';
import { sum } from './broadcast.js';
import { equal, where } from './comparison.js';
import { matmul } from './matmul.js';
import { positions } from './positions.js';
import { floatingDType } from './rules.js';
import { slice } from './slice.js';
import { type Label, subscriptsOf } from './subscripts.js';
import { reshape, transpose } from './views.js';

/** A tensor whose axes have labels, each once. */
interface Factor {
  readonly node: Node;
  readonly labels: readonly Label[];
}

/** The length that counts for a named dimension when an order of contraction is chosen. */
const typicalLength = 64;

/** Returns the diagonal of a square matrix at the end of the shape [.., n, n], of shape [.., n]. */
function diagonal(x: Node): Node {
  const n = x.shape.at(-1) as Dim;
  const lead = x.shape.slice(0, -2);
  if (typeof n !== 'number') {
    const onDiagonal = equal(reshape(positions(n), [n, 1]), positions(n));
    return sum(where(onDiagonal, x, 0), -1);
  }
  if (n < 2) return reshape(x, [...lead, n]);
  return slice(reshape(x, [...lead, n * n]), { axis: -1, step: n + 1 });
}

/** Returns the operand with each label once: of axes with equal labels, the diagonal is left. */
function withoutRepeats({ node, labels }: Factor): Factor {
  const second = labels.findIndex((label, axis) => labels.indexOf(label) < axis);
  if (second < 0) return { node, labels };
  const first = labels.indexOf(labels[second] as Label);
  const rest = labels.map((_, axis) => axis).filter((axis) => axis !== first && axis !== second);
  return withoutRepeats({
    node: diagonal(transpose(node, [...rest, first, second])),
    labels: [...rest.map((axis) => labels[axis] as Label), labels[first] as Label],
  });
}

/** Returns the factor without the axes that are broadcast: those of length 1 whose label has another length. */
function withoutOnes({ node, labels }: Factor, lengths: ReadonlyMap<Label, Dim>): Factor {
  const kept = labels
    .map((_, axis) => axis)
    .filter((axis) => node.shape[axis] === lengths.get(labels[axis] as Label));
  return {
    node: reshape(
      node,
      kept.map((axis) => node.shape[axis] as Dim),
    ),
    labels: kept.map((axis) => labels[axis] as Label),
  };
}

/** Returns the factor summed over the axes whose labels are not among `kept`. */
function summed({ node, labels }: Factor, kept: ReadonlySet<Label>): Factor {
  const axes = labels.map((_, axis) => axis).filter((axis) => !kept.has(labels[axis] as Label));
  if (axes.length === 0) return { node, labels };
  return { node: sum(node, axes), labels: labels.filter((label) => kept.has(label)) };
}

/** Returns the factor with its axes in the order of the labels. Labels that it lacks get axes of length 1. */
function arranged({ node, labels }: Factor, order: readonly Label[]): Node {
  const present = order.filter((label) => labels.includes(label));
  const turned = transpose(
    node,
    present.map((label) => labels.indexOf(label)),
  );
  let next = 0;
  const shape = order.map((label) => (labels.includes(label) ? (turned.shape[next++] as Dim) : 1));
  return reshape(turned, shape);
}

/**
 * Multiplies two factors, and sums over the labels that are not among `kept`. Both factors have each of these labels.
 */
function product(a: Factor, b: Factor, kept: ReadonlySet<Label>): Factor {
  const both = a.labels.filter((label) => b.labels.includes(label));
  const batch = both.filter((label) => kept.has(label));
  const inner = both.filter((label) => !kept.has(label));
  const rows = a.labels.filter((label) => !both.includes(label));
  const columns = b.labels.filter((label) => !both.includes(label));
  const labels = [...batch, ...rows, ...columns];
  if (inner.length === 0) return { node: mul(arranged(a, labels), arranged(b, labels)), labels };
  if (rows.length === 0 && columns.length === 0) {
    const all = [...batch, ...inner];
    return summed({ node: mul(arranged(a, all), arranged(b, all)), labels: all }, kept);
  }
  const size = (of: Factor, list: readonly Label[]) =>
    sizeOfDims(list.map((label) => of.node.shape[of.labels.indexOf(label)] as Dim));
  const lead = batch.map((label) => a.node.shape[a.labels.indexOf(label)] as Dim);
  const [m, n, k] = [size(a, rows), size(b, columns), size(a, inner)];
  // An operand is read as it lies in memory if its inner labels are in front of the others.
  const transposeA = isInFront(a, inner);
  const transposeB = !isInFront(b, inner);
  const left = reshape(
    arranged(a, transposeA ? [...batch, ...inner, ...rows] : [...batch, ...rows, ...inner]),
    [...lead, ...(transposeA ? [k, m] : [m, k])],
  );
  const right = reshape(
    arranged(b, transposeB ? [...batch, ...columns, ...inner] : [...batch, ...inner, ...columns]),
    [...lead, ...(transposeB ? [n, k] : [k, n])],
  );
  const shape = [
    ...lead,
    ...rows.map((label) => a.node.shape[a.labels.indexOf(label)] as Dim),
    ...columns.map((label) => b.node.shape[b.labels.indexOf(label)] as Dim),
  ];
  return { node: reshape(matmul(left, right, { transposeA, transposeB }), shape), labels };
}

/** Whether the last label of a factor is not among `inner`. */
function isInFront({ labels }: Factor, inner: readonly Label[]): boolean {
  return !inner.includes(labels.at(-1) as Label);
}

/** Returns the number of multiplications of a product of two factors, as far as it is known. */
function cost(a: Factor, b: Factor): number {
  const dims = [
    ...a.node.shape,
    ...b.node.shape.filter((_, axis) => !a.labels.includes(b.labels[axis] as Label)),
  ];
  return dims.reduce<number>(
    (total, dim) => total * (typeof dim === 'number' ? Math.max(1, dim) : typicalLength),
    1,
  );
}

/** Returns the indices of the two factors whose product needs the fewest multiplications. */
function cheapest(factors: readonly Factor[]): [number, number] {
  let best: [number, number] = [0, 1];
  let least = Infinity;
  for (let i = 0; i < factors.length; i++) {
    for (let j = i + 1; j < factors.length; j++) {
      const multiplications = cost(factors[i] as Factor, factors[j] as Factor);
      if (multiplications < least) [best, least] = [[i, j], multiplications];
    }
  }
  return best;
}

/**
 * Multiplies elements of the operands whose subscripts are equal, and sums over the letters that the result does not
 * have: `einsum('bij,bjk->bik', a, b)` is a batched matrix product, `einsum('ii', a)` a trace and `einsum('ij->ji', a)`
 * a transpose. The meaning is that of PyTorch's `einsum`.
 *
 * - Without `->`, the result has the letters that occur once, in alphabetical order (capitals first), after the axes of
 *   `...`.
 * - `...` stands for any number of axes, which broadcast. If the output subscripts lack it, its axes are summed.
 * - A letter that an operand has twice selects the diagonal.
 * - Axes of length 1 are broadcast to the length that another operand has for the letter.
 *
 * More than two operands are multiplied in pairs. Each time, the two are chosen whose product needs the fewest
 * multiplications; a named dimension counts as 64. The products are matrix products wherever a letter is summed.
 * @param subscripts the letters of the axes of each operand, separated by commas, and after `->` those of the result
 * @param operands at least one, of one dtype, float32 or float64
 * @throws ValueError if the subscripts are not valid, or are for another number of operands, or if an operand is not a
 *   Node, Tensor or number; ShapeError if an operand has another number of axes, or if the lengths of a letter differ;
 *   DTypeError if the dtypes differ or are not floating-point
 */
export function einsum(subscripts: string, ...operands: readonly Operand[]): Node {
  return calledAs('einsum', () => {
    const nodes = lift('einsum', operands);
    const fail = failFor({ name: 'einsum' }, nodes);
    if (nodes.length === 0) fail.value('expected at least one operand after the subscripts');
    floatingDType(nodes, {}, fail);
    const { operands: labels, result, lengths } = subscriptsOf(subscripts, nodes, fail);
    let factors = nodes.map((node, i) =>
      withoutOnes(withoutRepeats({ node, labels: labels[i] as readonly Label[] }), lengths),
    );
    /** Returns the labels that the result or one of these factors has. */
    const needed = (others: readonly Factor[]) =>
      new Set([...result, ...others.flatMap((factor) => factor.labels)]);
    factors = factors.map((factor, i) => summed(factor, needed(factors.toSpliced(i, 1))));
    while (factors.length > 1) {
      const [i, j] = cheapest(factors);
      const [a, b] = [factors[i] as Factor, factors[j] as Factor];
      const rest = factors.toSpliced(j, 1).toSpliced(i, 1);
      // The labels of the second factor come last in the product, so this order may spare a copy.
      const last = result.at(-1);
      const swaps = last !== undefined && a.labels.includes(last) && !b.labels.includes(last);
      const both = swaps ? product(b, a, needed(rest)) : product(a, b, needed(rest));
      factors = factors.with(i, both).toSpliced(j, 1);
    }
    const [last] = factors as [Factor];
    return arranged(last, result);
  });
}
