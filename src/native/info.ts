/** What the native half is made of, for people who ask why it is slow, or which one was loaded. */

import { load } from './addon.js';

/** What the native half is made of. */
export interface NativeInfo {
  /** The version of forebay that the addon was built from. */
  readonly version: string;
  /** The version of the interface between the addon and TypeScript. */
  readonly abi: number;
  /** The kernels' instruction set in use, and those that this machine has. */
  readonly simd: { readonly active: string; readonly available: readonly string[] };
  /** Which BLAS multiplies matrices, for which core it is tuned, and its own threads: 1, as forebay has its own. */
  readonly blas: { readonly library: string; readonly core: string; readonly threads: number };
  /** How many threads a run may use, unless its program says otherwise. */
  readonly threads: number;
}

/**
 * Which native half was loaded, and what it found on this machine.
 * @throws NativeError, with the remedy, when the addon does not load
 */
export function nativeInfo(): NativeInfo {
  const { addon, description } = load();
  const { version, abi, simd, blas } = description;
  return { version, abi, simd, blas, threads: addon.getThreads() };
}

/**
 * Floating-point operations a second that one thread can make at best, a multiply-add being two: a
 * loop that touches no memory, measured now, for some 20 ms. For benchmarks; not public.
 */
export function fmaPeak(dtype: 'float32' | 'float64'): number {
  return load().addon.fmaPeak(dtype === 'float64' ? 64 : 32);
}
