/** Attention, and the rotary embedding of positions. */

import {
  type Dim,
  divideDims,
  multiplyDims,
  type Shape,
  subtractDims,
} from '../../graph/dimension.js';
import { constant } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import {
  add,
  and,
  attention,
  broadcastTo,
  cast,
  concat,
  div,
  equal,
  gather,
  greaterEqual,
  less,
  lessEqual,
  matmul,
  max,
  mul,
  reshape,
  slice,
  softmax,
  sqrt,
  stack,
  sub,
  tanh,
  transpose,
  where,
} from '../../ops/index.js';
import { extent } from '../../ops/mean.js';
import { positions } from '../../ops/positions.js';
import type { Call } from '../call.js';
import { type Rows, row } from './row.js';

/** Splits the last axis into heads: [batch, length, heads width] becomes [batch, heads, length, width]. */
function inHeads(call: Call, x: Node, heads: number | undefined): Node {
  if (x.shape.length !== 3) return x;
  const [batch, length, size] = x.shape as [Dim, Dim, Dim];
  const width = heads === undefined ? undefined : divideDims(size, heads);
  if (heads === undefined || width === undefined) {
    return call.unsupported(`${size} features in ${heads ?? 'no'} heads`);
  }
  return transpose(reshape(x, [batch, length, heads, width]), [0, 2, 1, 3]);
}

/** Repeats each head of the keys or the values for the queries that share it. */
function forQueries(call: Call, x: Node, heads: Dim): Node {
  const [batch, own, length, width] = x.shape as [Dim, Dim, Dim, Dim];
  const times = own === heads ? 1 : divideDims(heads, own);
  if (times === undefined) return call.unsupported(`${own} heads of keys for ${heads} of queries`);
  if (times === 1) return x;
  const wide = broadcastTo(reshape(x, [batch, own, 1, length, width]), [
    batch,
    own,
    times,
    length,
    width,
  ]);
  return reshape(wide, [batch, heads, length, width]);
}

/** Adds keys that no query reads to a mask that is shorter than the keys. */
function asLongAs(mask: Node, length: Dim): Node {
  const own = mask.shape.at(-1) as Dim;
  if (own === 1 || own === length) return mask;
  const missing = subtractDims(length, own);
  const filler = mask.dtype === 'bool' ? 0 : Number.NEGATIVE_INFINITY;
  const more = broadcastTo(constant(filler, { dtype: mask.dtype }), [
    ...mask.shape.slice(0, -1),
    missing,
  ]);
  return concat([mask, more], mask.shape.length - 1);
}

interface Lengths {
  readonly queries: Dim;
  readonly keys: Dim;
  /** The number of keys before that of the first query: a scalar, or [batch, 1, 1, 1]. */
  readonly before: Node | undefined;
}

/** Which keys each query may read, by their positions: bools, or undefined if it may read all. */
function readable(call: Call, { queries, keys, before }: Lengths): Node | undefined {
  const causal = call.flag('is_causal');
  const left = call.int('left_window_size', -1);
  const right = call.int('right_window_size', -1);
  if (!causal && left < 0 && right < 0) return undefined;
  const at = reshape(cast(positions(queries), 'float32'), [queries, 1]);
  const query = before === undefined ? at : add(at, before);
  const key = reshape(cast(positions(keys), 'float32'), [1, keys]);
  const all = [
    ...(causal ? [lessEqual(key, query)] : []),
    ...(left >= 0 ? [greaterEqual(key, sub(query, left))] : []),
    ...(right >= 0 ? [lessEqual(key, add(query, right))] : []),
  ];
  return all.reduce((a, b) => and(a, b));
}

function both(a: Node | undefined, b: Node | undefined): Node | undefined {
  return a === undefined ? b : b === undefined ? a : and(a, b);
}

/** Joins a mask of bools and a mask that is bools, or numbers that are added. */
function joined(allowed: Node | undefined, mask: Node | undefined): Node | undefined {
  if (mask === undefined || mask.dtype === 'bool') return both(allowed, mask);
  return allowed === undefined ? mask : where(allowed, mask, Number.NEGATIVE_INFINITY);
}

function attentionRow(call: Call): (Node | undefined)[] {
  const [q, k, v] = [call.node(0), call.node(1), call.node(2)];
  const heads = call.int('q_num_heads', undefined);
  const keyHeads = call.int('kv_num_heads', undefined);
  const query = inHeads(call, q, heads);
  const past = [call.optional(4), call.optional(5)];
  const present = [k, v].map((x, index) => {
    const own = inHeads(call, x, keyHeads);
    const earlier = past[index];
    return earlier === undefined ? own : concat([earlier, own], 2);
  }) as [Node, Node];
  const [key, value] = present.map((x) => forQueries(call, x, query.shape[1] as Dim)) as [
    Node,
    Node,
  ];
  const scale = call.float('scale', undefined);
  const softcap = call.float('softcap', 0);
  const mode = call.int('qk_matmul_output_mode', 0);
  // The precision of types of 16 bits, which are computed with 32 bits.
  call.int('softmax_precision', undefined);

  const [queries, keys] = [query.shape[2] as Dim, key.shape[2] as Dim];
  const filled = call.optional(6);
  const mask = call.has(3) ? asLongAs(call.node(3), keys) : undefined;
  const causal = call.flag('is_causal');
  const windowed = call.int('left_window_size', -1) >= 0 || call.int('right_window_size', -1) >= 0;
  const wantsScores = call.proto.output[3] !== undefined && call.proto.output[3] !== '';
  const plain = past[0] === undefined && filled === undefined && !windowed;
  const finish = (result: Node) =>
    q.shape.length === 3
      ? reshape(transpose(result, [0, 2, 1, 3]), joinedHeads(result.shape))
      : result;
  const options = scale === undefined ? {} : { scale };
  if (softcap === 0 && !wantsScores && plain && !(causal && mask !== undefined)) {
    const masked = mask === undefined ? { causal } : { mask };
    return [finish(attention(query, key, value, { ...options, ...masked })), ...present];
  }
  const counts = filled && reshape(cast(filled, 'float32'), [filled.shape[0] as Dim, 1, 1, 1]);
  const before =
    counts !== undefined
      ? sub(counts, extent(queries, 'float32'))
      : past[0] === undefined
        ? undefined
        : extent(past[0].shape[2] as Dim, 'float32');
  const within = counts && less(reshape(cast(positions(keys), 'float32'), [1, 1, 1, keys]), counts);
  const allowed = both(readable(call, { queries, keys, before }), within);
  const whole = joined(allowed, mask);
  if (softcap === 0 && !wantsScores) {
    const masked = whole === undefined ? {} : { mask: whole };
    return [finish(attention(query, key, value, { ...options, ...masked })), ...present];
  }
  const { result, scores } = byScores(query, key, value, { scale, softcap, mode, mask: whole });
  return [finish(result), ...present, scores];
}

function joinedHeads([batch, heads, length, width]: Shape): Shape {
  return [batch as Dim, length as Dim, multiplyDims(heads as Dim, width as Dim)];
}

/** Attention whose scores are an output, or are limited. */
function byScores(
  query: Node,
  key: Node,
  value: Node,
  how: {
    readonly scale: number | undefined;
    readonly softcap: number;
    readonly mode: number;
    readonly mask: Node | undefined;
  },
): { result: Node; scores: Node } {
  const { softcap, mode, mask } = how;
  const width = query.shape[3] as Dim;
  const factor =
    how.scale === undefined
      ? div(1, sqrt(extent(width, query.dtype)))
      : constant(how.scale, { dtype: query.dtype });
  const plain = mul(matmul(query, key, { transposeB: true }), factor);
  const capped = softcap > 0 ? mul(softcap, tanh(div(plain, softcap))) : plain;
  const lowest = Number.NEGATIVE_INFINITY;
  const biased =
    mask === undefined
      ? capped
      : mask.dtype === 'bool'
        ? where(mask, capped, lowest)
        : add(capped, mask);
  const closed = equal(max(biased, -1, { keepDims: true }), lowest);
  const weights = where(closed, 0, softmax(where(closed, 0, biased)));
  const scores = [plain, capped, biased, weights][mode] ?? plain;
  return { result: matmul(weights, value), scores };
}

/** Rotates pairs of features by the angles of their positions: Su et al., arXiv:2104.09864. */
function rotary(call: Call): Node {
  const x = call.node(0);
  const flat = x.shape.length === 3;
  const heads = call.int('num_heads', 0);
  const interleaved = call.flag('interleaved');
  const rotated = call.int('rotary_embedding_dim', 0);
  // [batch, heads, length, width]
  const own = flat ? inHeads(call, x, heads || undefined) : x;
  const width = own.shape[3] as Dim;
  if (typeof width !== 'number') return call.unsupported('a width without a number');
  const size = rotated === 0 ? width : rotated;
  const along = (from: number, to: number, step = 1) =>
    slice(own, { axis: 3, start: from, end: to, step });
  const [cosine, sine] = [1, 2].map((index) => {
    const cache = call.node(index);
    const chosen = call.has(3) ? gather(cache, call.node(3), 0) : cache;
    const [batch, length, half] = chosen.shape as [Dim, Dim, Dim];
    return reshape(chosen, [batch, 1, length, half]);
  }) as [Node, Node];
  const [a, b] = interleaved
    ? [along(0, size, 2), along(1, size, 2)]
    : [along(0, size / 2), along(size / 2, size)];
  const real = sub(mul(cosine, a), mul(sine, b));
  const imaginary = add(mul(sine, a), mul(cosine, b));
  const shape = [...own.shape.slice(0, 3), size];
  const turned = interleaved
    ? reshape(stack([real, imaginary], 4), shape)
    : concat([real, imaginary], 3);
  const whole = size === width ? turned : concat([turned, along(size, width)], 3);
  return flat ? reshape(transpose(whole, [0, 2, 1, 3]), x.shape) : whole;
}

export const attentions: Rows = {
  Attention: row((call) => {
    const results = attentionRow(call);
    const { type } = call.value(0);
    return results.map((node) => node && call.as(type, node));
  }),
  RotaryEmbedding: row(rotary),
};
