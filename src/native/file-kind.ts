/**
 * Checks the first bytes of an addon before the system loads it. Without this check, the system reports "no such file"
 * if the addon was made for another processor, and ends the process with SIGBUS if the file is truncated.
 */

import { type Stats, statSync } from 'node:fs';
import { beginning } from './surroundings.js';

/** Node's names of the processors on which it runs, by the numbers that ELF files use for these processors. */
const processors: Readonly<Record<number, string>> = {
  3: 'ia32',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loong64',
};

const names: Readonly<Record<string, string>> = {
  darwin: 'macOS',
  win32: 'Windows',
  linux: 'Linux',
};

/**
 * Returns the reason why a file cannot be an addon for this machine, as a sentence. Returns undefined if the file can
 * be an addon for this machine, or if the file cannot be read.
 */
export function wrongKind(
  file: string,
  machine = { platform: process.platform as string, arch: process.arch as string },
): string | undefined {
  const stats = statsOf(file);
  if (stats === 'missing') return 'there is no such file';
  if (stats === undefined) return undefined;
  if (stats.isDirectory()) return 'it is a folder, not a file';
  // Check this before the file is opened, because opening a named pipe would block.
  if (!stats.isFile()) return 'it is not a regular file';
  const start = beginning(file, 64);
  if (start === undefined) return undefined;
  const made = madeFor(start, stats.size);
  if (made === undefined) return 'it is not a native addon: it is not a shared library';
  if (made === 'cut off') return 'the file is cut off: a part of it is missing';
  const [platform, arch] = made;
  // All systems other than macOS and Windows use ELF files, like Linux.
  const wanted = machine.platform in names ? machine.platform : 'linux';
  if (platform !== wanted) {
    return `it is an addon for ${names[platform]}, but this is ${names[machine.platform] ?? machine.platform}`;
  }
  return arch === undefined || arch === machine.arch
    ? undefined
    : `it is an addon for ${arch} processors, but this process is for ${machine.arch}`;
}

/**
 * Returns the platform and, for ELF, the processor for which a library was made. Returns 'cut off' if a part of the
 * library is missing, and undefined if the file is not a library.
 */
function madeFor(
  start: string,
  size: number,
): readonly [string, string | undefined] | 'cut off' | undefined {
  if (start.startsWith('\x7fELF')) return ofElf(start, size);
  if (start.startsWith('MZ')) return ['win32', undefined];
  const machO = ['\xcf\xfa\xed\xfe', '\xce\xfa\xed\xfe', '\xca\xfe\xba\xbe', '\xca\xfe\xba\xbf'];
  return machO.some((magic) => start.startsWith(magic)) ? ['darwin', undefined] : undefined;
}

function ofElf(start: string, size: number): readonly [string, string | undefined] | 'cut off' {
  if (start.length < 64) return 'cut off';
  const view = new DataView(Uint8Array.from(start, (letter) => letter.charCodeAt(0)).buffer);
  const littleEndian = view.getUint8(5) === 1;
  const processor = view.getUint16(18, littleEndian);
  // The section table is at the end of the file, so a truncated file has only a part of it, or none. (Only 64-bit files
  // are checked, because forebay has no 32-bit addon.)
  const table = Number(view.getBigUint64(40, littleEndian));
  const length = view.getUint16(58, littleEndian) * view.getUint16(60, littleEndian);
  if (view.getUint8(4) === 2 && table + length > size) return 'cut off';
  return ['linux', processors[processor] ?? `other (ELF's number ${processor})`];
}

function statsOf(file: string): Stats | 'missing' | undefined {
  try {
    return statSync(file);
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'missing' : undefined;
  }
}
