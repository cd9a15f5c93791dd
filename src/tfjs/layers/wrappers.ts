/** The wrapper that applies a layer to each step of a sequence. */

import { FormatError } from '../../errors.js';
import { type Dim, multiplyDims } from '../../graph/dimension.js';
import type { Pauses } from '../../imports/slices.js';
import { reshape } from '../../ops/index.js';
import { type LayerCall, type Rows, row } from '../call.js';
import { Value } from '../value.js';

/** Applies the layer to all steps at once, as if they were rows of the batch. */
function* timeDistributed(call: LayerCall): Pauses<Value> {
  call.config.raw('layer');
  const { inner } = call.layer;
  const x = call.plain();
  const [batch, steps, ...rest] = x.shape as [Dim, Dim, ...Dim[]];
  if (inner === undefined || rest.length === 0) {
    throw new FormatError('expected a layer, and an input with at least 3 axes');
  }
  const rows = reshape(x, [multiplyDims(batch, steps), ...rest]);
  const [result, ...others] = yield* call.applyInner(inner, [Value.plain(rows)]);
  if (result === undefined || others.length > 0) {
    return call.unsupported(`a layer with ${others.length + 1} results`);
  }
  const { plain } = result;
  return Value.plain(reshape(plain, [batch, steps, ...plain.shape.slice(1)]));
}

export const wrappers: Rows = {
  TimeDistributed: row(timeDistributed, { mask: 'pass', without: 'layers with several results' }),
};
