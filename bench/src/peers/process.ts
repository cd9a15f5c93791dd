/** Reads and resets the memory statistics of this process, which Linux keeps, and measures time. */

import { readFileSync, writeFileSync } from 'node:fs';

/** Returns a number from /proc/self/status, such as VmRSS, in bytes; 0 if the file does not exist. */
export function statusBytes(key: 'VmRSS' | 'VmHWM'): number {
  let status: string;
  try {
    status = readFileSync('/proc/self/status', 'utf8');
  } catch {
    return 0;
  }
  const kilobytes = new RegExp(`^${key}:\\s*(\\d+) kB`, 'm').exec(status)?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

/**
 * Returns the paths of the loaded shared libraries of BLAS; empty if BLAS is linked in, or on a system without /proc.
 */
export function blasFiles(): string[] {
  let maps: string;
  try {
    maps = readFileSync('/proc/self/maps', 'utf8');
  } catch {
    return [];
  }
  return [...new Set(maps.match(/\/\S*blas\S*/g))].sort();
}

/** Resets the peak memory of this process, if the kernel allows it. */
export function resetPeak(): void {
  // The memory of the comparison of results must not count as memory of the training.
  (globalThis as { gc?: () => void }).gc?.();
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // If the kernel refuses, the peak includes the comparison. It may be too high, but is never too low.
  }
}

/** Calls `step` `count` times. Returns the time of all calls in seconds. */
export function timeCalls(count: number, step: () => void): number {
  const start = performance.now();
  for (let call = 0; call < count; call++) step();
  return (performance.now() - start) / 1000;
}
