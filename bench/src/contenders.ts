/** The contenders, which are forebay and its peers: how each is started, what it can do, and how it is installed. */

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { BenchError } from './errors.js';
import type { Command, Hello } from './protocol.js';
import { findPython, peersFolder } from './python.js';
import type { ModelSpec, Spec } from './workloads.js';

export interface Peer {
  readonly name: string;
  readonly title: string;
  /** The command that installs the peer. */
  readonly install: string;
  /**
   * Sets of environment variables, by name. The peer is tried with each set. By default, the peer is started once,
   * without extra variables.
   */
  readonly environments?: Readonly<Record<string, NodeJS.ProcessEnv>>;
  /** Returns the command that starts the peer; undefined if the peer is not installed. */
  command(): Command | undefined;
  /** Returns the form of a workload that this peer runs; undefined if the peer cannot run the workload. */
  adapt(spec: Spec): ModelSpec | undefined;
  /**
   * Checks how the peer is installed.
   *
   * @throws BenchError if the installed peer is not in its fastest configuration
   */
  inspect?(hello: Hello): void;
}

/**
 * Returns the command that runs a compiled module of build/. The relative path in the URL is correct from the sources
 * in src/ and also from the modules in build/.
 */
const compiled = (file: string): Command => ({
  file: process.execPath,
  // The contender collects garbage before it measures memory.
  args: ['--expose-gc', fileURLToPath(new URL(`../build/${file}`, import.meta.url))],
});

export const forebay = compiled('forebay/main.js');

const installPeers =
  'node bench/peers/install.mjs (./setup bench does it too), or name a Python that has it by --python PATH';
const installDevelopment = 'npm install --ignore-scripts --include=dev';

function ifResolved(packages: readonly string[], file: string): Command | undefined {
  try {
    for (const name of packages) import.meta.resolve(name);
  } catch {
    return undefined;
  }
  return compiled(file);
}

function inPython(modules: readonly string[], script: string): Command | undefined {
  const python = findPython(modules);
  const path = fileURLToPath(new URL(`../peers/${script}`, import.meta.url));
  // -B: Python writes no folder __pycache__ next to the sources.
  return python === undefined ? undefined : { file: python, args: ['-B', path] };
}

/**
 * Two environments for libraries that allocate memory in each step. With its default thresholds, the allocator of glibc
 * requests every large block from the kernel and then returns it, which costs time for every page. High thresholds
 * avoid this.
 */
const allocators = {
  'default malloc': {},
  'high malloc thresholds': {
    MALLOC_MMAP_THRESHOLD_: String(2 ** 30),
    MALLOC_TRIM_THRESHOLD_: String(2 ** 32),
  },
};

/**
 * Checks the BLAS of PyTorch.
 *
 * @throws BenchError if PyTorch uses the reference BLAS, because no user would use its slow loops
 */
export function refuseReferenceBlas({ blas: { files, core } }: Hello): void {
  const optimised =
    core !== null || files.some((file) => /openblas|mkl|blis|atlas|armpl/i.test(file));
  if (files.length === 0 || optimised) return;
  throw new BenchError(
    `torch multiplies by the reference BLAS (${files.join(', ')}); a comparison with that would be unfair: ` +
      'apt-get install libopenblas0-pthread, or choose it by update-alternatives',
  );
}

const trains = (spec: Spec) => (spec.kind === 'compile' ? undefined : spec);

/** Returns a function that returns only the workloads of these kinds. */
const only =
  (...kinds: readonly Spec['kind'][]) =>
  (spec: Spec) =>
    kinds.includes(spec.kind) ? trains(spec) : undefined;
const dense = ['lstm', 'lstm-nodes', 'lstm-brain', 'vae', 'mlp', 'predict'] as const;

const torch: Peer = {
  name: 'torch',
  title: 'PyTorch',
  install: installPeers,
  environments: allocators,
  command: () => inPython(['torch'], 'torch_peer.py'),
  adapt: trains,
  inspect: refuseReferenceBlas,
};

const jax: Peer = {
  name: 'jax',
  title: 'JAX',
  install: installPeers,
  environments: allocators,
  command: () => inPython(['jax', 'jaxlib'], 'jax_peer.py'),
  adapt: only(...dense, 'gru', 'cnn', 'resnet', 'bag', 'gpt'),
};

/**
 * A `require` that finds ONNX Runtime. It is installed in a folder of the benchmark, not as a development dependency,
 * because its package contains binaries for all platforms.
 */
export const requireOwn = createRequire(`${peersFolder}/package.json`);

const onnx: Peer = {
  name: 'onnx',
  title: 'ONNX Runtime',
  install: installPeers,
  command() {
    try {
      requireOwn.resolve('onnxruntime-node');
    } catch {
      return undefined;
    }
    // The model for ONNX Runtime is written by the Python package onnx, so that package is needed, too.
    return findPython(['onnx']) === undefined ? undefined : compiled('peers/onnx.js');
  },
  adapt: (spec) => (spec.kind === 'predict' && spec.dtype === 'float32' ? spec : undefined),
};

const tfjs: Peer = {
  name: 'tfjs-wasm',
  title: 'TensorFlow.js (wasm)',
  install: installDevelopment,
  command: () => ifResolved(['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm'], 'peers/tfjs.js'),
  adapt: only(...dense),
};

const brain: Peer = {
  name: 'brain',
  title: 'brain.js',
  install: installDevelopment,
  command: () => ifResolved(['brain.js'], 'peers/brain.js'),
  adapt: (spec) =>
    spec.kind === 'lstm-nodes' ? { ...spec, kind: 'lstm-brain', readout: 'linear' } : undefined,
};

/** All peers, in the order of the table. */
export const peers: readonly Peer[] = [torch, jax, onnx, tfjs, brain];

/**
 * Returns the environment variables for the process of a contender. They set the thread count, because the OpenBLAS of
 * PyTorch ignores a count that is set later. They also set the processor type for OpenBLAS, because an OpenBLAS that is
 * older than the processor otherwise assumes a processor without AVX. forebay sets this type itself.
 *
 * @param core the processor type; null to leave it unset
 * @param extra the variables of one of the environments of the peer
 */
export function environment(
  threads: number,
  core: string | null,
  extra: NodeJS.ProcessEnv = {},
): NodeJS.ProcessEnv {
  const count = String(threads);
  return {
    ...process.env,
    OMP_NUM_THREADS: count,
    OPENBLAS_NUM_THREADS: count,
    MKL_NUM_THREADS: count,
    // The cache of torch.compile is in this folder, so that it is kept between runs.
    TORCHINDUCTOR_CACHE_DIR: process.env.TORCHINDUCTOR_CACHE_DIR ?? `${peersFolder}/inductor`,
    ...(core !== null && { OPENBLAS_CORETYPE: process.env.OPENBLAS_CORETYPE ?? core }),
    ...extra,
  };
}
