/** This very process, as Linux sees it. */

import { readFileSync, writeFileSync } from 'node:fs';

/** A figure of /proc/self/status, such as VmRSS, in bytes; 0 where there is no such file. */
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

/** The shared libraries of BLAS that are loaded; none where it is linked in, or cannot be told. */
export function blasFiles(): string[] {
  let maps: string;
  try {
    maps = readFileSync('/proc/self/maps', 'utf8');
  } catch {
    return [];
  }
  return [...new Set(maps.match(/\/\S*blas\S*/g))].sort();
}

/** Forgets the most memory that this process has had, where the kernel lets us. */
export function resetPeak(): void {
  // What the comparison left behind is no memory of the training.
  (globalThis as { gc?: () => void }).gc?.();
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // The peak then holds the comparison too: more than the truth, never less.
  }
}

/** The seconds that `count` calls take. */
export function timeCalls(count: number, step: () => void): number {
  const start = performance.now();
  for (let call = 0; call < count; call++) step();
  return (performance.now() - start) / 1000;
}
