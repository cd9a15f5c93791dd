/** Who takes part: how a contender is started, what it can do, how it is installed. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BenchError } from './errors.js';
import type { Command, Hello } from './protocol.js';
import type { ModelSpec, Spec } from './workloads.js';

export interface Peer {
  readonly name: string;
  readonly title: string;
  /** What to type when it is missing. */
  readonly install: string;
  /** Undefined when it is not installed. */
  command(): Command | undefined;
  /** A workload in the form in which this peer does it; undefined when it cannot. */
  form(spec: Spec): ModelSpec | undefined;
  /** @throws BenchError when what was found is not the peer at its best */
  inspect?(hello: Hello): void;
}

/** Compiled modules lie in build/, seen from the sources as from there. */
const compiled = (file: string): Command => ({
  file: process.execPath,
  // To measure memory without what was left lying about before.
  args: ['--expose-gc', fileURLToPath(new URL(`../build/${file}`, import.meta.url))],
});

export const forebay = compiled('forebay/main.js');

const npmInstall = 'npm install --ignore-scripts --include=dev';

function ifResolved(packages: readonly string[], file: string): Command | undefined {
  try {
    for (const name of packages) import.meta.resolve(name);
  } catch {
    return undefined;
  }
  return compiled(file);
}

const hasTorch = 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)';

/** The first Python that has PyTorch: FOREBAY_PYTHON, else the system's, else the first of the PATH. */
function findPython(): string | undefined {
  const candidates = process.env.FOREBAY_PYTHON
    ? [process.env.FOREBAY_PYTHON]
    : ['/usr/bin/python3', 'python3'];
  return candidates.find((python) => spawnSync(python, ['-c', hasTorch]).status === 0);
}

/** @throws BenchError for the textbook loops of the reference BLAS: nobody's PyTorch multiplies by them */
export function refuseReferenceBlas({ blas: { files, core } }: Hello): void {
  const optimised =
    core !== null || files.some((file) => /openblas|mkl|blis|atlas|armpl/i.test(file));
  if (files.length === 0 || optimised) return;
  throw new BenchError(
    `torch multiplies by the reference BLAS (${files.join(', ')}), which no comparison should be won against: ` +
      'apt-get install libopenblas0-pthread, or choose it by update-alternatives',
  );
}

const torch: Peer = {
  name: 'torch',
  title: 'PyTorch',
  install: './setup bench (or: apt-get install --no-install-recommends python3-torch)',
  command() {
    const python = findPython();
    const script = fileURLToPath(new URL('../peers/torch_peer.py', import.meta.url));
    return python === undefined || !existsSync(script)
      ? undefined
      : { file: python, args: [script] };
  },
  form: (spec) => (spec.kind === 'compile' ? undefined : spec),
  inspect: refuseReferenceBlas,
};

const tfjs: Peer = {
  name: 'tfjs-wasm',
  title: 'TensorFlow.js (wasm)',
  install: npmInstall,
  command: () => ifResolved(['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm'], 'peers/tfjs.js'),
  form: (spec) => (spec.kind === 'compile' ? undefined : spec),
};

const brain: Peer = {
  name: 'brain',
  title: 'brain.js',
  install: npmInstall,
  command: () => ifResolved(['brain.js'], 'peers/brain.js'),
  form: (spec) => (spec.kind === 'lstm-nodes' ? { ...spec, kind: 'lstm-brain' } : undefined),
};

/** In the order of the table. */
export const peers: readonly Peer[] = [torch, tfjs, brain];

/**
 * What a contender's process is started with. A thread count set later does not bind PyTorch's
 * OpenBLAS; and an OpenBLAS older than the processor takes it for one without AVX unless told, which
 * forebay does for itself.
 */
export function environment(threads: number, core: string | null): NodeJS.ProcessEnv {
  const count = String(threads);
  return {
    ...process.env,
    OMP_NUM_THREADS: count,
    OPENBLAS_NUM_THREADS: count,
    MKL_NUM_THREADS: count,
    ...(core !== null && { OPENBLAS_CORETYPE: process.env.OPENBLAS_CORETYPE ?? core }),
  };
}
