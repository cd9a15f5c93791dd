/** Which file the addon is. Looks in a few places, in the order in which people would expect to be obeyed. */

import { dirname, join, resolve } from 'node:path';
import { cacheFolder, look, usesMusl, variable } from './surroundings.js';

/** The addon's file, and why it is this one. */
export interface Choice {
  readonly file: string;
  /**
   * `configure` and `FOREBAY_ADDON`: it was named. `built`: it was compiled here, by `npx forebay build` or in a
   * checkout. `prebuilt`: it came with the package.
   */
  readonly by: 'configure' | 'FOREBAY_ADDON' | 'built' | 'prebuilt';
}

/** Where the addon may be, in the package that this file is in. */
interface PackageFiles {
  readonly folder: string;
  readonly built: string;
  readonly prebuilt: string;
}

/**
 * Undefined when this code was bundled: `__dirname` is not that of the package then, if there is one at all.
 *
 * Each path is written out, from `__dirname` and without `join`, which they would not recognise: so the tools that
 * trace which files an application needs (Vercel's nft, which Next.js uses too) find the addons and copy them.
 */
function packageFiles(): PackageFiles | undefined {
  if (typeof __filename !== 'string' || typeof __dirname !== 'string') return undefined;
  if (!/[\\/]native[\\/]locate\.[jt]s$/.test(__filename) || look(__filename) === 'missing') {
    return undefined;
  }
  const prebuilt: Readonly<Record<string, string>> = {
    'linux-x64': `${__dirname}/../../prebuilds/linux-x64/forebay.napi.glibc.node`,
    'linux-arm64': `${__dirname}/../../prebuilds/linux-arm64/forebay.napi.glibc.node`,
  };
  const machine = `${process.platform}-${process.arch}`;
  return {
    folder: dirname(dirname(__dirname)),
    built: resolve(`${__dirname}/../../build/Release/forebay.node`),
    prebuilt: resolve(
      prebuilt[machine] ?? `${__dirname}/../../prebuilds/${machine}/forebay.napi.node`,
    ),
  };
}

/** The folder of the package; undefined when this code was bundled. */
export function packageFolder(): string | undefined {
  return packageFiles()?.folder;
}

/** The file of `configure({ addon })`. */
let configured: string | undefined;

/** Sets the file that is loaded, whatever else there is. */
export function setAddon(file: string | undefined): void {
  configured = file;
}

/** The addon to load: the first that there is; one that was named is not looked for. Undefined when there is none. */
export function chooseAddon(): Choice | undefined {
  // Absolute: a bare name would be looked for where the system has its libraries.
  if (configured !== undefined) return { file: resolve(configured), by: 'configure' };
  const named = variable('FOREBAY_ADDON');
  if (named !== undefined) return { file: resolve(named), by: 'FOREBAY_ADDON' };
  const files = packageFiles();
  if (files !== undefined && look(files.built) === 'there')
    return { file: files.built, by: 'built' };
  const cache = cacheFolder();
  const cached = cache === undefined ? undefined : join(cache, 'forebay.node');
  if (cached !== undefined && look(cached) === 'there') return { file: cached, by: 'built' };
  // What was linked with glibc may crash in a process of musl, instead of being refused.
  if (files === undefined || usesMusl() || look(files.prebuilt) === 'missing') return undefined;
  return { file: files.prebuilt, by: 'prebuilt' };
}
