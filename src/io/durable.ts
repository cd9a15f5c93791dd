/** Whether saved files have been flushed to the disk when the call returns. */

import { fsyncSync } from 'node:fs';

/** True if an error was thrown because Node's permission model (`--permission`) forbids a call. */
export function isSwitchedOff(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException | null)?.code === 'ERR_ACCESS_DENIED';
}

/**
 * Whether the files of `save`, `checkpoint` and the checkpoints of `fit` are on the disk when the call ends, so
 * that a power failure directly after it loses nothing. Under `node --permission`, Node forbids fsync and no flag
 * allows it. Files are then still replaced completely, but the system decides when to write them to the disk.
 */
export function savesAreDurable(): boolean {
  try {
    // Standard input: open in every process, and it has no data to flush.
    fsyncSync(0);
    return true;
  } catch (cause) {
    // A pipe or a terminal cannot be flushed, which is a different error.
    return !isSwitchedOff(cause);
  }
}
