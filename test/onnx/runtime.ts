/**
 * Runs ONNX files by ONNX Runtime. It runs as WebAssembly here, because that package has no script that downloads at its
 * installation.
 */

import * as ort from 'onnxruntime-web';
import { Tensor } from '../../src/index.js';

ort.env.wasm.numThreads = 1;

/** Returns a tensor of the type of an input of the file. int32 of forebay is int64 in files that forebay writes. */
function given({ data, shape }: Tensor, type: string): ort.Tensor {
  if (type === 'int64') return new ort.Tensor('int64', BigInt64Array.from(data, BigInt), shape);
  // The values of leaves are in shared memory, which ONNX Runtime does not take.
  if (type === 'int32') return new ort.Tensor('int32', Int32Array.from(data), shape);
  if (type === 'float32') return new ort.Tensor('float32', Float32Array.from(data), shape);
  if (type === 'float64') return new ort.Tensor('float64', Float64Array.from(data), shape);
  return new ort.Tensor(type as 'bool' | 'uint8', Uint8Array.from(data), shape);
}

function returned({ data, dims, type }: ort.Tensor): Tensor {
  const shape = [...dims];
  if (type === 'int64') {
    return new Tensor(Int32Array.from(data as BigInt64Array, Number), shape);
  }
  if (type === 'int32') return new Tensor(data as Int32Array, shape);
  if (type === 'float32') return new Tensor(data as Float32Array, shape);
  if (type === 'float64') return new Tensor(data as Float64Array, shape);
  return new Tensor(Uint8Array.from(data as Uint8Array), shape, type === 'bool' ? 'bool' : 'uint8');
}

/** Returns the outputs of a file. */
export async function run(
  bytes: Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  // Float rounding must be that of one operator after another.
  const session = await ort.InferenceSession.create(bytes, {
    graphOptimizationLevel: 'basic',
    logSeverityLevel: 3,
  });
  try {
    const inputs = session.inputMetadata.flatMap((info) => {
      const tensor = feeds[info.name];
      if (tensor === undefined || !info.isTensor) return [];
      return [[info.name, given(tensor, info.type)] as const];
    });
    const results = await session.run(Object.fromEntries(inputs));
    return Object.fromEntries(
      Object.entries(results).map(([name, tensor]) => [name, returned(tensor as ort.Tensor)]),
    );
  } finally {
    await session.release();
  }
}
