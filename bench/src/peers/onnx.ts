/** Runs a workload in ONNX Runtime for Node.js. It only predicts, with a model that the Python package onnx writes. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireOwn } from '../contenders.js';
import { BenchError } from '../errors.js';
import { Tensors, writeTensors } from '../exchange.js';
import { type Hello, type Loaded, type Requests, serve } from '../protocol.js';
import { findPython } from '../python.js';
import type { PredictSpec } from '../workloads.js';
import { resetPeak, statusBytes } from './process.js';

/** The part of onnxruntime-node that is used here. The package is installed separately, without its types. */
interface Value {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}
interface Session {
  run(
    feeds: Record<string, Value>,
    fetches?: Record<string, Value | null>,
  ): Promise<Record<string, Value>>;
}
interface Runtime {
  readonly Tensor: new (dtype: 'float32', data: Float32Array, dims: readonly number[]) => Value;
  readonly InferenceSession: {
    create(path: string, options: Record<string, unknown>): Promise<Session>;
  };
}

const ort = requireOwn('onnxruntime-node') as Runtime;
const { version } = requireOwn('onnxruntime-node/package.json') as { readonly version: string };

let threads = 1;
let memoryAtImport = 0;
const forms = new Map<string, () => Promise<Value>>();

function hello(request: { readonly threads: number }): Hello {
  threads = request.threads;
  memoryAtImport = statusBytes('VmRSS');
  return { version, capability: null, blas: { files: [], core: null }, threads };
}

/**
 * Writes the model to a file, by a script in Python. Returns the path of the file.
 *
 * @throws BenchError with the error output of Python if the script fails
 */
function writeModel(request: Requests['load'][0], spec: PredictSpec): string {
  const file = join(request.folder, 'layers.onnx');
  const script = fileURLToPath(new URL('../../peers/onnx_model.py', import.meta.url));
  const words = [request.folder, JSON.stringify(request.manifest), JSON.stringify(spec.layers)];
  const { status, stderr } = spawnSync(
    findPython(['onnx']) ?? 'python3',
    ['-B', script, ...words, file],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new BenchError(`onnx_model.py failed: ${stderr.trim().slice(-500)}`);
  return file;
}

async function load(request: Requests['load'][0]): Promise<Loaded> {
  const { spec, folder, manifest, only } = request;
  if (spec.kind !== 'predict') throw new BenchError('ONNX Runtime does not train');
  const session = await ort.InferenceSession.create(writeModel(request, spec), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
  });
  const { values, shape } = new Tensors(folder, manifest).get('x');
  const feeds = { x: new ort.Tensor('float32', values as Float32Array, shape) };
  const run = async (fetches?: Record<string, Value>) =>
    (await session.run(feeds, fetches)).output as Value;
  const first = await run();
  const kept = new ort.Tensor('float32', new Float32Array(first.data.length), first.dims);
  forms.clear();
  forms.set('sequential', () => run());
  forms.set('sequential, output given', () => run({ output: kept }));
  const loaded: Loaded['forms'][number][] = [];
  for (const [index, [name, step]] of [...forms].entries()) {
    if (only !== null && only !== name) continue;
    const { dims, data } = await step();
    const output = { name: 'output', dtype: 'float32' as const, shape: dims, values: data };
    loaded.push({ name, losses: [], results: writeTensors(folder, `onnx-${index}`, [output]) });
  }
  resetPeak();
  return { forms: loaded };
}

async function round({ steps, form }: Requests['round'][0]): Promise<{ seconds: number }> {
  const step = forms.get(form);
  if (step === undefined) throw new BenchError(`there is no form '${form}'`);
  const start = performance.now();
  for (let taken = 0; taken < steps; taken++) await step();
  return { seconds: (performance.now() - start) / 1000 };
}

await serve({
  hello,
  load,
  round,
  memory: () => ({ growth: statusBytes('VmHWM') - memoryAtImport }),
});
