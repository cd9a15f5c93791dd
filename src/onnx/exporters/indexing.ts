/** Ops that read and write elements at indices. Indices are int64 in a file. */

import { type Shape, sizeOfDims } from '../../graph/dimension.js';
import type { Node } from '../../graph/node.js';
import { attributesOf, type Exported, type Rows, row } from './row.js';

type Axis = { readonly axis: number };

/** Adds updates at indices, one for each element. */
function scattered(exported: Exported, indices: string, updates: string, axis: number): string {
  const { emitter, names } = exported;
  if (emitter.opset < 16) throw exported.refuse('additions at indices need operator set 16');
  return emitter.op('ScatterElements', [names[0], indices, updates], { axis, reduction: 'add' });
}

/** Adds rows of updates. ONNX has an index for each element instead, so the indices are repeated. */
function scatterAdd(exported: Exported): string {
  const { emitter, inputs, names } = exported;
  const { axis } = attributesOf<Axis>(exported);
  const [x, indices] = inputs as [Node, Node];
  const [, at, given] = names as [string, string, string];
  const rank = indices.shape.length;
  const others = (list: Shape) => list.map((_, index) => (index < axis ? index : index + rank));
  const aligned = emitter.unsqueeze(at, others(x.shape.slice(1)));
  const wide = emitter.op('Expand', [aligned, emitter.op('Shape', [given])]);
  if (rank === 1) return scattered(exported, wide, given, axis);
  // The axes of the indices become one.
  const flat = x.shape.with(axis, sizeOfDims(indices.shape));
  const attributes = emitter.opset >= 14 ? { allowzero: 1 } : {};
  const [all, updates] = [wide, given].map((part) =>
    emitter.op('Reshape', [part, emitter.dims(flat)], attributes),
  ) as [string, string];
  return scattered(exported, all, updates, axis);
}

export const indexing: Rows = {
  gather: row('Gather', (exported) => {
    const { axis } = attributesOf<Axis>(exported);
    return exported.emitter.op('Gather', exported.names, { axis });
  }),
  takeAlongAxis: row('GatherElements', (exported) => {
    const { axis } = attributesOf<Axis>(exported);
    return exported.emitter.op('GatherElements', exported.names, { axis });
  }),
  takeLabels: row('GatherElements', ({ emitter, inputs, names }) => {
    const [x, labels] = names as [string, string];
    const axis = (inputs[0] as Node).shape.length - 1;
    const taken = emitter.op('GatherElements', [x, emitter.unsqueeze(labels, [axis])], { axis });
    return emitter.squeeze(taken, [axis]);
  }),
  scatterAdd: row('ScatterElements', scatterAdd),
  scatterAddAlongAxis: row('ScatterElements', (exported) => {
    const { axis } = attributesOf<Axis>(exported);
    const [, indices, updates] = exported.names as [string, string, string];
    return scattered(exported, indices, updates, axis);
  }),
};
