/** Helpers that the tests of the benchmark share. */

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { environment, forebay, type Peer } from '../../bench/src/contenders.js';
import { Contender } from '../../bench/src/protocol.js';
import type { GruSpec, LstmSpec, ModelSpec } from '../../bench/src/workloads.js';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Compiles bench/src, because the contenders are separate processes that run the compiled modules. Only one test file
 * may call this function. If two test files compiled at once, one would load modules that the other has only partially
 * written.
 */
export function buildBench(): void {
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'bench'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

export const startForebay = () => new Contender('forebay', forebay, environment(1, null));

export function startPeer(peer: Peer, core: string | null): Contender {
  const command = peer.command();
  if (command === undefined) throw new Error(`${peer.title} is not installed: ${peer.install}`);
  return new Contender(peer.name, command, environment(1, core));
}

/** A small LSTM. All its sizes are different, so that a transposed tensor or a misplaced block changes the result. */
export const smallLstm: LstmSpec = {
  kind: 'lstm',
  dtype: 'float32',
  inputs: 3,
  units: 5,
  outputs: 2,
  steps: 4,
  batch: 2,
  readout: 'linear',
  optimizer: 'sgd',
  rate: 1,
};

export const smallGru: GruSpec = {
  ...smallLstm,
  kind: 'gru',
  readout: 'tanh',
  optimizer: 'adam',
  rate: 0.1,
};

export const smallMlp: ModelSpec = {
  kind: 'mlp',
  dtype: 'float32',
  layers: [6, 5, 4, 3],
  batch: 1,
  optimizer: 'adam',
  rate: 1e-2,
};
