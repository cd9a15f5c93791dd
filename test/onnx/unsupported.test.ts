// Forms of operators that forebay does not support are refused, with the node and the reason.
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../src/index.js';
import { importOnnx } from '../../src/onnx/index.js';
import {
  type Attributes,
  bytesOf,
  counted,
  type Form,
  ints,
  row,
  scalar,
  type Values,
} from './forms.js';

describe('forms that forebay does not support', () => {
  const image = counted([1, 2, 4, 4]);
  const named = { x: ['n', 2, 'h', 'w'] } as const;
  const only = (
    op: string,
    attributes: Attributes,
    x: Values = image,
    more: Partial<Form> = {},
  ): Form => ({
    nodes: [[op, 'x', 'y', attributes]],
    feeds: { x },
    ...more,
  });
  it.each([
    [
      'a Gelu of another approximation',
      only('Gelu', { approximate: 'cubic' }, image, { opset: 20 }),
      /approximate 'cubic'/,
    ],
    [
      'Hardmax of a named axis',
      only('Hardmax', {}, counted([2, 3]), { dims: { x: [2, 'n'] } }),
      /an axis of the length 'n'/,
    ],
    [
      'reductions of bools',
      only('ReduceMax', {}, [[2], [1, 0], 'bool'], { opset: 20, outputs: { y: 'bool' } }),
      /bools/,
    ],
    [
      'the last of the largest along a named axis',
      only('ArgMax', { select_last_index: 1 }, counted([2, 3]), {
        dims: { x: ['n', 3] },
        outputs: { y: 'int64' },
      }),
      /select_last_index along an axis of the length 'n'/,
    ],
    [
      'spatial batch normalisation',
      {
        opset: 7,
        nodes: [['BatchNormalization', 'x s s s s', 'y', { spatial: 0 }]],
        constants: { s: row(1, 2) },
        feeds: { x: image },
      },
      /spatial 0/,
    ],
    [
      'groups that do not divide',
      {
        opset: 21,
        nodes: [['GroupNormalization', 'x s s', 'y', { num_groups: 4 }]],
        constants: { s: row(1, 2) },
        feeds: { x: image },
      },
      /2 channels in 4 groups/,
    ],
    [
      'LRN of named channels',
      only('LRN', { size: 3 }, image, { dims: { x: [1, 'c', 4, 4] } }),
      /channels without a number/,
    ],
    [
      'a pad of another mode',
      {
        nodes: [['Pad', 'x p', 'y', { mode: 'mirror' }]],
        constants: { p: ints(1, 1) },
        feeds: { x: row(1, 2) },
      },
      /mode 'mirror'/,
    ],
    [
      'a pad around a named axis',
      {
        opset: 19,
        nodes: [['Pad', 'x p', 'y', { mode: 'wrap' }]],
        constants: { p: ints(1, 1) },
        feeds: { x: row(1, 2) },
        dims: { x: ['n'] },
      },
      /an axis of the length 'n'/,
    ],
    [
      'quantisation to types of 8 bits',
      {
        opset: 21,
        nodes: [['QuantizeLinear', 'x s', 'y', { output_dtype: 17 }]],
        constants: { s: scalar(1, 'float') },
        feeds: { x: row(1, 2) },
      },
      /the type float8e4m3fn/,
    ],
    ['a cast to text', only('Cast', { to: 8 }, row(1, 2)), /a cast to string/],
    [
      'a recurrent operator in another direction',
      {
        nodes: [['RNN', 'x w r', 'y', { direction: 'sideways' }]],
        constants: { w: counted([1, 1, 1]), r: counted([1, 1, 1]) },
        feeds: { x: counted([2, 1, 1]) },
      },
      /direction 'sideways'/,
    ],
    [
      'an activation that it does not have',
      {
        nodes: [['RNN', 'x w r', 'y', { activations: ['Swirl'] }]],
        constants: { w: counted([1, 1, 1]), r: counted([1, 1, 1]) },
        feeds: { x: counted([2, 1, 1]) },
      },
      /the activation 'Swirl'/,
    ],
    [
      'coordinates of another rule',
      {
        nodes: [['Resize', 'x - s', 'y', { coordinate_transformation_mode: 'spiral' }]],
        constants: { s: row(1, 1, 2, 2) },
        feeds: { x: image },
      },
      /coordinate_transformation_mode 'spiral'/,
    ],
    [
      'a nearest element of another rule',
      {
        nodes: [['Resize', 'x - s', 'y', { nearest_mode: 'far' }]],
        constants: { s: row(1, 1, 1.5, 2) },
        feeds: { x: image },
      },
      /nearest_mode 'far'/,
    ],
    [
      'interpolation of another mode',
      {
        nodes: [['Resize', 'x - s', 'y', { mode: 'area' }]],
        constants: { s: row(1, 1, 2, 2) },
        feeds: { x: image },
      },
      /mode 'area'/,
    ],
    [
      'interpolation of integers',
      {
        nodes: [['Resize', 'x - s', 'y', { mode: 'linear' }]],
        constants: { s: row(1, 1, 2, 2) },
        feeds: { x: [[1, 1, 2, 2], [1, 2, 3, 4], 'uint8'] },
        outputs: { y: 'uint8' },
      },
      /mode 'linear' of integers/,
    ],
    [
      'aligned corners of a fraction',
      {
        nodes: [
          [
            'Resize',
            'x - s',
            'y',
            { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
          ],
        ],
        constants: { s: row(1, 1, 0.6, 0.6) },
        feeds: { x: image },
      },
      /align_corners with a scale/,
    ],
    [
      'a proportion of another policy',
      {
        nodes: [['Resize', 'x - - s', 'y', { keep_aspect_ratio_policy: 'maybe' }]],
        constants: { s: ints(1, 2, 3, 3) },
        feeds: { x: image },
      },
      /keep_aspect_ratio_policy 'maybe'/,
    ],
    [
      'interpolation of named images',
      {
        nodes: [['Resize', 'x - - s', 'y', { mode: 'linear' }]],
        constants: { s: ints(1, 2, 8, 8) },
        feeds: { x: image },
        dims: named,
      },
      /has the dimension/,
    ],
    [
      'samples of another mode',
      {
        nodes: [['GridSample', 'x g', 'y', { mode: 'area' }]],
        constants: { g: counted([1, 1, 1, 2]) },
        feeds: { x: image },
      },
      /mode 'area'/,
    ],
    [
      'samples of another padding',
      {
        nodes: [['GridSample', 'x g', 'y', { padding_mode: 'wrap' }]],
        constants: { g: counted([1, 1, 1, 2]) },
        feeds: { x: image },
      },
      /padding_mode 'wrap'/,
    ],
    [
      'updates that are multiplied',
      {
        opset: 18,
        nodes: [['ScatterElements', 'x i u', 'y', { reduction: 'mul' }]],
        feeds: { x: row(1, 2), i: ints(0), u: row(3) },
      },
      /reduction 'mul'/,
    ],
    [
      'indices of fewer elements',
      {
        nodes: [['ScatterElements', 'x i u', 'y']],
        feeds: { x: counted([2, 3]), i: [[1, 2], [0, 1], 'int64'], u: counted([1, 2]) },
      },
      /indices of fewer elements along other axes/,
    ],
    [
      'a loss of another reduction',
      {
        nodes: [['NegativeLogLikelihoodLoss', 'x l', 'y', { reduction: 'median' }]],
        feeds: { x: counted([2, 3]), l: ints(0, 1) },
      },
      /reduction 'median'/,
    ],
    [
      'random results',
      {
        nodes: [['Dropout', 'x r t', 'y']],
        constants: { r: scalar(0.5, 'float'), t: [[], [1], 'bool'] },
        feeds: { x: row(1, 2) },
      },
      /training_mode, in which its result is random/,
    ],
    [
      'a kernel of another size',
      {
        nodes: [['Conv', 'x w', 'y', { kernel_shape: [2, 2] }]],
        constants: { w: counted([1, 2, 3, 3]) },
        feeds: { x: image },
      },
      /kernel_shape 2 x 2, but the weight is 3 x 3/,
    ],
    [
      'a padding of another rule',
      {
        nodes: [['Conv', 'x w', 'y', { auto_pad: 'SOME' }]],
        constants: { w: counted([1, 2, 3, 3]) },
        feeds: { x: image },
      },
      /auto_pad 'SOME'/,
    ],
    [
      'automatic padding of named images with a stride',
      {
        nodes: [['Conv', 'x w', 'y', { auto_pad: 'SAME_UPPER', strides: [2, 2] }]],
        constants: { w: counted([1, 2, 3, 3]) },
        feeds: { x: image },
        dims: named,
      },
      /auto_pad along an axis of the length 'h'/,
    ],
    [
      'convolutions along four axes',
      {
        nodes: [['Conv', 'x w', 'y']],
        constants: { w: counted([1, 1, 1, 1, 1, 1]) },
        feeds: { x: counted([1, 1, 2, 2, 2, 2]) },
      },
      /a convolution along 4 axes/,
    ],
    [
      'transposed convolutions along three axes',
      {
        nodes: [['ConvTranspose', 'x w', 'y']],
        constants: { w: counted([1, 1, 1, 1, 1]) },
        feeds: { x: counted([1, 1, 2, 2, 2]) },
      },
      /a convolution along 3 axes/,
    ],
    [
      'windows along four axes',
      only('MaxPool', { kernel_shape: [1, 1, 1, 1] }, counted([1, 1, 2, 2, 2, 2])),
      /windows along 4 axes/,
    ],
    ['pools without a size', only('MaxPool', {}), /no kernel_shape/],
    [
      'blocks that do not divide',
      only('DepthToSpace', { blocksize: 3 }),
      /2 channels in blocks of 3/,
    ],
    [
      'images in blocks that do not divide',
      only('SpaceToDepth', { blocksize: 3 }),
      /images of 4 x 4 in blocks of 3/,
    ],
    [
      'unequal parts of a named axis',
      {
        opset: 11,
        nodes: [['Split', 'x', 'y z', { axis: 0 }]],
        feeds: { x: counted([4, 2]) },
        dims: { x: ['n', 2] },
        outputs: { y: 'float', z: 'float' },
      },
      /an axis of the length 'n' in 2 parts/,
    ],
    [
      'ranges of what is fed',
      {
        nodes: [['Range', 'zero x one', 'y']],
        constants: { zero: scalar(0, 'float'), one: scalar(1, 'float') },
        feeds: { x: scalar(3, 'float') },
      },
      /bounds that are computed/,
    ],
    [
      'shapes that are fed',
      { nodes: [['Reshape', 'x s', 'y']], feeds: { x: row(1, 2), s: ints(2, 1) } },
      /the shape is computed, but must be known/,
    ],
    [
      'a score of another function',
      {
        nodes: [
          ['ml.LinearRegressor', 'x', 'y', { coefficients: [0.5], post_transform: 'PROBIT' }],
        ],
        feeds: { x: counted([2, 1]) },
      },
      /post_transform 'PROBIT'/,
    ],
    [
      'a classifier without weights',
      {
        nodes: [['ml.LinearClassifier', 'x', 'l y', { classlabels_ints: [0, 1] }]],
        feeds: { x: counted([2, 1]) },
        outputs: { y: 'float' },
      },
      /no coefficients/,
    ],
    [
      'a norm that it does not have',
      { nodes: [['ml.Normalizer', 'x', 'y', { norm: 'L3' }]], feeds: { x: counted([2, 1]) } },
      /norm 'L3'/,
    ],
    [
      'integers that are imputed',
      {
        nodes: [['ml.Imputer', 'x', 'y', { imputed_value_int64s: [1] }]],
        feeds: { x: counted([2, 1]) },
      },
      /imputed_value_int64s/,
    ],
    [
      'heads that do not divide',
      {
        opset: 23,
        nodes: [['Attention', 'x x x', 'y', { q_num_heads: 3, kv_num_heads: 3 }]],
        feeds: { x: counted([1, 2, 4]) },
      },
      /4 features in 3 heads/,
    ],
    [
      'constants of text',
      { nodes: [['Constant', '', 'y', { value_string: 'a' }]], feeds: {} },
      /a value that is neither a tensor nor numbers|attribute 'value_string'/,
    ],
  ] as const satisfies readonly (readonly [string, Form, RegExp])[])(
    '%s',
    async (_, form, reason) => {
      const importing = importOnnx(bytesOf(form), { name: 'unsupported' });
      await expect(importing).rejects.toThrow(FormatError);
      await expect(importing).rejects.toThrow(reason);
      await expect(importing).rejects.toThrow(/does not support a node of the model/);
    },
  );
});
