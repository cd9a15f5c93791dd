/**
 * Routines: operations of the addon that are neither element-wise nor reductions nor products, such as gather, sort and
 * pooling. native/routines has one row for each.
 */

import { ValueError } from '../errors.js';
import type { Node } from '../graph/node.js';
import type { Lowering } from '../graph/op.js';
import type { Location } from '../ir/location.js';
import { isContiguous } from '../ir/view.js';
import { routineFacts } from '../native/addon.js';
import { prepareRoutine } from '../native/kernels.js';
import { describeIndex } from '../native/program.js';
import { dtypeCodes } from '../native/table.js';
import type { TypedArray } from '../tensor/dtype.js';
import { rowMajorLayout } from './layout.js';
import type { InstructionRecord, LoweringRecord, ValueRecord } from './record.js';

/**
 * One routine, which reads all inputs and writes the result. The inputs and the result are read and written in the
 * shapes that the lowering returns.
 */
export const routine: LoweringRecord<Extract<Lowering, { kind: 'routine' }>> = {
  step: (lowering, node) => {
    const { reads, write, integers } = lowering.call(node);
    const views = [...reads, write].map((shape) => ({ shape, ...rowMajorLayout(shape) }));
    const dtypes = [...node.inputDTypes, node.dtype];
    const run = prepareRoutine(lowering.routine, dtypes, views, integers);
    return (out: TypedArray, inputs: readonly TypedArray[]) => {
      const failure = run(...inputs, out);
      if (failure) throw new ValueError(describeIndex(failure));
    };
  },
  lower: (lowering, { build, node, bound, args }) => {
    const { reads, write, integers } = lowering.call(bound);
    const operands = args.map((arg, i) => build.reshape(arg, reads[i] as readonly number[], node));
    const result = build.routine(lowering.routine, node.dtype, write, operands, integers, node);
    return build.reshape(result, bound.shape, node);
  },
};

export const routineValue: ValueRecord = {
  rebuild: (build, { details, dtype, shape, node }, args) =>
    build.routine(
      details.kernel as string,
      dtype,
      shape,
      args,
      details.integers as readonly number[],
      node,
    ),
  fusing: undefined,
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
  reads: () => true,
  writes: (_value, at) => isContiguous(at),
  onto: () => undefined,
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
