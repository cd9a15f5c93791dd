/** Forms of configurations that TensorFlow.js does not write, with what they compute: numbers that are easy to check. */
import { beforeAll, describe, expect, it } from 'vitest';
import { evaluate, input, type Node, sideUpdates, Tensor, training } from '../../src/index.js';
import type { TfjsModule } from '../../src/tfjs/imported.js';
import { expectSame, imported, tf } from './support.js';
import { functional, type Json, layer, relu, sequential, sequentialFrom } from './topologies.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

type Numbers = Float32Array | Int32Array;

/** Returns what a module with one input and one output computes. */
function computed(module: TfjsModule, data: Numbers, shape: readonly number[]): Tensor {
  const x = input('x', shape, { dtype: data instanceof Int32Array ? 'int32' : 'float32' });
  const [y] = Object.values(module.apply(x)) as [Node];
  return evaluate(y, { x: new Tensor(data, shape) });
}

/** The same in training. */
function trained(module: TfjsModule, data: Numbers, shape: readonly number[]): Tensor {
  const [y] = Object.values(training(() => module.apply(input('x', shape)))) as [Node];
  return evaluate(y, { x: new Tensor(data, shape) });
}

/** A model with weights, which are all float32. */
function weighted(model: object, weights: Readonly<Record<string, [number[], number[]]>>) {
  const entries = Object.entries(weights);
  const numbers = Float32Array.from(entries.flatMap(([, [, values]]) => values));
  return {
    ...model,
    weightSpecs: entries.map(([name, [shape]]) => ({ name, shape, dtype: 'float32' })),
    weightData: numbers.buffer,
  } as Parameters<typeof imported>[0];
}

const identity = (size: number) =>
  Array.from({ length: size * size }, (_, k) => (k % (size + 1) === 0 ? 1 : 0));

const counted = (count: number) => Float32Array.from({ length: count }, (_, i) => i + 1);

describe('activations', () => {
  it.each<[activation: unknown, expected: number[]]>([
    [null, [-2, 3]],
    [{ class_name: 'function', config: 'relu', module: 'builtins' }, [0, 3]],
    ['relu', [0, 3]],
  ])('may be %j', async (activation, expected) => {
    const model = sequentialFrom([null, 2], layer('Activation', { activation }));
    const result = computed(await imported(model), Float32Array.of(-2, 3), [1, 2]);
    expect(result.toArray()).toEqual([expected]);
  });
});

describe('inputs', () => {
  it('may be integers', async () => {
    const model = sequentialFrom([null, 3], layer('Rescaling', { scale: 0.5, offset: 1 }));
    const [first] = model.modelTopology.config.layers as [{ config: Json }];
    first.config.dtype = 'int32';
    const module = await imported(model);
    expect(module.inputs.x).toEqual({ shape: ['batch', 3], dtype: 'int32' });
    const result = computed(module, Int32Array.of(1, 2, -4), [1, 3]);
    expect(result.dtype).toBe('float32');
    expect(result.toArray()).toEqual([[1.5, 2, -1]]);
  });

  it('may have a policy in place of a dtype, and -1 in place of null', async () => {
    const model = sequentialFrom([-1, 3], layer('ReLU'));
    const [first] = model.modelTopology.config.layers as [{ config: Json }];
    first.config.dtype = { class_name: 'DTypePolicy', config: { name: 'float32' } };
    expect((await imported(model)).inputs.x).toEqual({ shape: ['batch', 3], dtype: 'float32' });
  });

  it('may have the shape that a Sequential model was built for', async () => {
    const layers = [layer('ReLU', { name: 'y' })];
    const modelTopology = layer('Sequential', { layers, build_input_shape: [null, 5] });
    expect((await imported({ modelTopology })).inputs).toEqual({
      y_input: { shape: ['batch', 5], dtype: 'float32' },
    });
  });

  it('may have the shape of the option inputs only', async () => {
    const module = await imported(sequentialFrom(null, layer('ReLU')), { inputs: { x: ['n', 2] } });
    expect(module.outputs.relu?.shape).toEqual(['n', 2]);
  });

  it('may be a single reference without a list around it', async () => {
    const module = await imported(functional([relu('y', ['x', 0, 0])]));
    expect(computed(module, Float32Array.of(-1, 2, 3), [1, 3]).toArray()).toEqual([[0, 2, 3]]);
  });
});

describe('borders of images', () => {
  it.each<[class_name: string, config: Json, rows: number, columns: number]>([
    ['ZeroPadding2D', {}, 6, 5],
    ['ZeroPadding2D', { padding: null }, 6, 5],
    ['ZeroPadding2D', { padding: 2 }, 8, 7],
    ['ZeroPadding2D', { padding: [1, 0] }, 6, 3],
    ['ZeroPadding2D', { padding: [[1, 2], 0] }, 7, 3],
  ])('%s %j', async (class_name, config, rows, columns) => {
    const model = sequentialFrom([null, 4, 3, 1], layer(class_name, config));
    const result = computed(await imported(model), counted(12), [1, 4, 3, 1]);
    expect(result.shape).toEqual([1, rows, columns, 1]);
    // What is added is 0.
    expect(Array.from(result.data).filter((element) => element !== 0)).toEqual([...counted(12)]);
  });

  it('of which some are not cut off', async () => {
    const cropping = [
      [1, 2],
      [0, 0],
    ];
    const model = sequentialFrom([null, 4, 3, 1], layer('Cropping2D', { cropping }));
    const result = computed(await imported(model), counted(12), [1, 4, 3, 1]);
    expect(result.shape).toEqual([1, 1, 3, 1]);
    expect([...result.data]).toEqual([4, 5, 6]);
  });

  it('of images that are enlarged along one axis', async () => {
    const config = { size: [1, 2], interpolation: 'bilinear' };
    const model = sequentialFrom([null, 2, 2, 1], layer('UpSampling2D', config));
    const result = computed(await imported(model), Float32Array.of(1, 2, 3, 7), [1, 2, 2, 1]);
    expect(result.shape).toEqual([1, 2, 4, 1]);
    expect([...result.data]).toEqual([1, 1.5, 2, 2, 3, 5, 7, 7]);
  });
});

describe('normalization', () => {
  const plain = { scale: false, center: false, epsilon: 0 };
  const close = (numbers: readonly number[]) => numbers.map((x) => expect.closeTo(x, 5));

  it('of a batch without scale and centre follows the module in training', async () => {
    // Only a module with parameters can be frozen.
    const dense = layer('Dense', { name: 'dense', units: 2, use_bias: false });
    const model = sequentialFrom([null, 2], layer('BatchNormalization', plain), dense);
    const module = await imported(
      weighted(model, {
        'batchnormalization/moving_mean': [[2], [1, 2]],
        'batchnormalization/moving_variance': [[2], [4, 16]],
        'dense/kernel': [[2, 2], identity(2)],
      }),
    );
    const data = Float32Array.of(1, 2, 3, 10);
    const moving = [0, 0, 1, 2];
    expect([...computed(module, data, [2, 2]).data]).toEqual(moving);
    expect([...trained(module, data, [2, 2]).data]).toEqual(moving);
    module.unfreeze();
    expect([...trained(module, data, [2, 2]).data]).toEqual(close([-1, -1, 1, 1]));
    const outputs = training(() => module.apply(input('x', [2, 2])));
    expect(sideUpdates(...(Object.values(outputs) as Node[]))).toHaveLength(2);
  });

  it('of a layer may be without a centre', async () => {
    const config = { center: false, epsilon: 0, name: 'ln' };
    const module = await imported(
      weighted(sequentialFrom([null, 2], layer('LayerNormalization', config)), {
        'ln/gamma': [[2], [3, 5]],
      }),
    );
    expect([...computed(module, Float32Array.of(1, 9), [1, 2]).data]).toEqual(close([-3, 5]));
  });
});

describe('dropout in training', () => {
  const ones = (count: number) => new Float32Array(count).fill(1);
  /** The indices of the axes [row, i, j] along which all elements of a row are equal. */
  const alike = ({ shape, data }: Tensor) => {
    const [rows, height, width] = shape as [number, number, number];
    const at = (row: number, i: number, j: number) => data[(row * height + i) * width + j];
    const all = (same: (row: number, i: number, j: number) => boolean) =>
      Array.from({ length: rows * height * width }, (_, k) => k).every((k) =>
        same(Math.floor(k / (height * width)), Math.floor(k / width) % height, k % width),
      );
    return {
      rows: all((row, i, j) => at(row, i, j) === at(0, i, j)),
      steps: all((row, i, j) => at(row, i, j) === at(row, 0, j)),
      channels: all((row, i, j) => at(row, i, j) === at(row, i, 0)),
    };
  };
  /** After a convolution that changes nothing, values have their channels first. */
  const after = (one: Json) =>
    weighted(
      sequentialFrom(
        [null, 20, 8],
        layer('Conv1D', { name: 'c', filters: 8, kernel_size: 1, use_bias: false }),
        one,
      ),
      { 'c/kernel': [[1, 8, 8], identity(8)] },
    );
  const before = (one: Json) => sequentialFrom([null, 20, 8], one);

  it.each<[layer: Json, expected: ReturnType<typeof alike>]>([
    [
      layer('Dropout', { rate: 0.5, noise_shape: [-1, 1, 8] }),
      { rows: false, steps: true, channels: false },
    ],
    [
      layer('Dropout', { rate: 0.5, noise_shape: [null, 20, 1] }),
      { rows: false, steps: false, channels: true },
    ],
    [
      layer('Dropout', { rate: 0.5, noise_shape: [1, 20, null] }),
      { rows: true, steps: false, channels: false },
    ],
    [layer('SpatialDropout1D', { rate: 0.5 }), { rows: false, steps: true, channels: false }],
  ])('of %j is the same along the axes that its noise does not have', async (one, expected) => {
    for (const source of [before(one), after(one)]) {
      const result = trained(await imported(source), ones(4 * 20 * 8), [4, 20, 8]);
      expect(alike(result)).toEqual(expected);
      expect([...new Set(result.data)].sort()).toEqual([0, 2]);
    }
  });

  it('of the rate 0 is none', async () => {
    const one = layer('Dropout', { rate: 0, noise_shape: [null, 1, 3] });
    const result = trained(await imported(sequential(one)), counted(12), [1, 4, 3]);
    expect([...result.data]).toEqual([...counted(12)]);
  });
});

describe('masks', () => {
  it('go through layers that compute each step by itself', async () => {
    const { layers } = tf;
    const model = tf.sequential({
      layers: [
        layers.masking({ inputShape: [6, 1] }),
        layers.dense({ units: 2 }),
        layers.lstm({ units: 3 }),
      ],
    });
    // About half of the steps are 0.
    await expectSame(model, [[6, 1]], { tokens: 2 });
  });
});

describe('weights', () => {
  it('may be quantized integers, which no layer reads', async () => {
    const quantization = { dtype: 'uint8', scale: 2, min: 1 };
    const weightSpecs = [
      { name: 'd/seed_generator_state', shape: [2], dtype: 'int32', quantization },
    ];
    const source = { ...sequential(layer('ReLU')), weightSpecs, weightData: new Uint8Array(2) };
    expect([...(await imported(source)).entries()]).toEqual([]);
  });
});
