/** Describes the native addon: which one is loaded, and what determines its speed. */

import { load } from './addon.js';

/** The description of the native addon. */
export interface NativeInfo {
  /** The version of forebay that the addon was built from. */
  readonly version: string;
  /** The version of the interface between the addon and TypeScript. */
  readonly abi: number;
  /** The instruction set that the kernels use, and the instruction sets that this machine supports. */
  readonly simd: { readonly active: string; readonly available: readonly string[] };
  /**
   * The BLAS library, the processor core for which it is tuned, and its number of threads, which is 1 because forebay
   * has its own threads.
   */
  readonly blas: { readonly library: string; readonly core: string; readonly threads: number };
  /** The number of threads that a run may use, unless its program sets another number. */
  readonly threads: number;
}

/**
 * Returns the description of the loaded native addon on this machine. Loads it if necessary.
 * @throws NativeError, with the remedy, if the addon does not load
 */
export function nativeInfo(): NativeInfo {
  const { addon, description } = load();
  const { version, abi, simd, blas } = description;
  return { version, abi, simd, blas, threads: addon.getThreads() };
}

/**
 * Returns the peak rate of one thread, in floating-point operations per second. A multiply-add counts as two. The call
 * measures the rate for about 20 ms, with a loop that does not access memory. For benchmarks; not public.
 */
export function fmaPeak(dtype: 'float32' | 'float64'): number {
  return load().addon.fmaPeak(dtype === 'float64' ? 64 : 32);
}
