/** Measures the memory that BLAS allocates for packed operands, because BLAS does not report this memory. */

import { prepareProduct } from '../../../dist/native/kernels.js';
import { statusBytes } from '../peers/process.js';

/**
 * Computes these products by BLAS on one thread, and returns the number of bytes by which this process grows. Call it
 * in a process that has not computed any product. For a program with these products, the result is an upper bound,
 * because the program computes some of them without BLAS.
 */
export function blasGrowth(
  dtype: 'float32' | 'float64',
  shapes: readonly (readonly [m: number, n: number, k: number])[],
): number {
  const products = shapes.map(([m, n, k]) => {
    const matrix = { transposeA: false, transposeB: false, batch: [] };
    const strides = { batchStridesA: [], batchStridesB: [], batchStridesC: [] };
    return { m, n, k, run: prepareProduct({ m, n, k, ...matrix, ...strides }) };
  });
  const most = (size: (shape: readonly [number, number, number]) => number) =>
    // Filling the array allocates its pages before the measurement.
    new ({ float32: Float32Array, float64: Float64Array })[dtype](
      Math.max(0, ...shapes.map(size)),
    ).fill(1);
  const a = most(([m, , k]) => m * k);
  const b = most(([, n, k]) => k * n);
  const c = most(([m, n]) => m * n);
  const before = statusBytes('VmRSS');
  for (const { m, n, k, run } of products) {
    run(c.subarray(0, m * n), a.subarray(0, m * k), b.subarray(0, k * n));
  }
  return Math.max(0, statusBytes('VmRSS') - before);
}
