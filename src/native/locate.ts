/** Chooses the file of the addon. Settings of the user come first, then built files, then the prebuilt file. */

import { dirname, join, resolve } from 'node:path';
import { cacheFolder, look, usesMusl, variable } from './surroundings.js';

/** The file of the addon, and why it was chosen. */
export interface Choice {
  readonly file: string;
  /**
   * `configure`, `FOREBAY_ADDON`: the user named the file. `built`: it was compiled on this machine, by
   * `npx forebay build` or in a checkout. `prebuilt`: it came with the package.
   */
  readonly by: 'configure' | 'FOREBAY_ADDON' | 'built' | 'prebuilt';
}

/** The paths of the addon in the package that contains this module, and the folder of this package. */
interface PackageFiles {
  readonly folder: string;
  readonly built: string;
  readonly prebuilt: string;
}

/**
 * Returns the paths in the package; undefined if this code was bundled, because `__dirname` is then missing or is a
 * folder outside the package.
 *
 * Some tools trace the files that an application needs. They copy the addons only if they can read the paths in this
 * function. Vercel's nft, which `next build --webpack` uses, needs each path written out from `__dirname`.
 * Turbopack needs each path as an argument of a function of `node:path`. It recognises this module only by `require`,
 * not by the `process.getBuiltinModule` that tools/build.mjs writes for imports.
 */
function packageFiles(): PackageFiles | undefined {
  if (typeof __filename !== 'string' || typeof __dirname !== 'string') return undefined;
  if (!/[\\/]native[\\/]locate\.[jt]s$/.test(__filename) || look(__filename) === 'missing') {
    return undefined;
  }
  let path: typeof import('node:path');
  try {
    // biome-ignore lint/style/useNodejsImportProtocol: webpack for browsers fails on `node:`, despite `try`.
    path = require('path');
  } catch {
    // There is no `require`, so this is a bundle of ES modules.
    return undefined;
  }
  const prebuilt: Readonly<Record<string, string>> = {
    'linux-x64': path.resolve(`${__dirname}/../../prebuilds/linux-x64/forebay.napi.glibc.node`),
    'linux-arm64': path.resolve(`${__dirname}/../../prebuilds/linux-arm64/forebay.napi.glibc.node`),
  };
  const machine = `${process.platform}-${process.arch}`;
  return {
    folder: dirname(dirname(__dirname)),
    built: path.resolve(`${__dirname}/../../build/Release/forebay.node`),
    prebuilt:
      prebuilt[machine] ?? resolve(`${__dirname}/../../prebuilds/${machine}/forebay.napi.node`),
  };
}

/** Returns the folder of the package; undefined if this code was bundled. */
export function packageFolder(): string | undefined {
  return packageFiles()?.folder;
}

/** The file of `configure({ addon })`. */
let configured: string | undefined;

/** Sets the file to load. It takes precedence over all other files. */
export function setAddon(file: string): void {
  configured = absolute(file);
}

/** Returns the absolute path of a file. If a path were only a name, the system would search its library folders. */
function absolute(file: string): string {
  try {
    return resolve(file);
  } catch {
    // The working directory was deleted, so the path cannot name a file.
    return `./${file}`;
  }
}

/**
 * Returns the addon to load. If the user named a file, this is the addon, even if the file does not exist. Otherwise
 * it is the first file that exists: built in the package, built in the cache, or prebuilt. Returns undefined if there
 * is none.
 */
export function chooseAddon(): Choice | undefined {
  if (configured !== undefined) return { file: configured, by: 'configure' };
  const named = variable('FOREBAY_ADDON');
  if (named !== undefined) return { file: absolute(named), by: 'FOREBAY_ADDON' };
  const files = packageFiles();
  if (files !== undefined && look(files.built) === 'there')
    return { file: files.built, by: 'built' };
  const cache = cacheFolder();
  const cached = cache === undefined ? undefined : join(cache, 'forebay.node');
  if (cached !== undefined && look(cached) === 'there') return { file: cached, by: 'built' };
  // Prebuilt addons are linked with glibc. In a musl process, they may crash instead of failing to load.
  if (files === undefined || usesMusl() || look(files.prebuilt) === 'missing') return undefined;
  return { file: files.prebuilt, by: 'prebuilt' };
}
