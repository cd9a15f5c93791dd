/** Layers without weights that move elements, and the dense and the embedding layer. */

import { FormatError } from '../../errors.js';
import { type Dim, sizeOfDims } from '../../graph/dimension.js';
import {
  add,
  any,
  broadcastTo,
  cast,
  expandDims,
  gather,
  matmul,
  mul,
  notEqual,
  reshape,
  transpose,
  where,
} from '../../ops/index.js';
import { isFloating } from '../../tensor/dtype.js';
import { type LayerCall, type Rows, row } from '../call.js';
import { Value } from '../value.js';
import { activated, activationOf } from './activations.js';

function dense(call: LayerCall): Value {
  const units = call.config.needed('units');
  const activation = activationOf(call);
  const x = call.plain();
  const features = call.size(x.shape.at(-1), 'the last dimension of its input');
  const product = matmul(x, call.weight('kernel', [features, units]));
  const biased = call.config.flag('use_bias', true);
  const result = biased ? add(product, call.weight('bias', [units])) : product;
  return activated(Value.plain(result), activation);
}

/** The number of elements of an image or a sequence, which are put in one row. */
function flattened(call: LayerCall) {
  const first = call.channelsFirst;
  const { plain } = call.input;
  const rank = plain.shape.length;
  const inner = Array.from({ length: Math.max(0, rank - 2) }, (_, i) => i + 2);
  const x = first && rank > 2 ? transpose(plain, [0, ...inner, 1]) : plain;
  return reshape(x, [x.shape[0] as Dim, sizeOfDims(x.shape.slice(1))]);
}

function reshaped(call: LayerCall) {
  const x = call.plain();
  const given = call.config.raw('target_shape');
  const isDim = (dim: unknown) => dim === null || Number.isSafeInteger(dim);
  if (!Array.isArray(given) || !given.every(isDim)) {
    throw new FormatError("'target_shape' must be a list of integers");
  }
  const dims = given.map((dim: number | null) => (dim === null || dim < 0 ? -1 : dim));
  return reshape(x, [x.shape[0] as Dim, ...dims]);
}

/** The tokens are rows of the weight. With `mask_zero`, the token 0 is not part of the sequence. */
function embedding(call: LayerCall): Value {
  const x = call.plain();
  const indices = isFloating(x.dtype) || x.dtype === 'bool' ? cast(x, 'int32') : x;
  const [inputs, units] = [call.config.needed('input_dim'), call.config.needed('output_dim')];
  const rows = gather(call.weight('embeddings', [inputs, units]), indices);
  const masks = call.config.flag('mask_zero', false);
  return Value.plain(rows, masks ? notEqual(indices, 0) : undefined);
}

/** The steps of a sequence whose elements all have one value are not part of it. */
function masking(call: LayerCall): Value {
  const x = call.plain(3);
  const counts = any(notEqual(x, call.config.number('mask_value', 0)), -1);
  return Value.plain(where(expandDims(counts, -1), x, 0), counts);
}

export const core: Rows = {
  Dense: row(dense, { mask: 'pass' }),
  Flatten: row(flattened),
  Reshape: row(reshaped),
  Permute: row((call) => {
    const dims = call.config.ints('dims', undefined);
    if (dims === undefined) throw new FormatError("'dims' is missing");
    return transpose(call.plain(dims.length + 1), [0, ...dims]);
  }),
  RepeatVector: row((call) => {
    const count = call.config.needed('n');
    const x = call.plain(2);
    const [batch, features] = x.shape as [Dim, Dim];
    return broadcastTo(reshape(x, [batch, 1, features]), [batch, count, features]);
  }),
  Masking: row(masking, { mask: 'own' }),
  Embedding: row(embedding),
  Rescaling: row(
    (call) => {
      const [scale, offset] = [call.config.number('scale', 1), call.config.number('offset', 0)];
      return call.input.map((x) => {
        const numbers = isFloating(x.dtype) ? x : cast(x, call.dtype);
        return add(mul(numbers, scale), offset);
      });
    },
    { mask: 'pass' },
  ),
};
