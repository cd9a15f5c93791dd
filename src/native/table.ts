/**
 * Lists the kernels, by family, and the routines that the TypeScript code calls. When the addon is loaded, these tables
 * are compared with the tables of the addon. This comparison is their only use: the compiler reads the facts of kernels
 * and routines from the tables of the addon (`kernelFacts` and `routineFacts` in `addon.ts`).
 */

import type { DType } from '../tensor/dtype.js';

/** The version of the interface of the addon. It changes whenever the arguments of an entry point change. */
export const abi = 9;

/**
 * The types of elements in the registers of a group. A bool that belongs to elements of 4 or 8 bytes is a mask: a word of
 * their width. A bool that belongs to elements of one byte, and every bool in memory, is a byte.
 */
export type LaneType = DType | 'mask32' | 'mask64';

/** Returns the type of a bool in a register beside elements of `type`. */
export function maskOf(type: LaneType): LaneType {
  if (type === 'float64' || type === 'mask64') return 'mask64';
  return type === 'bool' || type === 'uint8' ? 'bool' : 'mask32';
}

/** The number of each type in the code of programs and routines. */
export const dtypeCodes: Readonly<Record<LaneType, number>> = {
  float32: 0,
  float64: 1,
  int32: 2,
  bool: 3,
  uint8: 4,
  mask32: 5,
  mask64: 6,
};

export interface KernelRow {
  readonly family: 'map' | 'cast' | 'reduce' | 'product' | 'random';
  readonly name: string;
  /** The number of operands. */
  readonly arity: number;
  readonly dtypes: readonly LaneType[];
}

/** What the addon says about a kernel. */
export interface KernelFacts extends KernelRow {
  /**
   * The types of the (last) operand for which computing an element takes less time than storing it. For a kernel without
   * operands, these are types of the result.
   */
  readonly cheap: readonly LaneType[];
  /** Which operands of an element-wise kernel are bools: none, the result, or the first operand. */
  readonly form: 'plain' | 'compares' | 'selects';
}

/** What the addon says about a reduction. */
export interface ReductionFacts extends KernelFacts {
  /** The result over no elements, by dtype. If a dtype is not in this record, the result is not defined. */
  readonly identities: Readonly<Partial<Record<DType, number>>>;
  /** The dtypes for which a fused loop over whole rows can reduce each row. */
  readonly rows: readonly DType[];
  /** Whether the result is the index of an element. It then depends on the order of the elements. */
  readonly indexes: boolean;
}

const floating = ['float32', 'float64'] as const;
const numbers = ['float32', 'float64', 'int32'] as const;
const all = [...numbers, 'bool', 'uint8'] as const;
/** The types of bools in memory (the elements of a Uint8Array count as uint8) and in registers. */
const truths = ['bool', 'uint8', 'mask32', 'mask64'] as const;

function rows(
  family: KernelRow['family'],
  arity: number,
  dtypes: readonly LaneType[],
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
    'neg exp log sqrt square abs sign sigmoid tanh relu softplus sin cos rsqrt erf log1p expm1',
  ),
  ...rows('map', 1, floating, 'floor ceil round trunc tan asin acos atan'),
  ...rows('map', 2, floating, 'add sub mul div pow maximum minimum atan2'),
  ...rows('map', 2, numbers, 'mod'),
  ...rows('map', 2, all, 'greater greaterEqual equal notEqual'),
  ...rows('map', 1, truths, 'not'),
  ...rows('map', 2, truths, 'and or xor'),
  ...rows('map', 3, all, 'where'),
  // These compute a b + c, a b - c and c - a b. The compiler uses them in place of a multiplication and an addition or
  // subtraction.
  ...rows('map', 3, floating, 'fma fms fnma'),
  // The name of a cast is the type of its result; `dtypes` are the possible types of its operand.
  ...rows(
    'cast',
    1,
    [...all, 'mask32', 'mask64'],
    'float32 float64 int32 bool uint8 mask32 mask64',
  ),
  ...rows('reduce', 1, floating, 'sum'),
  ...rows('reduce', 1, numbers, 'max argmax'),
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

/** What the addon says about a routine. */
export interface RoutineFacts extends RoutineRow {
  /** Whether a call may fail, because an index is out of range. */
  readonly mayFail: boolean;
  /** The position of the read that may be the same view as the first write; -1 if there is none. */
  readonly inPlace: number;
  /** Whether the routine may write a leaf, at the end of a run: its indices are checked before the first write. */
  readonly updatesLeaves: boolean;
  /**
   * The reads that take much longer if their last axis is not contiguous (unless it is short), so that the compiler
   * makes it contiguous.
   */
  readonly lanes: readonly number[];
  /**
   * If all operands are images [batch, channels, height, width], the integer that is 1 if their axes are in the order
   * [batch, height, width, channels] instead; -1 otherwise.
   */
  readonly channelsLast: number;
}

function routine(
  name: string,
  reads: number,
  integers: number,
  dtypes: readonly DType[] = numbers,
  writes = 1,
): RoutineRow {
  return { name, reads, writes, integers, dtypes };
}

/** The comments at the beginning of the files in `native/routines` describe the operands and the integers. */
export const expectedRoutines: readonly RoutineRow[] = [
  routine('gather', 2, 1, all),
  routine('takeAlongAxis', 2, 1, all),
  routine('scatterAdd', 3, 1),
  routine('scatterAddAlongAxis', 3, 1),
  routine('sort', 1, 1, numbers, 2),
  routine('argsort', 1, 1),
  routine('topK', 1, 0),
  routine('cumsum', 1, 1),
  routine('argmin', 1, 0),
  routine('maxPool', 1, 11),
  routine('avgPool', 1, 12, floating),
  routine('avgPoolGradient', 1, 12, floating),
  routine('convPack', 1, 1, floating),
  routine('convPackGradient', 1, 5, floating),
  routine('conv', 2, 11, floating),
  routine('convInputGradient', 2, 11, floating),
  routine('convWeightGradient', 2, 11, floating),
  routine('maxPoolValues', 2, 11),
  routine('maxPoolGradient', 2, 11, floating),
  routine('takeLabels', 2, 1, all),
  routine('cumprod', 1, 0, floating),
  routine('recurrence', 2, 1, floating),
  routine('gatherSum', 2, 1, floating),
];
