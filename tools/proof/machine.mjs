// Describes the machine on which the promises of forebay (the files of proof/) are verified.
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { nativeInfo } from 'forebay';

/** Returns the name of the operating system, such as "Debian GNU/Linux 12 (bookworm)". */
function system() {
  try {
    const name = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'));
    if (name) return name[1];
  } catch {
    // This file exists only on Linux.
  }
  return `${type()} ${release()}`;
}

export function machine() {
  const { simd, blas } = nativeInfo();
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    os: system(),
    node: process.version,
    simd: simd.active,
    blas: `${blas.library} (${blas.core})`,
  };
}
