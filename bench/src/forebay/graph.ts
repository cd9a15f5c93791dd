/** Builds the graph of a workload in forebay, as a user would write it. */

import * as fb from 'forebay';
import type { TensorSource } from '../exchange.js';
import {
  type ConvSpec,
  gates,
  isConvolution,
  type LstmSpec,
  layersOf,
  type ModelSpec,
  tensorsOf,
  type VaeSpec,
} from '../workloads.js';

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
  const parameters = new Map(
    layersOf(spec).flatMap(([layer]) =>
      ['weight', 'bias'].map((part) => {
        const name = `${layer}.${part}`;
        return [name, fb.parameter(name, value(name))] as const;
      }),
    ),
  );
  const inputs = tensorsOf(spec).filter(({ role }) => role === 'input');
  const nodes = new Map(
    inputs.map(({ name, shape, dtype }) => [name, fb.input(name, shape, { dtype })] as const),
  );
  const dense: Dense = (layer, x, fixedBias = false) => {
    const weight = parameters.get(`${layer}.weight`) as fb.Node;
    const bias = parameters.get(`${layer}.bias`) as fb.Node;
    if (isConvolution(layer)) {
      const y = fb.conv2d(x, weight, { padding: 'same' });
      return fb.add(y, fb.reshape(bias, [bias.shape[0] as number, 1, 1]));
    }
    return fb.add(fb.matmul(x, weight), fixedBias ? fb.stopGradient(bias) : bias);
  };
  const input = (name: string) => nodes.get(name) as fb.Node;
  return {
    output: outputOf(spec, input, dense),
    parameters: [...parameters.values()],
    feeds: Object.fromEntries(inputs.map(({ name }) => [name, value(name)])),
  };
}

type Dense = (layer: string, x: fb.Node, fixedBias?: boolean) => fb.Node;
type Find = (name: string) => fb.Node;

function outputOf(spec: ModelSpec, input: Find, dense: Dense): fb.Node {
  switch (spec.kind) {
    case 'vae':
      return vaeLoss(spec, input('x'), input('noise'), dense);
    case 'mlp':
      return fb.softmaxCrossEntropy(
        perceptron(spec.layers.length - 1, input('x'), dense),
        input('labels'),
      );
    case 'conv':
      return fb.softmaxCrossEntropy(convolutions(spec, input('x'), dense), input('labels'));
    case 'predict':
      return perceptron(spec.layers.length - 1, input('x'), dense);
    default:
      return lstmLoss(spec, input('x'), input('target'), dense);
  }
}

/** Builds the LSTM with separate nodes for each gate and each time step. The compiler must find the fast form. */
function lstmLoss(spec: LstmSpec, xs: fb.Node, target: fb.Node, dense: Dense): fb.Node {
  const { kind, dtype, steps, batch, inputs, units } = spec;
  const zeros = fb.broadcastTo(fb.constant(0, { dtype }), [batch, units]);
  let [hidden, cell]: [fb.Node, fb.Node] = [zeros, zeros];
  const outputs = Array.from({ length: steps }, (_, t) => {
    // brain.js does not sum the gradient of a bias over the time steps. It uses the gradient of the first step only.
    const layer: Dense = (name, of) => dense(name, of, kind === 'lstm-brain' && t > 0);
    const x = fb.reshape(fb.slice(xs, { axis: 0, start: t, end: t + 1 }), [batch, inputs]);
    const z = fb.concat([x, hidden], 1);
    const [forget, admit, output, candidate] = gates.map((gate) => {
      const activation = gate === 'cell' ? fb.tanh : fb.sigmoid;
      return activation(layer(`lstm.${gate}`, z));
    }) as [fb.Node, fb.Node, fb.Node, fb.Node];
    const carried = kind === 'lstm-brain' ? hidden : cell;
    cell = fb.add(fb.mul(forget, carried), fb.mul(admit, candidate));
    hidden = fb.mul(output, fb.tanh(cell));
    const y = layer('readout', hidden);
    return kind === 'lstm-nodes' ? fb.tanh(y) : y;
  });
  const errors = fb.square(fb.sub(fb.stack(outputs, 0), target));
  return kind === 'lstm-brain' ? fb.mul(0.5, fb.sum(errors)) : fb.mean(errors);
}

function vaeLoss({ batch }: VaeSpec, x: fb.Node, noise: fb.Node, dense: Dense): fb.Node {
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

function perceptron(layers: number, x: fb.Node, dense: Dense): fb.Node {
  let y = x;
  for (let index = 0; index < layers; index++) {
    y = dense(`layer${index}`, y);
    if (index < layers - 1) y = fb.relu(y);
  }
  return y;
}

function convolutions({ channels }: ConvSpec, x: fb.Node, layer: Dense): fb.Node {
  let y = x;
  for (let index = 0; index < channels.length - 1; index++) y = fb.relu(layer(`conv${index}`, y));
  return layer('readout', fb.mean(y, [2, 3]));
}
