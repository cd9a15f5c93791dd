/** Builds the graph of a workload in forebay, as a user would write it. */

import * as fb from 'forebay';
import type { TensorSource } from '../exchange.js';
import { gates, gruGates } from '../layers.js';
import { tensorsOf } from '../tensors.js';
import type { GptSpec, GruSpec, LstmSpec, ModelSpec, VaeSpec } from '../workloads.js';
import { Gpt } from './gpt.js';
import { bag, cnn, convolutions, resnet, tcn } from './networks.js';
import { Parameters } from './parameters.js';

/** A graph whose parameters have the initial values of the workload. */
export interface Graph {
  /** The loss, or the output of a prediction. */
  readonly output: fb.Node;
  readonly parameters: readonly fb.Variable[];
  readonly feeds: Record<string, fb.Tensor>;
}

export function buildGraph(spec: ModelSpec, start: TensorSource): Graph {
  const value = (name: string) => {
    const { values, shape } = start.get(name);
    return fb.tensor(values, { shape });
  };
  const inputs = tensorsOf(spec).filter(({ role }) => role === 'input');
  const nodes = new Map(
    inputs.map(({ name, shape, dtype }) => [name, fb.input(name, shape, { dtype })] as const),
  );
  const input = (name: string) => nodes.get(name) as fb.Node;
  const model = spec.kind === 'gpt' ? gpt(spec, input, value) : network(spec, input, value);
  return { ...model, feeds: Object.fromEntries(inputs.map(({ name }) => [name, value(name)])) };
}

type Model = Omit<Graph, 'feeds'>;
/** Returns the initial value of a tensor. */
type Value = (name: string) => fb.Tensor;

function gpt(spec: GptSpec, input: Find, value: Value): Model {
  const model = new Gpt('gpt', spec);
  const { parameters } = model;
  for (const variable of parameters) variable.set(value(variable.name as string));
  return { output: fb.crossEntropy(model.apply(input('x')), input('labels')), parameters };
}

function network(spec: Exclude<ModelSpec, GptSpec>, input: Find, value: Value): Model {
  const layers = new Parameters(spec, value);
  const build = () => outputOf(spec, input, layers);
  const output = spec.kind === 'predict' ? build() : fb.training(build);
  return { output, parameters: layers.all };
}

type Find = (name: string) => fb.Node;

function outputOf(spec: Exclude<ModelSpec, GptSpec>, input: Find, layers: Parameters): fb.Node {
  const x = input('x');
  const classified = (logits: fb.Node) => fb.softmaxCrossEntropy(logits, input('labels'));
  switch (spec.kind) {
    case 'vae':
      return vaeLoss(spec, x, input('noise'), layers);
    case 'mlp':
      return classified(perceptron(spec.layers.length - 1, x, layers));
    case 'conv':
      return classified(convolutions(spec, x, layers));
    case 'cnn':
      return classified(cnn(spec, x, layers));
    case 'resnet':
      return classified(resnet(spec, x, layers));
    case 'tcn':
      return fb.mse(tcn(spec, x, layers), input('target'));
    case 'bag':
      return classified(bag(x, layers));
    case 'predict':
      return perceptron(spec.layers.length - 1, x, layers);
    case 'gru':
      return readoutLoss(spec, gru(spec, x, layers), input('target'), layers);
    case 'lstm-brain':
      return brainLoss(spec, x, input('target'), layers);
    default:
      return readoutLoss(spec, lstm(spec, x, layers), input('target'), layers);
  }
}

/** Builds the LSTM gate by gate: one loop over the time steps. The compiler must find the fast form. */
function lstm(spec: LstmSpec, xs: fb.Node, layers: Parameters): fb.Node {
  const zeros = zerosOf(spec);
  const { ys } = fb.scan(
    ({ hidden, cell }, x) => {
      const next = lstmStep(x, hidden, cell, (gate, z) => layers.dense(`lstm.${gate}`, z));
      return [next, next.hidden];
    },
    { over: xs, initial: { hidden: zeros, cell: zeros }, name: 'lstm' },
  );
  return ys;
}

/** What a gate gets of the input and of the hidden state. */
interface Parts {
  readonly input: fb.Node;
  readonly hidden: fb.Node;
}

/** Builds the GRU in the same way. */
function gru(spec: GruSpec, xs: fb.Node, layers: Parameters): fb.Node {
  const { ys } = fb.scan(
    ({ hidden }, x) => {
      const [reset, update, candidate] = gruGates.map((gate) => ({
        input: layers.dense(`gru.${gate}.input`, x),
        hidden: layers.dense(`gru.${gate}.hidden`, hidden),
      })) as [Parts, Parts, Parts];
      const r = fb.sigmoid(fb.add(reset.input, reset.hidden));
      const u = fb.sigmoid(fb.add(update.input, update.hidden));
      const n = fb.tanh(fb.add(candidate.input, fb.mul(r, candidate.hidden)));
      const next = fb.add(fb.mul(fb.sub(1, u), n), fb.mul(u, hidden));
      return [{ hidden: next }, next];
    },
    { over: xs, initial: { hidden: zerosOf(spec) }, name: 'gru' },
  );
  return ys;
}

function readoutLoss(
  { readout }: LstmSpec | GruSpec,
  hidden: fb.Node,
  target: fb.Node,
  layers: Parameters,
): fb.Node {
  const y = layers.dense('readout', hidden);
  return fb.mean(fb.square(fb.sub(readout === 'tanh' ? fb.tanh(y) : y, target)));
}

/**
 * Builds the LSTM of brain.js. Its biases get the gradient of the first step only, so its steps are not alike, and each has
 * nodes of its own.
 */
function brainLoss(spec: LstmSpec, xs: fb.Node, target: fb.Node, layers: Parameters): fb.Node {
  const { steps, batch, inputs } = spec;
  let hidden = zerosOf(spec);
  const outputs = Array.from({ length: steps }, (_, t) => {
    const layer = (name: string, of: fb.Node) => layers.dense(name, of, { fixedBias: t > 0 });
    const x = fb.reshape(fb.slice(xs, { axis: 0, start: t, end: t + 1 }), [batch, inputs]);
    ({ hidden } = lstmStep(x, hidden, hidden, (gate, z) => layer(`lstm.${gate}`, z)));
    return layer('readout', hidden);
  });
  return fb.mul(0.5, fb.sum(fb.square(fb.sub(fb.stack(outputs, 0), target))));
}

function zerosOf({ dtype, batch, units }: LstmSpec | GruSpec): fb.Node {
  return fb.broadcastTo(fb.constant(0, { dtype }), [batch, units]);
}

/** Returns the states after a time step. @param affine returns the affine function of a gate */
function lstmStep(
  x: fb.Node,
  hidden: fb.Node,
  cell: fb.Node,
  affine: (gate: string, z: fb.Node) => fb.Node,
): { hidden: fb.Node; cell: fb.Node } {
  const z = fb.concat([x, hidden], 1);
  const [forget, admit, output, candidate] = gates.map((gate) =>
    (gate === 'cell' ? fb.tanh : fb.sigmoid)(affine(gate, z)),
  ) as [fb.Node, fb.Node, fb.Node, fb.Node];
  const next = fb.add(fb.mul(forget, cell), fb.mul(admit, candidate));
  return { hidden: fb.mul(output, fb.tanh(next)), cell: next };
}

function vaeLoss({ batch }: VaeSpec, x: fb.Node, noise: fb.Node, layers: Parameters): fb.Node {
  const dense = layers.dense.bind(layers);
  const features = fb.tanh(dense('vae.encoder', x));
  const [mean, logSigma] = [dense('vae.mean', features), dense('vae.logSigma', features)];
  const sigma = fb.exp(logSigma);
  const code = fb.add(mean, fb.mul(sigma, noise));
  const logits = dense('vae.logits', fb.tanh(dense('vae.decoder', code)));
  // The loss is a mean over all elements. The factor makes it a sum over pixels, and a mean over examples.
  const likelihood = fb.mul(fb.binaryCrossEntropyWithLogits(logits, x), x.shape[1] as number);
  const divergence = fb.sum(
    fb.sub(fb.sub(fb.add(fb.square(mean), fb.square(sigma)), 1), fb.mul(2, logSigma)),
  );
  return fb.add(likelihood, fb.mul(0.5 / batch, divergence));
}

function perceptron(count: number, x: fb.Node, layers: Parameters): fb.Node {
  let y = x;
  for (let index = 0; index < count; index++) {
    y = layers.dense(`layer${index}`, y);
    if (index < count - 1) y = fb.relu(y);
  }
  return y;
}
