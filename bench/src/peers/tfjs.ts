/**
 * Runs the workloads in TensorFlow.js on its WebAssembly backend. The workloads are built from its core operations and
 * its optimizers.
 */

import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import { BenchError } from '../errors.js';
import { type Named, Tensors, writeTensors } from '../exchange.js';
import { gates, layersOf } from '../layers.js';
import { type Hello, type Loaded, type Requests, serve } from '../protocol.js';
import type { LstmSpec, MlpSpec, ModelSpec, VaeSpec } from '../workloads.js';
import { resetPeak, statusBytes, timeCalls } from './process.js';

// These are CommonJS modules. They are loaded by `require`, because Node does not find their exported names in an
// import.
const require = createRequire(import.meta.url);
const tf = require('@tensorflow/tfjs') as typeof import('@tensorflow/tfjs');
const wasm =
  require('@tensorflow/tfjs-backend-wasm') as typeof import('@tensorflow/tfjs-backend-wasm');
type Tensor = import('@tensorflow/tfjs').Tensor;
type Tensor2D = import('@tensorflow/tfjs').Tensor2D;
type Scalar = import('@tensorflow/tfjs').Scalar;
type Variable = import('@tensorflow/tfjs').Variable;

interface Model {
  readonly variables: readonly Variable[];
  /** Computes the loss, or the prediction. */
  output(): Tensor;
  /** Returns the gradients by the names of the workload, with the shapes that the workload expects. */
  named(gradient: (variable: Variable) => Tensor): Record<string, Tensor>;
}

let memoryAtImport = 0;
let step: () => void = () => {};

async function hello(): Promise<Hello> {
  const main = require.resolve('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(dirname(main) + sep);
  await tf.setBackend('wasm');
  tf.enableProdMode();
  memoryAtImport = statusBytes('VmRSS');
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  return {
    version: tf.version_core,
    capability: simd === true ? 'wasm SIMD' : 'wasm',
    blas: { files: [], core: null },
    // The threads of TensorFlow.js need the workers of a browser, so in Node it uses only one thread.
    threads: 1,
  };
}

/** Returns a float32 tensor of TensorFlow.js. The backend has no other floating-point dtype. */
function tensorOf({ values, shape }: Named): Tensor {
  return tf.tensor(Float32Array.from(values), [...shape], 'float32');
}

/** Makes the variables of layers. `wide` concatenates several layers, so that one product computes all of them. */
class Parameters {
  readonly variables: Variable[] = [];
  readonly #named: ((gradient: (variable: Variable) => Tensor) => [string, Tensor][])[] = [];

  constructor(readonly start: Tensors) {}

  #variable(value: Tensor): Variable {
    const variable = tf.variable(value);
    this.variables.push(variable);
    return variable;
  }

  layer(name: string): { weight: Variable; bias: Variable } {
    return this.wide([name]);
  }

  wide(names: readonly string[]): { weight: Variable; bias: Variable } {
    const part = (suffix: 'weight' | 'bias', axis: number) => {
      const tensors = names.map((name) => tensorOf(this.start.get(`${name}.${suffix}`)));
      const variable = this.#variable(tf.concat(tensors, axis));
      this.#named.push((gradient) =>
        tf
          .split(gradient(variable), names.length, axis)
          .map((value, index) => [`${names[index]}.${suffix}`, value]),
      );
      return variable;
    };
    return { weight: part('weight', 1), bias: part('bias', 0) };
  }

  named(gradient: (variable: Variable) => Tensor): Record<string, Tensor> {
    return Object.fromEntries(this.#named.flatMap((of) => of(gradient)));
  }
}

function dense(x: Tensor, { weight, bias }: { weight: Variable; bias: Variable }): Tensor {
  return tf.add(tf.matMul(x as Tensor2D, weight as unknown as Tensor2D), bias);
}

function lstm(spec: LstmSpec, parameters: Parameters): () => Scalar {
  const { steps, batch, inputs, units, outputs } = spec;
  const { weight, bias } = parameters.wide(gates.map((gate) => `lstm.${gate}`));
  const readout = parameters.layer('readout');
  const x = tf.reshape(tensorOf(parameters.start.get('x')), [steps * batch, inputs]);
  const target = tf.reshape(tensorOf(parameters.start.get('target')), [steps * batch, outputs]);
  const zeros = tf.zeros([batch, units]);
  return () => {
    // This is the fastest form: one product for the inputs of all time steps, and one product for all four gates.
    const ofInputs = tf.slice(weight, [0, 0], [inputs, 4 * units]);
    const ofHidden = tf.slice(weight, [inputs, 0], [units, 4 * units]) as Tensor2D;
    const projected = tf.split(tf.add(tf.matMul(x, ofInputs as Tensor2D), bias), steps, 0);
    let [hidden, cell]: [Tensor, Tensor] = [zeros, zeros];
    const all = projected.map((own) => {
      const z = tf.add(own, tf.matMul(hidden as Tensor2D, ofHidden));
      const [forget, admit, output, candidate] = tf.split(z, 4, 1) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      const kept = tf.mul(tf.sigmoid(forget), cell);
      cell = tf.add(kept, tf.mul(tf.sigmoid(admit), tf.tanh(candidate)));
      hidden = tf.mul(tf.sigmoid(output), tf.tanh(cell));
      return hidden;
    });
    const y = dense(tf.concat(all, 0), readout);
    const errors = tf.sub(spec.readout === 'tanh' ? tf.tanh(y) : y, target);
    return tf.mean(tf.square(errors)) as Scalar;
  };
}

function vae(spec: VaeSpec, parameters: Parameters): () => Scalar {
  const [encoder, mean, logSigma, decoder, logits] = layersOf(spec).map(({ name }) =>
    parameters.layer(name),
  ) as [Layer, Layer, Layer, Layer, Layer];
  const x = tensorOf(parameters.start.get('x'));
  const noise = tensorOf(parameters.start.get('noise'));
  return () => {
    const features = tf.tanh(dense(x, encoder));
    const [mu, s] = [dense(features, mean), dense(features, logSigma)];
    const sigma = tf.exp(s);
    const y = dense(tf.tanh(dense(tf.add(mu, tf.mul(sigma, noise)), decoder)), logits);
    // The sum of -x log(sigmoid(y)) - (1 - x) log(1 - sigmoid(y)), which equals softplus(y) - x y.
    const likelihood = tf.sum(tf.sub(tf.softplus(y), tf.mul(x, y)));
    const squares = tf.add(tf.square(mu), tf.square(sigma));
    const divergence = tf.sum(tf.sub(tf.sub(squares, 1), tf.mul(2, s)));
    return tf.div(tf.add(likelihood, tf.mul(0.5, divergence)), spec.batch);
  };
}
type Layer = ReturnType<Parameters['layer']>;

function perceptron(layers: readonly Layer[], x: Tensor): Tensor {
  return layers.reduce((y, layer, index) => {
    const next = dense(y, layer);
    return index === layers.length - 1 ? next : tf.relu(next);
  }, x);
}

function mlp(spec: MlpSpec, parameters: Parameters, layers: readonly Layer[]): () => Scalar {
  const x = tensorOf(parameters.start.get('x'));
  const labels = tf.tensor1d(parameters.start.get('labels').values as Int32Array, 'int32');
  const classes = tf.cast(tf.oneHot(labels, spec.layers.at(-1) as number), 'float32');
  return () => tf.losses.softmaxCrossEntropy(classes, perceptron(layers, x)) as Scalar;
}

function modelOf(spec: ModelSpec, start: Tensors): Model {
  const parameters = new Parameters(start);
  const named = parameters.named.bind(parameters);
  let output: () => Tensor;
  switch (spec.kind) {
    case 'vae':
      output = vae(spec, parameters);
      break;
    case 'mlp':
    case 'predict': {
      const layers = layersOf(spec).map(({ name }) => parameters.layer(name));
      const x = tensorOf(start.get('x'));
      output = spec.kind === 'mlp' ? mlp(spec, parameters, layers) : () => perceptron(layers, x);
      break;
    }
    case 'lstm':
    case 'lstm-nodes':
    case 'lstm-brain':
      output = lstm(spec, parameters);
      break;
    default:
      throw new BenchError(`tfjs-wasm has no form of the workload '${spec.kind}'`);
  }
  return { variables: parameters.variables, output, named };
}

/** Calls `work` and frees all tensors that it created. The result of `work` must not contain any of them. */
function scoped<T>(work: () => T): T {
  tf.engine().startScope();
  try {
    return work();
  } finally {
    tf.engine().endScope();
  }
}

function load({ spec, folder, manifest, training }: Requests['load'][0]): Loaded {
  if (spec.kind === 'compile') throw new BenchError('tfjs-wasm compiles no graphs');
  const model = modelOf(spec, new Tensors(folder, manifest));
  const write = (tensors: Record<string, Tensor>) =>
    writeTensors(
      folder,
      'tfjs',
      Object.entries(tensors).map(([name, tensor]) => ({
        name,
        dtype: 'float32' as const,
        shape: tensor.shape,
        values: tensor.dataSync() as Float32Array,
      })),
    );
  if (spec.kind === 'predict') {
    step = () => scoped(model.output);
    const results = scoped(() => write({ output: model.output() }));
    return { forms: [{ name: 'wasm', losses: [], results }] };
  }
  const loss = model.output as () => Scalar;
  const variables = [...model.variables];
  const results = scoped(() => {
    const { grads } = tf.variableGrads(loss, variables);
    return write(model.named((variable) => grads[variable.name] as Tensor));
  });
  if (spec.optimizer === 'adamW') throw new BenchError('tfjs-wasm has no AdamW');
  const make = { sgd: tf.train.sgd, adam: tf.train.adam }[spec.optimizer];
  const checked = make(spec.rate);
  const losses = Array.from({ length: training.checkSteps }, () =>
    scoped(() => (checked.minimize(loss, true, variables) as Scalar).dataSync()[0] as number),
  );
  checked.dispose();
  const timed = make(training.timedRate);
  step = () => scoped(() => timed.minimize(loss, false, variables));
  resetPeak();
  return { forms: [{ name: 'wasm', losses, results }] };
}

await serve({
  hello,
  load,
  round: ({ steps }) => ({ seconds: timeCalls(steps, step) }),
  memory: () => ({ growth: statusBytes('VmHWM') - memoryAtImport }),
});
