/** Which addon is loaded, from where, or why none is: for `forebay doctor`. Never throws. */

import type { NativeError } from '../errors.js';
import { load } from './addon.js';
import { type NativeInfo, nativeInfo } from './info.js';
import { type Choice, chooseAddon } from './locate.js';

export interface Diagnosis {
  /** The addon that was chosen, whether it loads or not; undefined if there is none. */
  readonly choice: Choice | undefined;
  /** What it says of itself, when it loads. */
  readonly info: NativeInfo | undefined;
  /** Why it does not load; the message ends in the remedy. */
  readonly error: NativeError | undefined;
}

export function diagnose(): Diagnosis {
  const choice = chooseAddon();
  try {
    load();
    return { choice, info: nativeInfo(), error: undefined };
  } catch (error) {
    return { choice, info: undefined, error: error as NativeError };
  }
}
