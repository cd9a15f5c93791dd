// Compares programs with evaluate() on random graphs over tensors of up to 32 axes.
import { expect, test } from 'vitest';
import {
  add,
  argmax,
  broadcastTo,
  compile,
  concat,
  evaluate,
  flip,
  max,
  mul,
  type Node,
  parameter,
  relu,
  reshape,
  slice,
  stack,
  sub,
  sum,
  Tensor,
  transpose,
} from '../../../src/index.js';
import { Draws } from './draws.js';

const mostElements = 4096;

/** Returns a parameter whose elements are small integers, so that sums of them are exact. */
function leaf(draws: Draws, name: string, shape: readonly number[]): Node {
  const size = shape.reduce((a, b) => a * b, 1);
  const data = Float64Array.from({ length: size }, () => draws.between(-3, 3));
  return parameter(name, new Tensor(data, shape));
}

/** Returns a shape of 9 to 32 axes. Most sizes are 1, some are 2 or 3, and a few are 0. */
function manyAxes(draws: Draws): number[] {
  const rank = draws.between(9, 32);
  const shape: number[] = [];
  let size = 1;
  for (let axis = 0; axis < rank; axis++) {
    const dim = draws.weighted([
      [5, 1],
      [4, 2],
      [1, 3],
      [0.05, 0],
    ]);
    const fits = size * dim <= 512;
    shape.push(fits ? dim : 1);
    size *= fits ? Math.max(1, dim) : 1;
  }
  return shape;
}

function step(draws: Draws, x: Node): Node {
  const shape = x.shape as readonly number[];
  const size = shape.reduce((a, b) => a * b, 1);
  const axis = shape.length > 0 ? draws.below(shape.length) : 0;
  const few = shape.map((_, i) => i).filter(() => draws.chance(0.3));
  const steps: (() => Node)[] = [
    () => relu(x),
    () => mul(x, x),
    () => sub(x, mul(2, x)),
    () => transpose(x, draws.shuffled(shape.map((_, i) => i))),
    () =>
      add(
        x,
        leaf(
          draws,
          `w${draws.below(1e9)}`,
          shape.map((dim) => (draws.chance(0.5) ? 1 : dim)),
        ),
      ),
    () => sum(x, few, { keepDims: draws.chance(0.5) }),
    () => max(x, few, { keepDims: draws.chance(0.5) }),
    () => reshape(x, draws.shuffled(shape)),
    () =>
      broadcastTo(
        x,
        shape.map((dim) => (dim === 1 && draws.chance(0.1) ? 2 : dim)),
      ),
  ];
  if (shape.length > 0) {
    steps.push(
      () => slice(x, { axis, start: (shape[axis] as number) > 1 ? 1 : 0 }),
      () => slice(x, { axis, step: draws.pick([-2, -1, 2]) }),
      () => flip(x, few),
      () => (size * 2 <= mostElements ? concat([x, relu(x)], axis) : x),
      () => (shape.length < 32 && size * 2 <= mostElements ? stack([x, x], axis) : x),
    );
  }
  const made = draws.pick(steps)();
  return (made.shape as number[]).reduce((a, b) => a * b, 1) <= mostElements ? made : x;
}

test('200 random graphs over many axes: compiled as interpreted', { timeout: 120_000 }, () => {
  for (let seed = 0; seed < 200; seed++) {
    const draws = new Draws(seed);
    const first = leaf(draws, 'x', manyAxes(draws));
    const nodes = [first];
    for (let i = 0; i < 7; i++) nodes.push(step(draws, nodes.at(-1) as Node));
    const last = nodes.at(-1) as Node;
    const largest = last.shape.includes(0) ? {} : { largest: argmax(last) };
    const outputs: Readonly<Record<string, Node>> = {
      last,
      middle: nodes[4] as Node,
      total: sum(last),
      ...largest,
    };
    const expected = evaluate(outputs);
    const program = compile({ outputs });
    const found = program.run();
    program.dispose();
    for (const [name, { shape, data }] of Object.entries(expected)) {
      const got = found[name] as Tensor;
      expect(got.shape, `seed ${seed}`).toEqual(shape);
      expect(
        got.data.every((value, i) => value === data[i]),
        `seed ${seed}: ${name}`,
      ).toBe(true);
    }
  }
});
