#!/usr/bin/env node
// Installs the peers that are not development dependencies into .cmake/peers: PyTorch, JAX and onnx by pip into a
// virtual environment, ONNX Runtime and models for it by npm. `./setup bench` runs this script. A second run finds everything installed
// and changes nothing. If a peer is still missing at the end, the script says which one and exits with status 1.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = `${root}.cmake/peers`;
const venv = `${folder}/venv`;
const python = `${venv}/bin/python`;
const requirementsFile = `${root}bench/peers/requirements.txt`;
const requirements = readFileSync(requirementsFile, 'utf8');
const onnxRuntime = 'onnxruntime-node@^1.24.0';
/** Models that find speech, for `npm run bench:onnx`. */
const speechModels = '@ricky0123/vad-web@0.0.31';

const say = (text) => process.stderr.write(`==> ${text}\n`);
/** Runs a command, whose output goes to standard error. Returns true if the command succeeds. */
const run = (file, ...args) => {
  say([file, ...args].join(' '));
  const stdio = ['ignore', 2, 2];
  return spawnSync(file, args, { stdio, env }).status === 0;
};
// Without these variables, the install script of onnxruntime-node would download GPU libraries.
const env = {
  ...process.env,
  ONNXRUNTIME_NODE_INSTALL: 'skip',
  ONNXRUNTIME_NODE_INSTALL_CUDA: 'skip',
};

/**
 * Returns true if the stamp file exists and has the content `wanted`. A stamp file records which versions an earlier
 * run installed.
 */
const stamped = (name, wanted) => {
  const file = `${folder}/${name}.stamp`;
  return existsSync(file) && readFileSync(file, 'utf8') === wanted;
};
const stamp = (name, wanted) => writeFileSync(`${folder}/${name}.stamp`, wanted);

/**
 * Installs the peers in Python. Returns true if they can be imported.
 *
 * The PyTorch package for Linux downloads 4 GB of GPU libraries, and cannot be imported without them. Environment
 * variables of pip select another package, for example PIP_EXTRA_INDEX_URL with the index of CPU builds of PyTorch.
 */
function installPython() {
  if (process.env.FOREBAY_BENCH_PYTHON) return true; // the user's Python, in which the peers are already installed
  if (stamped('python', requirements)) return true;
  if (!existsSync(python) && !run('python3', '-m', 'venv', venv)) {
    say('python3 cannot make a virtual environment: apt-get install python3-venv');
    return false;
  }
  if (!run(python, '-m', 'pip', 'install', '--quiet', '-r', requirementsFile)) {
    say('pip could not install the peers in Python (is the machine offline?)');
    return false;
  }
  const works = run(python, '-c', 'import torch, jax, onnx; torch.ones(1) + 1; jax.numpy.ones(1)');
  if (works) stamp('python', requirements);
  return works;
}

function installNode() {
  const packages = [onnxRuntime, speechModels];
  if (stamped('node', packages.join(' '))) return true;
  writeFileSync(`${folder}/package.json`, '{"private": true}\n');
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const works = run('npm', 'install', '--prefix', folder, ...options, ...packages);
  if (works) stamp('node', packages.join(' '));
  else say(`npm could not install ${packages.join(' and ')} (is the machine offline?)`);
  return works;
}

mkdirSync(folder, { recursive: true });
// If one installation fails, the other is still useful, so both are tried.
const done = [installPython(), installNode()];
process.exitCode = done.every(Boolean) ? 0 : 1;
