/** Convolutions. Their kernels are arranged for forebay's ops when they are read. */

import type { Dim } from '../../graph/dimension.js';
import type { Node } from '../../graph/node.js';
import { add, conv1d, conv2d, convTranspose2d, reshape } from '../../ops/index.js';
import { type LayerCall, type Rows, row } from '../call.js';
import type { Value } from '../value.js';
import { activated, activationOf } from './activations.js';

type Pair = readonly [number, number];
const two = (list: readonly number[]) => list as unknown as Pair;

/** [height, width, a, b] becomes [b, a, height, width]. */
const toFilters = { order: [3, 2, 0, 1] } as const;

/** Adds the bias, if there is one, and applies the activation. The channels of `x` are axis 1. */
function finished(call: LayerCall, x: Node, filters: number, result: (node: Node) => Value): Value {
  const ones = x.shape.slice(2).map(() => 1);
  const biased = call.config.flag('use_bias', true)
    ? add(x, reshape(call.weight('bias', [filters]), [filters, ...ones]))
    : x;
  const activation = activationOf(call);
  if (call.channelsFirst) return result(activation(biased, biased.shape.length - 1));
  return activated(result(biased), activation);
}

/** Ends the import of a layer with groups, if it is not of a class that has them. */
function assertNoGroups(call: LayerCall): void {
  const groups = call.config.int('groups', 1);
  if (groups !== 1) call.unsupported(`groups ${groups}`);
}

/** Windows along the axes of images or sequences. */
function windowsOf(call: LayerCall, count: number) {
  const { config } = call;
  const ones = new Array<number>(count).fill(1);
  const sizes = config.sides('kernel_size', count, undefined);
  if (sizes === undefined) return call.unsupported('no kernel_size');
  const padding = config.text('padding', 'valid');
  if (padding !== 'same' && padding !== 'valid' && !(padding === 'causal' && count === 1)) {
    return call.unsupported(`padding '${padding}'`);
  }
  return {
    sizes,
    strides: config.sides('strides', count, ones),
    dilations: config.sides('dilation_rate', count, ones),
    padding: padding as 'same' | 'valid' | 'causal',
  };
}

const channelsOf = (call: LayerCall, x: Node) =>
  call.size(x.shape[1] as Dim, 'the number of channels of its input');

function alongSequence(call: LayerCall): Value {
  if (call.channelsFirst) return call.unsupported("data_format 'channels_first'");
  const { sizes, strides, dilations, padding } = windowsOf(call, 1);
  const { x, result } = call.image(3);
  const channels = channelsOf(call, x);
  const filters = call.config.needed('filters');
  const groups = groupsOf(call, channels);
  const [size, stride, dilation] = [sizes, strides, dilations].map(([only]) => only as number) as [
    number,
    number,
    number,
  ];
  const kernel = call.weight('kernel', [size, channels / groups, filters], { order: [2, 1, 0] });
  const convolved = conv1d(x, kernel, {
    stride,
    dilation,
    groups,
    padding: padding === 'causal' ? [dilation * (size - 1), 0] : padding,
  });
  return finished(call, convolved, filters, result);
}

function groupsOf(call: LayerCall, channels: number): number {
  const groups = call.config.int('groups', 1, 1);
  if (channels % groups === 0) return groups;
  return call.unsupported(`${channels} channels in ${groups} groups`);
}

function alongImage(call: LayerCall): Value {
  const { sizes, strides, dilations, padding } = windowsOf(call, 2);
  const { x, result } = call.image(4);
  const channels = channelsOf(call, x);
  const filters = call.config.needed('filters');
  const groups = groupsOf(call, channels);
  const kernel = call.weight('kernel', [...sizes, channels / groups, filters], toFilters);
  const convolved = conv2d(x, kernel, {
    stride: two(strides),
    dilation: two(dilations),
    padding: padding as 'same' | 'valid',
    groups,
  });
  return finished(call, convolved, filters, result);
}

function transposed(call: LayerCall): Value {
  assertNoGroups(call);
  const { sizes, strides, dilations, padding } = windowsOf(call, 2);
  if (dilations.some((dilation) => dilation !== 1)) {
    return call.unsupported(`dilation_rate [${dilations.join(', ')}]`);
  }
  const { x, result } = call.image(4);
  const channels = channelsOf(call, x);
  const filters = call.config.needed('filters');
  const kernel = call.weight('kernel', [...sizes, filters, channels], toFilters);
  // Filters that are shorter than the stride leave elements of the result 0.
  const extra = sizes.map((size, axis) =>
    padding === 'valid' ? Math.max(0, (strides[axis] as number) - size) : 0,
  );
  const convolved = convTranspose2d(x, kernel, {
    stride: two(strides),
    padding: padding as 'same' | 'valid',
    outputPadding: two(extra),
  });
  return finished(call, convolved, filters, result);
}

/** Filters of [height, width, channels, multiplier], each of which reads one channel. */
function eachChannel(call: LayerCall, x: Node, windows: ReturnType<typeof windowsOf>) {
  assertNoGroups(call);
  const channels = channelsOf(call, x);
  const multiplier = call.config.int('depth_multiplier', 1, 1);
  const count = channels * multiplier;
  const { sizes, strides, dilations, padding } = windows;
  // Keras 3 calls that of a DepthwiseConv2D 'kernel'.
  const kernel = call.weight(['depthwise_kernel', 'kernel'], [...sizes, channels, multiplier], {
    order: [2, 3, 0, 1],
    shape: [count, 1, ...sizes],
  });
  const convolved = conv2d(x, kernel, {
    stride: two(strides),
    dilation: two(dilations),
    padding: padding as 'same' | 'valid',
    groups: channels,
  });
  return { convolved, count };
}

function depthwise(call: LayerCall): Value {
  const windows = windowsOf(call, 2);
  const dilated = windows.dilations.some((dilation) => dilation !== 1);
  if (dilated) return call.unsupported('dilation_rate, which TensorFlow.js ignores');
  const { x, result } = call.image(4);
  const { convolved, count } = eachChannel(call, x, windows);
  return finished(call, convolved, count, result);
}

function separable(call: LayerCall): Value {
  const windows = windowsOf(call, 2);
  const { x, result } = call.image(4);
  const filters = call.config.needed('filters');
  const { convolved, count } = eachChannel(call, x, windows);
  const mixing = call.weight('pointwise_kernel', [1, 1, count, filters], toFilters);
  return finished(call, conv2d(convolved, mixing), filters, result);
}

export const convolution: Rows = {
  Conv1D: row(alongSequence, { without: "`data_format: 'channels_first'`" }),
  Conv2D: row(alongImage),
  Conv2DTranspose: row(transposed, { without: '`dilation_rate`, `output_padding`' }),
  DepthwiseConv2D: row(depthwise, { without: '`dilation_rate`' }),
  SeparableConv2D: row(separable),
};
