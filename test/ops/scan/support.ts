import { Tensor } from '../../../src/index.js';
/** Returns a tensor of float64 numbers from -1 to 1. */
export function randomTensor(shape: readonly number[], seed: number): Tensor<'float64'> {
  const size = shape.reduce((product, dim) => product * dim, 1);
  let state = seed * 7919 + 1;
  const data = Float64Array.from({ length: size }, () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return (state / 1073741824 - 1) * 0.9;
  });
  return new Tensor(data, shape, 'float64');
}
