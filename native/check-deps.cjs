// Run by both builds before anything is compiled: says in one message what is missing and which
// command installs it. Prints nothing on success (gyp reads stdout).
'use strict';
const { spawnSync } = require('node:child_process');

const remedies = [
  ['apt-get', 'apt-get install libopenblas-dev pkg-config'],
  ['dnf', 'dnf install openblas-devel pkgconf-pkg-config'],
  [
    'brew',
    'brew install openblas pkg-config && export PKG_CONFIG_PATH="$(brew --prefix openblas)/lib/pkgconfig"',
  ],
];

const runs = (command, args) => {
  const result = spawnSync(command, args, { stdio: 'ignore' });
  return result.error ? undefined : result.status === 0;
};

// A pkg-config that is absent and one that does not know openblas are told apart: the remedy is
// the same, but the reader may have installed half of it.
const found = runs('pkg-config', ['--exists', 'openblas']);
if (!found) {
  const here = remedies.filter(([manager]) => runs(manager, ['--version']) !== undefined);
  const commands = (here.length > 0 ? here : remedies).map(([, command]) => `    ${command}`);
  const missing =
    found === undefined ? 'pkg-config was not found' : "pkg-config does not know 'openblas'";
  process.stderr.write(
    `\nforebay: its native addon is built on OpenBLAS, and ${missing}.\nInstall it with\n${commands.join('\n')}\nthen build again.\n\n`,
  );
  process.exit(1);
}
