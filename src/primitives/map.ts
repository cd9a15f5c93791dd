/** Maps: one element-wise kernel, or the conversion of each element to another dtype. */

import type { Lowering } from '../graph/lowering.js';
import { listInOrder } from '../ir/axes.js';
import { defect } from '../ir/defect.js';
import { inRegion, type Ref } from '../ir/value.js';
import { kernelFacts } from '../native/addon.js';
import { prepareMap } from '../native/kernels.js';
import type { TypedArray } from '../tensor/dtype.js';
import { rowMajorLayout, stretched } from './layout.js';
import type { LoweringRecord, ValueRecord } from './record.js';

/**
 * Returns a copy of bools in which every byte is 0 or 1. The kernels that the reference executor calls read bools as
 * uint8, and users can write any byte into the memory of a tensor.
 */
function truths(bools: TypedArray): TypedArray {
  const flat = { offset: 0, strides: [1] };
  const result = new Uint8Array(bools.length);
  prepareMap('bool', [bools.length], flat, [flat], 'cast')(result, bools);
  return result;
}

/** One kernel applied to corresponding elements. Operands broadcast. */
export const map: LoweringRecord<Extract<Lowering, { kind: 'map' }>> = {
  expand: undefined,
  step: ({ kernel }, { shape, inputShapes, inputDTypes }) => {
    const sources = inputShapes.map((from) => stretched(from, shape));
    const run = prepareMap(kernel, shape, rowMajorLayout(shape), sources);
    if (!inputDTypes.includes('bool')) return (out, inputs) => run(out, ...inputs);
    return (out, inputs) =>
      run(out, ...inputs.map((x, i) => (inputDTypes[i] === 'bool' ? truths(x) : x)));
  },
  lower: ({ kernel }, { build, node, bound: { shape }, args }) => {
    const operands = args.map((arg) => build.stretch(arg, shape));
    return kernel === 'add'
      ? build.sum(node.dtype, shape, operands, node)
      : build.map(kernel, node.dtype, shape, operands, node);
  },
};

/** Conversion of each element to the dtype of the node. */
export const cast: LoweringRecord<Extract<Lowering, { kind: 'cast' }>> = {
  expand: undefined,
  step: (_lowering, { shape, dtype, inputDTypes: [from] }) => {
    const layout = rowMajorLayout(shape);
    const run = prepareMap(dtype, shape, layout, [layout], 'cast');
    return from === 'bool'
      ? (out, [input]) => run(out, truths(input as TypedArray))
      : (out, [input]) => run(out, input as TypedArray);
  },
  lower: (_lowering, { build, node, bound: { shape }, args }) =>
    build.map(node.dtype, node.dtype, shape, args, node, true),
};

export const mapValue: ValueRecord = {
  rebuild: (build, { details, dtype, shape, node }, args) =>
    build.map(details.kernel as string, dtype, shape, args, node, details.converts),
  fusing: {
    space: ({ size, shape }) => (size === 0 ? undefined : shape),
    closes: false,
    rows: () => undefined,
    columns: false,
    keeps: () => undefined,
    cheap: ({ args, details: { kernel, converts } }) =>
      kernelFacts(converts ? 'cast' : 'map', kernel as string).cheap.includes(
        (args.at(-1) as Ref).value.dtype,
      ),
    code: ({ args, details: { kernel, converts = false } }, operands, emit) => {
      if (kernel === 'copy') return operands[0] as number;
      const { dtype } = (args.at(-1) as Ref).value;
      return emit({ kernel: kernel as string, converts, dtype, operands });
    },
  },
  arrange: (build, { details, dtype, shape, node }, axes, args) =>
    build.map(
      details.kernel as string,
      dtype,
      listInOrder(shape, axes),
      args,
      node,
      details.converts,
    ),
  part: ({ args, details }, region) => ({
    args: args.map((arg) => inRegion(arg, region)),
    details,
  }),
  instruct: () => {
    throw defect('a map is computed by a fused loop');
  },
  reads: () => true,
  writes: () => false,
  onto: () => undefined,
  drawn: undefined,
  prepared: undefined,
  updates: () => undefined,
  varies: false,
};
