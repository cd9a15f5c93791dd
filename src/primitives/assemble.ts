/**
 * Assembled values: every operand, a block, is written to its own window of the result. Concatenations are assembled
 * values, and so are the sums of gradients that are windows.
 */

import type { Node } from '../graph/node.js';
import type { Lowering } from '../graph/op.js';
import type { Location } from '../ir/location.js';
import type { Ref, Value } from '../ir/value.js';
import { dense } from '../ir/view.js';
import { type Layout, prepareMap, zero } from '../native/kernels.js';
import type { TypedArray } from '../tensor/dtype.js';
import { addition, fill } from './group.js';
import { rowMajorLayout, stretched } from './layout.js';
import type { InstructionWriter, LoweringRecord, ValueRecord } from './record.js';

/**
 * Every input is written to its own view of the result. With `accumulate`, the result starts as zeros, and every input
 * is added to its view.
 */
export const place: LoweringRecord<Extract<Lowering, { kind: 'place' }>> = {
  step: ({ accumulate, views }, node) => {
    const { shape } = node;
    const kernel = accumulate ? 'add' : 'copy';
    const clear = prepareMap('copy', shape, rowMajorLayout(shape), [stretched([], shape)]);
    const windows = views(node);
    const writes = node.inputShapes.map((from, index) => {
      const window = windows[index] as Layout;
      const sources = accumulate ? [window, rowMajorLayout(from)] : [rowMajorLayout(from)];
      return prepareMap(kernel, from, window, sources);
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
  lower: ({ accumulate, views }, { build, node, bound, args }) => {
    const { shape } = bound;
    const unit = dense(shape).strides;
    const blocks = views(bound).flatMap(({ offset, strides }, i) => {
      const arg = args[i] as Ref;
      if (arg.shape.includes(0)) return [];
      let rest = offset;
      const start = unit.map((step, axis) => {
        const at = Math.min(Math.floor(rest / step), (shape[axis] as number) - 1);
        rest -= at * step;
        return at;
      });
      return [{ start, ref: build.reshape(arg, windowShape(arg.shape, strides, shape), node) }];
    });
    return build.assemble(node.dtype, shape, blocks, node, accumulate);
  },
};

/**
 * Returns the shape of an operand, extended to the rank of the result `shape`. An axis of length 1 is inserted for each
 * axis of the result that the strides of the operand skip.
 */
function windowShape(
  from: readonly number[],
  strides: readonly number[],
  shape: readonly number[],
): number[] {
  if (from.length === shape.length) return [...from];
  const unit = dense(shape).strides;
  const window: number[] = [];
  let next = 0;
  for (let axis = 0; axis < shape.length; axis++) {
    const left = shape.length - axis;
    const fits = next < from.length && strides[next] === unit[axis] && from[next] === shape[axis];
    if (fits || from.length - next === left) window.push(from[next++] as number);
    else window.push(1);
  }
  return window;
}

export const assembleValue: ValueRecord = {
  rebuild: (build, { details, dtype, shape, node }, args) => {
    const starts = details.starts as readonly (readonly number[])[];
    const blocks = args.map((ref, i) => ({ ref, start: starts[i] as readonly number[] }));
    const adds = details.adds === true || details.gaps === true;
    return build.assemble(dtype, shape, blocks, node, adds);
  },
  fusing: undefined,
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
  prepared: undefined,
};

/** Fills the memory of an assembled value with zeros, then copies its blocks to it or, if they overlap, adds them. */
function fillAndAdd(assembled: Value, writer: InstructionWriter, nodes: readonly Node[]): void {
  const { adds, starts } = assembled.details;
  const whole = writer.locationOf(assembled);
  writer.emit(fill(whole, writer, nodes));
  assembled.args.forEach((block, i) => {
    const start = starts?.[i] as readonly number[];
    const offset = start.reduce(
      (sum, at, axis) => sum + at * (whole.strides[axis] as number),
      whole.offset,
    );
    const { memory, strides } = whole;
    const to: Location = { memory, offset, shape: block.shape, strides };
    const from = writer.locate(block);
    writer.emit(adds ? addition(from, to, nodes) : { kind: 'copy', from, to, nodes });
  });
}
