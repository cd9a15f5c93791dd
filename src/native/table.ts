/**
 * The kernels that the TypeScript code calls, by family: the contract with the addon. On load, this table is compared
 * with that of the addon.
 */

import type { DType } from '../tensor/dtype.js';

/** The version of the interface. It changes whenever the arguments of an entry point change. */
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
  // a b + c, a b - c, c - a b: the compiler fuses a multiplication and an addition.
  ...rows('map', 3, floating, 'fma fms fnma'),
  // A cast is named by its result dtype; `dtypes` are those of the operand.
  ...rows('cast', 1, all, 'float32 float64 int32'),
  ...rows('reduce', 1, floating, 'sum'),
  ...rows('reduce', 1, all, 'max argmax'),
  ...rows('product', 2, floating, 'gemm'),
  ...rows('random', 0, floating, 'uniform normal truncatedNormal'),
];
