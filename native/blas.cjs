// Chooses the BLAS that the addon is built on, and its flags. Both build files use this, so that they agree.
// `node native/blas.cjs includes|folders|libraries|defines` prints the values, separated by spaces.
// It is OpenBLAS if pkg-config finds it. On macOS it is otherwise Homebrew's OpenBLAS, which pkg-config does not
// find, or else Apple's Accelerate, which every Mac has. (macOS is untested.)
'use strict';
const { execFileSync } = require('node:child_process');
const { existsSync } = require('node:fs');
const { join } = require('node:path');

/** The output of a command, trimmed; undefined if it fails or does not exist. */
function output(command, ...args) {
  try {
    const stdio = ['ignore', 'pipe', 'ignore'];
    return execFileSync(command, args, { encoding: 'utf8', stdio }).trim();
  } catch {
    return undefined;
  }
}

/** The words of `text` that begin with `flag`, without it. */
const after = (flag, text) =>
  text
    .split(/\s+/)
    .filter((word) => word.startsWith(flag))
    .map((word) => word.slice(flag.length));

/**
 * The BLAS to build on: include folders, library folders, libraries and definitions.
 * Undefined if there is none. Tests set `machine` to another machine.
 */
function chooseBlas(machine = { platform: process.platform, output, exists: existsSync }) {
  const known = machine.output('pkg-config', '--cflags', '--libs', 'openblas');
  if (known !== undefined) {
    return {
      name: 'OpenBLAS',
      includes: after('-I', known),
      folders: after('-L', known),
      libraries: after('-l', known).map((name) => `-l${name}`),
      defines: [],
    };
  }
  if (machine.platform !== 'darwin') return undefined;
  // Homebrew also prints the folder of a package that is not installed.
  const keg = machine.output('brew', '--prefix', 'openblas');
  if (keg && machine.exists(join(keg, 'include/cblas.h'))) {
    return {
      name: "Homebrew's OpenBLAS",
      includes: [join(keg, 'include')],
      folders: [join(keg, 'lib')],
      libraries: ['-lopenblas'],
      defines: [],
    };
  }
  return {
    name: 'Accelerate',
    includes: [],
    folders: [],
    libraries: ['Accelerate.framework'],
    defines: ['FOREBAY_ACCELERATE', 'ACCELERATE_NEW_LAPACK'],
  };
}

module.exports = { chooseBlas, output };

if (require.main === module) {
  const blas = chooseBlas();
  if (blas === undefined) process.exit(1);
  process.stdout.write(`${blas[process.argv[2]].join(' ')}\n`);
}
