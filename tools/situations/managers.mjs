// The situations of package managers, which install the tarball.

const npm = (version, short = false) => ({
  name: `npm ${version}`,
  path: [`npm-${version}`],
  recipe: 'npm',
  installs: true,
  short,
});

export const managers = [
  npm(10),
  npm(11),
  npm(12, true),
  {
    name: 'npm ci by a lock file that was made for macOS on arm64',
    path: ['npm-11'],
    recipe: 'npm-other-platform',
    installs: true,
  },
  { name: 'pnpm, isolated', path: ['pnpm'], recipe: 'pnpm', installs: true, short: true },
  { name: 'pnpm, hoisted', path: ['pnpm'], recipe: 'pnpm-hoisted', installs: true },
  {
    name: 'pnpm, supportedArchitectures',
    path: ['pnpm'],
    recipe: 'pnpm-architectures',
    installs: true,
  },
  { name: "yarn, Plug'n'Play", path: ['yarn'], recipe: 'yarn-pnp', installs: true, short: true },
  { name: 'yarn, node_modules', path: ['yarn'], recipe: 'yarn-modules', installs: true },
  // Bun is the package manager here; Node runs the program.
  { name: 'bun add', path: ['bun'], recipe: 'bun-install', installs: true },
];
