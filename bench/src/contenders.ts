/** Who takes part: how a contender is started, what it can do, how it is installed. */

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { BenchError } from './errors.js';
import type { Command, Hello } from './protocol.js';
import { findPython, peersFolder } from './python.js';
import type { ModelSpec, Spec } from './workloads.js';

export interface Peer {
  readonly name: string;
  readonly title: string;
  /** What to type when it is missing. */
  readonly install: string;
  /**
   * Variables of the environment in which its process is started, by a name for them. The peer is tried
   * with each; one empty set where this is left out.
   */
  readonly environments?: Readonly<Record<string, NodeJS.ProcessEnv>>;
  /** Undefined when it is not installed. */
  command(): Command | undefined;
  /** A workload as this peer does it; undefined when it cannot. */
  adapt(spec: Spec): ModelSpec | undefined;
  /** @throws BenchError if what was found is not the peer at its best */
  inspect?(hello: Hello): void;
}

/** The compiled modules are in build/, whose path is the same seen from the sources and from build/. */
const compiled = (file: string): Command => ({
  file: process.execPath,
  // To measure memory without the garbage of what came before.
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
  // -B: no __pycache__ beside the sources.
  return python === undefined ? undefined : { file: python, args: ['-B', path] };
}

/**
 * glibc's allocator takes large blocks from the kernel and gives them back, page by page, unless its
 * thresholds are high. A library that allocates in each step pays for that.
 */
const allocators = {
  'default malloc': {},
  'high malloc thresholds': {
    MALLOC_MMAP_THRESHOLD_: String(2 ** 30),
    MALLOC_TRIM_THRESHOLD_: String(2 ** 32),
  },
};

/** @throws BenchError for the slow loops of the reference BLAS, which no user of PyTorch multiplies by */
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
  adapt: trains,
};

/** ONNX Runtime lies in the bench's own folder: its package holds the binaries of all platforms. */
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
    // Its models are written by Python's onnx.
    return findPython(['onnx']) === undefined ? undefined : compiled('peers/onnx.js');
  },
  adapt: (spec) => (spec.kind === 'predict' && spec.dtype === 'float32' ? spec : undefined),
};

const tfjs: Peer = {
  name: 'tfjs-wasm',
  title: 'TensorFlow.js (wasm)',
  install: installDevelopment,
  command: () => ifResolved(['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm'], 'peers/tfjs.js'),
  adapt: trains,
};

const brain: Peer = {
  name: 'brain',
  title: 'brain.js',
  install: installDevelopment,
  command: () => ifResolved(['brain.js'], 'peers/brain.js'),
  adapt: (spec) => (spec.kind === 'lstm-nodes' ? { ...spec, kind: 'lstm-brain' } : undefined),
};

/** In the order of the table. */
export const peers: readonly Peer[] = [torch, jax, onnx, tfjs, brain];

/**
 * What a contender's process is started with. A thread count that is set later does not bind PyTorch's
 * OpenBLAS. An OpenBLAS older than the processor takes it for one without AVX unless told, which
 * forebay does for itself.
 *
 * @param extra variables of one of the peer's environments
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
    // What torch.compile has compiled, kept from run to run.
    TORCHINDUCTOR_CACHE_DIR: process.env.TORCHINDUCTOR_CACHE_DIR ?? `${peersFolder}/inductor`,
    ...(core !== null && { OPENBLAS_CORETYPE: process.env.OPENBLAS_CORETYPE ?? core }),
    ...extra,
  };
}
