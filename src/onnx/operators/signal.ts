/** Windows for signals, and Fourier transforms, which are products with matrices of cosines and sines. */

import type { Dim } from '../../graph/dimension.js';
import { constant } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import {
  add,
  cast,
  matmul,
  mul,
  pad,
  reshape,
  slice,
  stack,
  sub,
  transpose,
} from '../../ops/index.js';
import { tensor } from '../../tensor/tensor.js';
import type { Call } from '../call.js';
import { elementTypeOf, elementTypes, Known } from '../elements.js';
import { axisOf, numbersIn, type Rows, row } from './row.js';

/** A window that is a sum of cosines. */
const window = (...factors: readonly number[]) =>
  row((call) => {
    const size = call.number(0, 'the size');
    const type = elementTypeOf(call.int('output_datatype', 1)) ?? elementTypes.float;
    const period = call.flag('periodic', true) ? size : size - 1;
    const elements = Array.from({ length: call.bounded(size, 'elements') }, (_, at) =>
      factors.reduce(
        (sum, factor, k) => sum + (-1) ** k * factor * Math.cos((2 * Math.PI * k * at) / period),
        0,
      ),
    );
    return call.result(new Known(type, [size], elements));
  });

/** A matrix [rows, columns] whose elements are a function of the angle 2 pi row column / length. */
function turning(
  call: Call,
  rows: number,
  columns: number,
  length: number,
  wave: (angle: number) => number,
  like: Node,
): Node {
  const elements = Float64Array.from(
    { length: call.bounded(rows * columns, 'factors') },
    (_, index) => {
      // The product is reduced first, so that the angle is exact.
      const product = (Math.floor(index / columns) * (index % columns)) % length;
      return wave((2 * Math.PI * product) / length);
    },
  );
  return cast(constant(tensor(elements, { shape: [rows, columns] })), like.dtype);
}

/** A complex signal: its real and its imaginary part. */
interface Signal {
  readonly real: Node;
  readonly imaginary: Node | undefined;
}

/** Transforms the last axis. @param count the number of frequencies */
function transformed(
  call: Call,
  { real, imaginary }: Signal,
  count: number,
  inverse: boolean,
): Required<Signal> & { imaginary: Node } {
  const length = real.shape.at(-1) as number;
  const sign = inverse ? 1 : -1;
  const cosines = turning(call, length, count, length, Math.cos, real);
  const sines = turning(call, length, count, length, (angle) => sign * Math.sin(angle), real);
  const by = (x: Node, matrix: Node) => {
    const rows = matmul(reshape(x, [-1, length]), matrix);
    return reshape(rows, [...x.shape.slice(0, -1), count]);
  };
  const factor = inverse ? 1 / length : 1;
  const scaled = (x: Node) => (factor === 1 ? x : mul(x, factor));
  if (imaginary === undefined) {
    return { real: scaled(by(real, cosines)), imaginary: scaled(by(real, sines)) };
  }
  return {
    real: scaled(sub(by(real, cosines), by(imaginary, sines))),
    imaginary: scaled(add(by(real, sines), by(imaginary, cosines))),
  };
}

/** Splits the last axis, which has a real part, and may have an imaginary part. */
function parts(x: Node): Signal {
  const last = x.shape.length - 1;
  const part = (at: number) =>
    reshape(slice(x, { axis: last, start: at, end: at + 1 }), x.shape.slice(0, -1));
  return { real: part(0), imaginary: x.shape[last] === 2 ? part(1) : undefined };
}

/** Brings an axis to a length: cuts it, or fills it with zeros. */
function ofLength(x: Node, axis: number, length: number): Node {
  const own = x.shape[axis] as number;
  if (own >= length) return own === length ? x : slice(x, { axis, start: 0, end: length });
  return pad(
    x,
    x.shape.map((_, at): [number, number] => [0, at === axis ? length - own : 0]),
  );
}

function fourier(call: Call): Node {
  const given = call.node(0);
  const inverse = call.flag('inverse');
  const onesided = call.flag('onesided');
  const rank = given.shape.length;
  const axis =
    call.version < 20
      ? axisOf(call.int('axis', 1), rank)
      : axisOf(call.has(2) ? call.number(2, 'the axis') : -2, rank);
  const [own] = numbersIn(call, [given.shape[axis] as Dim], 'its input') as [number];
  const wanted = call.has(1) ? call.number(1, 'the length') : undefined;
  const toEnd = (x: Node) => {
    const order = x.shape.map((_, at) => at).filter((at) => at !== axis);
    return transpose(x, [...order, axis]);
  };
  const back = (x: Node) => {
    const last = x.shape.length - 1;
    return transpose(
      x,
      x.shape.map((_, at) => (at === axis ? last : at > axis ? at - 1 : at)),
    );
  };
  if (inverse && onesided) {
    // The other half of the frequencies are the conjugates of those that are given.
    const length = wanted ?? 2 * (own - 1);
    const half = ofLength(given, axis, Math.floor(length / 2) + 1);
    const { real, imaginary } = parts(half);
    return reshape(back(realInverse(call, toEnd(real), imaginary && toEnd(imaginary), length)), [
      ...half.shape.slice(0, axis),
      length,
      ...half.shape.slice(axis + 1, -1),
      1,
    ]);
  }
  const length = wanted ?? own;
  const signal = parts(ofLength(given, axis, length));
  const turned = {
    real: toEnd(signal.real),
    imaginary: signal.imaginary && toEnd(signal.imaginary),
  };
  const count = onesided ? Math.floor(length / 2) + 1 : length;
  const { real, imaginary } = transformed(call, turned, count, inverse);
  return stack([back(real), back(imaginary)], rank - 1);
}

/** The real signal whose lower frequencies are given. */
function realInverse(call: Call, real: Node, imaginary: Node | undefined, length: number): Node {
  const half = real.shape.at(-1) as number;
  // Each frequency but the first, and the middle one of an even length, counts twice.
  const weight = (k: number) => (k === 0 || 2 * k === length ? 1 : 2) / length;
  const matrix = (wave: (angle: number) => number) => {
    const elements = Float64Array.from(
      { length: call.bounded(half * length, 'factors') },
      (_, index) => {
        const [k, at] = [Math.floor(index / length), index % length];
        return weight(k) * wave((2 * Math.PI * ((k * at) % length)) / length);
      },
    );
    return cast(constant(tensor(elements, { shape: [half, length] })), real.dtype);
  };
  const by = (x: Node, wave: (angle: number) => number) =>
    reshape(matmul(reshape(x, [-1, half]), matrix(wave)), [...x.shape.slice(0, -1), length]);
  const even = by(real, Math.cos);
  return imaginary === undefined ? even : sub(even, by(imaginary, Math.sin));
}

/** Fourier transforms of overlapping parts of a signal. */
function shortTime(call: Call): Node {
  const signal = call.node(0);
  const step = call.number(1, 'the step');
  const factors = call.optional(2);
  const [length] = numbersIn(call, [signal.shape[1] as Dim], 'its input') as [number];
  const size = call.has(3)
    ? call.number(3, 'the length')
    : (factors?.shape[0] as number | undefined);
  if (size === undefined) return call.unsupported('neither a window nor a length');
  const onesided = call.flag('onesided', true);
  const count = Math.floor((length - size) / step) + 1;
  const { real, imaginary } = parts(
    signal.shape.length === 2 ? reshape(signal, [...signal.shape, 1]) : signal,
  );
  const frames = (x: Node) => {
    const cut = Array.from({ length: call.bounded(count, 'parts') }, (_, at) =>
      slice(x, { axis: 1, start: at * step, end: at * step + size }),
    );
    const all = stack(cut, 1);
    return factors === undefined ? all : mul(all, factors);
  };
  const frequencies = onesided ? Math.floor(size / 2) + 1 : size;
  const result = transformed(
    call,
    { real: frames(real), imaginary: imaginary && frames(imaginary) },
    frequencies,
    false,
  );
  return stack([result.real, result.imaginary], 3);
}

export const signal: Rows = {
  HannWindow: window(0.5, 0.5),
  HammingWindow: window(25 / 46, 21 / 46),
  BlackmanWindow: window(0.42, 0.5, 0.08),
  DFT: row(fourier),
  STFT: row(shortTime),
};
