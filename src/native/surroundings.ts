/**
 * The environment of forebay: the runtime, the C library, and permissions. Nothing here throws, because it is called
 * after a failure. If the runtime refuses access, the result says so.
 */

import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { version } from './version.js';

/** Node, or a runtime that imitates it: all three have `process.versions.node`. */
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

/** An environment variable; undefined if it is not set, is empty or may not be read (Deno without --allow-env). */
export function variable(name: string): string | undefined {
  return attempt(() => process.env[name]) || undefined;
}

/** Whether a file exists; 'hidden' if the runtime does not allow access to it. */
export function look(file: string): 'there' | 'missing' | 'hidden' {
  // Node's permission model and Deno throw different errors.
  const there = attempt(() => existsSync(file));
  return there === undefined ? 'hidden' : there ? 'there' : 'missing';
}

/** The first bytes of a file, as characters of one byte each; undefined if it cannot be read. */
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
 * Whether the C library of this process is musl, as on Alpine Linux. The executable names its loader.
 * (`process.report` has it too, but waits for every busy worker.)
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
 * The version of this system's glibc. Undefined if the C library is another, if the runtime does not report it, and
 * under Deno, which reports the version it was built with. Slow while a worker is busy.
 */
export function glibcVersion(): string | undefined {
  if (process.platform !== 'linux' || runtime().name === 'Deno') return undefined;
  return attempt(() => {
    // Without the network section, for which the report would query a name server.
    const { excludeNetwork } = process.report as { excludeNetwork?: boolean };
    Object.assign(process.report, { excludeNetwork: true });
    try {
      return (process.report.getReport() as unknown as ReportHeader).header.glibcVersionRuntime;
    } finally {
      Object.assign(process.report, { excludeNetwork: excludeNetwork ?? false });
    }
  });
}

/** Whether Node runs under its permission model. */
export function hasPermissionModel(): boolean {
  return attempt(() => 'permission' in process && process.permission !== undefined) ?? false;
}

/**
 * The folder of the addon that `npx forebay build` makes if it cannot write the package's own folder. There is one for
 * each version, platform and C library. Undefined if there is no cache folder.
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
