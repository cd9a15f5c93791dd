/** Tests how examples of different sizes are placed in a minibatch. */

import { describe, expect, it } from 'vitest';
import * as fb from '../../src/index.js';
import { gather, geometryOf } from '../../src/train/columns.js';
import { examplesOf } from '../../src/train/dataset.js';
import { randomTensor } from '../support.js';

const float64 = { dtype: 'float64' } as const;

const nodes = (x: fb.Input) => ({
  inputs: new Map([['x', x]]),
  outputs: new Map<string, fb.Node>(),
  metrics: new Set<string>(),
});

describe('an example is placed at the beginning of each dimension of its row', () => {
  it.each<[(string | number)[], number[][], Record<string, number>]>([
    [
      ['steps', 'batch', 3],
      [
        [2, 3],
        [0, 3],
        [4, 3],
      ],
      { steps: 5 },
    ],
    [['batch', 'steps'], [[2], [4], [0]], { steps: 4 }],
    [
      ['batch', 'steps', 2],
      [
        [2, 2],
        [4, 2],
        [1, 2],
      ],
      { steps: 6 },
    ],
    [
      ['batch', 2, 'steps'],
      [
        [2, 2],
        [2, 4],
        [2, 1],
      ],
      { steps: 5 },
    ],
    [
      [2, 'steps', 'batch', 2],
      [
        [2, 1, 2],
        [2, 3, 2],
        [2, 0, 2],
      ],
      { steps: 3 },
    ],
    [
      ['h', 'batch', 'w'],
      [
        [1, 3],
        [2, 2],
        [3, 1],
      ],
      { h: 4, w: 3 },
    ],
    [
      ['h', 'w', 'batch', 2],
      [
        [1, 3, 2],
        [2, 2, 2],
        [3, 1, 2],
      ],
      { h: 3, w: 4 },
    ],
    [
      ['batch', 'h', 'w', 2],
      [
        [1, 3, 2],
        [2, 2, 2],
        [3, 1, 2],
      ],
      { h: 3, w: 4 },
    ],
    [
      ['steps', 'batch', 'steps'],
      [
        [1, 1],
        [2, 2],
        [3, 3],
      ],
      { steps: 4 },
    ],
  ])('%j', (shape, examples, sizes) => {
    const x = fb.input('x', shape, float64);
    const list = examples.map((own, index) => randomTensor(own, index + 1));
    const buckets = Object.fromEntries(Object.entries(sizes).map(([name, size]) => [name, [size]]));
    const { columns, buckets: made } = examplesOf('fit', { x: list }, nodes(x), {
      batchSize: 4,
      buckets,
    });
    const [column] = columns as [(typeof columns)[number]];
    const [bindings = new Map()] = made.bindings;
    const rows = [2, 0, 1, 2];
    const minibatch = new Float64Array(4 * geometryOf(column, bindings).width);
    gather(column, Int32Array.from(rows.slice(0, 3)), 0, minibatch, 4, bindings);
    gather(column, Int32Array.from(rows.slice(3)), 3, minibatch, 4, bindings);

    const full = shape.map((dim) =>
      dim === 'batch' ? 4 : typeof dim === 'number' ? dim : sizes[dim],
    );
    const axis = shape.indexOf('batch');
    const expected = minibatch.map((_, index) => {
      // The position of the element along each dimension of the minibatch, and then of the example.
      let rest = index;
      const at = [...full].reverse().map((size = 1) => {
        const position = rest % size;
        rest = (rest - position) / size;
        return position;
      });
      at.reverse();
      const example = list[rows[at[axis] as number] as number] as fb.Tensor;
      at.splice(axis, 1);
      if (at.some((position, dim) => position >= (example.shape[dim] as number))) return 0;
      const flat = at.reduce(
        (sum, position, dim) => sum * (example.shape[dim] as number) + position,
        0,
      );
      return example.data[flat] as number;
    });
    expect(minibatch.some((value) => value !== 0)).toBe(true);
    expect(minibatch).toEqual(expected);
  });
});
