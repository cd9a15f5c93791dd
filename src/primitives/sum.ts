/** Sums: the element-wise sum of all operands, in order. */

import type { Lowering } from '../graph/lowering.js';
import { listInOrder } from '../ir/axes.js';
import { defect } from '../ir/defect.js';
import { inRegion } from '../ir/value.js';
import { prepareMap } from '../native/kernels.js';
import type { TypedArray } from '../tensor/dtype.js';
import { rowMajorLayout } from './layout.js';
import type { LoweringRecord, ValueRecord } from './record.js';

export const accumulate: LoweringRecord<Extract<Lowering, { kind: 'accumulate' }>> = {
  expand: undefined,
  step: (_lowering, { shape }) => {
    const layout = rowMajorLayout(shape);
    const copy = prepareMap('copy', shape, layout, [layout]);
    const add = prepareMap('add', shape, layout, [layout, layout]);
    return (out, [first, ...others]) => {
      copy(out, first as TypedArray);
      for (const other of others) add(out, out, other);
    };
  },
  lower: (_lowering, { build, node, bound: { shape }, args }) =>
    build.sum(node.dtype, shape, args, node),
};

export const sumValue: ValueRecord = {
  rebuild: (build, { dtype, shape, node }, args) => build.sum(dtype, shape, args, node),
  fusing: {
    space: ({ size, shape }) => (size === 0 ? undefined : shape),
    closes: false,
    rows: () => undefined,
    columns: false,
    keeps: () => undefined,
    cheap: ({ args }) => args.length === 2,
    code: ({ dtype }, [first, ...terms], emit) => {
      let total = first as number;
      for (const term of terms)
        total = emit({ kernel: 'add', converts: false, dtype, operands: [total, term] });
      return total;
    },
  },
  arrange: (build, { dtype, shape, node }, axes, args) =>
    build.sum(dtype, listInOrder(shape, axes), args, node),
  part: ({ args, details }, region) => ({
    args: args.map((arg) => inRegion(arg, region)),
    details,
  }),
  instruct: () => {
    throw defect('a sum is computed by a fused loop');
  },
  reads: () => true,
  writes: () => false,
  onto: () => undefined,
  drawn: undefined,
  prepared: undefined,
  updates: () => undefined,
  varies: false,
};
