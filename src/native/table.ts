/**
 * Lists the kernels that the TypeScript code calls, by family. When the addon is loaded, this table is compared with
 * the table of the addon.
 */

import type { DType } from '../tensor/dtype.js';

/** The version of the interface of the addon. It changes whenever the arguments of an entry point change. */
export const abi = 2;

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
