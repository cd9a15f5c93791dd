/** Scaled dot-product attention (Vaswani et al., Attention Is All You Need, 2017). */

import { checkedLater, finiteNumber, flag } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { calledAs } from '../graph/calls.js';
import { type Dim, type Shape, sameShape } from '../graph/dimension.js';
import { lift } from '../graph/leaf.js';
import { failFor, type Node } from '../graph/node.js';
import type { Fail, Operand } from '../graph/op.js';
import { formatShape } from '../tensor/shape.js';
import { add, div, exp, mul, sqrt, sub } from './arithmetic.js';
import { blockedAttention } from './blocked-attention.js';
import { sum } from './broadcast.js';
import { where } from './comparison.js';
import { type Apply, declare } from './declare.js';
import { max, maximum } from './extrema.js';
import { matmul } from './matmul.js';
import { extent } from './mean.js';
import { rightOf } from './positions.js';
import { floatingDType } from './rules.js';
import { refusesIntegers } from './samples.js';

const attentionOptions = declareOptions('attention', {
  /**
   * Which keys each query reads: a mask that broadcasts to [.., heads, queries, keys]. A bool mask is true where the key
   * takes part. (The masks of PyTorch's MultiheadAttention have the reverse meaning.) A mask of the dtype of the queries
   * is added to the scores.
   */
  mask: optional(checkedLater<Operand>('a mask'), 'attnMask', 'attentionMask'),
  /** If true, query i reads only the keys 0 to i. It may be combined with `mask`. The default is false. */
  causal: optional(flag, 'isCausal', 'useCausalMask'),
  /** The factor of the products of queries and keys; 1 / sqrt(width) by default. */
  scale: optional(finiteNumber),
});

/** Options of `attention`. */
export interface AttentionOptions extends OptionsOf<typeof attentionOptions> {}

const keepDims = { keepDims: true } as const;
/** The lowest finite number of each dtype. */
const lowest = { float32: -(2 - 2 ** -23) * 2 ** 127, float64: -Number.MAX_VALUE };

/** The softmax along the last axis. Rows of which all elements are -Infinity give zeros, and get the gradient 0. */
const weigh: Apply<object> = declare({
  name: 'maskedSoftmax',
  arity: 1,
  dtype: floatingDType,
  shape: ([x]) => (x as Node).shape,
  lowering: {
    kind: 'compose',
    expand: ([x]) => {
      const scores = x as Node;
      // Both maxima change only rows of which all elements are -Infinity: the sum of any other row is at least 1.
      const largest = maximum(max(scores, -1, keepDims), lowest[scores.dtype as 'float32']);
      const powers = exp(sub(scores, largest));
      return div(powers, maximum(sum(powers, -1, keepDims), 1));
    },
  },
  gradient: ({ node, gradient: g }) => [mul(node, sub(g, sum(mul(g, node), -1, keepDims)))],
  samples: [
    { inputs: [{ shape: [2, 3] }], build: (x) => weigh([x as Node], {}) },
    { inputs: [{ shape: [2, 3, 4] }], build: (x) => weigh([x as Node], {}) },
    {
      inputs: [{ shape: [3, 4] }],
      build: (x) => weigh([where(rightOf(-2, 3, 4, 2), -Infinity, x as Node)], {}),
    },
    { inputs: [{ shape: [2, 0] }], build: (x) => weigh([x as Node], {}) },
  ],
  refused: [refusesIntegers('maskedSoftmax', (x) => weigh([x], {}))],
});

interface Lengths {
  readonly queries: Dim;
  readonly keys: Dim;
  readonly width: Dim;
}

/** Returns the lengths of the operands. @throws ShapeError if their shapes do not fit one another */
function lengthsOf(q: Node, k: Node, v: Node, fail: Fail): Lengths {
  const shapes = () =>
    `q ${formatShape(q.shape)}, k ${formatShape(k.shape)}, v ${formatShape(v.shape)}`;
  for (const [name, { shape }] of Object.entries({ q, k, v })) {
    if (shape.length >= 2) continue;
    fail.shape(
      `expected ${name} of shape [.., heads, length, width], but received ${formatShape(shape)}`,
    );
  }
  const [queries, width] = q.shape.slice(-2) as [Dim, Dim];
  const [keys, keyWidth] = k.shape.slice(-2) as [Dim, Dim];
  if (width !== keyWidth) fail.shape(`q and k have different widths: ${shapes()}`);
  if (keys !== v.shape.at(-2)) fail.shape(`k and v have different lengths: ${shapes()}`);
  const leading = [q, k, v].map(({ shape }) => shape.slice(0, -2).reverse());
  for (let axis = 0; axis < Math.max(...leading.map(({ length }) => length)); axis++) {
    const dims = new Set(leading.map((shape) => shape[axis] ?? 1).filter((dim) => dim !== 1));
    if (dims.size > 1) fail.shape(`the leading axes do not broadcast: ${shapes()}`);
  }
  return { queries, keys, width };
}

/** Returns the mask as a node. @throws ShapeError if it does not broadcast to the scores; DTypeError for other dtypes */
function maskOf(mask: Operand, scores: Shape, { dtype }: Node, fail: Fail): Node {
  const [node] = lift('attention', [mask]) as [Node];
  const lead = scores.length - node.shape.length;
  if (lead < 0 || node.shape.some((dim, axis) => dim !== 1 && dim !== scores[axis + lead])) {
    fail.shape(
      `expected a mask that broadcasts to ${formatShape(scores)} ([.., queries, keys]), but received ${formatShape(node.shape)}`,
    );
  }
  if (node.dtype !== 'bool' && node.dtype !== dtype) {
    fail.dtype(
      `expected a mask of bool (true takes part) or of ${dtype} (added to the scores), but received ${node.dtype}; cast() it`,
    );
  }
  return node;
}

/** Returns the factor of the scores by default, 1 / sqrt(width). */
function defaultScale(width: Dim, { dtype }: Node): Operand {
  if (typeof width !== 'number') return div(1, sqrt(extent(width, dtype)));
  return width === 0 ? 1 : 1 / Math.sqrt(width);
}

/** Returns the leading axes of the scores. */
function leadingOf(q: Node, k: Node): Dim[] {
  const rank = Math.max(q.shape.length, k.shape.length) - 2;
  const dim = ({ shape }: Node, axis: number) => shape[axis - rank + shape.length - 2] ?? 1;
  return Array.from({ length: rank }, (_, axis) => {
    const left = dim(q, axis);
    return left === 1 ? dim(k, axis) : left;
  });
}

/**
 * Blocks save memory, but their gradients take a sixth more time (4,096 queries and keys of width 64), because the
 * scores are computed twice. Causal blocks need not compute the scores of the keys behind them, so they save time with
 * 256 queries and keys, too (2.6 % of a step of the workload gpt-small).
 */
const leastScores = { full: 2 ** 20, causal: 2 ** 16 };
/**
 * The number of queries of a block. Blocks of 128 are the fastest for 4,096 queries: longer causal ones compute more
 * scores in vain. For a few hundred causal queries, blocks of 64 compute fewer of them.
 */
const blockRows = { few: 64, many: 128 };
const manyQueries = 1024;

/** Whether there are so many scores that they are computed in blocks, whose operands must have equal leading axes. */
function isLong([q, ...others]: readonly [Node, Node, Node], causal: boolean): boolean {
  const leading = q.shape.slice(0, -2);
  const [queries, keys] = [q.shape.at(-2), others[0].shape.at(-2)];
  return (
    typeof queries === 'number' &&
    typeof keys === 'number' &&
    queries * keys >= leastScores[causal && keys > blockRows.many ? 'causal' : 'full'] &&
    others[1].shape.at(-1) !== 0 &&
    others.every(({ shape }) => sameShape(shape.slice(0, -2), leading))
  );
}

/**
 * Returns softmax(scale q kᵀ) v, where the softmax is over the keys: scaled dot-product attention, [.., heads, queries,
 * width of v]. Leading axes broadcast; there may be none.
 *
 * A key that is masked has the weight 0. If all keys of a query are masked, also by numbers of -Infinity, the result of
 * this query is 0, and its gradients are 0. The causal mask is aligned top left: query i reads the keys 0 to i, also if
 * there are more keys than queries. It takes no memory.
 *
 * From 2^20 scores (1,024 queries and keys) on, the scores are computed in blocks of queries; with `causal` and more than
 * 128 keys, from 2^16 on. The memory is then linear in the number of queries, also in training. Causal blocks leave out
 * the keys behind them: for long sequences, this takes little more than half the time. Blocks need lengths that are not
 * named, equal leading axes, and no mask of numbers.
 * @param q the queries, [.., heads, queries, width], float32 or float64
 * @param k the keys, [.., heads, keys, width], of the dtype of q
 * @param v the values, [.., heads, keys, width of v], of the dtype of q
 * @throws ShapeError if an operand has fewer than 2 axes, if the widths of q and k or the lengths of k and v differ, if
 *   the leading axes do not broadcast, or if the mask does not broadcast to [.., heads, queries, keys]; DTypeError if
 *   the dtypes differ or are not floating-point, or if the mask is neither bool nor of the dtype of q; ValueError if an
 *   operand is not a Node, Tensor or number, or if an option is unknown or invalid
 */
export function attention(q: Operand, k: Operand, v: Operand, options?: AttentionOptions): Node {
  return calledAs('attention', () => {
    return attend(q, k, v, options);
  });
}

/**
 * Does the work of `attention`. `through` changes the weights of the values, [.., heads, queries, keys], which are then
 * never computed in blocks.
 */
export function attend(
  q: Operand,
  k: Operand,
  v: Operand,
  options: AttentionOptions | undefined,
  through?: (weights: Node) => Node,
): Node {
  const { mask, causal = false, scale } = attentionOptions.read(options, '[attention]');
  const operands = lift('attention', [q, k, v]) as [Node, Node, Node];
  const [query, key, value] = operands;
  const fail = failFor({ name: 'attention' }, operands);
  floatingDType(operands, {}, fail);
  const { queries, keys, width } = lengthsOf(query, key, value, fail);
  const factor = scale ?? defaultScale(width, query);
  const scoresShape = [...leadingOf(query, key), queries, keys];
  const given = mask === undefined ? undefined : maskOf(mask, scoresShape, query, fail);
  if (
    through === undefined &&
    typeof factor === 'number' &&
    isLong(operands, causal) &&
    (given === undefined || given.dtype === 'bool')
  ) {
    const inputs = given === undefined ? operands : [...operands, given];
    const rows = blockRows[causal && (queries as number) < manyQueries ? 'few' : 'many'];
    return blockedAttention(inputs, { causal, scale: factor, rows });
  }
  return wholeAttention([query, key, value, given], { causal, scale: factor }, through);
}

/**
 * Returns softmax(scale q kᵀ) v, whose scores exist all at once. `attend` does this for short sequences; a file has no
 * blocks.
 * @param operands q, k, v and perhaps the mask
 */
export function wholeAttention(
  [query, key, value, mask]: readonly [Node, Node, Node, (Node | undefined)?],
  { causal, scale }: { readonly causal: boolean; readonly scale: Operand },
  through?: (weights: Node) => Node,
): Node {
  let scores = mul(matmul(query, key, { transposeB: true }), scale);
  if (mask?.dtype === 'bool') scores = where(mask, scores, -Infinity);
  else if (mask) scores = add(scores, mask);
  if (causal) {
    const [queries, keys] = scores.shape.slice(-2) as [Dim, Dim];
    const later = rightOf(0, queries, keys, scores.shape.length);
    scores = where(later, -Infinity, scores);
  }
  const weights = weigh([scores], {});
  return matmul(through ? through(weights) : weights, value);
}
