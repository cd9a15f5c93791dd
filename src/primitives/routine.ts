/**
 * Routines: operations of the addon that are neither element-wise nor reductions nor products, such as gather, sort and
 * pooling. native/routines has one row for each.
 */

import { assertList } from '../arguments/read.js';
import { ShapeError } from '../errors.js';
import { IndexError } from '../graph/calls.js';
import type { Bound, Lowering, RoutineShapes, SeveralRoutineShapes } from '../graph/lowering.js';
import type { Node } from '../graph/node.js';
import { resultsOf } from '../graph/results.js';
import { listInOrder } from '../ir/axes.js';
import type { Builder } from '../ir/builder.js';
import type { Location } from '../ir/location.js';
import type { Definition } from '../ir/rule.js';
import { executor } from '../ir/target.js';
import type { Ref, Value } from '../ir/value.js';
import { count, isContiguous } from '../ir/view.js';
import { routineFacts } from '../native/addon.js';
import { prepareRoutine } from '../native/kernels.js';
import { describeIndex } from '../native/program.js';
import { dtypeCodes } from '../native/table.js';
import type { DType } from '../tensor/dtype.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { partOfConvolution } from './conv-part.js';
import { rowMajorLayout } from './layout.js';
import type { InstructionRecord, LoweringRecord, ValueRecord } from './record.js';

type RoutineLowering = Extract<Lowering, { kind: 'routine' }>;

/** A checked call of a routine. */
interface Call {
  readonly reads: readonly (readonly number[])[];
  /** The shapes in which the results are written, in their order. */
  readonly writes: readonly (readonly number[])[];
  readonly integers: readonly number[];
}

/**
 * Returns how a routine is called. The lowering may be a user's, so it is checked that the shapes have the elements of
 * the inputs and of the results.
 * @throws ShapeError if they do not, or the numbers of inputs or integers are wrong; NativeError if there is no such
 *   routine; ValueError if the lowering returns no lists
 */
function checkedCall({ routine, call }: RoutineLowering, bound: Bound<object>): Call {
  const facts = routineFacts(routine);
  const shapes: Partial<RoutineShapes & SeveralRoutineShapes> | undefined = call(bound);
  const listOf = <T>(list: readonly T[] | undefined, what: string) =>
    assertList(list as readonly T[], `routine '${routine}': expected a list of ${what},`);
  const reads = listOf(shapes?.reads, 'shapes').map((shape) => listOf(shape, 'numbers'));
  // Without keys, the op has one result.
  const keys = Object.keys(bound.results);
  const writes = (
    keys.length === 0 ? [shapes?.write] : keys.map((key) => shapes?.writes?.[key])
  ).map((shape) => listOf(shape, 'numbers'));
  const integers = listOf(shapes?.integers, 'integers');
  const fits = (shape: readonly number[] | undefined, whole: readonly number[]) =>
    shape?.every(isSize) === true && sizeOf(shape) === sizeOf(whole);
  const { inputShapes } = bound;
  if (reads.length !== inputShapes.length || reads.length !== facts.reads) {
    throw new ShapeError(
      `routine '${routine}' reads ${facts.reads} operands, but the op has ${inputShapes.length} inputs, of which ${reads.length} are read`,
    );
  }
  inputShapes.forEach((shape, i) => {
    if (fits(reads[i], shape)) return;
    throw new ShapeError(
      `routine '${routine}' cannot read input ${i}, of shape ${formatShape(shape)}, as ${formatShape(reads[i] ?? [])}`,
    );
  });
  const results = keys.length === 0 ? [bound.shape] : Object.values(bound.results);
  if (results.length !== facts.writes) {
    throw new ShapeError(
      `routine '${routine}' has ${facts.writes} results, but the op has ${results.length}`,
    );
  }
  results.forEach((shape, i) => {
    const write = writes[i] as readonly number[];
    if (fits(write, shape)) return;
    throw new ShapeError(
      `routine '${routine}' cannot write a result of shape ${formatShape(shape)} as ${formatShape(write)}`,
    );
  });
  if (new Set(writes.map((shape) => sizeOf(shape) === 0)).size > 1) {
    throw new ShapeError(
      `routine '${routine}' cannot compute results of which only some have elements: ${writes.map(formatShape).join(', ')}`,
    );
  }
  if (integers.length !== facts.integers || !integers.every(Number.isSafeInteger)) {
    throw new ShapeError(
      `routine '${routine}' takes ${facts.integers} integers, but received [${integers.join(', ')}]`,
    );
  }
  return { reads, writes, integers };
}

const isSize = (size: unknown): boolean => Number.isSafeInteger(size) && (size as number) >= 0;

/**
 * One routine, which reads all inputs and writes the results. They are read and written in the shapes that the lowering
 * returns. For an op with several results, `lower` returns the first, in the shape in which it is written, and the
 * record of `result` makes the others.
 */
export const routine: LoweringRecord<RoutineLowering> = {
  expand: undefined,
  step: (lowering, node) => {
    const { reads, writes, integers } = checkedCall(lowering, node);
    const views = [...reads, ...writes].map((shape) => ({ shape, ...rowMajorLayout(shape) }));
    const { inputDTypes, dtype, resultDTypes } = node;
    const dtypes = [...inputDTypes, ...(resultDTypes.length === 0 ? [dtype] : resultDTypes)];
    const run = prepareRoutine(lowering.routine, dtypes, views, integers);
    return (_out, inputs, _run, results) => {
      const failure = run(...inputs, ...results);
      if (failure) throw new IndexError(describeIndex(failure), failure);
    };
  },
  lower: (lowering, { build, node, bound, args }) => {
    const { reads, writes, integers } = checkedCall(lowering, bound);
    const [write, ...others] = writes as [readonly number[], ...(readonly number[])[]];
    const several = resultsOf(node);
    const [first, ...further] = several
      ? Object.values(several).map(({ dtype }) => dtype)
      : [node.dtype];
    const results = others.map((shape, i) => [further[i] as DType, ...shape] as const);
    const made = routineResult(build, {
      kind: 'routine',
      dtype: first as DType,
      shape: write,
      args: args.map((arg, i) => build.reshape(arg, reads[i] as readonly number[], node)),
      details: { kernel: lowering.routine, integers, ...(several && { results }) },
      node,
    });
    return several ? made : build.reshape(made, bound.shape, node);
  },
};

/** Makes the value that a routine computes. */
export function routineResult(build: Builder, definition: Definition): Ref {
  const { dtype, shape, args, node } = definition;
  if (count(shape) === 0) return build.filled(0, dtype, shape);
  return build.make({ ...definition, args: args.map((arg) => build.ascending(arg, node)) });
}

/** The axes [batch, height, width, channels] of images [batch, channels, height, width]. */
export const channelsLast = [0, 2, 3, 1];

/** Returns the integer of a value that says whether its images have their channels last; undefined if none does. */
function orderFlag({ details }: Value): number | undefined {
  const { channelsLast: flag } = routineFacts(details.kernel as string);
  return flag < 0 ? undefined : flag;
}

export const routineValue: ValueRecord = {
  rebuild: (build, { kind, dtype, shape, details, node }, args) =>
    routineResult(build, { kind, dtype, shape, args, details, node }),
  fusing: undefined,
  arrange: {
    orders: (value) => {
      const flag = orderFlag(value);
      return flag === undefined || value.details.integers?.[flag] === 1 ? [] : [channelsLast];
    },
    make: (build, value, axes, args) => {
      const { kind, dtype, details, node } = value;
      const integers = (details.integers as readonly number[]).with(orderFlag(value) as number, 1);
      const shape = listInOrder(value.shape, axes);
      return routineResult(build, {
        kind,
        dtype,
        shape,
        args,
        details: { ...details, integers },
        node,
      });
    },
  },
  part: (value, region) =>
    value.details.kernel === 'conv' ? partOfConvolution(value, region) : undefined,
  instruct: (value, writer, nodes) => {
    writer.emit({
      kind: 'routine',
      routine: value.details.kernel as string,
      reads: writer.operandsOf(value),
      writes: writer.resultsOf(value),
      integers: value.details.integers as readonly number[],
      nodes,
    });
  },
  reads: ({ args, details: { kernel } }, operand, { shape, strides }) =>
    shape.length === 0 ||
    (shape.at(-1) as number) <= executor.fewLanes ||
    strides.at(-1) === 1 ||
    !routineFacts(kernel as string).lanes.includes(args.indexOf(operand)),
  writes: (_value, at) => isContiguous(at),
  onto: () => undefined,
  drawn: undefined,
  prepared: undefined,
  updates: ({ details: { kernel } }) => {
    const { updatesLeaves, inPlace } = routineFacts(kernel as string);
    return updatesLeaves ? inPlace : undefined;
  },
  varies: false,
};

export interface RoutineInstruction {
  readonly kind: 'routine';
  readonly nodes: readonly Node[];
  /** The name of the routine. */
  readonly routine: string;
  readonly reads: readonly Location[];
  readonly writes: readonly Location[];
  readonly integers: readonly number[];
}

export const routineInstruction: InstructionRecord<RoutineInstruction> = {
  opcodes: { routine: 9 },
  reads: ({ reads }) => [reads],
  writes: ({ writes }) => [writes],
  inPlace: ({ routine, reads, writes }) => {
    const read = reads[routineFacts(routine).inPlace];
    return read ? [{ write: writes[0] as Location, reads: [read] }] : [];
  },
  encode: ({ routine, reads, writes, integers }, code) => {
    const operands = [...reads, ...writes];
    code.push(routineFacts(routine).id);
    code.push(...operands.map(({ memory: { dtype } }) => dtypeCodes[dtype]));
    for (const location of operands) {
      code.push(location.shape.length, ...location.shape);
      code.at(location);
      code.push(...location.strides);
    }
    code.push(...integers);
    return routineInstruction.opcodes.routine as number;
  },
  varies: () => false,
  counted: () => ({}),
};
