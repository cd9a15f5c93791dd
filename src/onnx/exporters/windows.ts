/** Convolutions and pooling. */

import {
  addDims,
  type Dim,
  multiplyDims,
  type Shape,
  subtractDims,
} from '../../graph/dimension.js';
import type { Node } from '../../graph/node.js';
import type { Attributes } from './emitter.js';
import { attributesOf, type Exported, type Rows, refused, row } from './row.js';

/** What the windows of convolutions and of pooling have in common along one axis. */
interface Along {
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
}

interface ConvolutionAttributes {
  readonly rows: Along;
  readonly columns: Along;
  readonly groups: number;
}

interface PoolAttributes {
  readonly rows: Along & { readonly size: number; readonly ceil: boolean };
  readonly columns: Along & { readonly size: number; readonly ceil: boolean };
  readonly countPadding?: boolean;
}

function windowAttributes(axes: readonly Along[]): Attributes {
  return {
    strides: axes.map(({ stride }) => stride),
    dilations: axes.map(({ dilation }) => dilation),
    pads: [...axes.map(({ before }) => before), ...axes.map(({ after }) => after)],
  };
}

/** Returns the attribute kernel_shape, if it is known. */
function kernelShape(weight: Shape): Attributes {
  const sizes = weight.slice(2);
  return sizes.every((size) => typeof size === 'number') ? { kernel_shape: sizes as number[] } : {};
}

/**
 * Emits the convolution of a node of the graph.
 * @param node the convolution of images
 * @param operands the names of x, the weight and perhaps a bias
 * @param weight the shape of the weight, which has an axis less if the images are sequences
 */
export function convolution(
  { emitter }: Pick<Exported, 'emitter'>,
  node: Node,
  operands: readonly string[],
  weight: Shape,
): string {
  const { rows, columns, groups } = attributesOf<ConvolutionAttributes>({ node });
  // ONNX Runtime leaves memory that nobody wrote where it adds no products.
  if (weight.includes(0)) {
    return emitter.op('Expand', [emitter.number(0, node.dtype), emitter.dims(node.shape)]);
  }
  const axes = weight.length === 3 ? [columns] : [rows, columns];
  const attributes = { ...windowAttributes(axes), ...kernelShape(weight), group: groups };
  if (node.op.name === 'convolution') return emitter.op('Conv', operands, attributes);
  const [g, filters] = node.inputs as [Node, Node];
  const extra = [rows, columns].slice(-axes.length).map((along, index) => {
    const axis = 4 - axes.length + index;
    return outputPadding(
      node.shape[axis] as Dim,
      g.shape[axis] as Dim,
      filters.shape[axis] as Dim,
      along,
    );
  });
  return emitter.op('ConvTranspose', operands, {
    ...attributes,
    ...(extra.some((count) => count !== 0) && { output_padding: extra }),
  });
}

/** Returns how many elements a transposed convolution adds at the end of an axis, of which the shape says its length. */
function outputPadding(
  length: Dim,
  count: Dim,
  size: Dim,
  { stride, dilation, before, after }: Along,
): number {
  const steps = multiplyDims(subtractDims(count, 1), stride);
  const span = addDims(multiplyDims(subtractDims(size, 1), dilation), 1);
  return subtractDims(length, addDims(addDims(steps, span), -before - after)) as number;
}

/** How the windows along an axis are counted. */
interface Counted {
  /** The elements after the axis that the windows read, if their number is rounded down. */
  readonly after: number;
  /** Whether their number is rounded up, and no window is left out because it begins after the axis. */
  readonly isUp: boolean;
}

function counted(along: PoolAttributes['rows'], length: number, count: number): Counted {
  const { size, stride, dilation, before, after } = along;
  const span = dilation * (size - 1) + 1;
  const needed = (count - 1) * stride + span - length - before;
  const up = Math.ceil((length + before + after - span) / stride) + 1;
  return { after: Math.max(after, needed), isUp: count === up };
}

/**
 * Emits the pooling of a node of the graph.
 * @param node the op maxPoolValues or avgPool
 * @param sequences whether x has the shape [batch, channels, length]
 */
export function pooling(exported: Exported, node: Node, x: string, sequences: boolean): string {
  const { emitter } = exported;
  const { rows, columns, countPadding } = attributesOf<PoolAttributes>({ node });
  const axes = sequences ? [columns] : [rows, columns];
  const lengths = (node.inputs[0] as Node).shape.slice(-axes.length) as number[];
  const counts = node.shape.slice(-axes.length) as number[];
  const windows = axes.map((along, axis) =>
    counted(along, lengths[axis] as number, counts[axis] as number),
  );
  const longer = axes.map((along, axis) => ({ ...along, after: (windows[axis] as Counted).after }));
  // An operator that rounds up counts windows that begin after the axis, which pooling leaves out. One that rounds down
  // needs padding, which must be shorter than the windows, and must not count in a mean.
  const mayPad = countPadding !== true && longer.every(({ after, size }) => after < size);
  const isLonger = longer.some(({ after }, axis) => after !== axes[axis]?.after);
  const roundsUp = isLonger && (windows.every(({ isUp }) => isUp) || !mayPad);
  const { dilations, ...others } = windowAttributes(roundsUp ? axes : longer);
  const attributes = {
    ...others,
    kernel_shape: axes.map(({ size }) => size),
    ceil_mode: Number(roundsUp),
  };
  if (node.op.name === 'avgPool') {
    const dilated = axes.some(({ dilation }) => dilation !== 1);
    if (dilated && emitter.opset < 19) {
      throw exported.refuse('an average with a dilation needs operator set 19');
    }
    return emitter.op('AveragePool', [x], {
      ...attributes,
      ...(dilated && { dilations }),
      count_include_pad: Number(countPadding),
    });
  }
  // ONNX pools no integers of 64 bits. float64 holds all of int32.
  if (node.dtype !== 'int32') return emitter.op('MaxPool', [x], { ...attributes, dilations });
  const numbers = emitter.cast(x, 'float64');
  return emitter.cast(emitter.op('MaxPool', [numbers], { ...attributes, dilations }), 'int32');
}

/** Whether a node has the elements of x that are the largest in the windows of x. */
export function isMaxPool({ op, inputs: [x, indices] }: Node): boolean {
  return op.name === 'maxPoolValues' && indices?.op.name === 'maxPool' && indices.inputs[0] === x;
}

const poolingRow = (to: string) =>
  row(to, (exported) => pooling(exported, exported.node, exported.names[0] as string, false));

const convolutionRow = (to: string) =>
  row(to, (exported) => {
    const weight = exported.inputs[1] as Node;
    return convolution(exported, exported.node, exported.names, weight.shape);
  });

export const windows: Rows = {
  convolution: convolutionRow('Conv'),
  convolutionInputGradient: convolutionRow('ConvTranspose'),
  convolutionWeightGradient: refused('it is the gradient of a convolution for its weight'),
  maxPool: refused('the indices of max pooling have no form in ONNX'),
  // The indices of the windows are no value of the file.
  maxPoolValues: {
    ...poolingRow('MaxPool'),
    reads: (node) => (isMaxPool(node) ? node.inputs.slice(0, 1) : node.inputs),
  },
  maxPoolGradient: refused('it is the gradient of max pooling'),
  avgPool: poolingRow('AveragePool'),
  avgPoolGradient: refused('it is the gradient of average pooling'),
};
