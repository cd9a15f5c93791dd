// What a shared object needs from the machine that loads it, read by objdump of binutils.
import { execFileSync } from 'node:child_process';

const objdump = (...args) =>
  execFileSync('objdump', args, { encoding: 'utf8', maxBuffer: 2 ** 28 });

/**
 * `needed`: the libraries that must be present. `glibc`: each symbol that it uses of the C library, and the version
 * that introduced it. `imports`: the names of the other symbols that some library must provide.
 */
export function symbolsOf(file) {
  const needed = [...objdump('-p', file).matchAll(/^\s*NEEDED\s+(\S+)/gm)].map(([, name]) => name);
  const glibc = new Map();
  const imports = [];
  for (const line of objdump('-T', file).split('\n')) {
    // 0000000000000000      DF *UND*  0000000000000000 (GLIBC_2.17) clock_gettime
    const [, flags, version, name] =
      /^[\da-f]+ (.{7}) \*UND\*\s+[\da-f]+\s+(?:\(?([\w.]+)\)?)?\s+(\S+)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const [, since] = /^GLIBC_(.+)$/.exec(version ?? '') ?? [];
    if (since !== undefined) glibc.set(name, since);
    else if (!flags.includes('w')) imports.push(name); // a weak symbol may be absent
  }
  return { needed, glibc, imports };
}

/** The newest of some versions. Numbers are compared as numbers: 2.31 is newer than 2.4. */
export function newest(versions) {
  return [...versions].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
}
