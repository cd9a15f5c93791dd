// Graphs that are almost one operator: exportOnnx must not take them for it, and must keep what is also used elsewhere.
import { describe, expect, it } from 'vitest';
import {
  add,
  argmax,
  concat,
  conv1d,
  conv2d,
  cumprod,
  type DType,
  div,
  greater,
  input,
  matmul,
  max,
  maxPool1d,
  mod,
  mul,
  type Node,
  neg,
  reshape,
  scatterAdd,
  slice,
  sqrt,
  sub,
  sum,
  takeAlongAxis,
  tensor,
  topK,
  where,
} from '../../src/index.js';
import { modelOf } from '../../src/onnx/export.js';
import { normalized } from '../../src/ops/normalization.js';
import { randomTensor } from '../support.js';
import { difference } from './exported.js';

const rows = input('x', [4, 6]);
const images = input('i', [2, 3, 5, 4]);
const line = input('l', [2, 3, 8]);
const vector = input('v', [6]);
const one = input('o', [1]);
const filters = input('w', [4, 3, 3, 2]);
const short = input('s', [4, 3, 3]);
const bias = input('b', [4]);
const matrix = input('m', [6, 6]);
const feeds = Object.fromEntries(
  [rows, images, line, vector, one, filters, short, bias, matrix].map((node, seed) => [
    node.name as string,
    tensor(Float32Array.from(randomTensor([...node.shape] as number[], seed + 1).data), {
      shape: [...node.shape] as number[],
    }),
  ]),
);

const least = () => {
  const negative = neg(rows);
  const largest = max(negative, 1);
  return { negative, largest, y: neg(largest) };
};
const biased = (node: Node) => add(node, reshape(bias, [4, 1, 1]));
const biasedLine = (node: Node) => add(node, reshape(bias, [4, 1]));
const normal = (epsilon: number, variance: Node = vector) => {
  const factor = div(vector, sqrt(add(mul(variance, variance), epsilon)));
  return { factor, y: add(mul(sub(rows, vector), factor), vector) };
};
const padded = (before: number, after: number) =>
  concat([tensorOf(before, [4, 1]), rows, tensorOf(after, [4, 2])], 1);
function tensorOf(element: number, shape: readonly number[]): Node {
  return add(mul(slice(rows, { axis: 1, start: 0, end: shape[1] as number }), 0), element);
}
const product = (axis: number, start: number) => {
  const list = cumprod(concat([add(mul(slice(rows, { axis: 1, end: 1 }), 0), 1), rows], 1), 1);
  return slice(list, { axis, start });
};

describe('what is almost one operator', () => {
  const cases: Record<string, () => Record<string, Node>> = {
    'the least element, whose parts are outputs': () => least(),
    'the least element, whose negatives are an output': () => {
      const { negative, y } = least();
      return { negative, y };
    },
    'a sum whose axes come back, which is an output too': () => {
      const inner = sum(rows, 1);
      return { inner, y: reshape(inner, [4, 1]) };
    },
    'a sum of all elements in another shape': () => ({ y: reshape(sum(rows), [1, 1, 1]) }),
    'a largest position whose axis comes back': () => ({ y: reshape(argmax(rows, 1), [4, 1]) }),
    'a sum in the shape of another axis': () => ({ y: reshape(sum(rows, 1), [1, 4]) }),
    'a convolution that is an output, with a bias': () => {
      const plain = conv2d(images, filters);
      return { plain, y: biased(plain) };
    },
    'a convolution with a row in place of a bias': () => {
      const plain = conv2d(images, filters);
      return { y: add(plain, slice(vector, { axis: 0, end: plain.shape[3] as number })) };
    },
    'a convolution of a sequence with a bias': () => ({ y: biasedLine(conv1d(line, short)) }),
    'a convolution of a sequence that is an output, with a bias': () => {
      const plain = conv1d(line, short);
      return { plain, y: biasedLine(plain) };
    },
    'a convolution of a sequence as an image of another height': () => ({
      y: reshape(conv2d(reshape(line, [2, 3, 4, 2]), filters), [2, 4, 2]),
    }),
    'the largest of windows of a sequence': () => ({ y: maxPool1d(line, { size: 2 }) }),
    'a product that is an output, with a bias': () => {
      const plain = matmul(rows, matrix);
      return { plain, y: add(plain, vector) };
    },
    'a product with one number in place of a bias': () => ({ y: add(matmul(rows, matrix), one) }),
    'products of batches with a bias': () => ({
      y: add(matmul(reshape(rows, [2, 2, 6]), matrix), vector),
    }),
    'a layer normalisation with one number in place of a bias': () => ({
      y: add(normalized(rows, vector, { axes: [1], centered: true, epsilon: 1e-5 }), one),
    }),
    'a batch normalisation of rows': () => ({ y: normal(1e-3).y }),
    'a batch normalisation whose factor is an output': () => normal(1e-3),
    'a batch normalisation with an epsilon that no attribute holds': () => normal(0.1 + 2 ** -40),
    'a batch normalisation of one variance': () => ({ y: normal(1e-3, one).y }),
    'paddings of two numbers': () => ({ y: padded(1, 2) }),
    'paddings of one number': () => ({ y: padded(1, 1) }),
    'the last of products': () => ({ y: product(1, 6) }),
    'the last two of products': () => ({ y: product(1, 5) }),
    'rows of running products': () => ({ y: product(0, 3) }),
    'elements that are the largest of others': () => {
      const { indices } = topK(rows, 2);
      return { y: takeAlongAxis(mul(rows, 2), indices, 1) };
    },
    'remainders of integers': () => ({ y: mod(integers('a'), integers('c')) }),
    'a choice of bools': () => ({
      y: where(greater(rows, 0), greater(rows, 1), greater(rows, -1)),
    }),
  };
  const integers = (name: string) => input(name, [5], { dtype: 'int32' as DType });
  const all = {
    ...feeds,
    a: tensor([7, -7, 7, -7, 0], { dtype: 'int32' }),
    c: tensor([3, 3, -3, -3, 2], { dtype: 'int32' }),
  };

  it.each(Object.entries(cases))('%s', async (_, build) => {
    for (const opset of [16, 20]) {
      expect(await difference(build(), all, { opset, tolerance: 2e-6 })).toBeUndefined();
    }
  });
});

describe('what older operator sets cannot express', () => {
  it('is refused', () => {
    const at = input('at', [2], { dtype: 'int32' });
    const y = scatterAdd(rows, at, input('u', [2, 6]), 0);
    expect(() => modelOf({ outputs: { y }, opset: 13 })).toThrow(/need operator set 16/);
  });
});
