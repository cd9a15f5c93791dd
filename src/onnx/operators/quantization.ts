/** Conversions between floats and integers of 8 and 16 bits, and products of such integers. */

import type { Dim } from '../../graph/dimension.js';
import { constant } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import {
  add,
  broadcastTo,
  cast,
  clamp,
  conv2d,
  div,
  max,
  maximum,
  min,
  minimum,
  mul,
  reshape,
  round,
  sub,
} from '../../ops/index.js';
import type { Call } from '../call.js';
import {
  type ElementType,
  elementTypeName,
  elementTypeOf,
  elementTypes,
  rangeOf,
} from '../elements.js';
import { product } from './linear.js';
import { axisOf, numbersIn, type Rows, row } from './row.js';

/** Brings a scale or a zero point, of one element, of an axis or of blocks, to a shape that broadcasts to x. */
function along(call: Call, x: Node, parameter: Node): Node {
  const axis = axisOf(call.int('axis', 1), x.shape.length);
  const block = call.int('block_size', 0);
  if (parameter.shape.length === 0 || parameter.shape.every((dim) => dim === 1)) {
    return reshape(parameter, []);
  }
  if (block === 0) {
    const shape = x.shape.map((_, at) => (at === axis ? (parameter.shape[0] as Dim) : 1));
    return reshape(parameter, shape);
  }
  const { shape } = parameter;
  const split = [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)];
  const wide = split.map((dim, at) => (at === axis + 1 ? block : dim));
  const count = numbersIn(call, [shape[axis] as Dim], 'the scale')[0] as number;
  const joined = shape.map((dim, at) => (at === axis ? count * block : dim));
  return reshape(broadcastTo(reshape(parameter, split), wide), joined);
}

/** Rounds floats to the integers of a type. Those out of range become the nearest integer. */
function saturated(x: Node, type: ElementType): Node {
  const [least, most] = rangeOf(type);
  return cast(clamp(round(x), { min: least, max: most }), type.dtype);
}

function quantized(call: Call) {
  const [x, scale] = [call.node(0), call.node(1)];
  const code = call.int('output_dtype', 0);
  call.int('saturate', 1);
  call.int('precision', 0);
  const type = call.has(2)
    ? call.value(2).type
    : code === 0
      ? elementTypes.uint8
      : (elementTypeOf(code) ?? call.unsupported(`the type ${elementTypeName(code)}`));
  const zero = call.has(2) ? along(call, x, cast(call.node(2), x.dtype)) : undefined;
  const scaled = round(div(x, along(call, x, cast(scale, x.dtype))));
  return call.as(type, saturated(zero === undefined ? scaled : add(scaled, zero), type));
}

function dequantized(call: Call) {
  const [x, scale] = [call.node(0), call.node(1)];
  call.int('output_dtype', 0);
  const { dtype } = scale;
  const zero = call.has(2) ? along(call, x, cast(call.node(2), dtype)) : undefined;
  const numbers = cast(x, dtype);
  const centred = zero === undefined ? numbers : sub(numbers, zero);
  return call.as(call.value(1).type, mul(centred, along(call, x, scale)));
}

/** Quantizes to uint8, with a scale and a zero point for the range of the elements. */
function dynamicallyQuantized(call: Call) {
  const x = call.node(0);
  const [least, most] = [minimum(min(x), 0), maximum(max(x), 0)];
  const scale = div(sub(most, least), 255);
  const zero = clamp(round(div(sub(0, least), scale)), { min: 0, max: 255 });
  const y = clamp(add(round(div(x, scale)), zero), { min: 0, max: 255 });
  return [
    call.as(elementTypes.uint8, cast(y, 'uint8')),
    call.as(call.value(0).type, scale),
    call.as(elementTypes.uint8, cast(zero, 'uint8')),
  ];
}

/** Integers as float64, which holds their products exactly, minus their zero point. */
function centred(call: Call, index: number, zeroIndex: number, perRow: boolean): Node {
  const x = cast(call.node(index), 'float64');
  const zero = call.optional(zeroIndex);
  if (zero === undefined) return x;
  const own = cast(zero, 'float64');
  if (own.shape.length !== 1 || own.shape[0] === 1) return sub(x, reshape(own, []));
  return sub(x, perRow ? reshape(own, [own.shape[0] as Dim, 1]) : own);
}

function integerProduct(call: Call) {
  const result = product(centred(call, 0, 2, true), centred(call, 1, 3, false));
  return call.as(elementTypes.int32, cast(result, 'int32'));
}

function quantizedProduct(call: Call) {
  const scaleOf = (index: number) => cast(call.node(index), 'float64');
  const result = product(centred(call, 0, 2, true), centred(call, 3, 5, false));
  const factor = div(mul(scaleOf(1), scaleOf(4)), scaleOf(6));
  const { type } = call.value(7);
  const y = add(round(mul(result, factor)), cast(call.node(7), 'float64'));
  return call.as(type, saturated(y, type));
}

/** A convolution of images of integers. */
function integerConvolution(call: Call, x: Node, weight: Node): Node {
  const ones = [1, 1];
  const pads = call.ints('pads', [0, 0, 0, 0]);
  if (call.text('auto_pad', 'NOTSET') !== 'NOTSET' || weight.shape.length !== 4) {
    return call.unsupported('auto_pad, or images without two axes');
  }
  call.ints('kernel_shape', undefined);
  const pair = (list: readonly number[]) => list as unknown as readonly [number, number];
  return conv2d(x, weight, {
    stride: pair(call.ints('strides', ones)),
    dilation: pair(call.ints('dilations', ones)),
    padding: [
      [pads[0] as number, pads[2] as number],
      [pads[1] as number, pads[3] as number],
    ],
    groups: call.int('group', 1),
  });
}

/** A zero point or a scale of the filters, in a shape that broadcasts to a weight or to a result. */
function perFilter(x: Node, axes: number): Node {
  if (x.shape.length === 0 || x.shape[0] === 1) return reshape(x, []);
  return reshape(x, [x.shape[0] as Dim, ...new Array<number>(axes).fill(1)]);
}

function centredWeight(call: Call, index: number, zeroIndex: number): Node {
  const weight = cast(call.node(index), 'float64');
  const zero = call.optional(zeroIndex);
  return zero === undefined ? weight : sub(weight, perFilter(cast(zero, 'float64'), 3));
}

function quantizedConvolution(call: Call) {
  const result = integerConvolution(call, centred(call, 0, 2, false), centredWeight(call, 3, 5));
  const bias = call.has(8)
    ? perFilter(cast(call.node(8), 'float64'), 2)
    : constant(0, { dtype: 'float64' });
  const scaleOf = (index: number) => cast(call.node(index), 'float64');
  const factor = perFilter(div(mul(scaleOf(1), scaleOf(4)), scaleOf(6)), 2);
  const { type } = call.value(7);
  const y = add(round(mul(add(result, bias), factor)), cast(call.node(7), 'float64'));
  return call.as(type, saturated(y, type));
}

export const quantization: Rows = {
  QuantizeLinear: row(quantized, 'types of fewer than 8 bits and floats of 8 bits'),
  DequantizeLinear: row(dequantized, 'types of fewer than 8 bits and floats of 8 bits'),
  DynamicQuantizeLinear: row(dynamicallyQuantized),
  MatMulInteger: row(integerProduct),
  QLinearMatMul: row(quantizedProduct, 'floats of 8 bits'),
  ConvInteger: row((call) => {
    const x = centred(call, 0, 2, false);
    const result = integerConvolution(call, x, centredWeight(call, 1, 3));
    return call.as(elementTypes.int32, cast(result, 'int32'));
  }, 'images without two axes, auto_pad'),
  QLinearConv: row(quantizedConvolution, 'images without two axes, auto_pad'),
};
