// Tests transposed convolutions. test/golden compares their values and gradients with those of PyTorch.
import { describe, expect, it } from 'vitest';
import {
  backward,
  type ConvTransposeOptions,
  compile,
  constant,
  conv2d,
  convTranspose1d,
  convTranspose2d,
  type Dim,
  DTypeError,
  evaluate,
  input,
  type Node,
  parameter,
  ShapeError,
  Tensor,
  ValueError,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';
import { expectDerivatives, shapesOf } from './agreement.js';

describe('transposed convolutions', () => {
  it.each<[string, ConvTransposeOptions]>([
    ['2x3x3x2 3x2x2x3', {}],
    ['1x4x2x3 4x1x3x2', { groups: 2, stride: [2, 3], outputPadding: [1, 2], padding: 'same' }],
    [
      '1x2x2x3 2x2x2x2',
      {
        dilation: 3,
        outputPadding: 2,
        padding: [
          [1, 0],
          [0, 2],
        ],
      },
    ],
    ['1x2x2x3 2x1x1x2', { stride: 3, padding: 'same' }],
    ['0x2x2x3 2x1x2x2', {}],
    ['1x0x2x2 0x3x2x2', {}],
    ['2x2x3 2x3x2', { stride: 2, padding: [1, 0] }],
  ])('of %s have derivatives of both orders: %j', (shapes, options) => {
    const inputs = shapesOf(shapes).map((shape) => ({ shape }));
    const build = (x?: Node, weight?: Node) =>
      (inputs[0]?.shape.length === 3 ? convTranspose1d : convTranspose2d)(
        x as Node,
        weight as Node,
        options,
      );
    expectDerivatives({ inputs, build });
  });

  it.each<ConvTransposeOptions>([
    { stride: 2, padding: 1, outputPadding: 1 },
    { stride: [3, 2], padding: 'same', groups: 2 },
    { dilation: 2 },
  ])('are the gradients of convolutions: %j', (options) => {
    const weight = parameter('w', randomTensor([4, options.groups ? 1 : 2, 3, 2], 1));
    const g = parameter('g', randomTensor([2, 4, 3, 4], 2));
    const y = convTranspose2d(g, weight, options);
    const image = parameter('image', randomTensor(y.shape as number[], 3));
    const { outputPadding: _, ...own } = options;
    const convolved = conv2d(image, weight, own);
    expect(convolved.shape).toEqual(g.shape);
    const gradient = backward(convolved, { gradient: g }).of(image);
    expect(evaluate(y)).toEqual(evaluate(gradient));
  });

  it.each<[ConvTransposeOptions, Dim[]]>([
    [{ stride: 2 }, ['2*n + 1', 11]],
    [{ stride: 2, padding: 'same' }, ['2*n', 10]],
    [{ stride: 1, padding: 1 }, ['n', 5]],
    [{ padding: 2 }, ['n - 2', 3]],
    [{ stride: [2, 4], outputPadding: [1, 0] }, ['2*n + 2', 19]],
  ])('have rows of a named number: %j', (options, expected) => {
    const x = input('x', ['batch', 1, 'n', 5], { dtype: 'float64' });
    const weight = parameter('w', randomTensor([1, 2, 3, 3], 1));
    const y = convTranspose2d(x, weight, options);
    expect(y.shape).toEqual(['batch', 2, ...expected]);
    const value = randomTensor([2, 1, 4, 5], 2);
    const fixed = evaluate(convTranspose2d(value, weight, options));
    const program = compile({ outputs: { y } });
    for (const result of [evaluate(y, { x: value }), program.run({ x: value }).y as Tensor]) {
      expect(result.shape).toEqual(fixed.shape);
      result.data.forEach((got, i) => {
        expect(got).toBeCloseTo(fixed.data[i] as number, 12);
      });
    }
    program.dispose();
  });

  it('refuse a named length, in a run, with which the result would have a negative size', () => {
    const y = convTranspose2d(input('x', [1, 1, 'n', 5]), constant([[[[1]]]]), { padding: [1, 0] });
    const feeds = { x: Tensor.zeros([1, 1, 1, 5]) };
    const program = compile({ outputs: { y } });
    for (const run of [() => evaluate(y, feeds), () => program.run(feeds)]) {
      expect(errorOf(run)).toBeInstanceOf(ShapeError);
    }
    program.dispose();
  });

  const x = input('x', [2, 4, 3, 5]);
  const w = (...shape: number[]) => input('weight', shape);
  it.each<[RegExp, new (message: string) => Error, () => unknown]>([
    [
      /^\[convTranspose2d\] expected x of shape \[batch, channels, height, width\], but received \[2, 3, 4\]/,
      ShapeError,
      () => convTranspose2d(input('x', [2, 3, 4]), w(3, 1, 2, 2)),
    ],
    [
      /^\[convTranspose1d\] expected weight of shape \[channels, filters \/ groups, length\], but received \[3, 1\]/,
      ShapeError,
      () => convTranspose1d(input('x', [2, 3, 4]), w(3, 1)),
    ],
    [
      /^\[convTranspose2d\] x has 4 channels, but weight, of shape \[3, 2, 2, 2\], is for 3 channels/,
      ShapeError,
      () => convTranspose2d(x, w(3, 2, 2, 2)),
    ],
    [
      /^\[convTranspose2d\] the 4 channels of x cannot be divided into 3 groups of equal size/,
      ShapeError,
      () => convTranspose2d(x, w(4, 2, 2, 2), { groups: 3 }),
    ],
    [
      /^\[convTranspose2d\] the result would have the height 0: \(3 - 1\) times the stride 1, plus 2 of the filter, minus 4 of padding, plus 0 of outputPadding/,
      ShapeError,
      () => convTranspose2d(x, w(4, 1, 2, 2), { padding: [2, 0] }),
    ],
    [
      /^\[convTranspose2d\] outputPadding: expected a number that is less than the stride or the dilation, but along the width it is 2, with the stride 2 and the dilation 1/,
      ValueError,
      () => convTranspose2d(x, w(4, 1, 2, 2), { stride: 2, outputPadding: [1, 2] }),
    ],
    [
      /^\[convTranspose2d\] outputPadding: expected a whole number, or a list of two, but received number -1/,
      ValueError,
      () => convTranspose2d(x, w(4, 1, 2, 2), { outputPadding: -1 }),
    ],
    [
      /^\[convTranspose2d\] expected filters of a positive width, but received 0/,
      ShapeError,
      () => convTranspose2d(x, w(4, 1, 2, 0)),
    ],
    [
      /^\[convTranspose1d\] expected x of a positive length, but received 0/,
      ShapeError,
      () => convTranspose1d(input('x', [2, 3, 0]), w(3, 1, 2)),
    ],
    [
      /^\[convTranspose2d\] stride: expected a positive integer, or a list of two, but received number 0/,
      ValueError,
      () => convTranspose2d(x, w(4, 1, 2, 2), { stride: 0 }),
    ],
    [
      /^\[convTranspose2d\] padding: expected 'same', 'valid', a whole number/,
      ValueError,
      () => convTranspose2d(x, w(4, 1, 2, 2), { padding: 'full' as 'same' }),
    ],
    [
      /there is no option 'output_padding'; did you mean 'outputPadding'\?/,
      ValueError,
      () => convTranspose2d(x, w(4, 1, 2, 2), { output_padding: 1 } as ConvTransposeOptions),
    ],
    [
      /^\[convTranspose2d\] operands have different dtypes/,
      DTypeError,
      () => convTranspose2d(x, input('weight', [4, 1, 2, 2], { dtype: 'float64' })),
    ],
  ])('refuse bad input: %s', (message, kind, build) => {
    const error = errorOf(build);
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(message);
  });
});
