/** The workloads, defined only here. Every contender builds its form of a workload from these numbers. */

export type FloatType = 'float32' | 'float64';

interface Training {
  readonly optimizer: 'sgd' | 'adam' | 'adamW';
  /** The learning rate of the steps whose losses are compared. It is so large that the loss changes visibly. */
  readonly rate: number;
}

interface Common {
  readonly dtype: FloatType;
  readonly batch: number;
}

/** A recurrent layer over a sequence, with a dense layer (the readout) on every time step. */
interface Sequence extends Common, Training {
  readonly inputs: number;
  readonly units: number;
  readonly outputs: number;
  readonly steps: number;
  /** The activation function of the readout. */
  readonly readout: 'linear' | 'tanh';
}

/** An LSTM over a sequence, the readout on every time step, and the mean squared error of all steps. */
export interface LstmSpec extends Sequence {
  /**
   * `lstm`: each contender uses its fastest form. `lstm-nodes`: the LSTM is built from primitive operations, by every
   * contender that can do this. `lstm-brain`: what brain.js runs for `lstm-nodes`. It has no cell besides the hidden
   * state, its readout is linear, and its loss is half the sum of squares.
   */
  readonly kind: 'lstm' | 'lstm-nodes' | 'lstm-brain';
}

/**
 * A GRU over a sequence, with the same readout and loss. The definition is that of PyTorch: the reset gate is applied
 * after the product with the hidden state, and each gate has a bias for the input and one for the hidden state.
 */
export interface GruSpec extends Sequence {
  readonly kind: 'gru';
}

/** A variational auto-encoder with layers inputs-hidden-latent-hidden-inputs and tanh. Its noise is an input. */
export interface VaeSpec extends Common, Training {
  readonly kind: 'vae';
  readonly inputs: number;
  readonly hidden: number;
  readonly latent: number;
}

/** Training of dense layers with ReLU between them. The loss is the cross-entropy of classes. */
export interface MlpSpec extends Common, Training {
  readonly kind: 'mlp';
  readonly layers: readonly number[];
}

/**
 * Training of convolutions of images. Each is 3 x 3, keeps the size of the images, and is followed by a bias and ReLU.
 * A dense layer reads the mean of each channel. The loss is the cross-entropy of classes.
 */
export interface ConvSpec extends Common, Training {
  readonly kind: 'conv';
  /** The height and the width of the images. */
  readonly side: number;
  /** The channels of the images, then the filters of each convolution. */
  readonly channels: readonly number[];
  readonly classes: number;
}

/**
 * Training of a small network for images: 3 x 3 convolutions that keep the size, each followed by a bias, batch
 * normalisation, ReLU and a max pooling of size 2; then two dense layers with ReLU between them. The loss is the
 * cross-entropy of classes.
 */
export interface CnnSpec extends Common, Training {
  readonly kind: 'cnn';
  /** The height and the width of the images. */
  readonly side: number;
  /** The channels of the images, then the filters of each convolution. */
  readonly channels: readonly number[];
  readonly hidden: number;
  readonly classes: number;
}

/**
 * Training of a residual network for images: a 3 x 3 convolution, and residual blocks x -> relu(x + norm(conv(relu(
 * norm(conv(x)))))). A dense layer reads the mean of each channel. The loss is the cross-entropy of classes.
 */
export interface ResNetSpec extends Common, Training {
  readonly kind: 'resnet';
  readonly side: number;
  readonly channels: number;
  /** The filters of every convolution. */
  readonly filters: number;
  readonly blocks: number;
  readonly classes: number;
}

/**
 * Training of a temporal convolutional network for series: convolutions of size 3 with bias and ReLU, padded so that an
 * element depends only on earlier ones. The dilation of the first is 1, and it doubles with each layer. A dense layer
 * with one unit reads the last element of the series. The loss is the mean squared error.
 */
export interface TcnSpec extends Common, Training {
  readonly kind: 'tcn';
  readonly channels: number;
  /** The length of a series. */
  readonly length: number;
  readonly filters: number;
  readonly convolutions: number;
}

/**
 * Training of a classifier of texts: the mean of the embeddings of the words, and two dense layers with ReLU between
 * them. The loss is the cross-entropy of classes. Adam updates the whole embedding.
 */
export interface BagSpec extends Common, Training {
  readonly kind: 'bag';
  readonly words: number;
  readonly length: number;
  readonly width: number;
  readonly hidden: number;
  readonly classes: number;
}

/**
 * Training of a small GPT that predicts the next token: the sum of the embeddings of tokens and of positions, blocks of a
 * transformer, and a dense layer without bias that gives the logits. A block is x -> y = x + out(attention(qkv(norm(x)))),
 * then y + down(gelu(up(norm(y)))). The attention is causal, the norms are layer normalisations, the middle of a block has
 * 4 times the width, and gelu is the exact one. The loss is the cross-entropy of all tokens.
 */
export interface GptSpec extends Common, Training {
  readonly kind: 'gpt';
  /** The number of different tokens. */
  readonly vocabulary: number;
  readonly width: number;
  /** The number of heads, which divides the width. */
  readonly heads: number;
  readonly blocks: number;
  /** The length of a text. */
  readonly tokens: number;
}

/** Prediction by dense layers with ReLU between them, without training. */
export interface PredictSpec extends Common {
  readonly kind: 'predict';
  readonly layers: readonly number[];
}

/** A workload that trains or predicts. */
export type ModelSpec =
  | LstmSpec
  | GruSpec
  | VaeSpec
  | MlpSpec
  | ConvSpec
  | CnnSpec
  | ResNetSpec
  | TcnSpec
  | BagSpec
  | GptSpec
  | PredictSpec;

/** A workload that only builds, differentiates and compiles graphs. Peers do not run it. */
export interface CompileSpec {
  readonly kind: 'compile';
  readonly dtype: FloatType;
  readonly parts: Readonly<Record<string, ModelSpec>>;
}

export type Spec = ModelSpec | CompileSpec;

const float32 = { dtype: 'float32' } as const;

const lstmSmall: LstmSpec = {
  ...float32,
  kind: 'lstm',
  inputs: 64,
  units: 128,
  outputs: 64,
  steps: 32,
  batch: 16,
  readout: 'linear',
  optimizer: 'sgd',
  rate: 10,
};
const lstmMedium: LstmSpec = {
  ...lstmSmall,
  inputs: 128,
  units: 256,
  outputs: 128,
  steps: 64,
  batch: 32,
};
const lstmLarge: LstmSpec = {
  ...lstmMedium,
  inputs: 256,
  units: 512,
  outputs: 256,
  batch: 64,
  rate: 40,
};
const lstm1000: LstmSpec = { ...lstmSmall, steps: 1000, readout: 'tanh' };
const mlp: MlpSpec = {
  ...float32,
  kind: 'mlp',
  layers: [784, 512, 128, 128, 128, 10],
  batch: 1,
  optimizer: 'adam',
  rate: 1e-3,
};

const conv: ConvSpec = {
  ...float32,
  kind: 'conv',
  side: 28,
  channels: [1, 32, 64],
  classes: 10,
  batch: 32,
  optimizer: 'sgd',
  rate: 0.1,
};

const adam = { ...float32, optimizer: 'adam', rate: 1e-3 } as const;
const adamW = { ...adam, optimizer: 'adamW' } as const;

/** All workloads by name, in the order of the table. */
export const workloads: Readonly<Record<string, Spec>> = {
  'lstm-seed': {
    kind: 'lstm-nodes',
    dtype: 'float64',
    inputs: 2,
    units: 15,
    outputs: 2,
    steps: 5,
    batch: 1,
    readout: 'tanh',
    optimizer: 'sgd',
    rate: 1e-2,
  },
  'lstm-small': lstmSmall,
  'lstm-medium': lstmMedium,
  'lstm-large': lstmLarge,
  'lstm-1000': lstm1000,
  'gru-medium': {
    ...adam,
    kind: 'gru',
    inputs: 128,
    units: 256,
    outputs: 128,
    steps: 64,
    batch: 32,
    readout: 'tanh',
  },
  'vae-seed': {
    ...float32,
    kind: 'vae',
    inputs: 784,
    hidden: 50,
    latent: 25,
    batch: 1,
    optimizer: 'sgd',
    rate: 1e-3,
  },
  'vae-128': {
    ...float32,
    kind: 'vae',
    inputs: 784,
    hidden: 400,
    latent: 20,
    batch: 128,
    optimizer: 'adam',
    rate: 2e-4,
  },
  'mlp-1': mlp,
  'mlp-64': { ...mlp, batch: 64 },
  'mlp-256': { ...mlp, layers: [784, 2048, 2048, 10], batch: 256 },
  conv,
  'conv-chain': { ...conv, side: 16, channels: [3, 64, 64, 64, 64] },
  'cnn-mnist': {
    ...adam,
    kind: 'cnn',
    side: 28,
    channels: [1, 32, 64],
    hidden: 128,
    classes: 10,
    batch: 64,
  },
  'resnet-cifar': {
    ...adam,
    kind: 'resnet',
    side: 32,
    channels: 3,
    filters: 64,
    blocks: 3,
    classes: 10,
    batch: 32,
  },
  tcn: { ...adam, kind: 'tcn', channels: 8, length: 128, filters: 64, convolutions: 5, batch: 32 },
  bag: {
    ...adam,
    kind: 'bag',
    words: 20_000,
    length: 64,
    width: 128,
    hidden: 64,
    classes: 2,
    batch: 256,
  },
  'gpt-tiny': {
    ...adamW,
    kind: 'gpt',
    vocabulary: 96,
    width: 128,
    heads: 4,
    blocks: 2,
    tokens: 64,
    batch: 32,
  },
  'gpt-small': {
    ...adamW,
    kind: 'gpt',
    vocabulary: 8192,
    width: 384,
    heads: 6,
    blocks: 6,
    tokens: 256,
    batch: 4,
  },
  'predict-1': { ...float32, kind: 'predict', layers: [784, 512, 10], batch: 1 },
  compile: {
    kind: 'compile',
    dtype: 'float32',
    parts: { 'lstm-medium': lstmMedium, 'lstm-1000': lstm1000 },
  },
};

/** The training settings of all contenders. */
export const training = {
  /** The number of steps whose losses are compared. They use the rate of the workload. */
  checkSteps: 3,
  /**
   * The learning rate of the timed steps. They train on the same batch again and again. At a usual rate the network
   * would soon fit this batch, so its gradients would be denormal numbers, which are slow.
   */
  timedRate: 1e-7,
} as const;
export type TrainingRequest = typeof training;
