/** Finds out for `forebay doctor` which addon is loaded and from where, or why none is loaded. Never throws. */

import type { NativeError } from '../errors.js';
import { load } from './addon.js';
import { type NativeInfo, nativeInfo } from './info.js';
import { type Choice, chooseAddon } from './locate.js';

export interface Diagnosis {
  /** The chosen addon, even if it does not load; undefined if there is none. */
  readonly choice: Choice | undefined;
  /** The addon's description of itself; undefined if it does not load. */
  readonly info: NativeInfo | undefined;
  /** The error that explains why the addon does not load, with the remedy at its end; undefined if the addon loads. */
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
