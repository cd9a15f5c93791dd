/** Each layer, with its options, computes what TensorFlow.js computes. */
import { beforeAll, describe, expect, it } from 'vitest';
import { layers as rows } from '../../src/tfjs/layers/index.js';
import { type Example, expectSame, tf } from './support.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const { layers } = tf;
type LayerLike = tf.layers.Layer;
/** A layer, the shape of its input without the batch, and how the input is made. */
type Case = [name: string, make: () => LayerLike, shape: number[], example?: Example];

const image = [7, 6, 4];
const sequence = [7, 4];

const activationNames = [
  ...['relu', 'relu6', 'elu', 'selu', 'sigmoid', 'hardSigmoid', 'softmax', 'softplus'],
  ...['softsign', 'tanh', 'swish', 'mish', 'gelu', 'linear', 'logSoftmax'],
] as const;
type ActivationName = Parameters<typeof layers.activation>[0]['activation'];

const cases: Case[] = [
  ['Dense', () => layers.dense({ units: 5, activation: 'tanh' }), [4]],
  ['Dense without a bias', () => layers.dense({ units: 5, useBias: false }), [4]],
  ['Dense on a sequence', () => layers.dense({ units: 5 }), sequence],
  ['Dense on an image', () => layers.dense({ units: 5, activation: 'softmax' }), image],
  ['Flatten', () => layers.flatten(), image],
  ['Flatten channels first', () => layers.flatten({ dataFormat: 'channelsFirst' }), image],
  ['Reshape', () => layers.reshape({ targetShape: [6, 28] }), image],
  ['Reshape with a free axis', () => layers.reshape({ targetShape: [-1, 2, 3] }), image],
  ['Permute', () => layers.permute({ dims: [3, 1, 2] }), image],
  ['RepeatVector', () => layers.repeatVector({ n: 3 }), [4]],
  [
    'Embedding',
    () => layers.embedding({ inputDim: 6, outputDim: 3, inputLength: 5 }),
    [5],
    { tokens: 6 },
  ],
  ['Masking', () => layers.masking({ maskValue: 0.5 }), sequence],
  ['Rescaling', () => layers.rescaling({ scale: 0.25, offset: -3 }), image],
  ...activationNames.map(
    (name): Case => [
      `Activation ${name}`,
      () => layers.activation({ activation: name as ActivationName }),
      [11],
    ],
  ),
  ['ReLU', () => layers.reLU(), [11]],
  ['ReLU with a maximum', () => layers.reLU({ maxValue: 0.5 }), [11]],
  ['LeakyReLU', () => layers.leakyReLU(), [11]],
  ['LeakyReLU with a slope', () => layers.leakyReLU({ alpha: 0.05 }), [11]],
  ['PReLU', () => layers.prelu(), [3, 4]],
  ['PReLU of an image', () => layers.prelu({ sharedAxes: [1, 2] }), image],
  ['ELU', () => layers.elu(), [11]],
  ['ThresholdedReLU', () => layers.thresholdedReLU({ theta: 0.3 }), [11]],
  ['Softmax', () => layers.softmax({ axis: -1 }), [11]],
  ['Softmax by default', () => layers.softmax(), [11]],
  ['Dropout', () => layers.dropout({ rate: 0.5 }), [11]],
  ['Dropout with a shape', () => layers.dropout({ rate: 0.5, noiseShape: [3, 1, 4] }), sequence],
  ['SpatialDropout1D', () => layers.spatialDropout1d({ rate: 0.5 }), sequence],
  ['GaussianNoise', () => layers.gaussianNoise({ stddev: 1 }), [11]],
  ['GaussianDropout', () => layers.gaussianDropout({ rate: 0.3 }), [11]],
  ['AlphaDropout', () => layers.alphaDropout({ rate: 0.3 }), [11]],
  ['Conv1D', () => layers.conv1d({ filters: 3, kernelSize: 3 }), sequence],
  [
    'Conv1D with options',
    () =>
      layers.conv1d({
        ...{ filters: 3, kernelSize: 4, strides: 2, padding: 'same' },
        ...{ activation: 'softmax', useBias: false },
      }),
    sequence,
  ],
  [
    'Conv1D with a dilation',
    () => layers.conv1d({ filters: 3, kernelSize: 3, dilationRate: 2, padding: 'same' }),
    sequence,
  ],
  ['Conv2D', () => layers.conv2d({ filters: 3, kernelSize: [3, 2] }), image],
  [
    'Conv2D with options',
    () =>
      layers.conv2d({
        ...{ filters: 3, kernelSize: 4, strides: [2, 3], padding: 'same' },
        ...{ activation: 'relu', useBias: false },
      }),
    image,
  ],
  [
    'Conv2D with a dilation',
    () => layers.conv2d({ filters: 3, kernelSize: 2, dilationRate: [1, 3] }),
    image,
  ],
  [
    'Conv2D channels first',
    () =>
      layers.conv2d({
        ...{ filters: 3, kernelSize: 3, padding: 'same' },
        ...{ dataFormat: 'channelsFirst', activation: 'softmax' },
      }),
    image,
  ],
  ['Conv2DTranspose', () => layers.conv2dTranspose({ filters: 3, kernelSize: [3, 2] }), image],
  [
    'Conv2DTranspose same',
    () => layers.conv2dTranspose({ filters: 3, kernelSize: [4, 3], strides: 2, padding: 'same' }),
    image,
  ],
  [
    'Conv2DTranspose with gaps',
    () => layers.conv2dTranspose({ filters: 3, kernelSize: 2, strides: 3, activation: 'tanh' }),
    image,
  ],
  [
    'DepthwiseConv2D',
    () => layers.depthwiseConv2d({ kernelSize: [3, 2], depthMultiplier: 2, padding: 'same' }),
    image,
  ],
  [
    'DepthwiseConv2D with a stride',
    () => layers.depthwiseConv2d({ kernelSize: 3, strides: [2, 2], activation: 'relu6' }),
    image,
  ],
  ['SeparableConv2D', () => layers.separableConv2d({ filters: 5, kernelSize: [2, 3] }), image],
  [
    'SeparableConv2D same',
    () =>
      layers.separableConv2d({
        ...{ filters: 5, kernelSize: 3, strides: 2, padding: 'same' },
        ...{ activation: 'relu' },
      }),
    image,
  ],
  ['MaxPooling1D', () => layers.maxPooling1d({ poolSize: 2 }), sequence],
  [
    'MaxPooling1D same',
    () => layers.maxPooling1d({ poolSize: 4, strides: 3, padding: 'same' }),
    sequence,
  ],
  [
    'AveragePooling1D',
    () => layers.averagePooling1d({ poolSize: 4, strides: 3, padding: 'same' }),
    sequence,
  ],
  ['MaxPooling2D', () => layers.maxPooling2d({ poolSize: 2 }), image],
  [
    'MaxPooling2D same',
    () => layers.maxPooling2d({ poolSize: [4, 3], strides: [2, 1], padding: 'same' }),
    image,
  ],
  [
    'MaxPooling2D channels first',
    () => layers.maxPooling2d({ poolSize: 2, dataFormat: 'channelsFirst' }),
    image,
  ],
  [
    'AveragePooling2D same',
    () => layers.averagePooling2d({ poolSize: [4, 3], strides: [2, 1], padding: 'same' }),
    image,
  ],
  ['AveragePooling2D', () => layers.averagePooling2d({ poolSize: [2, 3] }), image],
  ['GlobalMaxPooling1D', () => layers.globalMaxPooling1d(), sequence],
  ['GlobalAveragePooling1D', () => layers.globalAveragePooling1d({}), sequence],
  ['GlobalMaxPooling2D', () => layers.globalMaxPooling2d({}), image],
  ['GlobalAveragePooling2D', () => layers.globalAveragePooling2d({}), image],
  [
    'GlobalAveragePooling2D channels first',
    () => layers.globalAveragePooling2d({ dataFormat: 'channelsFirst' }),
    image,
  ],
  ['ZeroPadding2D', () => layers.zeroPadding2d(), image],
  [
    'ZeroPadding2D with sides',
    () =>
      layers.zeroPadding2d({
        padding: [
          [1, 0],
          [2, 3],
        ],
      }),
    image,
  ],
  [
    'Cropping2D',
    () =>
      layers.cropping2D({
        cropping: [
          [1, 2],
          [0, 3],
        ],
      }),
    image,
  ],
  ['UpSampling2D', () => layers.upSampling2d({ size: [2, 3] }), image],
  [
    'UpSampling2D bilinear',
    () => layers.upSampling2d({ size: [3, 2], interpolation: 'bilinear' }),
    image,
  ],
  ['BatchNormalization', () => layers.batchNormalization(), [5]],
  ['BatchNormalization of an image', () => layers.batchNormalization({ epsilon: 0.1 }), image],
  [
    'BatchNormalization without scale and centre',
    () => layers.batchNormalization({ scale: false, center: false }),
    sequence,
  ],
  ['LayerNormalization', () => layers.layerNormalization(), sequence],
  [
    'LayerNormalization of two axes',
    () => layers.layerNormalization({ axis: [1, 3], epsilon: 0.1 }),
    image,
  ],
  [
    'LayerNormalization without a scale',
    () => layers.layerNormalization({ scale: false }),
    sequence,
  ],
  ['SimpleRNN', () => layers.simpleRNN({ units: 3 }), sequence],
  [
    'SimpleRNN with sequences, backwards',
    () =>
      layers.simpleRNN({
        ...{ units: 3, returnSequences: true, goBackwards: true },
        ...{ activation: 'softmax', useBias: false },
      }),
    sequence,
  ],
  ['LSTM', () => layers.lstm({ units: 3 }), sequence],
  [
    'LSTM with sequences',
    () => layers.lstm({ units: 3, returnSequences: true, recurrentActivation: 'sigmoid' }),
    sequence,
  ],
  ['LSTM backwards', () => layers.lstm({ units: 3, goBackwards: true, dropout: 0.2 }), sequence],
  ['GRU', () => layers.gru({ units: 3 }), sequence],
  [
    'GRU with sequences',
    () =>
      layers.gru({
        ...{ units: 3, returnSequences: true, useBias: false },
        ...{ recurrentActivation: 'sigmoid', activation: 'relu' },
      }),
    sequence,
  ],
  ...(['concat', 'sum', 'ave', 'mul'] as const).map(
    (mergeMode): Case => [
      `Bidirectional ${mergeMode}`,
      () =>
        layers.bidirectional({
          layer: layers.lstm({ units: 3, returnSequences: mergeMode !== 'sum' }) as tf.RNN,
          mergeMode,
        }),
      sequence,
    ],
  ),
  [
    'Bidirectional backwards',
    () =>
      layers.bidirectional({
        layer: layers.gru({ units: 3, goBackwards: true, returnSequences: true }) as tf.RNN,
        mergeMode: 'concat',
      }),
    sequence,
  ],
  ['TimeDistributed', () => layers.timeDistributed({ layer: layers.dense({ units: 3 }) }), [5, 4]],
  [
    'TimeDistributed convolutions',
    () => layers.timeDistributed({ layer: layers.conv2d({ filters: 2, kernelSize: 3 }) }),
    [2, 5, 4, 3],
  ],
];

describe('layers', () => {
  it.each(cases)('%s', async (_name, make, shape, example = {}) => {
    const input = tf.input({ shape });
    const model = tf.model({ inputs: input, outputs: make().apply(input) as tf.SymbolicTensor });
    await expectSame(model, [shape], example);
  });

  // Between other layers of images, values have their channels first.
  it.each(cases.filter(([name, , shape]) => shape === image && !name.includes('first')))(
    '%s, between convolutions',
    async (_name, make, shape) => {
      const input = tf.input({ shape });
      const before = layers.conv2d({ filters: 4, kernelSize: 1 }).apply(input);
      const between = make().apply(before) as tf.SymbolicTensor;
      const after =
        between.shape.length === 4
          ? layers.conv2d({ filters: 2, kernelSize: 1 }).apply(between)
          : between;
      const model = tf.model({ inputs: input, outputs: after as tf.SymbolicTensor });
      await expectSame(model, [shape]);
    },
  );
});

type Merge = (inputs: tf.SymbolicTensor[]) => tf.SymbolicTensor;
const apply =
  (layer: () => LayerLike): Merge =>
  (inputs) =>
    layer().apply(inputs) as tf.SymbolicTensor;

/** A layer of several inputs, and the shapes of the inputs without the batch. */
const merges: [name: string, merge: Merge, shapes: number[][]][] = [
  ['Add', apply(() => layers.add()), [image, image, image]],
  ['Add with other axes', apply(() => layers.add()), [[3, 4], [4]]],
  ['Multiply', apply(() => layers.multiply()), [image, [1, 1, 4]]],
  ['Average', apply(() => layers.average()), [[5], [5], [5]]],
  ['Maximum', apply(() => layers.maximum()), [image, image]],
  ['Minimum', apply(() => layers.minimum()), [[5], [5], [5]]],
  ['Concatenate', apply(() => layers.concatenate()), [image, [7, 6, 2]]],
  ['Concatenate along axis 1', apply(() => layers.concatenate({ axis: 1 })), [image, [2, 6, 4]]],
  ['Dot', apply(() => layers.dot({ axes: -1 })), [[5], [5]]],
  ['Dot, normalised', apply(() => layers.dot({ axes: 1, normalize: true })), [[5], [5]]],
  [
    'Dot of matrices',
    apply(() => layers.dot({ axes: [2, 1] })),
    [
      [3, 5],
      [5, 2],
    ],
  ],
  [
    'Dot of matrices by their rows',
    apply(() => layers.dot({ axes: [1, 1] })),
    [
      [5, 3],
      [5, 2],
    ],
  ],
  ['Dot of a matrix and a vector', apply(() => layers.dot({ axes: [2, 1] })), [[3, 5], [5]]],
  ['Dot of a vector and a matrix', apply(() => layers.dot({ axes: [1, 2] })), [[5], [3, 5]]],
];

describe('layers of several inputs', () => {
  it.each(merges)('%s', async (_name, merge, shapes) => {
    const inputs = shapes.map((shape) => tf.input({ shape }));
    await expectSame(tf.model({ inputs, outputs: merge(inputs) }), shapes);
  });

  it.each(merges.filter(([, , [first]]) => first === image))(
    '%s, of convolutions',
    async (_name, merge, shapes) => {
      const inputs = shapes.map((shape) => tf.input({ shape }));
      const images = inputs.map((input, index) => {
        const channels = (shapes[index] as number[])[2] as number;
        const convolution = layers.conv2d({ filters: channels, kernelSize: 1 });
        // The last input stays as it is, with its channels last.
        return index + 1 === inputs.length
          ? input
          : (convolution.apply(input) as tf.SymbolicTensor);
      });
      await expectSame(tf.model({ inputs, outputs: merge(images) }), shapes);
    },
  );
});

describe('the table of layers', () => {
  it('has a test for each layer that TensorFlow.js has', () => {
    const named = [...cases, ...merges].map(([name]) => name.split(/[ ,]/)[0]);
    // TensorFlow.js has no such layer.
    const others = ['Subtract'];
    expect(
      Object.keys(rows).filter((name) => !named.includes(name) && !others.includes(name)),
    ).toEqual([]);
  });
});
