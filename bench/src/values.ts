/** Makes the initial values of a workload. They are the same for all contenders, on every machine. */

import type { TensorSpec } from './tensors.js';

export type Values = Float32Array | Float64Array | Int32Array;

const arrays = { float32: Float32Array, float64: Float64Array, int32: Int32Array } as const;

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, dim) => size * dim, 1);
}

/** Returns the bytes of a file as an array of numbers. */
export function viewBytes(dtype: TensorSpec['dtype'], bytes: Uint8Array): Values {
  const copy = new Uint8Array(bytes).buffer;
  return new arrays[dtype](copy);
}

/** Returns the values of a tensor. Random values are seeded by the name of the tensor. */
export function valuesOf({ name, dtype, shape, source }: TensorSpec): Values {
  const values = new arrays[dtype](sizeOf(shape));
  const next = draws(name);
  for (let index = 0; index < values.length; index++) {
    switch (source.kind) {
      case 'uniform':
        values[index] = source.low + (source.high - source.low) * next();
        break;
      case 'class':
        values[index] = Math.floor(source.classes * next());
        break;
      case 'circle': {
        const angle = (Math.PI * (source.from + Math.floor(index / 2))) / 10;
        values[index] = index % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
      }
    }
  }
  return values;
}

/**
 * Returns the random generator mulberry32, seeded by a hash of the name. Each call of it returns a number in [0, 1).
 */
function draws(name: string): () => number {
  let state = [...name].reduce(
    (hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 16777619),
    7,
  );
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
