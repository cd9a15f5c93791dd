/** Measures the peak speed of this machine by a loop of fused multiply-adds that touches no memory. */

import { fmaPeak } from '../../../dist/native/info.js';
import type { FloatType } from '../workloads.js';

/**
 * Returns the peak speed for a dtype in GFLOP/s. It is measured on one core and multiplied by the number of threads.
 */
export function peakOf(dtype: FloatType, threads: number): number {
  return (fmaPeak(dtype) * threads) / 1e9;
}
