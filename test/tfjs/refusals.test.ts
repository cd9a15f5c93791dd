/** Configurations, topologies and weights that are refused, each with what the error says. */
import { describe, expect, it } from 'vitest';
import { StateError, ValueError } from '../../src/index.js';
import { specOf, Weights } from '../../src/tfjs/weights.js';
import {
  errorOf,
  functional,
  type Json,
  layer,
  refused,
  relu,
  sequential,
  sequentialFrom,
} from './topologies.js';

const image = [null, 4, 4, 3];
const sequence = [null, 4, 3];

/** A layer 'y' that is applied to the input several times. */
const appliedTo = (count: number, class_name: string, config: Json = {}) =>
  functional([
    {
      ...layer(class_name, { ...config, name: 'y' }),
      inbound_nodes: [Array.from({ length: count }, () => ['x', 0, 0])],
    },
  ]);

describe('options that forebay does not support are refused', () => {
  const conv = { filters: 1, kernel_size: 2 };
  it.each<[class_name: string, config: Json, shape: readonly unknown[], message: RegExp]>([
    ['Conv2DTranspose', { ...conv, groups: 2 }, image, /groups 2$/],
    ['Conv2DTranspose', { ...conv, dilation_rate: [2, 1] }, image, /dilation_rate \[2, 1\]$/],
    ['DepthwiseConv2D', { ...conv, dilation_rate: 2 }, image, /dilation_rate, which TensorFlow/],
    ['SeparableConv2D', { ...conv, groups: 3 }, image, /groups 3$/],
    ['Conv2D', { filters: 1 }, image, /no kernel_size$/],
    ['Conv2D', { ...conv, groups: 2 }, image, /3 channels in 2 groups$/],
    ['Conv2D', { ...conv, data_format: 'rows' }, image, /data_format 'rows'$/],
    ['Conv1D', { ...conv, data_format: 'channels_first' }, sequence, /'channels_first'$/],
    ['UpSampling2D', { interpolation: 'bicubic' }, image, /interpolation 'bicubic'$/],
    ['UpSampling2D', { interpolation: 'bilinear', size: [257, 1] }, image, /size \[257, 1\]$/],
  ])('%s %j', async (class_name, config, shape, message) => {
    const text = new RegExp(
      `forebay does not support a layer of the model: ${class_name} 'one': .*${message.source}`,
    );
    await refused(sequentialFrom(shape, layer(class_name, { ...config, name: 'one' })), text);
  });

  it('if they have to do with masks', async () => {
    const masking = layer('Masking');
    const zero = layer('LSTM', { units: 2, zero_output_for_mask: true });
    await refused(sequential(masking, zero), /LSTM 'lstm': zero_output_for_mask, which TensorFlow/);
    const inner = layer('Sequential', { name: 'inner', layers: [layer('ReLU')] });
    (inner.config as Json).build_input_shape = sequence;
    await refused(
      sequential(masking, inner),
      /Sequential 'inner': its input is a masked sequence$/,
    );
    // The mask of the embedding has the axes of its input.
    const embedding = layer('Embedding', { input_dim: 2, output_dim: 1, mask_zero: true });
    const rows = layer('TimeDistributed', { layer: layer('Flatten') });
    await refused(
      {
        ...sequential(embedding, rows, layer('LSTM', { units: 1 })),
        weightSpecs: [{ name: 'embedding/embeddings', shape: [2, 1], dtype: 'float32' }],
        weightData: new Uint8Array(8),
      },
      /LSTM 'lstm': a mask with 3 axes$/,
    );
  });

  it('if a layer within another one has them', async () => {
    const inner = (...layers: Json[]) =>
      layer('Sequential', { name: 'inner', layers, build_input_shape: [null, 3] });
    const foo = layer('Foo');
    await refused(
      sequential(inner(foo)),
      /forebay does not support a layer of the model: Foo 'foo': forebay has no such layer$/,
    );
    await refused(
      sequential(layer('TimeDistributed', { name: 'steps', layer: inner(foo) })),
      /Foo 'foo': forebay has no such layer; TimeDistributed 'steps': forebay does not support its/,
    );
    const rnn = layer('SimpleRNN', { units: 1, use_bias: false, return_state: true });
    const steps = layer('TimeDistributed', { name: 'steps', layer: rnn });
    await refused(
      {
        ...sequentialFrom([null, 2, 4, 3], steps),
        weightSpecs: [
          { name: 'simplernn/kernel', shape: [3, 1], dtype: 'float32' },
          { name: 'simplernn/recurrent_kernel', shape: [1, 1], dtype: 'float32' },
        ],
        weightData: new Uint8Array(16),
      },
      /TimeDistributed 'steps': a layer with 2 results$/,
    );
  });

  it('and an error lists 200 layers at the most', async () => {
    const many = Array.from({ length: 203 }, (_, i) => layer('Foo', { name: `foo${i}` }));
    const { message } = await errorOf(sequential(...many));
    expect(message).toMatch(
      /does not support 203 layers of the model: Foo 'foo0': .*; and 3 more$/,
    );
    expect(message).toContain("'foo199'");
    expect(message).not.toContain("'foo200'");
  });

  it('and operands with different numbers of axes, which Keras combines otherwise', async () => {
    const flat = { ...layer('Flatten', { name: 'flat' }), inbound_nodes: [[['x', 0, 0]]] };
    const add = {
      ...layer('Add', { name: 'y' }),
      module: 'keras.src.ops.numpy',
      inbound_nodes: [
        [
          ['x', 0, 0],
          ['flat', 0, 0],
        ],
      ],
    };
    const model = functional([flat, add]);
    (model.modelTopology.config.layers[0] as { config: Json }).config.batch_input_shape = sequence;
    await refused(model, /Add 'y': operands with different numbers of axes$/);
  });
});

describe('configurations that make no sense are refused', () => {
  it.each<[class_name: string, config: Json, message: RegExp]>([
    ['Softmax', { axis: 3 }, /axis 3 is out of range: the input has 3 axes$/],
    ['Softmax', { axis: -4 }, /axis -4 is out of range: the input has 3 axes$/],
    ['BatchNormalization', { axis: [1, 2] }, /'axis' must be one axis$/],
    ['BatchNormalization', { axis: [] }, /'axis' must be one axis$/],
    ['Permute', {}, /'dims' is missing$/],
    ['Bidirectional', {}, /'layer' is missing$/],
    ['TimeDistributed', {}, /expected a layer, and an input with at least 3 axes$/],
    ['Dropout', { noise_shape: [null, 1] }, /'noise_shape' must be a list of 3 integers$/],
    ['Dropout', { noise_shape: [null, 1, 'x'] }, /'noise_shape' must be a list of 3 integers$/],
    ['Dropout', { noise_shape: 3 }, /'noise_shape' must be a list of 3 integers$/],
    ['Cropping2D', { cropping: [[1], 2] }, /'cropping' must be a whole number, two of them, or/],
    [
      'Cropping2D',
      { cropping: [[1, -1], 2] },
      /'cropping' must be a whole number, two of them, or/,
    ],
  ])('%s %j', async (class_name, config, message) => {
    const text = new RegExp(`: ${class_name} 'one': ${message.source}`);
    await refused(sequential(layer(class_name, { ...config, name: 'one' })), text);
  });

  it.each<[class_name: string, count: number, config: Json, message: RegExp]>([
    ['Subtract', 3, {}, /expected 2 inputs, but there are 3$/],
    ['Concatenate', 2, { axis: [0, 1] }, /'axis' must be one axis$/],
    ['Concatenate', 2, { axis: 2 }, /axis 2 is out of range: the input has 2 axes$/],
    ['Dot', 1, { axes: 1 }, /expected two inputs, but there are 1$/],
    ['Dot', 3, { axes: 1 }, /expected two inputs, but there are 3$/],
    ['Dot', 2, {}, /'axes' must be one axis or two$/],
    ['Dot', 2, { axes: [1, 1, 1] }, /'axes' must be one axis or two$/],
    ['Dot', 2, { axes: [0, 1] }, /axis 0 of an input with 2 axes$/],
    ['ReLU', 2, {}, /expected one input, but there are 2$/],
    ['LSTM', 1, { units: 2 }, /expected a sequence with 3 axes, but it has 2$/],
    ['LSTM', 0, { units: 2 }, /expected a sequence with 3 axes, but it has 0$/],
  ])('%s of %i inputs, %j', async (class_name, count, config, message) => {
    const text = new RegExp(`: ${class_name} 'y': ${message.source}`);
    await refused(appliedTo(count, class_name, config), text);
  });

  it('if there are too few states for a cell', async () => {
    const model = appliedTo(2, 'LSTM', { units: 2 });
    (model.modelTopology.config.layers[0] as { config: Json }).config.batch_input_shape = sequence;
    await refused(
      model,
      /LSTM 'y': expected a sequence, and 2 states or none, but there are 2 inputs$/,
    );
  });
});

describe('applications in the form of Keras 3 are refused', () => {
  const tensor = { class_name: '__keras_tensor__', config: { keras_history: ['x', 0, 0] } };
  it.each<[node: unknown, message: RegExp]>([
    [{}, /expected one input, but there are 0$/],
    [[], /expected one input, but there are 0$/],
    [{ args: 5 }, /it is applied to 5$/],
    [{ args: [[tensor, 7]] }, /it is applied to \[\[\{.*\},7\]\]$/],
    [{ args: [{ config: 5 }] }, /it is applied to \[\{"config":5\}\]$/],
    [{ args: [tensor], kwargs: { initial_state: [tensor, 7] } }, /its initial state is \[.*,7\]$/],
    [{ args: [tensor], kwargs: { initial_state: 'x' } }, /its initial state is "x"$/],
  ])('%j', async (node, message) => {
    const text = new RegExp(`ReLU 'y': ${message.source}`);
    await refused(functional([relu('y', node)]), text);
  });
});

describe('damaged models are refused', () => {
  it('if layers are no list', async () => {
    await refused(
      { modelTopology: layer('Sequential', { name: 'm', layers: 5 }) },
      /Sequential 'm': layers must be a list, but is number 5$/,
    );
  });

  it('if a shape is none', async () => {
    for (const [shape, came] of [
      [[], '\\[\\]'],
      ['x', '"x"'],
      [[null, 1.5], '\\[null,1\\.5\\]'],
      [[null, -2], '\\[null,-2\\]'],
      [new Array(33).fill(1), '\\[1,.*\\]'],
    ] as const) {
      const message = `the input 'x': expected a shape of 1 to 32 dimensions, but found ${came}$`;
      await refused(sequentialFrom(shape, layer('ReLU')), new RegExp(message));
    }
  });

  it('if an input has texts, or no shape', async () => {
    const texts = layer('InputLayer', { name: 'x', batch_shape: [null, 1], dtype: 'string' });
    await refused(
      { modelTopology: layer('Sequential', { name: 'm', layers: [texts, layer('ReLU')] }) },
      /the input 'x' is string, which forebay does not support$/,
    );
    await refused(
      sequentialFrom(null, layer('ReLU')),
      /the input 'x' has no shape: give it in the option inputs$/,
    );
  });

  it('if a model within another one has another number of inputs', async () => {
    const inputs = ['a', 'b'].map((name) => ({
      ...layer('InputLayer', { name, batch_shape: [null, 3] }),
      inbound_nodes: [],
    }));
    const two = layer('Functional', {
      name: 'two',
      layers: inputs,
      input_layers: [
        ['a', 0, 0],
        ['b', 0, 0],
      ],
      output_layers: [['a', 0, 0]],
    });
    await refused(
      functional([{ ...two, inbound_nodes: [[['x', 0, 0]]] }], [['two', 0, 0]]),
      /the model 'two' has 2 inputs, but is applied to 1$/,
    );
    await refused(
      { modelTopology: layer('Sequential', { name: 'm', layers: [two] }) },
      /Sequential 'm': its first layer must have one input$/,
    );
  });

  it('if the option outputs has something else than names', async () => {
    const error = await errorOf(sequential(layer('ReLU')), { outputs: [5 as unknown as string] });
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toMatch(
      /expected the name of a layer of the model, but received number 5; its layers are relu$/,
    );
  });
});

describe('damaged manifests are refused', () => {
  it.each<[spec: unknown, message: RegExp]>([
    [5, /a weight of the manifest has no name$/],
    [{ name: '', shape: [], dtype: 'float32' }, /a weight of the manifest has no name$/],
    [{ dtype: 7 }, /weight 'w': its elements are number 7, but forebay reads float32, int32/],
    [{ dtype: 'toString' }, /weight 'w': its elements are toString, but forebay reads/],
    [{ quantization: 5 }, /weight 'w': float32 cannot be quantized as undefined$/],
    [{ quantization: { dtype: 7 } }, /weight 'w': float32 cannot be quantized as number 7$/],
    [{ dtype: 'bool', quantization: { dtype: 'uint8' } }, /bool cannot be quantized as uint8$/],
    [{ dtype: 'int32', quantization: { dtype: 'float16' } }, /int32 cannot be quantized as float1/],
  ])('%j', async (given, message) => {
    const spec =
      typeof given === 'object' ? { name: 'w', shape: [1], dtype: 'float32', ...given } : given;
    await refused(
      { ...sequential(layer('ReLU')), weightSpecs: [spec], weightData: new Uint8Array(4) } as never,
      message,
    );
  });

  it('if a weight may be one of two', async () => {
    const names = ['a/dense/kernel', 'b/dense/kernel'];
    await refused(
      {
        ...sequential(layer('Dense', { units: 3, use_bias: false })),
        weightSpecs: names.map((name) => ({ name, shape: [3, 3], dtype: 'float32' })),
        weightData: new Uint8Array(72),
      },
      /Dense 'dense': its weight 'kernel' may be any of 'a\/dense\/kernel', 'b\/dense\/kernel'$/,
    );
  });

  it('but weights whose memory was freed are a mistake of the caller', () => {
    const spec = specOf('f', { name: 'w', shape: [2], dtype: 'float32' });
    const weights = new Weights('f', [[spec, new Uint8Array(Float32Array.of(1, 2).buffer)]]);
    expect(Array.from(weights.tensor(spec, 'float32', {}).data)).toEqual([1, 2]);
    weights.release();
    const read = () => weights.tensor(spec, 'float32', {});
    expect(read).toThrow(StateError);
    expect(read).toThrow(/f: weight 'w': its elements were not needed at the import, so they were/);
  });
});
