// Run before anything is compiled: says in one message what is missing and which command installs it.
// Prints nothing on success (gyp reads stdout). `node native/check-deps.cjs` asks for OpenBLAS, which
// both builds need; `forebay build` (src/cli/build.ts) also for what node-gyp needs.
'use strict';
const { chooseBlas, output } = require('./blas.cjs');

/** Package managers, in the order of looking, and by what they install each thing. */
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

/** What keeps the addon from being built here: nothing for an empty list. */
function findMissing({ gyp = false } = {}) {
  const missing = [];
  const compiler = process.env.CXX || (process.platform === 'darwin' ? 'c++' : 'g++');
  if (gyp && !runs(compiler)) {
    missing.push({ part: 'compiler', says: `the C++ compiler ${compiler} was not found` });
  }
  if (gyp && !runs(process.env.MAKE || 'make')) {
    missing.push({ part: 'make', says: 'make was not found' });
  }
  if (gyp && !runs(process.env.npm_config_python || process.env.PYTHON || 'python3')) {
    missing.push({ part: 'python', says: 'python3 was not found' });
  }
  if (chooseBlas() === undefined) {
    // A pkg-config that is absent and one that does not know openblas are told apart: the remedy is
    // the same, but the reader may have installed half of it.
    const says = runs('pkg-config')
      ? "pkg-config does not know 'openblas'"
      : 'pkg-config was not found';
    missing.push({ part: 'blas', says });
  }
  return missing;
}

/** One message for all that is missing, with the command for it. */
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
