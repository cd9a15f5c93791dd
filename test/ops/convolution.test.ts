// Tests conv1d and conv2d: options, named dimensions, and errors. Values and gradients are also compared with PyTorch,
// in test/golden, and with finite differences, by the samples of the declarations.
import { describe, expect, it, test } from 'vitest';
import { topologicalOrder } from '../../src/graph/topology.js';
import {
  add,
  backward,
  type ConvOptions,
  type ConvPadding,
  checkGradients,
  compile,
  concat,
  constant,
  conv1d,
  conv2d,
  evaluate,
  type Feeds,
  input,
  maxPool1d,
  mul,
  type Node,
  parameter,
  randomNormal,
  relu,
  reshape,
  ShapeError,
  square,
  sum,
  type Tensor,
  tensor,
  ValueError,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';

const exact = (name: string, shape: readonly number[], seed: number) =>
  parameter(name, evaluate(randomNormal(shape, { seed, dtype: 'float64' })));

/** Returns the results of both executors. */
function both(node: Node, feeds: Feeds = {}): Tensor[] {
  return [evaluate(node, feeds), compile({ outputs: { node } }).run(feeds).node];
}

const ones = (...shape: number[]) =>
  tensor(new Float64Array(shape.reduce((size, dim) => size * dim, 1)).fill(1), { shape });

describe('the options', () => {
  const x = constant(randomTensor([1, 2, 5, 7], 1));
  const weight = constant(randomTensor([4, 2, 3, 2], 2));
  const shape = (options: ConvOptions) => conv2d(x, weight, options).shape;

  it('have defaults: stride 1, no padding, dilation 1, one group', () => {
    expect(shape({})).toEqual([1, 4, 3, 6]);
    const all = { stride: 1, padding: 'valid', dilation: 1, groups: 1 } as const;
    expect(evaluate(conv2d(x, weight, all))).toEqual(evaluate(conv2d(x, weight)));
  });

  it.each<[ConvOptions, number[]]>([
    [{ stride: 2 }, [1, 4, 2, 3]],
    [{ stride: [1, 3] }, [1, 4, 3, 2]],
    [{ padding: 1 }, [1, 4, 5, 8]],
    [{ padding: [0, 2] }, [1, 4, 3, 10]],
    [{ padding: [[1, 0], [0, 3]] }, [1, 4, 4, 9]], // biome-ignore format: one row for each case
    [{ dilation: 2 }, [1, 4, 1, 5]],
    [{ padding: 'same' }, [1, 4, 5, 7]],
    [{ padding: 'same', stride: 2 }, [1, 4, 3, 4]],
    [{ padding: 'same', stride: [3, 4], dilation: 2 }, [1, 4, 2, 2]],
  ])('%j give the shape %j', (options, expected) => {
    expect(shape(options)).toEqual(expected);
  });

  it('pads sequences by a pair of numbers, also in a list', () => {
    const [x, weight] = [tensor([[[1, 2, 3, 4]]]), tensor([[[1, 10]]])];
    const padded = (padding: ConvPadding) => evaluate(conv1d(x, weight, { padding })).toArray();
    expect(padded([[1, 2]])).toEqual([[[10, 21, 32, 43, 4, 0]]]);
    expect(padded([1, 2])).toEqual(padded([[1, 2]]));
    expect(evaluate(maxPool1d(x, { size: 2, stride: 1, padding: [[0, 1]] })).toArray()).toEqual([
      [[2, 3, 4, 4]],
    ]);
  });

  it("'same' pads the end with one zero more than the beginning", () => {
    const y = conv1d(tensor([[[1, 2, 3, 4]]]), tensor([[[1, 10]]]), { padding: 'same' });
    expect(evaluate(y).toArray()).toEqual([[[21, 32, 43, 4]]]);
    // 5 elements in strides of 2 are 3 positions, which need 2 * 2 + 4 - 5 = 3 zeros: one before, two after.
    const z = conv1d(tensor([[[1, 2, 3, 4, 5]]]), tensor([[[1, 1, 1, 1]]]), {
      padding: 'same',
      stride: 2,
    });
    expect(evaluate(z).toArray()).toEqual([[[6, 14, 9]]]);
  });

  it('of conv1d may be a list of one number', () => {
    const [sequences, filters] = [randomTensor([1, 2, 9], 1), randomTensor([2, 2, 3], 2)];
    const listed = { stride: [2], dilation: [2] } as unknown as ConvOptions;
    const plain = conv1d(sequences, filters, { stride: 2, dilation: 2 });
    expect(evaluate(conv1d(sequences, filters, listed))).toEqual(evaluate(plain));
  });

  it('groups read only their own channels', () => {
    const y = conv2d(
      tensor([[[[2]], [[3]], [[5]], [[7]]]]),
      tensor([
        [[[1]], [[10]]],
        [[[1]], [[10]]],
      ]),
      {
        groups: 2,
      },
    );
    expect(evaluate(y).toArray()).toEqual([[[[32]], [[75]]]]);
  });
});

describe('named dimensions', () => {
  const weight = exact('weight', [3, 2, 3, 2], 5);
  const run = (x: Node, options: ConvOptions, sizes: readonly number[]) => {
    const y = conv2d(x, weight, options);
    const loss = sum(square(y));
    const value = randomTensor(sizes, 7);
    const outputs = { y, dx: backward(loss).of(x), dw: backward(loss).of(weight) };
    const expected = evaluate(outputsOf(constant(value), options));
    for (const found of [evaluate(outputs, { x: value }), compile({ outputs }).run({ x: value })]) {
      for (const name of ['y', 'dx', 'dw'] as const) {
        expect(found[name].shape).toEqual(expected[name].shape);
        found[name].data.forEach((n, i) => {
          expect(n).toBeCloseTo(expected[name].data[i] as number, 10);
        });
      }
    }
    return y.shape;
  };
  /** The same with numbers as dimensions. */
  const outputsOf = (x: Node, options: ConvOptions) => {
    const fixed = parameter('fixed', evaluate(x));
    const y = conv2d(fixed, weight, options);
    const gradients = backward(sum(square(y)));
    return { y, dx: gradients.of(fixed), dw: gradients.of(weight) };
  };
  const named = (height: string, width: string | number) =>
    input('x', ['batch', 2, height, width], { dtype: 'float64' });

  it('may be the batch and both sides', () => {
    const x = named('height', 'width');
    expect(run(x, {}, [2, 2, 4, 5])).toEqual(['batch', 3, 'height - 2', 'width - 1']);
    expect(run(x, { padding: 'same' }, [1, 2, 5, 3])).toEqual(['batch', 3, 'height', 'width']);
    const dilated = { padding: [1, 0], dilation: 2 } as const;
    expect(run(x, dilated, [2, 2, 6, 4])).toEqual(['batch', 3, 'height - 2', 'width - 2']);
  });

  it('may be divided by a stride that divides them', () => {
    const x = named('rows', 'columns');
    const [above, beside] = [concat([x, x], 2), concat([x, x, x, x], 3)];
    const shape = (node: Node, options: ConvOptions) => conv2d(node, weight, options).shape;
    const same = { padding: 'same', stride: [2, 1] } as const;
    expect(shape(above, same)).toEqual(['batch', 3, 'rows', 'columns']);
    expect(shape(above, { padding: 1, stride: [2, 1] })).toEqual([
      'batch',
      3,
      'rows',
      'columns + 1',
    ]);
    expect(shape(beside, { stride: [1, 4] })).toEqual(['batch', 3, 'rows - 2', 'columns']);
    const y = conv2d(above, weight, same);
    const gradients = backward(sum(square(y)));
    const feeds = { x: randomTensor([2, 2, 3, 4], 1) };
    for (const node of [y, gradients.of(weight), gradients.of(x)]) {
      const [interpreted, compiled] = both(node, feeds) as [Tensor, Tensor];
      expect(compiled.shape).toEqual(interpreted.shape);
      compiled.data.forEach((n, i) => {
        expect(n).toBeCloseTo(interpreted.data[i] as number, 10);
      });
    }
    expect(both(y, feeds)[1]?.shape).toEqual([2, 3, 3, 4]);
  });

  it('may be sides of the filters', () => {
    const x = input('x', ['batch', 1, 'n'], { dtype: 'float64' });
    const filters = input('filters', [2, 1, 'k'], { dtype: 'float64' });
    const y = conv1d(x, filters, { dilation: 2 });
    expect(y.shape).toEqual(['batch', 2, '-2*k + n + 2']);
    const feeds = { x: ones(1, 1, 7), filters: ones(2, 1, 3) };
    for (const { shape, data } of both(y, feeds)) {
      expect(shape).toEqual([1, 2, 3]);
      expect([...data]).toEqual([3, 3, 3, 3, 3, 3]);
    }
  });

  it('are refused where the filter does not fit in this run', () => {
    const y = conv2d(named('height', 2), weight);
    const feeds = { x: ones(1, 2, 2, 2) };
    for (const start of [() => evaluate(y, feeds), () => compile({ outputs: { y } }).run(feeds)]) {
      const error = errorOf(start);
      expect(error).toBeInstanceOf(ShapeError);
      expect(error.message).toMatch(
        /^\[conv2d #\d+\] a filter of height 3 does not fit into the height of x, which is 2 \(with padding: 2\)/,
      );
    }
  });

  it('may be 0', () => {
    const x = named('height', 4);
    const y = conv2d(x, weight, { padding: 1 });
    const gradient = backward(sum(y)).of(weight);
    for (const found of both(gradient, { x: ones(0, 2, 4, 4) })) {
      expect(found.shape).toEqual([3, 2, 3, 2]);
      expect(found.data.every((value) => value === 0)).toBe(true);
    }
    for (const found of both(y, { x: ones(0, 2, 4, 4) })) expect(found.shape).toEqual([0, 3, 4, 5]);
  });
});

describe('derivatives', () => {
  it('of any order are the same three ops', () => {
    const [x, weight] = [exact('x', [1, 2, 4, 3], 1), exact('weight', [2, 2, 2, 2], 2)];
    let loss = sum(square(conv2d(x, weight, { padding: 1, stride: 2 })));
    for (let order = 0; order < 3; order++) {
      const gradients = backward(loss);
      loss = add(sum(square(gradients.of(x))), sum(square(gradients.of(weight))));
    }
    const names = topologicalOrder([loss], ({ inputs }) => inputs).map(({ op }) => op.name);
    const used = new Set(names.filter((name) => name.startsWith('conv')));
    expect([...used].sort()).toEqual([
      'convolution',
      'convolutionInputGradient',
      'convolutionWeightGradient',
    ]);
    const [interpreted, compiled] = both(loss).map((value) => value.item() as number);
    expect((compiled as number) / (interpreted as number)).toBeCloseTo(1, 12);
  });

  it('of a network with strides and groups equal central differences, up to the second order', () => {
    const x = exact('x', [1, 4, 5, 4], 3);
    const [first, second] = [exact('first', [4, 1, 3, 3], 4), exact('second', [3, 4, 2, 2], 5)];
    const h = square(conv2d(x, first, { padding: 'same', groups: 4 }));
    const loss = sum(square(conv2d(h, second, { stride: 2, dilation: 2 })));
    checkGradients(loss, [x, first, second]);
    const gradients = backward(loss);
    const parts = [x, first, second].map((leaf) => sum(square(gradients.of(leaf))));
    checkGradients(
      parts.reduce((a, b) => add(a, b)),
      [first],
      { step: 1e-5 },
    );
  });
});

describe('an infinite element', () => {
  const kindOf = (value: number) => (Number.isFinite(value) ? 0 : value);
  /** Returns the kinds of elements in both executors, of the result and of the gradients of x and weight. */
  function kinds(
    channels: number,
    filters: number,
    groups: number,
    stride: number,
    infinite: string,
  ) {
    const operand = (name: string, shape: number[], seed: number, index: number) => {
      const values = Float64Array.from(
        evaluate(randomNormal(shape, { seed, dtype: 'float64' })).data,
      );
      if (name === infinite) values[index] = Number.POSITIVE_INFINITY;
      return parameter(name, tensor(values, { shape }));
    };
    const x = operand('x', [1, channels, 6, 6], 1, 14);
    const weight = operand('weight', [filters, channels / groups, 3, 3], 2, 0);
    const y = conv2d(x, weight, { padding: 1, groups, stride });
    const gradients = backward(sum(mul(y, operand('g', y.shape as number[], 3, 7))));
    return [y, gradients.of(x), gradients.of(weight)].map((node) =>
      both(node).map((result) => Array.from(result.data as Float64Array, kindOf)),
    );
  }
  /** Each call has other routines: depthwise ones, products, and dot products of few filters or channels. */
  const calls = [
    [16, 16, 16],
    [19, 19, 19],
    [16, 16, 1],
    [32, 1, 1],
    [3, 32, 1],
  ] as const;

  it.each(calls)(
    'of x makes the same elements infinite or NaN in both executors: %i, %i, %i',
    (channels, filters, groups) => {
      for (const stride of [1, 2]) {
        for (const [expected, found] of kinds(channels, filters, groups, stride, 'x'))
          expect(found).toEqual(expected);
      }
    },
  );
  it.each(calls)(
    'of the weight or g is NaN in programs only where it is in evaluate: %i, %i, %i',
    (channels, filters, groups) => {
      for (const stride of [1, 2]) {
        for (const infinite of ['weight', 'g']) {
          for (const [expected = [], found = []] of kinds(
            channels,
            filters,
            groups,
            stride,
            infinite,
          )) {
            const other = found.filter(
              (kind, i) => !Number.isNaN(expected[i]) && kind !== expected[i],
            );
            expect(other).toEqual([]);
          }
        }
      }
    },
  );
  it('of the weight is multiplied with the zeros of the padding by evaluate', () => {
    for (const [channels, filters, groups] of calls) {
      const [y] = kinds(channels, filters, groups, 1, 'weight');
      expect(y?.[0]?.[0]).toBeNaN();
    }
  });
});

test('the operands may be views, and broadcast', () => {
  const x = exact('x', [3, 1, 1, 5], 1);
  const weight = exact('weight', [2, 3], 2);
  const filters = reshape(weight, [2, 1, 1, 3]);
  const spread = relu(mul(x, constant(ones(3, 1, 4, 1))));
  const y = conv2d(spread, filters, { padding: 'same' });
  const loss = sum(y);
  const outputs = { y, dx: backward(loss).of(x), dw: backward(loss).of(weight) };
  const found = compile({ outputs }).run();
  for (const [name, value] of Object.entries(evaluate(outputs))) {
    value.data.forEach((n, i) => {
      expect(found[name as 'y'].data[i]).toBeCloseTo(n, 12);
    });
  }
});

describe('a call that cannot be right is refused', () => {
  const x = input('x', [2, 4, 6, 6]);
  const weight = input('weight', [4, 4, 3, 3]);

  it.each<[string, unknown, RegExp]>([
    [
      'strides',
      { strides: 2 },
      /^\[conv2d\]: there is no option 'strides'; did you mean 'stride'\?/,
    ],
    ['dilationRate', { dilationRate: 2 }, /did you mean 'dilation'\?/],
    ['no groups', { groups: 0 }, /^\[conv2d\]: groups must be a positive integer, but is number 0/],
    [
      'a stride of NaN',
      { stride: Number.NaN },
      /^\[conv2d\] stride: expected a positive integer, or a list of two, but received/,
    ],
    [
      'three strides',
      { stride: [1, 1, 1] },
      /^\[conv2d\] stride: expected a positive integer, or a list of two, but received \[1, 1, 1\]/,
    ],
    [
      'a stride of 0 along one axis',
      { stride: [2, 0] },
      /^\[conv2d\] stride: expected a positive integer, or a list of two, but received \[2, 0\]/,
    ],
    [
      'padding of two forms',
      { padding: [1, [1, 1]] },
      /^\[conv2d\] padding: expected a whole number, or a list of two, but received \[1, an array of 2\]/,
    ],
    [
      'negative padding',
      { padding: -1 },
      /^\[conv2d\] padding: expected a whole number, or a list of two/,
    ],
    [
      'padding of three sides',
      {
        padding: [
          [1, 1],
          [1, 1],
          [1, 1],
        ],
      },
      /^\[conv2d\] padding: expected \[\[top, bottom\], \[left, right\]\]/,
    ],
    [
      'padding null',
      { padding: null },
      /^\[conv2d\] padding: expected 'same', 'valid', a whole number/,
    ],
    ['a huge dilation', { dilation: 2 ** 31 }, /^\[conv2d\] dilation: expected a positive integer/],
    ['options that are a number', 3, /^\[conv2d\]: expected an options object/],
  ])('%s', (_title, options, message) => {
    // biome-ignore format: one row for each case
    const error = errorOf(() => conv2d(x, weight, options as ConvOptions));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toMatch(message);
  });

  it('a filter without elements', () => {
    const error = errorOf(() => conv2d(x, input('weight', [4, 4, 0, 3])));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toMatch(
      /^\[conv2d\] expected filters of a positive height, but received 0/,
    );
  });

  it('an operand that is no tensor, with its position', () => {
    const error = errorOf(() => conv2d(x, 'weight' as unknown as Node));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toMatch(/^\[conv2d\] expected a node, a tensor or a number as operand 1/);
  });

  it('the dtype of one operand differs', () => {
    const error = errorOf(() => conv2d(x, input('weight', [4, 4, 3, 3], { dtype: 'float64' })));
    expect(error.message).toMatch(
      /^\[convolution\] operands have different dtypes: float32 and float64/,
    );
  });

  it("'same' needs the size of a stride that divides the side", () => {
    const error = errorOf(() =>
      conv1d(input('x', [1, 4, 'n']), input('weight', [4, 4, 3]), { padding: 'same', stride: 2 }),
    );
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toMatch(
      /^\[conv1d\] padding 'same' must be a number, but the length of x is n/,
    );
  });
});
