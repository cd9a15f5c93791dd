// Runs before compiling, and prints in one message what is missing and which command installs it.
// Prints nothing on success (gyp reads stdout). `node native/check-deps.cjs` checks for OpenBLAS, which
// both builds need. `forebay build` (src/cli/build.ts) also checks for what node-gyp needs.
'use strict';
const { chooseBlas, output } = require('./blas.cjs');

/** Package managers in the order of the search, with their package names. */
const managers = [
  {
    command: 'apt-get',
    install: 'apt-get install',
    packages: {
      compiler: 'g++',
      make: 'make',
      python: 'python3',
      blas: 'libopenblas-dev pkg-config',
    },
  },
  {
    command: 'dnf',
    install: 'dnf install',
    packages: {
      compiler: 'gcc-c++',
      make: 'make',
      python: 'python3',
      blas: 'openblas-devel pkgconf-pkg-config',
    },
  },
  {
    command: 'apk',
    install: 'apk add',
    packages: {
      compiler: 'g++',
      make: 'make',
      python: 'python3',
      blas: 'openblas-dev pkgconf',
    },
  },
  {
    command: 'brew',
    install: 'brew install',
    packages: { compiler: 'gcc', make: 'make', python: 'python3', blas: 'openblas' },
  },
];

const runs = (command, flag = '--version') => output(command, flag) !== undefined;

/** The missing build dependencies; empty if the addon can be built here. */
function findMissing({ gyp = false } = {}) {
  const missing = [];
  const compiler = process.env.CXX || (process.platform === 'darwin' ? 'c++' : 'g++');
  // CXX may hold a launcher and flags: `ccache g++ -m64`.
  if (gyp && !runs(compiler.trim().split(/\s+/)[0])) {
    missing.push({ part: 'compiler', says: `the C++ compiler ${compiler} was not found` });
  }
  if (gyp && !runs(process.env.MAKE || 'make')) {
    missing.push({ part: 'make', says: 'make was not found' });
  }
  if (gyp && !runs(process.env.npm_config_python || process.env.PYTHON || 'python3')) {
    missing.push({ part: 'python', says: 'python3 was not found' });
  }
  if (chooseBlas() === undefined) {
    // The message distinguishes a missing pkg-config from a missing openblas, because the user may have installed only
    // one of them. The remedy is the same.
    const says = runs('pkg-config')
      ? "pkg-config does not know 'openblas'"
      : 'pkg-config was not found';
    missing.push({ part: 'blas', says });
  }
  return missing;
}

/** One message for all missing dependencies, with the commands that install them. */
function describeMissing(missing) {
  const here = managers.filter(({ command }) => runs(command));
  const commands = (here.length > 0 ? here : managers).map(
    ({ install, packages }) =>
      `    ${install} ${missing.map(({ part }) => packages[part]).join(' ')}`,
  );
  const what = missing.map(({ says }) => says).join(', ');
  return `the native addon cannot be compiled on this machine: ${what}.\nInstall what is missing with\n${commands.join('\n')}\nthen build again.`;
}

module.exports = { findMissing, describeMissing };

if (require.main === module) {
  const missing = findMissing();
  if (missing.length > 0) {
    process.stderr.write(`\nforebay: ${describeMissing(missing)}\n\n`);
    process.exit(1);
  }
}
