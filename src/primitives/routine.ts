/**
 * Routines: operations of the addon that are neither element-wise nor reductions nor products, such as gather, sort and
 * pooling. native/routines has one row for each.
 */

import { assertList } from '../arguments/read.js';
import { ShapeError, ValueError } from '../errors.js';
import type { Node } from '../graph/node.js';
import type { Bound, Lowering, RoutineShapes } from '../graph/op.js';
import type { Builder } from '../ir/builder.js';
import type { Location } from '../ir/location.js';
import type { Definition } from '../ir/rule.js';
import { executor } from '../ir/target.js';
import type { Ref } from '../ir/value.js';
import { count, isContiguous } from '../ir/view.js';
import { routineFacts } from '../native/addon.js';
import { prepareRoutine } from '../native/kernels.js';
import { describeIndex } from '../native/program.js';
import { dtypeCodes } from '../native/table.js';
import type { TypedArray } from '../tensor/dtype.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { rowMajorLayout } from './layout.js';
import type { InstructionRecord, LoweringRecord, ValueRecord } from './record.js';

type RoutineLowering = Extract<Lowering, { kind: 'routine' }>;

/**
 * Returns how a routine is called. The lowering may be a user's, so it is checked that the shapes have the elements of
 * the inputs and of the result.
 * @throws ShapeError if they do not, or the numbers of inputs or integers are wrong; NativeError if there is no such
 *   routine; ValueError if the lowering returns no lists
 */
function checkedCall({ routine, call }: RoutineLowering, bound: Bound<object>): RoutineShapes {
  const facts = routineFacts(routine);
  const shapes: Partial<RoutineShapes> | undefined = call(bound);
  const listOf = <T>(list: readonly T[] | undefined, what: string) =>
    assertList(list as readonly T[], `routine '${routine}': expected a list of ${what},`);
  const reads = listOf(shapes?.reads, 'shapes').map((shape) => listOf(shape, 'numbers'));
  const write = listOf(shapes?.write, 'numbers');
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
  if (!fits(write, bound.shape)) {
    throw new ShapeError(
      `routine '${routine}' cannot write a result of shape ${formatShape(bound.shape)} as ${formatShape(write)}`,
    );
  }
  if (integers.length !== facts.integers || !integers.every(Number.isSafeInteger)) {
    throw new ShapeError(
      `routine '${routine}' takes ${facts.integers} integers, but received [${integers.join(', ')}]`,
    );
  }
  return { reads, write, integers };
}

const isSize = (size: unknown): boolean => Number.isSafeInteger(size) && (size as number) >= 0;

/**
 * One routine, which reads all inputs and writes the result. The inputs and the result are read and written in the
 * shapes that the lowering returns.
 */
export const routine: LoweringRecord<RoutineLowering> = {
  step: (lowering, node) => {
    const { reads, write, integers } = checkedCall(lowering, node);
    const views = [...reads, write].map((shape) => ({ shape, ...rowMajorLayout(shape) }));
    const dtypes = [...node.inputDTypes, node.dtype];
    const run = prepareRoutine(lowering.routine, dtypes, views, integers);
    return (out: TypedArray, inputs: readonly TypedArray[]) => {
      const failure = run(...inputs, out);
      if (failure) throw new ValueError(describeIndex(failure));
    };
  },
  lower: (lowering, { build, node, bound, args }) => {
    const { reads, write, integers } = checkedCall(lowering, bound);
    const result = routineResult(build, {
      kind: 'routine',
      dtype: node.dtype,
      shape: write,
      args: args.map((arg, i) => build.reshape(arg, reads[i] as readonly number[], node)),
      details: { kernel: lowering.routine, integers },
      node,
    });
    return build.reshape(result, bound.shape, node);
  },
};

/** Makes the value that a routine computes. */
export function routineResult(build: Builder, definition: Definition): Ref {
  const { dtype, shape, args, node } = definition;
  if (count(shape) === 0) return build.filled(0, dtype, shape);
  return build.make({ ...definition, args: args.map((arg) => build.ascending(arg, node)) });
}

export const routineValue: ValueRecord = {
  rebuild: (build, { kind, dtype, shape, details, node }, args) =>
    routineResult(build, { kind, dtype, shape, args, details, node }),
  fusing: undefined,
  arrange: 'fixed',
  instruct: (value, writer, nodes) => {
    writer.emit({
      kind: 'routine',
      routine: value.details.kernel as string,
      reads: value.args.map((arg) => writer.locate(arg)),
      write: writer.locationOf(value),
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
};

export interface RoutineInstruction {
  readonly kind: 'routine';
  readonly nodes: readonly Node[];
  /** The name of the routine. */
  readonly routine: string;
  readonly reads: readonly Location[];
  readonly write: Location;
  readonly integers: readonly number[];
}

export const routineInstruction: InstructionRecord<RoutineInstruction> = {
  opcodes: { routine: 9 },
  reads: ({ reads }) => [reads],
  writes: ({ write }) => [[write]],
  inPlace: ({ routine, reads, write }) => {
    const read = reads[routineFacts(routine).inPlace];
    return read ? [{ write, reads: [read] }] : [];
  },
  encode: ({ routine, reads, write, integers }, code) => {
    const operands = [...reads, write];
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
  counted: () => ({}),
};
