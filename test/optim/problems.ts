/** Problems, and functions of updates, that the tests of optimizers share. */

import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import {
  Dense,
  input,
  Module,
  mse,
  mul,
  type Node,
  parameter,
  relu,
  sum,
  tensor,
  type Updates,
} from '../../src/index.js';

export const dtype = 'float64';
export const vector = (name: string, values: readonly number[]) =>
  parameter(name, tensor(values, { dtype }));
export const g = input('g', [2], { dtype });
/** Returns a parameter w and a loss whose gradient is fed as g. */
export function fedProblem(name = 'w', start: readonly number[] = [1, -2]) {
  const w = vector(name, start);
  return { w, loss: sum(mul(w, g)) };
}
let files = 0;
const fileOf = (index: number) =>
  join(tmpdir(), `forebay-rules-${process.pid}-${index}.checkpoint`);
export const file = () => fileOf(files++);
export const namesOf = (updates: Updates) => updates.map(([leaf]) => leaf.name);
export const statesOf = (updates: Updates) =>
  updates.map(([leaf]) => leaf).filter((l) => l.kind === 'state');
export const valuesOf = (updates: Updates) => updates.map(([leaf]) => leaf.value.toArray());

/** Two dense layers of float64. */
export class Net extends Module {
  readonly hidden = new Dense(this.scope('hidden'), {
    inputs: 2,
    units: 3,
    activation: relu,
    dtype,
  });
  readonly out = new Dense(this.scope('out'), { inputs: 3, units: 1, dtype });
  forward(x: Node) {
    return this.out.apply(this.hidden.apply(x));
  }
}
export const x = input('x', ['batch', 2], { dtype });
export const target = input('target', ['batch', 1], { dtype });
afterAll(() => {
  while (files > 0) rmSync(fileOf(--files), { force: true });
});
export const feeds = {
  x: [
    [1, 2],
    [3, -1],
  ],
  target: [[1], [0]],
};
export function netProblem(name = 'net') {
  const net = new Net(name);
  return { net, loss: mse(net.apply(x), target) };
}
