/**
 * Explains why the addon does not load, and what to do. The functions of this file do not throw, because they are
 * called after a failure.
 */

import { version } from '../arguments/version.js';
import { type Choice, packageFolder } from './locate.js';
import {
  glibcVersion,
  hasPermissionModel,
  type Runtime,
  runtime,
  usesMusl,
} from './surroundings.js';

const compile = '"npx forebay build" compiles it on this machine';

/** The properties of a machine on which the remedies depend. Tests pass the properties of other machines. */
export interface Machine {
  readonly runtime: Runtime;
  readonly platform: string;
  readonly arch: string;
  readonly musl: boolean;
  readonly glibc: string | undefined;
  readonly permissionModel: boolean;
  /** The folder of the package; undefined if forebay was bundled. */
  readonly folder: string | undefined;
}

export function thisMachine(): Machine {
  return {
    runtime: runtime(),
    platform: process.platform,
    arch: process.arch,
    musl: usesMusl(),
    // A getter, because this value is slow to compute, and only one remedy needs it.
    get glibc() {
      return glibcVersion();
    },
    permissionModel: hasPermissionModel(),
    folder: packageFolder(),
  };
}

const muslRemedy = `forebay has no binary for musl, the C library of Alpine Linux: ${compile} (first "apk add g++ make python3 openblas-dev pkgconf"); or take an image with glibc, such as node:22-slim`;

const bundledRemedy =
  "forebay was bundled, and its addon was left behind. Leave forebay external: esbuild and bun build: --external:forebay; webpack: externals: { forebay: 'commonjs forebay' }; Next.js: serverExternalPackages: ['forebay']; Rollup, Rolldown: external: ['forebay']; Vite: ssr: { external: ['forebay'] }. If you must move the addon yourself (a single executable), name its file by FOREBAY_ADDON=FILE or forebay.configure({ addon: FILE })";

/** Returns the message of the error that is thrown if no file of the native addon is found. */
export function nothingFound(machine = thisMachine()): string {
  const { folder, musl, platform, arch } = machine;
  const failed = "forebay's native addon was not found: ";
  if (folder === undefined) return failed + bundledRemedy;
  if (musl) return failed + muslRemedy;
  if (platform === 'linux' && (arch === 'x64' || arch === 'arm64')) {
    return `${failed}the binary for ${platform}-${arch} is not in ${folder}/prebuilds, although it comes with the package. Install forebay again (in a deployment that copies only some files: see that prebuilds/ is copied); or ${compile} (in a checkout: "npm run build:native")`;
  }
  return `${failed}forebay has no binary for ${platform}-${arch}: ${compile}, with a C++ compiler, make, python3 and OpenBLAS (in a checkout: "npm run build:native")`;
}

/** Returns what to do if the chosen file cannot be used. */
export function replace(choice: Choice): string {
  switch (choice.by) {
    case 'configure':
    case 'FOREBAY_ADDON': {
      const how =
        choice.by === 'configure' ? 'leave configure() out' : 'unset FOREBAY_ADDON for that';
      return `name the addon of forebay ${version} for this machine, or none, so that forebay finds its own (${how}); ${compile}`;
    }
    case 'built':
      return `${compile} anew (in a checkout: "npm run build:native")`;
    case 'prebuilt':
      return `install forebay again; or ${compile}`;
  }
}

/** Returns how the user named the file, in parentheses; the empty text if the user did not name it. */
export function namedBy({ by }: Choice): string {
  if (by === 'configure') return ' (named by configure)';
  return by === 'FOREBAY_ADDON' ? ' (named by FOREBAY_ADDON)' : '';
}

/**
 * @param reason the first line of the error of loading the file
 * @returns what is wrong, and what to do
 */
export function remedyFor(reason: string, choice: Choice, machine = thisMachine()): string {
  const { runtime, musl } = machine;
  if (/Requires \w+ access/.test(reason)) {
    return 'Deno must be allowed to load it: add --allow-ffi --allow-read --allow-env (and --allow-write for saving)';
  }
  if (/loading addons is disabled/.test(reason)) {
    return machine.permissionModel
      ? 'Node.js runs with --permission and may not load addons: add --allow-addons'
      : 'Node.js runs with --no-addons: leave that out, also in NODE_OPTIONS';
  }
  if (/did not self-register|napi_register_module/i.test(reason)) {
    return `it is a library, but not a native addon: ${replace(choice)}`;
  }
  const [, wanted] = /version [`']GLIBC_([\d.]+)' not found/.exec(reason) ?? [];
  if (wanted !== undefined) {
    const { glibc } = machine;
    const here = glibc === undefined ? '' : `, but this system has ${glibc}`;
    return `it needs glibc ${wanted} or later${here}: ${compile}`;
  }
  if (musl || /ld-linux[-\w.]*|libc\.musl/.test(reason)) return musl ? muslRemedy : wrongLibc;
  if (/libopenblas[\w.-]*: cannot open/.test(reason)) {
    return `it was built on OpenBLAS, which is no longer there: "apt-get install libopenblas0-pthread" or "dnf install openblas" brings it back; or ${compile} anew`;
  }
  if (/libstdc\+\+[\w.-]*: cannot open|GLIBCXX_[\d.]+' not found/.test(reason)) {
    return `this system's C++ library is not the one that it was built with: ${compile}`;
  }
  const asked =
    runtime.name === 'Node'
      ? ''
      : ` (forebay is tested with Node.js; this is ${runtime.name} ${runtime.version})`;
  return replace(choice) + asked;
}

const wrongLibc = `it was built for another C library than this system's: ${compile}`;
