/** Finds out whether Node lets forebay flush saved files to the disk. */

import { fsyncSync } from 'node:fs';

/** Returns whether `cause` is an error that Node threw because its permission model (`--permission`) forbids a call. */
export function isSwitchedOff(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException | null)?.code === 'ERR_ACCESS_DENIED';
}

/**
 * Returns whether the files that `save`, `checkpoint` and `fit` write are on the disk when the call ends, so that a
 * power failure directly after the call loses nothing. Under `node --permission` the result is false, because Node
 * forbids fsync and no flag allows it. Files are then still replaced completely, but the system decides when to write
 * them to the disk.
 */
export function savesAreDurable(): boolean {
  try {
    // 0 is the standard input. It is open in every process, and it has no data to flush.
    fsyncSync(0);
    return true;
  } catch (cause) {
    // If the standard input is a pipe or a terminal, fsync throws a different error, because these cannot be flushed.
    return !isSwitchedOff(cause);
  }
}
