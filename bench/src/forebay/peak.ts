/** The most that this machine can compute: a loop of fused multiply-adds that touches no memory. */

import { fmaPeak } from '../../../dist/native/info.js';
import type { FloatType } from '../workloads.js';

/** GFLOP/s of a dtype, measured now, of so many cores alike. */
export function peakOf(dtype: FloatType, threads: number): number {
  return (fmaPeak(dtype) * threads) / 1e9;
}
