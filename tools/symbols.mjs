// What a shared object needs from the machine that loads it, read by objdump of binutils.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The e_machine of ELF, for the processors that we build for, by Node's names of them. */
const machines = new Map([
  [0x3e, 'x64'],
  [0xb7, 'arm64'],
]);
const crossTools = { x64: 'x86_64-linux-gnu-objdump', arm64: 'aarch64-linux-gnu-objdump' };

/** Which processor an ELF file is for, by Node's name of it; undefined if it is another's, or no ELF file. */
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
