/** The workloads, defined only here. Every contender builds its form of a workload from these numbers. */

export type FloatType = 'float32' | 'float64';

interface Training {
  readonly optimizer: 'sgd' | 'adam';
  /** The learning rate of the steps whose losses are compared. It is so large that the loss changes visibly. */
  readonly rate: number;
}

interface Common {
  readonly dtype: FloatType;
  readonly batch: number;
}

/** An LSTM over a sequence, a dense layer (the readout) on every time step, and the mean squared error of all steps. */
export interface LstmSpec extends Common, Training {
  /**
   * `lstm`: each contender uses its fastest form, and the readout is linear. `lstm-nodes`: the LSTM is built from
   * primitive operations, by every contender that can do this, and the readout has tanh. `lstm-brain`: what brain.js
   * runs for `lstm-nodes`. It has no cell besides the hidden state, its readout is linear, and its loss is half the sum
   * of squares.
   */
  readonly kind: 'lstm' | 'lstm-nodes' | 'lstm-brain';
  readonly inputs: number;
  readonly units: number;
  readonly outputs: number;
  readonly steps: number;
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

/** Prediction by dense layers with ReLU between them, without training. */
export interface PredictSpec extends Common {
  readonly kind: 'predict';
  readonly layers: readonly number[];
}

/** A workload that trains or predicts. */
export type ModelSpec = LstmSpec | VaeSpec | MlpSpec | ConvSpec | PredictSpec;

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
    optimizer: 'sgd',
    rate: 1e-2,
  },
  'lstm-small': lstmSmall,
  'lstm-medium': lstmMedium,
  'lstm-large': lstmLarge,
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
  'predict-1': { ...float32, kind: 'predict', layers: [784, 512, 10], batch: 1 },
  compile: {
    kind: 'compile',
    dtype: 'float32',
    parts: { 'lstm-medium': lstmMedium, 'lstm-1000': { ...lstmSmall, steps: 1000 } },
  },
};

/** How the initial values of a tensor are made: random numbers, random classes, or points of a circle. */
export type Source =
  | { readonly kind: 'uniform'; readonly low: number; readonly high: number }
  | { readonly kind: 'class'; readonly classes: number }
  /** Successive points (cos, sin) of a circle with 20 points, starting at the point with index `from`. */
  | { readonly kind: 'circle'; readonly from: number };

export interface TensorSpec {
  readonly name: string;
  readonly role: 'parameter' | 'input';
  readonly dtype: FloatType | 'int32';
  readonly shape: readonly number[];
  readonly source: Source;
}

export const gates = ['forget', 'input', 'output', 'cell'] as const;

/** The number of elements of a filter in each channel. */
const taps = 9;

/**
 * Returns the name, the number of inputs and the number of units of each layer of a workload. The gates of an LSTM read
 * concat(x, h), x first. A unit of a convolution is a filter, whose inputs are the elements that it reads.
 */
export function layersOf(spec: ModelSpec): (readonly [string, number, number])[] {
  switch (spec.kind) {
    case 'vae': {
      const { inputs, hidden, latent } = spec;
      return [
        ['vae.encoder', inputs, hidden],
        ['vae.mean', hidden, latent],
        ['vae.logSigma', hidden, latent],
        ['vae.decoder', latent, hidden],
        ['vae.logits', hidden, inputs],
      ];
    }
    case 'mlp':
    case 'predict':
      return spec.layers
        .slice(1)
        .map((units, index) => [`layer${index}`, spec.layers[index] as number, units]);
    case 'conv': {
      const { channels, classes } = spec;
      const last = channels.at(-1) as number;
      const filters = channels.slice(1);
      return [
        ...filters.map((n, i) => [`conv${i}`, taps * (channels[i] as number), n] as const),
        ['readout', last, classes],
      ];
    }
    default: {
      const { inputs, units, outputs } = spec;
      return [
        ...gates.map((gate) => [`lstm.${gate}`, inputs + units, units] as const),
        ['readout', units, outputs],
      ];
    }
  }
}

/**
 * Returns every initial tensor of a workload. A weight has the shape [inputs, units], as in forebay, or, in a
 * convolution, [filters, channels, 3, 3].
 */
export function tensorsOf(spec: ModelSpec): TensorSpec[] {
  const { dtype } = spec;
  const uniform = (low: number, high: number) => ({ kind: 'uniform', low, high }) as const;
  const parameters = layersOf(spec).flatMap(([name, inputs, units]) => {
    const limit = Math.sqrt(6 / (inputs + units));
    const part = (suffix: string, shape: readonly number[], source: Source): TensorSpec => ({
      name: `${name}.${suffix}`,
      role: 'parameter',
      dtype,
      shape,
      source,
    });
    return [
      part(
        'weight',
        isConvolution(name) ? [units, inputs / taps, 3, 3] : [inputs, units],
        uniform(-limit, limit),
      ),
      // Biases are not zero, so that the comparison notices two swapped biases.
      part('bias', [units], uniform(-0.1, 0.1)),
    ];
  });
  return [...parameters, ...inputsOf(spec)];
}

export const isConvolution = (layer: string) => layer.startsWith('conv');

function inputsOf(spec: ModelSpec): TensorSpec[] {
  const { dtype, batch } = spec;
  const input = (name: string, shape: readonly number[], source: Source): TensorSpec => ({
    name,
    role: 'input',
    dtype: source.kind === 'class' ? 'int32' : dtype,
    shape,
    source,
  });
  const pixels = { kind: 'uniform', low: 0, high: 1 } as const;
  const signal = { kind: 'uniform', low: -1, high: 1 } as const;
  switch (spec.kind) {
    case 'vae':
      return [
        input('x', [batch, spec.inputs], pixels),
        input('noise', [batch, spec.latent], signal),
      ];
    case 'mlp':
      return [
        input('x', [batch, spec.layers[0] as number], pixels),
        input('labels', [batch], { kind: 'class', classes: spec.layers.at(-1) as number }),
      ];
    case 'conv':
      return [
        input('x', [batch, spec.channels[0] as number, spec.side, spec.side], pixels),
        input('labels', [batch], { kind: 'class', classes: spec.classes }),
      ];
    case 'predict':
      return [input('x', [batch, spec.layers[0] as number], pixels)];
    case 'lstm':
      return [
        input('x', [spec.steps, batch, spec.inputs], signal),
        input('target', [spec.steps, batch, spec.outputs], signal),
      ];
    default:
      // As in the seed (the blog post on which forebay is based), the task is to predict the next point of a circle.
      return [
        input('x', [spec.steps, batch, spec.inputs], { kind: 'circle', from: 0 }),
        input('target', [spec.steps, batch, spec.outputs], { kind: 'circle', from: 1 }),
      ];
  }
}

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
