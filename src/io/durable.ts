/** Whether files that are saved are on the disk when the call returns. */

import { fsyncSync } from 'node:fs';

/** Whether an error says that Node's permission model (`--permission`) forbids a call. */
export function isSwitchedOff(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException | null)?.code === 'ERR_ACCESS_DENIED';
}

/**
 * Whether `save`, `checkpoint` and the checkpoints of `fit` have their files on the disk when they return, so that a
 * power failure right after loses nothing. Under `node --permission` Node forbids fsync, and no flag allows it: files
 * are still replaced whole, but the system writes them to the disk in its own time.
 */
export function savesAreDurable(): boolean {
  try {
    // Standard input: open in every process, and nothing of it is waiting to be written.
    fsyncSync(0);
    return true;
  } catch (cause) {
    // A pipe or a terminal has no disk, which is another error.
    return !isSwitchedOff(cause);
  }
}
