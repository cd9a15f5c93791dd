/** Views: the elements of the input, read in another shape or through a strided view. Nothing is computed. */

import type { Lowering } from '../graph/lowering.js';
import type { Ref } from '../ir/value.js';
import { prepareMap } from '../native/kernels.js';
import type { TypedArray } from '../tensor/dtype.js';
import { rowMajorLayout } from './layout.js';
import type { LoweringRecord } from './record.js';

/** The elements of the input, in the same order. The shape may differ from that of the input. */
export const alias: LoweringRecord<Extract<Lowering, { kind: 'alias' }>> = {
  expand: undefined,
  step: undefined,
  lower: (_lowering, { build, node, bound: { shape }, args: [ref] }) =>
    build.reshape(ref as Ref, shape, node),
};

export const view: LoweringRecord<Extract<Lowering, { kind: 'view' }>> = {
  expand: undefined,
  step: (lowering, node) => {
    const { shape } = node;
    const copy = prepareMap('copy', shape, rowMajorLayout(shape), [lowering.view(node)]);
    return (out, [input]) => copy(out, input as TypedArray);
  },
  lower: (lowering, { build, node, bound, args: [ref] }) => {
    const { offset, strides } = lowering.view(bound);
    return build.through({ offset, shape: bound.shape, strides: [...strides] }, ref as Ref, node);
  },
};
