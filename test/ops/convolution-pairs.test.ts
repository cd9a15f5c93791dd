// Tests convolutions that the routines compute in pairs of adjacent outputs (native/routines/conv_pairs.h).
import { describe, expect, it } from 'vitest';
import {
  addN,
  backward,
  checkGradients,
  compile,
  constant,
  conv2d,
  evaluate,
  type Node,
  pad,
  parameter,
  slice,
  type Tensor,
  tensor,
} from '../../src/index.js';
import { randomTensor } from '../support.js';

describe('kernels of three columns and many channels', () => {
  const integers = (shape: readonly number[], seed: number) => {
    const { data } = randomTensor(shape, seed);
    return tensor(
      Float32Array.from(data, (value) => Math.round(3 * value)),
      { shape },
    );
  };

  /** Computes the same by kernels of one column, which have no pairs. */
  function byColumns(x: Node, weight: Node): Node {
    const padded = pad(x, [
      [0, 0],
      [0, 0],
      [1, 1],
      [1, 1],
    ]);
    const width = x.shape[3] as number;
    return addN(
      [0, 1, 2].map((t) =>
        conv2d(
          slice(padded, { axis: 3, start: t, end: t + width }),
          slice(weight, { axis: 3, start: t, end: t + 1 }),
        ),
      ),
    );
  }

  it.each([
    [2, 16, 5, 7, 32],
    [3, 40, 8, 8, 24],
    [1, 32, 1, 3, 17],
  ])(
    'give the same integers as kernels of one column: %i images of %i x %i x %i, %i filters',
    (batch, channels, height, width, filters) => {
      const x = parameter('x', integers([batch, channels, height, width], 1));
      const w = parameter('w', integers([filters, channels, 3, 3], 2));
      const cotangent = constant(integers([batch, filters, height, width], 3));
      const results = [conv2d(x, w, { padding: 1 }), byColumns(x, w)].map((y) => {
        const gradients = backward(y, { gradient: cotangent });
        const outputs = { y, x: gradients.of(x), w: gradients.of(w) };
        return [compile({ outputs }).run(), evaluate(outputs)];
      });
      const [pairs, columns] = results as unknown as [
        Record<string, Tensor>[],
        Record<string, Tensor>[],
      ];
      for (const [i, values] of pairs.entries()) {
        for (const key of ['y', 'x', 'w']) expect(values[key]).toEqual(columns[i]?.[key]);
      }
    },
  );

  it('have the gradients of finite differences', () => {
    const x = parameter('x', randomTensor([1, 16, 1, 5], 4));
    const w = parameter('w', randomTensor([32, 16, 1, 3], 5));
    checkGradients(
      conv2d(x, w, {
        padding: [
          [0, 0],
          [1, 1],
        ],
      }),
      [x, w],
    );
  });

  it('have rounding errors of less than 1e-6 of the norm in float32', () => {
    const shapes = { x: [4, 64, 16, 17], w: [64, 64, 3, 3], g: [4, 64, 16, 17] };
    const results = (['float32', 'float64'] as const).map((dtype) => {
      const [x, w, g] = Object.values(shapes).map((shape, i) => {
        const single = Float32Array.from(randomTensor(shape, 6 + i).data);
        const data = dtype === 'float32' ? single : Float64Array.from(single);
        return constant(tensor(data, { shape }));
      }) as unknown as [Node, Node, Node];
      const y = conv2d(x, w, { padding: 1 });
      const gradients = backward(y, { gradient: g });
      return compile({ outputs: { y, x: gradients.of(x), w: gradients.of(w) } }).run();
    });
    const [single, double] = results as unknown as [Record<string, Tensor>, Record<string, Tensor>];
    for (const key of ['y', 'x', 'w']) {
      const [a, b] = [single[key] as Tensor, double[key] as Tensor];
      let [difference, norm] = [0, 0];
      b.data.forEach((value, i) => {
        difference += (value - (a.data[i] as number)) ** 2;
        norm += value ** 2;
      });
      expect(Math.sqrt(difference / norm)).toBeLessThan(1e-6);
    }
  });
});
