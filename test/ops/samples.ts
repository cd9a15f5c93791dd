/** Builds leaves and nodes from the declared samples of an op. Tests are generated from these samples. */

import { declaredOps } from '../../src/graph/op.js';
import { type Node, type Sample, type SampleInput, Tensor, Variable } from '../../src/index.js';
import { generator } from '../support.js';

export const opsUnderTest = [...declaredOps()].map(([name, op]) => ({ name, op }));

/**
 * Returns the values of an operand of a sample: the given values, or random values that are within the range of the
 * operand and outside its gap around 0.
 */
function valuesOf(
  { shape, low = -1, high = 1, gap = 0, values, dtype = 'float64' }: SampleInput,
  draw: () => number,
): Tensor {
  const size = shape.reduce((product, dim) => product * dim, 1);
  const all = Array.from({ length: size }, (_, index) => {
    if (values) return values[index] as number;
    const value = low + (high - low) * draw();
    return Math.abs(value) < gap ? value + Math.sign(value || 1) * gap : value;
  });
  // Random numbers above 0 count as true.
  if (dtype === 'bool')
    return new Tensor(
      Uint8Array.from(all, (n) => Number(n > 0)),
      shape,
      dtype,
    );
  const data = dtype === 'int32' ? Int32Array.from(all) : Float64Array.from(all);
  return new Tensor(dtype === 'float32' ? Float32Array.from(all) : data, shape);
}

export interface BuiltSample {
  readonly leaves: Variable[];
  readonly root: Node;
}

export function buildSample(sample: Sample, seed: number): BuiltSample {
  const draw = generator(seed);
  const leaves = sample.inputs.map(
    (input, index) => new Variable('parameter', `x${index}`, valuesOf(input, draw)),
  );
  return { leaves, root: sample.build(...leaves) };
}

/** Returns the leaves of a sample whose gradients can be checked by finite differences. */
export function differentiable({ leaves }: BuiltSample): Variable[] {
  return leaves.filter((leaf) => leaf.dtype === 'float64');
}

/** Returns the title of a sample, for example `mul #2: [2, 3, 4] [2, 3, 4]`. */
export function titleOf(name: string, sample: Sample, index: number): string {
  return `${name} #${index}: ${sample.inputs.map(({ shape }) => `[${shape.join(', ')}]`).join(' ')}`;
}
