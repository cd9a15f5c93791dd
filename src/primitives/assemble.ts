/**
 * Assembled values: every operand, a block, is written to its own window of the result. Concatenations are assembled
 * values, and so are the sums of gradients that are windows.
 */

import type { Lowering } from '../graph/lowering.js';
import type { Node } from '../graph/node.js';
import { assertWindows, layoutOf } from '../graph/window.js';
import { listInOrder } from '../ir/axes.js';
import { windowAt } from '../ir/location.js';
import type { Value } from '../ir/value.js';
import { assembleWindows } from '../ir/windows.js';
import { prepareMap, zero } from '../native/kernels.js';
import type { TypedArray } from '../tensor/dtype.js';
import { addition, fill } from './group.js';
import { rowMajorLayout, stretched } from './layout.js';
import type { InstructionWriter, LoweringRecord, ValueRecord } from './record.js';

/**
 * Every input is written to its own window of the result. With `accumulate`, the result starts as zeros, and every input
 * is added to its window.
 */
export const place: LoweringRecord<Extract<Lowering, { kind: 'place' }>> = {
  expand: undefined,
  step: ({ accumulate, windows }, node) => {
    const { shape } = node;
    const kernel = accumulate ? 'add' : 'copy';
    const clear = prepareMap('copy', shape, rowMajorLayout(shape), [stretched([], shape)]);
    const targets = windows(node);
    assertWindows(targets, shape, node.inputShapes);
    const writes = targets.map((window) => {
      const target = layoutOf(window, shape);
      const source = rowMajorLayout(window.shape);
      return prepareMap(kernel, window.shape, target, accumulate ? [target, source] : [source]);
    });
    return (out, inputs) => {
      if (accumulate) clear(out, zero[node.dtype]);
      writes.forEach((write, index) => {
        const input = inputs[index] as TypedArray;
        if (accumulate) write(out, out, input);
        else write(out, input);
      });
    };
  },
  lower: ({ accumulate, windows }, { build, node, bound, args }) =>
    assembleWindows(build, bound.shape, windows(bound), args, node, accumulate),
};

export const assembleValue: ValueRecord = {
  rebuild: (build, { details, dtype, shape, node }, args) => {
    const starts = details.starts as readonly (readonly number[])[];
    const blocks = args.map((ref, i) => ({ ref, start: starts[i] as readonly number[] }));
    const adds = details.adds === true || details.gaps === true;
    return build.assemble(dtype, shape, blocks, node, adds);
  },
  fusing: undefined,
  arrange: (build, { details, dtype, shape, node }, axes, args) => {
    const starts = details.starts as readonly (readonly number[])[];
    const blocks = args.map((ref, i) => ({
      ref,
      start: listInOrder(starts[i] as readonly number[], axes),
    }));
    const adds = details.adds === true || details.gaps === true;
    return build.assemble(dtype, listInOrder(shape, axes), blocks, node, adds);
  },
  part: undefined,
  instruct: (value, writer, nodes) => {
    const { adds, gaps } = value.details;
    if (adds || gaps) {
      fillAndAdd(value, writer, nodes);
      return;
    }
    for (const { block, to } of writer.misplaced(value)) {
      writer.emit({ kind: 'copy', from: writer.locate(block), to, nodes });
    }
  },
  reads: () => true,
  writes: () => false,
  onto: () => undefined,
  drawn: undefined,
  prepared: undefined,
  updates: () => undefined,
  varies: false,
};

/** Fills the memory of an assembled value with zeros, then copies its blocks to it or, if they overlap, adds them. */
function fillAndAdd(assembled: Value, writer: InstructionWriter, nodes: readonly Node[]): void {
  const { adds, starts } = assembled.details;
  const whole = writer.locationOf(assembled);
  writer.emit(fill(whole, writer, nodes));
  assembled.args.forEach((block, i) => {
    const to = windowAt(whole, starts?.[i] as readonly number[], block.shape);
    const from = writer.locate(block);
    writer.emit(adds ? addition(from, to, nodes) : { kind: 'copy', from, to, nodes });
  });
}
