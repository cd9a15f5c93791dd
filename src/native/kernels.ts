/**
 * Makes kernels callable as functions over strided views. A call is prepared once, when the shapes are known, and can
 * then be made many times. The preparation packs shapes, offsets and strides (the geometry) into one array, which the
 * addon reads and checks.
 */

import { NativeError } from '../errors.js';
import { bytesOf, type DType, dtypes, type TypedArray, typedArray } from '../tensor/dtype.js';
import { stridesOf } from '../tensor/shape.js';
import { kernelId, load, messageOf, routineFacts } from './addon.js';
import { failureNumbers, type IndexOutOfRange, indexIn } from './program.js';
import { dtypeCodes } from './table.js';

/**
 * Describes where the elements of an operand are in its memory. Element (i, j, …) has the index
 * offset + i * strides[0] + j * strides[1] + …. A stride of 0 repeats the same elements.
 */
export interface Layout {
  readonly offset: number;
  readonly strides: readonly number[];
}

const pack = (layout: Layout) => [layout.offset, ...layout.strides];

/** Calls `run`. @throws NativeError if `run` throws; its message begins with `what` */
function call(what: string, run: () => void): void {
  try {
    run();
  } catch (cause) {
    throw new NativeError(`${what}: ${messageOf(cause)}`, { cause });
  }
}

export type MapCall = (out: TypedArray, ...inputs: TypedArray[]) => void;

// Prepared calls are kept for reuse, because an unrolled sequence prepares the same few calls thousands of times.
// Packing their geometry would take most of the time.
const preparedMaps = new Map<string, MapCall>();
const maxPreparedMaps = 4096;

/** Prepares an element-wise kernel over `shape`, with a layout for the result and for each operand. */
export function prepareMap(
  kernel: string,
  shape: readonly number[],
  out: Layout,
  inputs: readonly Layout[],
  family: 'map' | 'cast' = 'map',
): MapCall {
  // Do not call the addon if there are no elements, because the offset may then be outside the memory.
  if (shape.includes(0)) return () => {};
  const geometry = [shape.length, ...shape, ...pack(out), ...inputs.flatMap(pack)];
  const key = `${family} ${kernel} ${geometry.join(' ')}`;
  const known = preparedMaps.get(key);
  if (known) return known;
  const id = kernelId(family, kernel);
  const { addon } = load();
  const packed = Float64Array.from(geometry);
  const prepared: MapCall = (target, ...sources) =>
    call(kernel, () => addon.map(id, packed, target, ...sources));
  if (preparedMaps.size === maxPreparedMaps) preparedMaps.clear();
  preparedMaps.set(key, prepared);
  return prepared;
}

/** Prepares a reduction over `axes`. The result is contiguous, and keeps the order of the other axes. */
export function prepareReduce(
  kernel: string,
  shape: readonly number[],
  axes: readonly number[],
  strides: readonly number[],
): (out: TypedArray, input: TypedArray) => void {
  const id = kernelId('reduce', kernel);
  const { addon } = load();
  const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...kept, ...axes];
  const geometry = Float64Array.from([
    kept.length,
    axes.length,
    ...order.map((axis) => shape[axis] as number),
    0,
    ...stridesOf(kept.map((axis) => shape[axis] as number)),
    0,
    ...order.map((axis) => strides[axis] as number),
  ]);
  return (out, input) => call(kernel, () => addon.reduce(id, geometry, out, input));
}

export interface Product {
  readonly batch: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /**
   * The number of elements between the beginnings of successive matrices, along each batch axis. 0 repeats the same
   * matrix.
   */
  readonly batchStridesA: readonly number[];
  readonly batchStridesB: readonly number[];
  readonly batchStridesC: readonly number[];
}

/**
 * Prepares C = op(A) op(B) for a batch of row-major matrices without gaps between their rows. `transposeA` and
 * `transposeB` say whether op transposes the matrix.
 */
export function prepareProduct(
  p: Product,
): (out: TypedArray, a: TypedArray, b: TypedArray) => void {
  const { addon } = load();
  const geometry = Float64Array.from([
    p.batch.length,
    ...p.batch,
    p.m,
    p.n,
    p.k,
    Number(p.transposeA),
    Number(p.transposeB),
    Math.max(1, p.transposeA ? p.m : p.k),
    Math.max(1, p.transposeB ? p.k : p.n),
    Math.max(1, p.n),
    ...pack({ offset: 0, strides: p.batchStridesA }),
    ...pack({ offset: 0, strides: p.batchStridesB }),
    ...pack({ offset: 0, strides: p.batchStridesC }),
  ]);
  return (out, a, b) => call('gemm', () => addon.product(geometry, 1, 0, out, a, b));
}

/** Prepares a kernel that fills `out` with random numbers, which depend only on `seed` and `run`. */
export function prepareRandom(
  kernel: string,
  seed: number,
): (out: TypedArray, run: number) => void {
  const id = kernelId('random', kernel);
  const { addon } = load();
  return (out, run) => call(kernel, () => addon.random(id, seed, run, out));
}

/** The view of an operand of a routine. */
export interface RoutineView extends Layout {
  readonly shape: readonly number[];
}

/** Computes a routine. The arguments are the arrays of its reads, then of its writes. */
export type RoutineCall = (...operands: TypedArray[]) => IndexOutOfRange | undefined;

/**
 * Prepares a routine. The views of the writes must be row-major and without gaps.
 * @param dtypes the dtypes of the reads, then of the writes
 * @param views the views of the reads, then of the writes
 * @param integers the integers of the routine, which the comments in `native/routines` describe
 * @returns the function that computes the routine. If an index is out of range, it returns the failure, and the values
 *   of the writes are unspecified; otherwise it returns undefined.
 * @throws NativeError if there is no such routine. The returned function throws a NativeError if the addon refuses the
 *   dtypes, views or integers.
 */
export function prepareRoutine(
  name: string,
  dtypes: readonly DType[],
  views: readonly RoutineView[],
  integers: readonly number[],
): RoutineCall {
  const { id } = routineFacts(name);
  const { addon } = load();
  const geometry = Float64Array.from([
    id,
    ...dtypes.map((dtype) => dtypeCodes[dtype]),
    ...views.flatMap(({ shape, offset, strides }, operand) => {
      // The offset of a view without elements may be outside the memory.
      const first = shape.includes(0) ? 0 : offset * bytesOf[dtypes[operand] as DType];
      return [shape.length, ...shape, operand, first, ...strides];
    }),
    ...integers,
  ]);
  return (...operands) => {
    const report = new Float64Array(failureNumbers);
    let succeeded = true;
    call(name, () => {
      succeeded = addon.routine(geometry, report, ...operands);
    });
    return succeeded ? undefined : indexIn(report);
  };
}

/** Arrays that contain one 0, by dtype. To fill memory with zeros, a kernel copies this array with strides of 0. */
export const zero = Object.fromEntries(
  dtypes.map((dtype) => [dtype, typedArray(dtype, 1)]),
) as Readonly<Record<DType, TypedArray>>;
