/**
 * Examines the environment of forebay: the runtime, the C library, and permissions. The functions of this file do not
 * throw, because they are called after a failure. If the runtime refuses access, the result says so.
 */

import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { version } from '../arguments/version.js';

/** Node, Bun or Deno. `process.versions.node` cannot distinguish these runtimes, because all three define it. */
export interface Runtime {
  readonly name: 'Node' | 'Bun' | 'Deno';
  readonly version: string;
}

export function runtime(): Runtime {
  const { bun, deno, node } = process.versions as Readonly<Record<string, string | undefined>>;
  if (bun !== undefined) return { name: 'Bun', version: bun };
  if (deno !== undefined) return { name: 'Deno', version: deno };
  return { name: 'Node', version: node ?? 'unknown' };
}

/**
 * Returns the value of an environment variable; undefined if it is not set, is empty or may not be read (Deno without
 * --allow-env).
 */
export function variable(name: string): string | undefined {
  return attempt(() => process.env[name]) || undefined;
}

/** Returns whether a file exists: 'there' or 'missing', or 'hidden' if the runtime does not allow access to it. */
export function look(file: string): 'there' | 'missing' | 'hidden' {
  // Treat any error as a refusal of access, because Node's permission model and Deno throw different errors.
  const there = attempt(() => existsSync(file));
  return there === undefined ? 'hidden' : there ? 'there' : 'missing';
}

/** Returns the first bytes of a file, as characters of one byte each; undefined if the file cannot be read. */
export function beginning(file: string, bytes: number): string | undefined {
  return attempt(() => {
    const handle = openSync(file, 'r');
    try {
      const buffer = Buffer.alloc(bytes);
      return buffer.toString('latin1', 0, readSync(handle, buffer, 0, bytes, 0));
    } finally {
      closeSync(handle);
    }
  });
}

/**
 * Returns whether the C library of this process is musl, as on Alpine Linux. To find out, it reads the name of the
 * loader in the executable. (`process.report` shows the C library, too, but it waits for every busy worker.)
 */
export function usesMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const program = beginning(process.execPath, 4096);
  return program !== undefined && /\/ld-musl-/.test(program);
}

interface ReportHeader {
  readonly header: { readonly glibcVersionRuntime?: string };
}

/**
 * Returns the version of this system's glibc. Returns undefined if the C library is not glibc, if the runtime does not
 * report the version, and under Deno, which reports the version with which Deno was built. The call is slow while a
 * worker is busy.
 */
export function glibcVersion(): string | undefined {
  if (process.platform !== 'linux' || runtime().name === 'Deno') return undefined;
  return attempt(() => {
    // Exclude the network section, because the report would query a name server for it.
    const { excludeNetwork } = process.report as { excludeNetwork?: boolean };
    Object.assign(process.report, { excludeNetwork: true });
    try {
      return (process.report.getReport() as unknown as ReportHeader).header.glibcVersionRuntime;
    } finally {
      Object.assign(process.report, { excludeNetwork: excludeNetwork ?? false });
    }
  });
}

/** Returns whether Node runs under its permission model. */
export function hasPermissionModel(): boolean {
  return attempt(() => 'permission' in process && process.permission !== undefined) ?? false;
}

/**
 * Returns the folder into which `npx forebay build` puts the addon if it cannot write to the folder of the package.
 * Each version, platform and C library has its own folder. Returns undefined if the user has no cache folder.
 */
export function cacheFolder(): string | undefined {
  const named = variable('XDG_CACHE_HOME');
  const home = attempt(() => homedir());
  // The XDG specification says to ignore a relative path.
  const base =
    named !== undefined && isAbsolute(named) ? named : home ? join(home, '.cache') : undefined;
  if (base === undefined) return undefined;
  const libc = process.platform === 'linux' ? (usesMusl() ? '-musl' : '-glibc') : '';
  return join(base, 'forebay', `${version}-${process.platform}-${process.arch}${libc}`);
}

function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
