/** Reductions over some axes. The sum of the rows of a matrix is a kind of its own, because products can absorb it. */

import { ShapeError } from '../errors.js';
import type { Lowering } from '../graph/lowering.js';
import type { Node } from '../graph/node.js';
import { permuted } from '../ir/axes.js';
import type { Builder } from '../ir/builder.js';
import type { Location } from '../ir/location.js';
import type { Definition } from '../ir/rule.js';
import { executor } from '../ir/target.js';
import { type Ref, transposed, type Value, viewed } from '../ir/value.js';
import { count, equalLists, isContiguous, rowMajor } from '../ir/view.js';
import { kernelFacts, kernelId } from '../native/addon.js';
import { prepareReduce } from '../native/kernels.js';
import { dtypeCodes } from '../native/table.js';
import type { TypedArray } from '../tensor/dtype.js';
import { formatShape, stridesOf } from '../tensor/shape.js';
import type { InstructionRecord, LoweringRecord, ValueRecord } from './record.js';

type Reduce = Extract<Lowering, { kind: 'reduce' }>;

/** @throws ShapeError if the reduction is not defined for an axis of length 0, and one of the axes has this length */
function assertElements(
  { kernel }: Reduce,
  axes: readonly number[],
  shape: readonly number[],
): void {
  if (!axes.some((axis) => shape[axis] === 0) || !kernelFacts('reduce', kernel).indexes) return;
  throw new ShapeError(
    `expected at least one element along each reduced axis, but received shape ${formatShape(shape)}`,
  );
}

export const reduce: LoweringRecord<Reduce> = {
  expand: undefined,
  step: (lowering, { attributes, inputShapes: [from] }) => {
    const shape = from as readonly number[];
    const axes = lowering.axes(attributes);
    assertElements(lowering, axes, shape);
    const run = prepareReduce(lowering.kernel, shape, axes, stridesOf(shape));
    return (out, [input]) => run(out, input as TypedArray);
  },
  lower: (lowering, { build, node, bound, args: [from] }) => {
    const { kernel } = lowering;
    const ref = from as Ref;
    const reduced = lowering.axes(bound.attributes);
    assertElements(lowering, reduced, ref.shape);
    if (reduced.some((axis) => ref.shape[axis] === 0) || count(bound.shape) === 0) {
      const { identities } = kernelFacts('reduce', kernel);
      return build.filled(identities[node.dtype] ?? 0, node.dtype, bound.shape);
    }
    const kept = ref.shape.map((_, axis) => axis).filter((axis) => !reduced.includes(axis));
    const terms = count(reduced.map((axis) => ref.shape[axis] as number));
    const reduction = (operand: Ref, shape: readonly number[]) =>
      made(build, {
        kind: 'reduce',
        dtype: node.dtype,
        shape,
        args: [operand],
        details: { kernel },
        node,
      });
    if (kernel === 'sum' && count(bound.shape) === 1) {
      return build.reshape(reduction(ref, []), bound.shape, node);
    }
    // A matrix of one row also becomes a column sum, because `share` can merge the column sums of many time steps.
    if (kernel === 'sum' && kept.length > 0 && reduced.every((axis, i) => axis === i)) {
      const matrix = build.reshape(ref, [terms, count(bound.shape)], node);
      return build.reshape(build.columnSum(matrix, node), bound.shape, node);
    }
    const order = [...kept, ...reduced];
    const arranged: Ref = {
      value: ref.value,
      offset: ref.offset,
      shape: order.map((axis) => ref.shape[axis] as number),
      strides: order.map((axis) => ref.strides[axis] as number),
    };
    return reduction(arranged, arranged.shape.slice(0, kept.length));
  },
};

function made(build: Builder, reduction: Definition): Ref {
  const simpler = build.simplified(reduction);
  if (simpler) return simpler;
  const operand = build.ascending(reduction.args[0] as Ref, reduction.node);
  return build.value({ ...reduction, args: [operand] });
}

/** Returns the operand with its reduced axes, those after the first `kept`, in the order in which they are in memory. */
function inMemoryOrder(operand: Ref, kept: number): Ref {
  const axes = [...operand.shape.keys()];
  const distance = (axis: number) =>
    operand.shape[axis] === 1 ? 0 : (operand.strides[axis] as number);
  const reduced = axes.slice(kept).sort((a, b) => distance(b) - distance(a));
  return viewed(operand.value, permuted(operand, [...axes.slice(0, kept), ...reduced]));
}

/** Whether the value is the sum of all elements of its operand. */
function sumsAll({ details, shape }: Value): boolean {
  return details.kernel === 'sum' && shape.length === 0;
}

/**
 * Whether a fused loop over whole rows can compute the value: if the reduced elements lie along one axis, and are not
 * apart in memory while those of a kept axis are adjacent. The instruction `reduce` then computes adjacent results side
 * by side, which takes a quarter of the time.
 */
function reducesRows({ args, shape, dtype, details }: Value): boolean {
  if (!kernelFacts('reduce', details.kernel as string).rows.includes(dtype)) return false;
  const operand = args[0] as Ref;
  const adjacent = operand.strides.findIndex((stride, i) => stride === 1 && operand.shape[i] !== 1);
  if (adjacent >= 0 && adjacent < shape.length) return false;
  const reduced = operand.shape.slice(shape.length).filter((size) => size !== 1);
  const [length] = reduced;
  const { shortest, longest } = executor.rows;
  return reduced.length === 1 && shortest <= Number(length) && Number(length) <= longest;
}

/**
 * Returns the axis of the operand's value that is kept, if the value is a sum of all its elements that have the same index
 * on one axis, and a fused loop computes such sums fast.
 */
function keptAxis({ args, shape, dtype, details }: Value): number | undefined {
  const [operand] = args as readonly [Ref];
  const { shape: space, size } = operand.value;
  const [kept = 0] = shape;
  const { sums } = executor.loop;
  if (details.kernel !== 'sum' || dtype === 'int32' || shape.length !== 1 || operand.offset !== 0)
    return undefined;
  if (kept < 2 || kept > sums.kept || size < kept * sums.terms) return undefined;
  const axis = space.findIndex(
    (length, i) => length === kept && rowMajor(space)[i] === operand.strides[0],
  );
  if (axis < 0) return undefined;
  const others = space.flatMap((_, i) => (i === axis ? [] : [i]));
  const expected = viewed(operand.value, permuted(operand.value.whole, [axis, ...others]));
  const axesOf = ({ shape: sizes, strides }: Ref) =>
    sizes.flatMap((length, i) => (length === 1 ? [] : [length, strides[i] as number]));
  return equalLists(axesOf(expected), axesOf(operand)) ? axis : undefined;
}

/** A reduction over the last axes of its operand. The first axes of the operand are the axes of the value. */
export const reduceValue: ValueRecord = {
  rebuild: (build, { kind, details, dtype, shape, node }, args) => {
    const kernel = details.kernel as string;
    const kept = shape.length;
    const operand = kernelFacts('reduce', kernel).indexes
      ? (args[0] as Ref)
      : inMemoryOrder(args[0] as Ref, kept);
    if (kernel === 'sum' && kept > 0) {
      const rows = operand.shape.slice(kept);
      const axes = [...operand.shape.keys()];
      const columnsLast = viewed(
        operand.value,
        permuted(operand, [...axes.slice(kept), ...axes.slice(0, kept)]),
      );
      if (isContiguous(columnsLast)) {
        const matrix = build.reshape(columnsLast, [count(rows), count(shape)], node);
        return build.reshape(build.columnSum(matrix, node), shape, node);
      }
    }
    return made(build, { kind, dtype, shape, args: [operand], details, node });
  },
  fusing: {
    space: (value) =>
      sumsAll(value) || reducesRows(value) ? (value.args[0] as Ref).shape : undefined,
    closes: true,
    rows: (value) => (sumsAll(value) ? undefined : value.shape.length),
    columns: false,
    keeps: keptAxis,
    cheap: () => false,
    code: (value, [operand], emit) => {
      if (sumsAll(value)) return operand as number;
      const { details, dtype } = value;
      const kernel = details.kernel as string;
      return emit({
        kernel,
        converts: false,
        reduces: true,
        dtype,
        operands: [operand as number],
      });
    },
  },
  arrange: 'reads any order',
  part: undefined,
  instruct: (value, writer, nodes) => {
    writer.emit({
      kind: 'reduce',
      kernel: value.details.kernel as string,
      kept: value.shape.length,
      from: writer.locate(value.args[0] as Ref),
      to: writer.locationOf(value),
      nodes,
    });
  },
  reads: () => true,
  writes: () => false,
  onto: () => undefined,
  drawn: undefined,
  prepared: undefined,
  updates: () => undefined,
  varies: false,
};

/** The sum of the rows of a matrix [R, C]. */
export const columnSumValue: ValueRecord = {
  rebuild: (build, { node }, args) => build.columnSum(args[0] as Ref, node),
  // No loop is made for a sum of rows. It only joins a loop that has its operand anyway.
  fusing: {
    space: () => undefined,
    closes: true,
    rows: () => undefined,
    columns: true,
    keeps: () => undefined,
    cheap: () => false,
    code: (_value, operands) => operands[0] as number,
  },
  arrange: 'reads any order',
  part: undefined,
  instruct: (value, writer, nodes) => {
    const from = writer.locate(transposed(value.args[0] as Ref));
    const to = writer.locationOf(value);
    writer.emit({ kind: 'reduce', kernel: 'sum', kept: 1, from, to, nodes });
  },
  reads: () => true,
  writes: () => true,
  onto: () => undefined,
  drawn: undefined,
  prepared: undefined,
  updates: () => undefined,
  varies: false,
};

export interface ReduceInstruction {
  readonly kind: 'reduce';
  readonly nodes: readonly Node[];
  readonly kernel: string;
  /** The number of axes that are not reduced. They are the first axes of `from`, and the axes of `to`. */
  readonly kept: number;
  readonly from: Location;
  readonly to: Location;
}

export const reduceInstruction: InstructionRecord<ReduceInstruction> = {
  opcodes: { reduce: 5 },
  reads: ({ from }) => [[from]],
  writes: ({ to }) => [[to]],
  inPlace: () => [],
  encode: ({ kernel, kept, from, to }, code) => {
    const id = kernelId('reduce', kernel);
    const { shape, memory } = from;
    code.push(id, dtypeCodes[memory.dtype], kept, shape.length - kept, ...shape);
    code.at(to);
    code.push(...to.strides);
    code.at(from);
    code.push(...from.strides);
    return reduceInstruction.opcodes.reduce as number;
  },
  varies: () => false,
  counted: () => ({}),
};
