/** Which addon is loaded, from where, or why none is: for `forebay doctor`. Never throws. */

import type { NativeError } from '../errors.js';
import { addonFile, load } from './addon.js';
import { type NativeInfo, nativeInfo } from './info.js';

export interface Diagnosis {
  /** The addon that was chosen, whether it loads or not; undefined when there is none. */
  readonly file: string | undefined;
  /** Whether it came with the package or was built on this machine. */
  readonly origin: 'prebuilt' | 'built here' | undefined;
  /** What it says of itself, when it loads. */
  readonly info: NativeInfo | undefined;
  /** Why it does not load; the message ends in the remedy. */
  readonly error: NativeError | undefined;
}

export function diagnose(): Diagnosis {
  const file = addonFile();
  const origin =
    file === undefined ? undefined : /[\\/]prebuilds[\\/]/.test(file) ? 'prebuilt' : 'built here';
  try {
    load();
    return { file, origin, info: nativeInfo(), error: undefined };
  } catch (error) {
    return { file, origin, info: undefined, error: error as NativeError };
  }
}
