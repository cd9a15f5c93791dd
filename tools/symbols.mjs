// What a shared object asks of the machine that it is loaded on, as binutils' objdump reads it.
import { execFileSync } from 'node:child_process';

const objdump = (...args) =>
  execFileSync('objdump', args, { encoding: 'utf8', maxBuffer: 2 ** 28 });

/**
 * `needed`: the libraries that must be there. `glibc`: each symbol that it takes from the C library, and
 * since which version that has it. `imports`: the other symbols that someone must have, by name.
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
    else if (!flags.includes('w')) imports.push(name); // weak: it does without
  }
  return { needed, glibc, imports };
}

/** The newest of some versions: 2.31 is newer than 2.4. */
export function newest(versions) {
  return [...versions].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
}
