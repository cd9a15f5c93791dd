/**
 * Attention in blocks of queries, whose memory is linear in the number of queries (after Rabe and Staats, Self-attention
 * Does Not Need O(n²) Memory, 2021). Only the scores of one block exist at a time. The gradient rule computes them again,
 * from the logarithms of the sums of the powers, of which there is one for each query. Causal attention leaves out the
 * products of a block with the keys behind it.
 */

import type { Dim, Shape } from '../graph/dimension.js';
import { constant } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import { none, type SampleInput, type Sent, type SeveralContext } from '../graph/op.js';
import { result } from '../graph/result.js';
import { add, div, exp, log, mul, sub } from './arithmetic.js';
import { broadcastTo, sum } from './broadcast.js';
import { where } from './comparison.js';
import { type ApplySeveral, declareSeveral } from './declare.js';
import { max, maximum } from './extrema.js';
import { matmul } from './matmul.js';
import { rightOf } from './positions.js';
import { floatingDType } from './rules.js';
import { refusesIntegers } from './samples.js';
import { slice } from './slice.js';
import { stopGradient } from './views.js';
import { concat } from './windows.js';

interface Attributes {
  readonly causal: boolean;
  /** The factor of the scores. */
  readonly scale: number;
  /** The number of queries of a block. */
  readonly rows: number;
}

/** The part of the operands that a block of queries reads. */
interface Block {
  readonly start: number;
  readonly end: number;
  /** The number of keys, from the first. */
  readonly keys: number;
}

const keepDims = { keepDims: true } as const;
/** The lowest finite number of each dtype. */
const lowest = { float32: -(2 - 2 ** -23) * 2 ** 127, float64: -Number.MAX_VALUE };

/**
 * Returns the blocks from the last to the first. The last one reads the most keys, so that the scores of the others fit
 * into its memory.
 */
function blocksOf([q, k]: readonly Node[], { causal, rows }: Attributes): Block[] {
  const queries = (q as Node).shape.at(-2) as number;
  const keys = (k as Node).shape.at(-2) as number;
  return Array.from({ length: Math.ceil(queries / rows) }, (_, i) => {
    const end = Math.min(queries, (i + 1) * rows);
    return { start: i * rows, end, keys: causal ? Math.min(keys, end) : keys };
  }).reverse();
}

function rowsOf(x: Node, start: number, end: number): Node {
  return slice(x, { axis: -2, start, end });
}

/**
 * Returns x, which is computed only after the other nodes. Blocks depend on one another in this way, because otherwise a
 * program would compute all their scores side by side. No gradient flows to the other nodes.
 */
function after(x: Node, others: readonly Node[]): Node {
  return others.reduce((later, other) => {
    const first = slice(slice(other, { axis: -1, end: 1 }), { axis: -2, end: 1 });
    return where(constant(1, { dtype: 'bool' }), later, stopGradient(first));
  }, x);
}

/** Returns the scores of a block. Those that are masked are -Infinity. */
function scoresOf(
  q: Node,
  k: Node,
  mask: Node | undefined,
  { start, end, keys }: Block,
  { causal, scale }: Attributes,
): Node {
  let scores = mul(matmul(q, k, { transposeB: true }), scale);
  if (mask) {
    const own = (mask.shape.at(-2) ?? 1) === 1 ? mask : rowsOf(mask, start, end);
    const columns = (own.shape.at(-1) ?? 1) === 1 ? own : slice(own, { axis: -1, end: keys });
    scores = where(columns, scores, -Infinity);
  }
  if (!causal) return scores;
  const later = rightOf(0, end - start, keys, scores.shape.length, start);
  return where(later, -Infinity, scores);
}

/** Computes the attention block by block. */
function expand(inputs: readonly Node[], attributes: Attributes): Record<Key, Node> {
  const [q, k, v, mask] = inputs as [Node, Node, Node, Node?];
  const outputs: Node[] = [];
  const logSums: Node[] = [];
  for (const block of blocksOf(inputs, attributes)) {
    const queries = after(rowsOf(q, block.start, block.end), outputs.slice(0, 1));
    const scores = scoresOf(queries, rowsOf(k, 0, block.keys), mask, block, attributes);
    // Both maxima change only rows of which all scores are -Infinity: the sum of any other row is at least 1.
    const largest = maximum(max(scores, -1, keepDims), lowest[q.dtype as 'float32']);
    const powers = exp(sub(scores, largest));
    const total = maximum(sum(powers, -1, keepDims), 1);
    outputs.unshift(div(matmul(powers, rowsOf(v, 0, block.keys)), total));
    logSums.unshift(add(largest, log(total)));
  }
  return { output: concat(outputs, -2), logSum: concat(logSums, -2) };
}

/** Adds the gradients of the first keys, which a block read, to those of all keys. */
function accumulated(total: Node | undefined, block: Node): Node {
  if (total === undefined) return block;
  const [from, to] = [total.shape.at(-2) as number, block.shape.at(-2) as number];
  if (from === to) return add(total, block);
  const sums = add(rowsOf(total, 0, to), block);
  return concat([sums, rowsOf(total, to, from)], -2);
}

/**
 * The gradient rule. P are the weights of a block, which are exp(scores - logSum). For the gradient g of the output o, the
 * gradient of the scores is P (g vᵀ - sum(g o)), as in FlashAttention (Dao et al., 2022).
 */
function gradient({
  node,
  inputs,
  attributes,
  gradients,
}: SeveralContext<Attributes>): readonly Sent[] {
  const [q, k, v, mask] = inputs as [Node, Node, Node, Node?];
  const [output, logSum] = [result(node, 'output'), result(node, 'logSum')];
  const sent: unknown = gradients.output;
  const g = isNode(sent) ? sent : zeros(output, output.shape);
  const dots = sum(mul(g, output), -1, keepDims);
  const forLogSum: unknown = gradients.logSum;
  const shift = isNode(forLogSum) ? sub(dots, forLogSum) : dots;
  let [forK, forV]: (Node | undefined)[] = [];
  const forQ: Node[] = [];
  for (const block of blocksOf(inputs, attributes)) {
    const own = (x: Node) => rowsOf(x, block.start, block.end);
    const earlier = [forQ[0], forK, forV].filter((node) => node !== undefined);
    const queries = after(own(q), earlier.length === 0 ? [shift] : earlier);
    const [keys, values] = [rowsOf(k, 0, block.keys), rowsOf(v, 0, block.keys)];
    const scores = scoresOf(queries, keys, mask, block, attributes);
    const weights = exp(sub(scores, own(logSum)));
    // The gradients of the block are read after the earlier blocks, too, so that this product waits for them.
    const arrived = after(own(g), earlier);
    const forWeights = sub(matmul(arrived, values, { transposeB: true }), own(shift));
    const forScores = mul(mul(weights, forWeights), attributes.scale);
    forQ.unshift(matmul(forScores, keys));
    forK = accumulated(forK, matmul(forScores, queries, { transposeA: true }));
    forV = accumulated(forV, matmul(weights, arrived, { transposeA: true }));
  }
  return [
    concat(forQ, -2),
    padded(forK as Node, k),
    padded(forV as Node, v),
    ...(mask ? ([none] satisfies Sent[]) : []),
  ];
}

/** Returns the gradient of x, of which `part` is that of the first keys. Causal attention may leave out the last keys. */
function padded(part: Node, { shape }: Node): Node {
  const [has, needs] = [part.shape.at(-2) as number, shape.at(-2) as number];
  return has === needs ? part : concat([part, zeros(part, shape.with(-2, needs - has))], -2);
}

function zeros({ dtype }: Node, shape: Shape): Node {
  return broadcastTo(constant(0, { dtype }), shape);
}

type Key = 'output' | 'logSum';

const sample = (shapes: readonly (readonly number[])[], attributes: Attributes) => ({
  inputs: shapes.map((shape): SampleInput => ({ shape })),
  build: (...[q, k, v]: Node[]) => blockedAttention([q as Node, k as Node, v as Node], attributes),
});

const compute: ApplySeveral<Attributes, Key> = declareSeveral<Attributes, Key>({
  name: 'blockedAttention',
  arity: { atLeast: 3 },
  results: ([q, k, v], attributes, fail) => {
    const dtype = floatingDType([q, k, v] as Node[], attributes, fail);
    const lead: Shape = (q as Node).shape.slice(0, -1);
    return {
      output: { dtype, shape: [...lead, (v as Node).shape.at(-1) as Dim] },
      logSum: { dtype, shape: [...lead, 1] },
    };
  },
  lowering: { kind: 'compose', expand },
  gradient,
  samples: [
    sample(
      [
        [5, 2],
        [5, 2],
        [5, 3],
      ],
      { causal: true, scale: 0.7, rows: 2 },
    ),
    sample(
      [
        [2, 4, 2],
        [2, 3, 2],
        [2, 3, 2],
      ],
      { causal: false, scale: 1, rows: 3 },
    ),
    sample(
      [
        [2, 3],
        [4, 3],
        [4, 1],
      ],
      { causal: true, scale: 1, rows: 1 },
    ),
    sample(
      [
        [0, 3, 2],
        [0, 3, 2],
        [0, 3, 2],
      ],
      { causal: false, scale: 1, rows: 2 },
    ),
  ],
  refused: [
    refusesIntegers('blockedAttention', (x) =>
      blockedAttention([x, x, x], { causal: false, scale: 1, rows: 1 }),
    ),
  ],
});

/**
 * Returns softmax(scale q kᵀ) v, computed in blocks of `rows` queries.
 * @param inputs q, k and v with equal leading axes, numbers of queries and keys of at least 1 that are not named, and
 *   perhaps a bool mask that broadcasts to the scores
 */
export function blockedAttention(inputs: readonly Node[], attributes: Attributes): Node {
  return compute(inputs, attributes).output;
}
