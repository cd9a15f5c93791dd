/** Measures the peak speed of this machine by a loop of fused multiply-adds that touches no memory. */

import { fmaPeak } from '../../../dist/native/info.js';
import type { FloatType } from '../workloads.js';

/** GFLOP/s for a dtype, measured on one core and multiplied by the number of cores. */
export function peakOf(dtype: FloatType, threads: number): number {
  return (fmaPeak(dtype) * threads) / 1e9;
}
