/** `configure`: what is decided once for the process, before the native half is used. */

import { declareOptions, type Kind, type OptionsOf, optional } from '../arguments/options.js';
import { StateError } from '../errors.js';
import { isLoaded } from './addon.js';
import { setAddon } from './locate.js';

const path: Kind<string> = {
  expected: 'the path of a file',
  accepts: (value) => typeof value === 'string' && value !== '' && !value.includes('\0'),
};

const configureOptions = declareOptions('configure', {
  /**
   * The file of the native addon, absolute or from the current folder. It counts before the environment variable
   * FOREBAY_ADDON and before the file that comes with the package. It is for programs that move the addon: bundles and
   * single executables.
   */
  addon: optional(path, 'path', 'file', 'binary'),
});

/** The options of `configure`. */
export interface ConfigureOptions extends OptionsOf<typeof configureOptions> {}

/**
 * Settings of this process (in a worker: of this worker), to be made before anything is computed. Options that are left
 * out stay as they are.
 * @throws StateError if the native addon is loaded already: something was computed, or `nativeInfo`, `setThreads` or
 *   `getThreads` was called; ValueError for an unknown option, or an `addon` that is not a path
 */
export function configure(options: ConfigureOptions): void {
  const { addon } = configureOptions.read(options);
  if (addon === undefined) return;
  if (isLoaded()) {
    throw new StateError(
      'configure: the native addon is loaded already; call configure before anything is computed',
    );
  }
  setAddon(addon);
}
