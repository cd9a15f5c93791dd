/** `configure` sets options of the process. It must be called before the native addon is used. */

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
   * The file of the native addon, an absolute path or a path relative to the current folder. This option takes
   * precedence over the environment variable FOREBAY_ADDON and over the file in the package. It is for programs that
   * move the addon: bundles and single executables.
   */
  addon: optional(path, 'path', 'file', 'binary'),
});

/** The options of `configure`. */
export interface ConfigureOptions extends OptionsOf<typeof configureOptions> {}

/**
 * Sets options of this process (in a worker: of this worker). Call it before anything is computed. Options that are
 * left out keep their values.
 * @throws StateError if the native addon is already loaded, because something was computed, or `nativeInfo`,
 *   `setThreads` or `getThreads` was called; ValueError if an option is unknown or `addon` is not a path
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
