/** The networks of images, series and texts. Each function returns the output of the last layer. */

import * as fb from 'forebay';
import type { CnnSpec, ConvSpec, ResNetSpec, TcnSpec } from '../workloads.js';
import type { Parameters } from './parameters.js';

export function convolutions({ channels }: ConvSpec, x: fb.Node, layers: Parameters): fb.Node {
  let y = x;
  for (let i = 0; i < channels.length - 1; i++) y = fb.relu(layers.convolution2d(`conv${i}`, y));
  return layers.dense('readout', fb.mean(y, [2, 3]));
}

export function cnn({ channels, batch }: CnnSpec, x: fb.Node, layers: Parameters): fb.Node {
  let y = x;
  for (let i = 0; i < channels.length - 1; i++) {
    const normal = layers.batchNorm(`norm${i}`, layers.convolution2d(`conv${i}`, y));
    y = fb.maxPool2d(fb.relu(normal), { size: 2 });
  }
  const features = fb.reshape(y, [batch, layers.weight('hidden').shape[0] as number]);
  return layers.dense('readout', fb.relu(layers.dense('hidden', features)));
}

export function resnet({ blocks }: ResNetSpec, x: fb.Node, layers: Parameters): fb.Node {
  const half = (name: string, of: fb.Node) =>
    layers.batchNorm(`${name}.norm`, layers.convolution2d(`${name}.conv`, of));
  let y = layers.convolution2d('stem', x);
  for (let i = 0; i < blocks; i++) {
    const inner = fb.relu(half(`block${i}.first`, y));
    y = fb.relu(fb.add(y, half(`block${i}.second`, inner)));
  }
  return layers.dense('readout', fb.mean(y, [2, 3]));
}

export function tcn(spec: TcnSpec, x: fb.Node, layers: Parameters): fb.Node {
  const { convolutions: count, length, batch, filters } = spec;
  let y = x;
  for (let i = 0; i < count; i++) y = fb.relu(layers.causalConvolution1d(`conv${i}`, y, 2 ** i));
  const last = fb.slice(y, { axis: 2, start: length - 1, end: length });
  return layers.dense('readout', fb.reshape(last, [batch, filters]));
}

export function bag(x: fb.Node, layers: Parameters): fb.Node {
  const text = fb.mean(fb.gather(layers.weight('words'), x), 1);
  return layers.dense('readout', fb.relu(layers.dense('hidden', text)));
}
