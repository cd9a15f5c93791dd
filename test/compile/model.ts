/** The model that the tests of programs use. */

import { input, matmul, mse, parameter, sgd, type Tensor, tensor } from '../../src/index.js';

/** Returns a linear model: an input of shape [batch, 3] times one weight, with updates by gradient descent. */
export function model() {
  const x = input('x', ['batch', 3]);
  const y = input('y', ['batch', 2]);
  const w = parameter('w', [
    [0.1, 0.2],
    [0.3, 0.4],
    [0.5, 0.6],
  ]);
  const prediction = matmul(x, w).named('prediction');
  const loss = mse(prediction, y);
  return { x, y, w, prediction, loss, updates: sgd(loss, [w], { rate: 0.01 }) };
}

export function batch(rows: number): { x: Tensor; y: Tensor } {
  const fill = (columns: number, scale: number) =>
    tensor(
      Float32Array.from({ length: rows * columns }, (_, i) => ((i * 7) % 5) * scale - 1),
      { shape: [rows, columns] },
    );
  return { x: fill(3, 0.5), y: fill(2, 0.25) };
}

export const bytes = (t: Tensor) => [
  ...new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength),
];
