/** The workloads, defined once. Every contender builds its form of a workload from these figures. */

export type FloatType = 'float32' | 'float64';

interface Training {
  readonly optimizer: 'sgd' | 'adam';
  /** The rate of the steps that are compared before anything is timed. The loss must visibly change. */
  readonly rate: number;
}

interface Common {
  readonly dtype: FloatType;
  readonly batch: number;
}

/** An LSTM over a sequence, a dense layer on every step, and the mean squared error of all steps. */
export interface LstmSpec extends Common, Training {
  /**
   * `lstm`: each contender uses its fastest form; the readout is linear. `lstm-nodes`: built from primitive operations by
   * all contenders that can; the readout has tanh. `lstm-brain`: the form of `lstm-nodes` in brain.js, which has no cell
   * besides the hidden state, a linear readout, and half the sum of squares as the loss.
   */
  readonly kind: 'lstm' | 'lstm-nodes' | 'lstm-brain';
  readonly inputs: number;
  readonly units: number;
  readonly outputs: number;
  readonly steps: number;
}

/** A variational auto-encoder with layers inputs-hidden-latent-hidden-inputs and tanh. Its noise is fed. */
export interface VaeSpec extends Common, Training {
  readonly kind: 'vae';
  readonly inputs: number;
  readonly hidden: number;
  readonly latent: number;
}

/** Dense layers with ReLU between them, and the cross-entropy of classes. */
export interface MlpSpec extends Common, Training {
  readonly kind: 'mlp';
  readonly layers: readonly number[];
}

/** The same layers without training. */
export interface PredictSpec extends Common {
  readonly kind: 'predict';
  readonly layers: readonly number[];
}

/** A workload that computes something. */
export type ModelSpec = LstmSpec | VaeSpec | MlpSpec | PredictSpec;

/** Graphs to build, differentiate and compile. Peers do not have this workload. */
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

/** By name, in the order of the table. */
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
  'predict-1': { ...float32, kind: 'predict', layers: [784, 512, 10], batch: 1 },
  compile: {
    kind: 'compile',
    dtype: 'float32',
    parts: { 'lstm-medium': lstmMedium, 'lstm-1000': { ...lstmSmall, steps: 1000 } },
  },
};

/** The source of the elements of a tensor. */
export type Source =
  | { readonly kind: 'uniform'; readonly low: number; readonly high: number }
  | { readonly kind: 'class'; readonly classes: number }
  /** Successive points (cos, sin) with period 20, starting at the given point. */
  | { readonly kind: 'circle'; readonly from: number };

export interface TensorSpec {
  readonly name: string;
  readonly role: 'parameter' | 'input';
  readonly dtype: FloatType | 'int32';
  readonly shape: readonly number[];
  readonly source: Source;
}

export const gates = ['forget', 'input', 'output', 'cell'] as const;

/** The dense layers of a workload: name, inputs, units. The gates read concat(x, h), with x first. */
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
    default: {
      const { inputs, units, outputs } = spec;
      return [
        ...gates.map((gate) => [`lstm.${gate}`, inputs + units, units] as const),
        ['readout', units, outputs],
      ];
    }
  }
}

/** Every initial tensor of a workload. Weights are [inputs, units], as in forebay. */
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
      part('weight', [inputs, units], uniform(-limit, limit)),
      // Not zero, so that two swapped biases change the result.
      part('bias', [units], uniform(-0.1, 0.1)),
    ];
  });
  return [...parameters, ...inputsOf(spec)];
}

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
    case 'predict':
      return [input('x', [batch, spec.layers[0] as number], pixels)];
    case 'lstm':
      return [
        input('x', [spec.steps, batch, spec.inputs], signal),
        input('target', [spec.steps, batch, spec.outputs], signal),
      ];
    default:
      // The task of the seed is to predict the next point of the circle.
      return [
        input('x', [spec.steps, batch, spec.inputs], { kind: 'circle', from: 0 }),
        input('target', [spec.steps, batch, spec.outputs], { kind: 'circle', from: 1 }),
      ];
  }
}

/** How all contenders train. */
export const training = {
  /** The number of steps at the rate of the workload, whose losses are compared. */
  checkSteps: 3,
  /**
   * The rate of the timed steps. They see one batch again and again: at any usual rate they would soon
   * have learnt it, and time a network whose gradients are denormal numbers.
   */
  timedRate: 1e-7,
} as const;
export type TrainingRequest = typeof training;
