/**
 * Lists the kernels, by family, and the routines that the TypeScript code calls. When the addon is loaded, these tables
 * are compared with the tables of the addon.
 */

import type { DType } from '../tensor/dtype.js';

/** The version of the interface of the addon. It changes whenever the arguments of an entry point change. */
export const abi = 3;

/** The number of each dtype in the code of programs and routines. */
export const dtypeCodes: Readonly<Record<DType, number>> = { float32: 0, float64: 1, int32: 2 };

export interface KernelRow {
  readonly family: 'map' | 'cast' | 'reduce' | 'product' | 'random';
  readonly name: string;
  /** The number of operands. */
  readonly arity: number;
  readonly dtypes: readonly DType[];
}

const floating = ['float32', 'float64'] as const;
const all = ['float32', 'float64', 'int32'] as const;

function rows(
  family: KernelRow['family'],
  arity: number,
  dtypes: readonly DType[],
  names: string,
): KernelRow[] {
  return names.split(' ').map((name) => ({ family, name, arity, dtypes }));
}

export const expectedKernels: readonly KernelRow[] = [
  ...rows('map', 1, all, 'copy'),
  ...rows(
    'map',
    1,
    floating,
    'neg exp log sqrt square abs sign sigmoid tanh relu softplus sin cos',
  ),
  ...rows('map', 2, floating, 'add sub mul div pow maximum minimum'),
  ...rows('map', 2, all, 'greater equal'),
  ...rows('map', 3, all, 'where'),
  // These compute a b + c, a b - c and c - a b. The compiler uses them in place of a multiplication and an addition or
  // subtraction.
  ...rows('map', 3, floating, 'fma fms fnma'),
  // The name of a cast is the dtype of its result; `dtypes` are the possible dtypes of its operand.
  ...rows('cast', 1, all, 'float32 float64 int32'),
  ...rows('reduce', 1, floating, 'sum'),
  ...rows('reduce', 1, all, 'max argmax'),
  ...rows('product', 2, floating, 'gemm'),
  ...rows('random', 0, floating, 'uniform normal truncatedNormal'),
];

/** A routine: an operation over views that is neither element-wise nor a reduction nor a product. */
export interface RoutineRow {
  readonly name: string;
  /** The numbers of operands that a call reads and writes, and of the integers that follow them. */
  readonly reads: number;
  readonly writes: number;
  readonly integers: number;
  /** The possible dtypes of the first operand. */
  readonly dtypes: readonly DType[];
}

function routine(
  name: string,
  reads: number,
  integers: number,
  dtypes: readonly DType[] = all,
): RoutineRow {
  return { name, reads, writes: 1, integers, dtypes };
}

/** The comments at the beginning of the files in `native/routines` describe the operands and the integers. */
export const expectedRoutines: readonly RoutineRow[] = [
  routine('gather', 2, 1),
  routine('takeAlongAxis', 2, 1),
  routine('scatterAdd', 3, 1),
  routine('scatterAddAlongAxis', 3, 1),
  routine('sort', 1, 1),
  routine('argsort', 1, 1),
  routine('topK', 1, 0),
  routine('cumsum', 1, 1),
  routine('argmin', 1, 0),
  routine('maxPool', 1, 10),
  routine('avgPool', 1, 11, floating),
  routine('avgPoolGradient', 1, 11, floating),
  routine('convPack', 1, 1, floating),
  routine('convPackGradient', 1, 5, floating),
  routine('conv', 2, 11, floating),
  routine('convInputGradient', 2, 11, floating),
  routine('convWeightGradient', 2, 11, floating),
];
