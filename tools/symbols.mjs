// Finds what a shared object needs from the machine that loads it: libraries and symbols. Uses objdump of binutils.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Maps the field e_machine of an ELF file to Node's name of the processor. */
const machines = new Map([
  [0x3e, 'x64'],
  [0xb7, 'arm64'],
]);
const crossTools = { x64: 'x86_64-linux-gnu-objdump', arm64: 'aarch64-linux-gnu-objdump' };

/**
 * Returns Node's name of the processor of an ELF file; undefined if it is not in `machines`, or if this is no ELF file.
 */
export function architectureOf(file) {
  const bytes = readFileSync(file);
  const isElf = bytes.length > 20 && bytes.toString('latin1', 0, 4) === '\x7fELF';
  return isElf ? machines.get(bytes.readUInt16LE(18)) : undefined;
}

function objdump(option, file) {
  const arch = architectureOf(file);
  const tool = arch === undefined || arch === process.arch ? 'objdump' : crossTools[arch];
  return execFileSync(tool, [option, file], { encoding: 'utf8', maxBuffer: 2 ** 28 });
}

/**
 * Returns what a shared object needs. `needed`: the libraries that must be present. `glibc`: each symbol of the C
 * library that the shared object uses, with the version that introduced the symbol. `imports`: the names of the other
 * symbols that some library must provide.
 */
export function symbolsOf(file) {
  const needed = [...objdump('-p', file).matchAll(/^\s*NEEDED\s+(\S+)/gm)].map(([, name]) => name);
  const glibc = new Map();
  const imports = [];
  for (const line of objdump('-T', file).split('\n')) {
    // An example of a line: 0000000000000000      DF *UND*  0000000000000000 (GLIBC_2.17) clock_gettime
    const [, flags, version, name] =
      /^[\da-f]+ (.{7}) \*UND\*\s+[\da-f]+\s+(?:\(?([\w.]+)\)?)?\s+(\S+)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const [, since] = /^GLIBC_(.+)$/.exec(version ?? '') ?? [];
    if (since !== undefined) glibc.set(name, since);
    else if (!flags.includes('w')) imports.push(name); // a weak symbol may be absent
  }
  return { needed, glibc, imports };
}

/** Returns the newest of some versions. Their parts are compared as numbers: 2.31 is newer than 2.4. */
export function newest(versions) {
  return [...versions].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
}
