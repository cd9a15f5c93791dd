/** What the native half is made of, for people who ask why it is slow, or which one was loaded. */

import { load } from './addon.js';

export interface NativeInfo {
  /** The version of forebay that the addon was built from. */
  readonly version: string;
  readonly abi: number;
  /** The kernels' instruction set in use, and those that this machine has. */
  readonly simd: { readonly active: string; readonly available: readonly string[] };
  readonly blas: { readonly library: string; readonly core: string; readonly threads: number };
}

/** @throws NativeError, with the remedy, when the addon does not load */
export function nativeInfo(): NativeInfo {
  const { version, abi, simd, blas } = load().description;
  return { version, abi, simd, blas };
}
