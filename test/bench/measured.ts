/** An invented measurement for tests. Its results are easy to compute by hand. */

import type { Measured, Taken } from '../../bench/src/measure.js';
import { smallMlp } from './support.js';

const hello = {
  version: '9.9',
  capability: 'avx2',
  blas: { files: ['/lib/libopenblas.so', '/lib/x/libopenblas.so'], core: 'Haswell' },
  threads: 1,
};

function taken(
  form: string,
  pairs: readonly (readonly [peer: number, forebay: number])[],
  growth: number,
): Taken {
  return {
    hello,
    pairs: pairs.map(([peer, forebay]) => ({ peer, forebay })),
    form,
    forms: [{ form, us: 310.14 }],
    growth,
    agreement: { distance: 1e-7, tensor: 'w', tolerance: 2e-5 },
  };
}

const torch = taken(
  'eager, fused',
  [
    [300, 100],
    [400, 200],
    [330, 110],
  ],
  30e6,
);

export const measured: Measured = {
  // This must be the name of a real workload, because the section of the README describes the workload.
  workload: 'mlp-1',
  spec: smallMlp,
  forebay: { hello, rounds: [100, 200, 110], growth: 7e6 },
  peers: new Map([
    [
      'torch',
      {
        ...torch,
        forms: [
          ...torch.forms,
          { form: 'eager, loop', us: 412 },
          { form: 'compiled', us: null, why: 'no compiler' },
        ],
      },
    ],
    [
      'tfjs-wasm',
      taken(
        'wasm',
        [
          [2000, 100],
          [3000, 200],
        ],
        60e6,
      ),
    ],
  ]),
  // These products need 2 * 10 * 20 * 30 + 2 * 5 * 6 * 7 operations.
  stats: {
    productShapes: [
      [10, 20, 30],
      [5, 6, 7],
    ],
    memory: { arena: 4e6, leaves: 2e6, blas: 0.5e6 },
  },
  work: { operations: 20_000, traffic: 60_000, footprint: 30_000 },
  machine: [
    { gflops: 1, gigabytes: 2 },
    { gflops: 0.5, gigabytes: 2 },
    { gflops: 1, gigabytes: 1 },
  ],
  parts: new Map(),
};
