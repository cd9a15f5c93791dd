// Tests lowerings of kind `convolution` in ops that users define.
import { describe, expect, it } from 'vitest';
import {
  compile,
  defineOp,
  evaluate,
  ForebayError,
  type Node,
  notDifferentiable,
  type Tensor,
  tensor,
} from '../../src/index.js';
import { errorOf } from '../support.js';

/** Returns the results of both executors. */
function both(node: Node): Tensor[] {
  return [evaluate(node), compile({ outputs: { node } }).run().node];
}

const ones = (...shape: number[]) =>
  tensor(new Float64Array(shape.reduce((size, dim) => size * dim, 1)).fill(1), { shape });

describe('the lowering of a user', () => {
  let counter = 0;
  const shapes = { x: [1, 2, 3, 3], weight: [2, 2, 2, 2], y: [1, 2, 2, 2] };
  const numbers = {
    stride: [1, 1],
    dilation: [1, 1],
    padding: [
      [0, 0],
      [0, 0],
    ],
    groups: 1,
  };
  const call = (given: unknown) => {
    const op = defineOp({
      name: `users convolution ${counter++}`,
      arity: 2,
      dtype: ([x]) => (x as Node).dtype,
      shape: () => [1, 2, 2, 2],
      lowering: { kind: 'convolution', computes: 'y', call: () => given as never },
      gradient: notDifferentiable('it is a test'),
      samples: [],
      refused: [],
    });
    const node = op(ones(1, 2, 3, 3), ones(2, 2, 2, 2));
    return { node, starts: [() => evaluate(node), () => compile({ outputs: { node } }).run()] };
  };

  it('may call a convolution', () => {
    for (const { data } of both(call({ ...shapes, ...numbers }).node)) {
      expect([...data]).toEqual(new Array(8).fill(8));
    }
  });

  it.each<[string, unknown]>([
    ['returns nothing', undefined],
    ['has another shape of x', { ...shapes, ...numbers, x: [1, 2, 3, 4] }],
    ['has a shape of another rank', { ...shapes, ...numbers, weight: [2, 2, 4] }],
    ['has other positions', { ...shapes, ...numbers, stride: [2, 2] }],
    ['has groups that do not divide the filters', { ...shapes, ...numbers, groups: 2 }],
    ['has a stride of 0', { ...shapes, ...numbers, stride: [0, 1] }],
    ['has no padding', { ...shapes, ...numbers, padding: undefined }],
  ])('that %s is refused by both executors', (_title, given) => {
    for (const start of call(given).starts) {
      const error = errorOf(start);
      expect(error).toBeInstanceOf(ForebayError);
      expect(error.message).toMatch(/users convolution/);
    }
  });
});
