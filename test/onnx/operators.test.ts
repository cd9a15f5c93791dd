// Compares operators with ONNX Runtime, in forms that the node tests of onnx do not have: old versions, shape arithmetic
// with numbers and with names of dimensions, integers, and options that are rarely used.
import { describe, expect, it } from 'vitest';
import { evaluate, input, type Node, type Tensor, tensor } from '../../src/index.js';
import { importOnnx } from '../../src/onnx/index.js';
import {
  type Attributes,
  bytesOf,
  compare,
  counted,
  expectSame,
  type Form,
  forms,
  ints,
  row,
  type Step,
  scalar,
  type Values,
} from './forms.js';
import { run } from './runtime.js';
import { tensorProto } from './support.js';

describe('arithmetic on shapes', () => {
  /** Reshapes x, [n, 6], to a shape that is computed from its own. */
  const reshaping = (nodes: readonly Step[], constants: Form['constants'] = {}): Form => ({
    nodes: [['Shape', 'x', 'shape'], ...nodes, ['Reshape', 'x target', 'y']],
    constants: {
      zero: ints(0),
      one: ints(1),
      two: ints(2),
      three: ints(3),
      rest: ints(-1),
      ...constants,
    },
    feeds: { x: counted([4, 6]) },
    dims: { x: ['n', 6] },
  });
  const first: readonly Step[] = [
    ['Gather', 'shape zero', 'n'],
    ['Gather', 'shape one', 'six'],
  ];

  it.each(
    forms({
      'sums, differences and products of numbers': reshaping([
        ...first,
        ['Mul', 'six two', 'a'],
        ['Sub', 'a three', 'b'],
        ['Add', 'b three', 'c'],
        ['Div', 'c two', 'd'],
        ['Concat', 'n d', 'target', { axis: 0 }],
      ]),
      'of a name': reshaping([
        ...first,
        ['Mul', 'n two', 'a'],
        ['Add', 'a n', 'b'],
        ['Sub', 'b n', 'c'],
        ['Div', 'c one', 'd'],
        ['Concat', 'd three', 'target', { axis: 0 }],
      ]),
      'quotients and remainders': reshaping(
        [
          ...first,
          ['Div', 'seven two', 'three_'],
          ['Mod', 'seven four', 'also'],
          ['Mod', 'minus two', 'odd', { fmod: 1 }],
          ['Abs', 'odd', 'unit'],
          ['Neg', 'minus', 'n7'],
          ['Sub', 'n7 seven', 'none'],
          ['Add', 'none two', 'pair'],
          ['Mul', 'three_ unit', 'three__'],
          ['Min', 'three__ also', 'm'],
          ['Max', 'm pair', 'mm'],
          ['Concat', 'n pair mm', 'target', { axis: 0 }],
        ],
        { seven: ints(7), four: ints(4), minus: ints(-7) },
      ),
      'comparisons and choices': reshaping([
        ...first,
        ['Equal', 'six rest', 'no'],
        ['Not', 'no', 'yes'],
        ['Less', 'two three', 'yes2'],
        ['And', 'yes yes2', 'yes3'],
        ['Xor', 'yes3 no', 'yes4'],
        ['Or', 'no yes4', 'yes5'],
        ['Greater', 'three two', 'g'],
        ['GreaterOrEqual', 'three two', 'ge'],
        ['LessOrEqual', 'two two', 'le'],
        ['And', 'g ge', 'gg'],
        ['And', 'gg le', 'all'],
        ['And', 'yes5 all', 'choice'],
        ['Where', 'choice six two', 'size'],
        ['Sign', 'size', 'sign'],
        ['Mul', 'size sign', 'size2'],
        ['Concat', 'n size2', 'target', { axis: 0 }],
      ]),
      'comparisons of names': reshaping([
        ...first,
        ['Equal', 'n rest', 'no'],
        ['Equal', 'rest n', 'never'],
        ['Or', 'no never', 'neither'],
        ['Where', 'neither one n', 'own'],
        ['Max', 'own zero', 'more'],
        ['Max', 'zero more', 'most'],
        ['Abs', 'most', 'size'],
        ['Concat', 'size rest', 'target', { axis: 0 }],
      ]),
      'slices, casts and products of lists': reshaping([
        ['Slice', 'shape zero one', 'head'],
        ['Slice', 'shape one two', 'tail'],
        ['Cast', 'tail', 'narrow', { to: 6 }],
        ['Cast', 'narrow', 'wide', { to: 7 }],
        ['ReduceProd', 'wide', 'size', { keepdims: 1 }],
        ['ReduceSum', 'size', 'size2', { keepdims: 1 }],
        ['Concat', 'head size2', 'target', { axis: 0 }],
      ]),
      'a range and its size': reshaping(
        [
          ['Range', 'start limit step', 'range'],
          ['Size', 'range', 'three_'],
          ['Unsqueeze', 'three_ zero', 'list'],
          ['Concat', 'rest list', 'target', { axis: 0 }],
        ],
        { start: scalar(1), limit: scalar(7), step: scalar(2) },
      ),
      'expanded and tiled lists': reshaping([
        ['Expand', 'two two', 'pairs'],
        ['Tile', 'one two', 'ones'],
        ['Mul', 'pairs ones', 'both'],
        ['Concat', 'rest both', 'target', { axis: 0 }],
      ]),
      'floats of a shape': reshaping(
        [
          ['Cast', 'shape', 'floats', { to: 1 }],
          ['Slice', 'floats one two', 'six'],
          ['Mul', 'six half', 'three_'],
          ['Floor', 'three_', 'whole'],
          ['Cast', 'whole', 'size', { to: 7 }],
          ['Concat', 'rest size', 'target', { axis: 0 }],
        ],
        { half: row(0.5) },
      ),
    }),
  )('%s', async (name, form) => {
    // Floats of a dimension with a name are not known.
    const numbered = ['floats of a shape', 'expanded and tiled lists'].includes(name);
    await compare(numbered ? { ...form, dims: {} } : form);
  });

  it('as numbers in a graph', async () => {
    await compare({
      nodes: [
        ['Shape', 'x', 'shape'],
        ['Cast', 'shape', 'sizes', { to: 1 }],
        ['ReduceProd', 'shape', 'all', { keepdims: 0 }],
        ['Cast', 'all', 'count', { to: 1 }],
        ['ReduceSum', 'x', 'sum', { keepdims: 0 }],
        ['Div', 'sum count', 'mean'],
        ['Mul', 'sizes mean', 'y'],
      ],
      feeds: { x: counted([3, 5]) },
      dims: { x: ['n', 5] },
    });
  });

  it.each([
    ['Max', 'Max', 5, 0],
    ['Max of 1', 'Max', 0, 1],
    ['Equal', 'Equal', 5, -1],
    ['Abs', 'Abs', 5, undefined],
  ] as const)(
    '%s of a dimension that may be negative is not guessed',
    async (_, op, less, other) => {
      const form: Form = {
        nodes: [
          ['Shape', 'x', 'shape'],
          ['Sub', 'shape less', 'a'],
          [op, other === undefined ? 'a' : 'a other', 'b'],
          ['Cast', 'b', 'c', { to: 1 }],
          ['Add', 'x c', 'y'],
        ],
        constants: { less: ints(less), other: ints(other ?? 0) },
        feeds: { x: row(1, 2, 3, 4) },
      };
      await compare(form);
      const model = await importOnnx(bytesOf({ ...form, dims: { x: ['n'] } }), { name: 'any' });
      const { y } = model.apply({ x: input('x', ['n']) }) as { y: Node };
      for (const size of [0, 2, 4, 7]) {
        const feeds = { x: tensor(Float32Array.from({ length: size }, (__, i) => i)) };
        const theirs = await run(bytesOf({ ...form, dims: { x: ['n'] } }), feeds);
        expectSame(`size ${size}`, evaluate(y, feeds), theirs.y as Tensor);
      }
    },
  );

  it('as the limit of a range', async () => {
    await compare({
      nodes: [
        ['Shape', 'x', 'shape'],
        ['Gather', 'shape zero', 'n'],
        ['Range', 'zero n one', 'range'],
        ['Cast', 'range', 'floats', { to: 1 }],
        ['Mul', 'x floats', 'y'],
      ],
      constants: { zero: scalar(0), one: scalar(1) },
      feeds: { x: counted([5]) },
      dims: { x: ['n'] },
    });
  });
});

describe('slices and pads', () => {
  const x = counted([5, 4]);
  const sliced = (starts: number[], ends: number[], axes?: number[], steps?: number[]): Form => ({
    nodes: [
      ['Slice', `x starts ends${axes ? ' axes' : steps ? ' -' : ''}${steps ? ' steps' : ''}`, 'y'],
    ],
    constants: {
      starts: ints(...starts),
      ends: ints(...ends),
      ...(axes && { axes: ints(...axes) }),
      ...(steps && { steps: ints(...steps) }),
    },
    feeds: { x },
  });
  it.each(
    forms({
      'the largest end': sliced([1], [2 ** 62]),
      'from the end': sliced([-3, -2], [-1, 100]),
      'of an axis backwards': sliced([100], [-100], [1], [-1]),
      'of an axis backwards in steps': sliced([-1], [0], [0], [-2]),
      'without elements': sliced([3], [2], [-1]),
      'backwards from before the axis': sliced([-100], [-1000], [0], [-1]),
      'in steps': sliced([0], [5], [0], [2]),
      'in version 9': {
        opset: 9,
        nodes: [['Slice', 'x', 'y', { starts: [1, 0], ends: [4, -1], axes: [0, 1] }]],
        feeds: { x },
      },
      'in version 9, without axes': {
        opset: 9,
        nodes: [['Slice', 'x', 'y', { starts: [1], ends: [4] }]],
        feeds: { x },
      },
    }),
  )('slice %s', async (name, form) => {
    await compare(form);
    // Along an axis with a name, the largest end is its end.
    if (name === 'the largest end') await compare({ ...form, dims: { x: ['n', 'm'] } });
  });

  it.each(
    forms({
      'in version 2': {
        opset: 9,
        nodes: [['Pad', 'x', 'y', { pads: [0, 1, 2, 0], value: 1.5 }]],
        feeds: { x },
      },
      'with a value': {
        nodes: [['Pad', 'x pads value', 'y']],
        constants: { pads: ints(0, 1, 1, 0), value: scalar(2.5, 'float') },
        feeds: { x },
      },
      'with a value that is fed': {
        nodes: [['Pad', 'x pads value', 'y']],
        constants: { pads: ints(0, 1, 1, 0) },
        feeds: { x, value: scalar(2.5, 'float') },
      },
      'of some axes': {
        nodes: [['Pad', 'x pads - axes', 'y']],
        constants: { pads: ints(1, 2), axes: ints(-1) },
        feeds: { x },
      },
      'of less than nothing': {
        nodes: [['Pad', 'x pads', 'y']],
        constants: { pads: ints(-1, 2, -2, -1) },
        feeds: { x },
      },
      reflecting: {
        nodes: [['Pad', 'x pads', 'y', { mode: 'reflect' }]],
        constants: { pads: ints(2, 1, 3, 0) },
        feeds: { x },
      },
      'of the edge': {
        nodes: [['Pad', 'x pads', 'y', { mode: 'edge' }]],
        constants: { pads: ints(2, 1, 3, 0) },
        feeds: { x },
      },
      around: {
        opset: 19,
        nodes: [['Pad', 'x pads', 'y', { mode: 'wrap' }]],
        constants: { pads: ints(2, 1, 3, 0) },
        feeds: { x },
      },
      'of integers': {
        nodes: [['Pad', 'x pads', 'y']],
        constants: { pads: ints(1, 1) },
        feeds: { x: ints(1, 2, 3) },
        outputs: { y: 'int64' },
      },
      'of integers that are known': {
        nodes: [
          ['Pad', 'k pads', 'shape', { mode: 'edge' }],
          ['Reshape', 'x shape', 'y'],
        ],
        constants: { k: ints(2), pads: ints(1, 0) },
        feeds: { x: counted([4]) },
      },
    }),
  )('pad %s', (_, form) => compare(form));
});

describe('splits and joins', () => {
  const x = counted([6, 4]);
  const three = { a: 'float', b: 'float', c: 'float' } as const;
  it.each(
    forms({
      'Split in version 11': {
        opset: 11,
        nodes: [['Split', 'x', 'a b c', { axis: 0, split: [1, 2, 3] }]],
        feeds: { x },
        outputs: three,
      },
      'Split in version 11, equal parts': {
        opset: 11,
        nodes: [['Split', 'x', 'a b c']],
        feeds: { x },
        outputs: three,
      },
      'Split of sizes': {
        nodes: [['Split', 'x sizes', 'a b c']],
        constants: { sizes: ints(3, 1, 2) },
        feeds: { x },
        outputs: three,
      },
      'Split of a number of parts, the last smaller': {
        nodes: [['Split', 'x', 'a b c', { axis: 1, num_outputs: 3 }]],
        feeds: { x: counted([2, 7]) },
        outputs: three,
      },
      'Squeeze of all axes of 1': {
        nodes: [['Squeeze', 'x', 'y']],
        feeds: { x: counted([1, 3, 1]) },
      },
      'Squeeze in version 11': {
        opset: 11,
        nodes: [['Squeeze', 'x', 'y', { axes: [-1] }]],
        feeds: { x: counted([1, 3, 1]) },
      },
      'Unsqueeze in version 11': {
        opset: 11,
        nodes: [['Unsqueeze', 'x', 'y', { axes: [0, -1] }]],
        feeds: { x: counted([3]) },
      },
      'Flatten of axis 0 and of the last': {
        nodes: [
          ['Flatten', 'x', 'y', { axis: 0 }],
          ['Flatten', 'x', 'z', { axis: -1 }],
        ],
        feeds: { x: counted([2, 3, 2]) },
        outputs: { y: 'float', z: 'float' },
      },
      'Reshape with zeros': {
        nodes: [['Reshape', 'x s', 'y', { allowzero: 1 }]],
        constants: { s: ints(0, 3) },
        feeds: { x: [[3, 0], []] },
      },
      'Reshape with 0 for the same size': {
        nodes: [['Reshape', 'x s', 'y']],
        constants: { s: ints(0, 2, -1) },
        feeds: { x },
        dims: { x: ['n', 4] },
      },
      'Transpose without an order': {
        nodes: [['Transpose', 'x', 'y']],
        feeds: { x: counted([2, 3, 4]) },
      },
      'Expand in both directions': {
        nodes: [['Expand', 'x s', 'y']],
        constants: { s: ints(2, 1, 3) },
        feeds: { x: counted([4, 1]) },
      },
      'Trilu below a diagonal': {
        nodes: [['Trilu', 'x k', 'y', { upper: 0 }]],
        constants: { k: scalar(-1) },
        feeds: { x: counted([4, 5]) },
      },
      'EyeLike of another dtype': {
        nodes: [['EyeLike', 'x', 'y', { dtype: 7, k: 1 }]],
        feeds: { x: counted([2, 3]) },
        outputs: { y: 'int64' },
      },
      'ConstantOfShape of integers': {
        nodes: [
          ['ConstantOfShape', 's', 'k', { value: tensorProto('', [1], [3], 'int64') }],
          ['Add', 'x k', 'y'],
        ],
        constants: { s: ints(2) },
        feeds: { x: ints(1, 2) },
        outputs: { y: 'int64' },
      },
      'ConstantOfShape of many': {
        nodes: [
          ['ConstantOfShape', 's', 'k'],
          ['Add', 'x k', 'y'],
        ],
        constants: { s: ints(100, 100) },
        feeds: { x: scalar(2, 'float') },
      },
      'Range of floats': {
        nodes: [
          ['Range', 'a b c', 'r'],
          ['Mul', 'r x', 'y'],
        ],
        constants: { a: scalar(1, 'float'), b: scalar(2, 'float'), c: scalar(0.25, 'float') },
        feeds: { x: scalar(3, 'float') },
      },
      'DepthToSpace by columns and rows': {
        nodes: [['DepthToSpace', 'x', 'y', { blocksize: 2, mode: 'CRD' }]],
        feeds: { x: counted([1, 8, 2, 3]) },
      },
      SpaceToDepth: {
        nodes: [['SpaceToDepth', 'x', 'y', { blocksize: 2 }]],
        feeds: { x: counted([1, 2, 4, 6]) },
      },
      'Constants of all forms': {
        nodes: [
          ['Constant', '', 'a', { value_float: 1.5 } as Attributes],
          ['Constant', '', 'b', { value_floats: [0.5, 1.25] }],
          ['Constant', '', 'c', { value_ints: [1, 2] }],
          ['Constant', '', 'd', { value_int: 3 }],
          ['Cast', 'c', 'c2', { to: 1 }],
          ['Cast', 'd', 'd2', { to: 1 }],
          ['Mul', 'a b', 'p'],
          ['Mul', 'c2 d2', 'q'],
          ['Add', 'p q', 'r'],
          ['Add', 'r x', 'y'],
        ],
        feeds: { x: row(1, 2) },
      },
    }),
  )('%s', (_, form) => compare(form));

  it('Split of an axis with a name', () =>
    compare({
      opset: 11,
      nodes: [['Split', 'x', 'a b', { axis: 1 }]],
      feeds: { x: counted([3, 4]) },
      dims: { x: ['n', 4] },
      outputs: { a: 'float', b: 'float' },
    }));
});

describe('indices', () => {
  const x = counted([4, 3]);
  it.each(
    forms({
      'Gather of negative indices': {
        nodes: [['Gather', 'x i', 'y', { axis: -1 }]],
        feeds: { x, i: [[2, 2], [-1, 0, 2, -3], 'int64'] },
      },
      GatherElements: {
        nodes: [['GatherElements', 'x i', 'y', { axis: 0 }]],
        feeds: { x, i: [[2, 3], [0, -1, 2, 3, 1, -2], 'int64'] },
      },
      'GatherND of batches': {
        nodes: [['GatherND', 'x i', 'y', { batch_dims: 1 }]],
        feeds: { x: counted([2, 3, 2]), i: [[2, 1], [1, -1], 'int64'] },
      },
      'Scatter in version 9': {
        opset: 9,
        nodes: [['Scatter', 'x i u', 'y', { axis: 1 }]],
        feeds: { x, i: [[4, 1], [0, 1, 2, 0], 'int64'], u: counted([4, 1], 'float', 10) },
      },
      'ScatterElements, added': {
        nodes: [['ScatterElements', 'x i u', 'y', { axis: 0, reduction: 'add' }]],
        feeds: { x, i: [[2, 3], [0, 0, 3, 0, -1, 3], 'int64'], u: counted([2, 3]) },
      },
      'ScatterElements of integers': {
        nodes: [['ScatterElements', 'x i u', 'y']],
        feeds: { x: ints(1, 2, 3), i: ints(2, 0), u: ints(7, 8) },
        outputs: { y: 'int64' },
      },
      'ScatterND, added': {
        nodes: [['ScatterND', 'x i u', 'y', { reduction: 'add' }]],
        feeds: { x, i: [[3, 1], [1, -1, 1], 'int64'], u: counted([3, 3]) },
      },
      'ScatterND of elements': {
        nodes: [['ScatterND', 'x i u', 'y']],
        feeds: { x, i: [[2, 2], [1, 2, 3, 0], 'int64'], u: row(50, 60) },
      },
      'OneHot of axis 0': {
        nodes: [['OneHot', 'i d v', 'y', { axis: 0 }]],
        constants: { d: scalar(3), v: row(-1, 5) },
        feeds: { i: ints(0, 2, -1, 7) },
      },
      'OneHot of floats': {
        nodes: [['OneHot', 'i d v', 'y']],
        constants: { d: scalar(3, 'float'), v: row(0, 1) },
        feeds: { i: row(1, 2) },
      },
      'Compress without an axis': {
        nodes: [['Compress', 'x c', 'y']],
        constants: { c: [[5], [1, 0, 0, 1, 1], 'bool'] },
        feeds: { x },
      },
      'Compress of an axis': {
        nodes: [['Compress', 'x c', 'y', { axis: 1 }]],
        constants: { c: [[3], [1, 0, 1], 'bool'] },
        feeds: { x },
      },
      'ReverseSequence of batches first': {
        nodes: [['ReverseSequence', 'x l', 'y', { batch_axis: 0, time_axis: 1 }]],
        constants: { l: ints(1, 3, 2, 3) },
        feeds: { x },
      },
      'NonZero of what is known': {
        nodes: [
          ['NonZero', 'k', 'places'],
          ['Cast', 'places', 'floats', { to: 1 }],
          ['Add', 'floats x', 'y'],
        ],
        constants: { k: [[2, 3], [0, 1, 0, 2, 0, 3], 'int64'] },
        feeds: { x: scalar(0.5, 'float') },
      },
      'GatherND of whole rows': {
        nodes: [['GatherND', 'x i', 'y']],
        feeds: { x, i: [[2, 1], [3, -4], 'int64'] },
      },
      'GatherND of one index in each batch': {
        nodes: [['GatherND', 'x i', 'y', { batch_dims: 1 }]],
        feeds: { x: counted([2, 3]), i: [[2, 1], [2, 0], 'int64'] },
      },
      'ScatterND of integers': {
        nodes: [['ScatterND', 'x i u', 'y']],
        feeds: { x: ints(1, 2, 3), i: [[2, 1], [2, 0], 'int64'], u: ints(7, 8) },
        outputs: { y: 'int64' },
      },
      'ScatterND of float64': {
        nodes: [['ScatterND', 'x i u', 'y']],
        feeds: {
          x: counted([3], 'double'),
          i: [[2, 1], [2, 0], 'int64'],
          u: counted([2], 'double', 3),
        },
        outputs: { y: 'double' },
      },
      'ReverseSequence of images': {
        nodes: [['ReverseSequence', 'x l', 'y']],
        constants: { l: ints(2, 3) },
        feeds: { x: counted([3, 2, 2]) },
      },
      'OneHot of a middle axis': {
        nodes: [['OneHot', 'i d v', 'y', { axis: 1 }]],
        constants: { d: scalar(3), v: row(-1, 5) },
        feeds: { i: [[2, 2], [0, 1, 2, -3], 'int64'] },
      },
      'a table at indices that are fed': {
        nodes: [['Gather', 'table i', 'y']],
        constants: { table: ints(5, 6, 7) },
        feeds: { i: ints(2, 0, -1) },
        outputs: { y: 'int64' },
      },
    }),
  )('%s', (_, form) => compare(form));
});

describe('arithmetic', () => {
  const [a, b] = [ints(7, -7, 6, -6), ints(2, 2, -4, -4)];
  const integer = { y: 'int64' } as const;
  it.each(
    forms({
      'constants of int8 that wrap around': {
        nodes: [
          ['Add', 'a b', 'c'],
          ['Cast', 'c', 'd', { to: 1 }],
          ['Add', 'd x', 'y'],
        ],
        constants: { a: [[2], [100, 100], 'uint8'], b: [[2], [200, 1], 'uint8'] },
        feeds: { x: row(0.5, 0.5) },
      },
      'large numbers': {
        nodes: [
          ['Asinh', 'x', 'a'],
          ['Acosh', 'x', 'b'],
          ['Celu', 'x', 'y'],
        ],
        feeds: { x: row(1e20, 3, 1) },
        outputs: { a: 'float', b: 'float', y: 'float' },
      },
      'Asinh of small and negative numbers': {
        nodes: [['Asinh', 'x', 'y']],
        feeds: { x: row(-2, -1e-6, 0, 1e-6) },
      },
      'ReduceSum of what is known, without axes': {
        nodes: [
          ['ReduceSum', 'k', 'r', { noop_with_empty_axes: 1 }],
          ['Cast', 'r', 'f', { to: 1 }],
          ['Add', 'f x', 'y'],
        ],
        constants: { k: ints(1, 2, 3) },
        feeds: { x: row(0.5, 0.5, 0.5) },
      },
      'Div of integers': { nodes: [['Div', 'a b', 'y']], feeds: { a, b }, outputs: integer },
      'Mod of integers': { nodes: [['Mod', 'a b', 'y']], feeds: { a, b }, outputs: integer },
      'Mod as in C': {
        nodes: [['Mod', 'a b', 'y', { fmod: 1 }]],
        feeds: { a: row(7.5, -7.5), b: row(2, 2) },
      },
      'Pow of integers': {
        nodes: [['Pow', 'a b', 'y']],
        feeds: { a: ints(3, -2), b: ints(4, 3) },
        outputs: integer,
      },
      'Pow of another type': {
        nodes: [['Pow', 'a b', 'y']],
        feeds: { a: row(3, 2), b: ints(2, -1) },
      },
      'Abs, Neg and Sign of integers': {
        nodes: [
          ['Abs', 'a', 'p'],
          ['Neg', 'p', 'q'],
          ['Sign', 'a', 's'],
          ['Mul', 'q s', 'y'],
        ],
        feeds: { a },
        outputs: integer,
      },
      'Max, Min and Sum of several': {
        nodes: [
          ['Max', 'a b c', 'p'],
          ['Min', 'a b c', 'q'],
          ['Sum', 'p q a', 's'],
          ['Mean', 's b', 'y'],
        ],
        feeds: { a: row(1, 5), b: row(4, 2), c: row(3) },
      },
      'Max of integers': { nodes: [['Max', 'a b', 'y']], feeds: { a, b }, outputs: integer },
      'uint8 that wraps around': {
        nodes: [['Add', 'a b', 'y']],
        feeds: { a: [[3], [250, 3, 200], 'uint8'], b: [[3], [10, 4, 200], 'uint8'] },
        outputs: { y: 'uint8' },
      },
      'Clip in version 6': {
        opset: 10,
        nodes: [['Clip', 'x', 'y', { min: -1.5, max: 2.5 }]],
        feeds: { x: row(-5, 0, 5) },
      },
      'Clip of a limit that is fed': {
        nodes: [['Clip', 'x - m', 'y']],
        feeds: { x: row(-5, 0, 5), m: scalar(1, 'float') },
      },
      'Clip of both limits that are fed': {
        nodes: [['Clip', 'x l m', 'y']],
        feeds: { x: row(-5, 0, 5), l: scalar(-1, 'float'), m: scalar(1, 'float') },
      },
      'Clip of integers': {
        nodes: [['Clip', 'x l m', 'y']],
        constants: { l: scalar(-1), m: scalar(3) },
        feeds: { x: ints(-5, 2, 9) },
        outputs: integer,
      },
      'Where of numbers': {
        nodes: [['Where', 'c a b', 'y']],
        feeds: { c: [[2], [1, 0], 'bool'], a: row(1, 2), b: row(3, 4) },
      },
      'IsInf of one sign': {
        nodes: [['IsInf', 'x', 'y', { detect_negative: 0 }]],
        feeds: { x: row(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1) },
        outputs: { y: 'bool' },
      },
      IsNaN: {
        nodes: [['IsNaN', 'x', 'y']],
        feeds: { x: row(Number.NaN, 1) },
        outputs: { y: 'bool' },
      },
      'Celu of a negative alpha': {
        nodes: [['Celu', 'x', 'y', { alpha: -1.5 }]],
        feeds: { x: row(-2, -0.5, 0, 0.5, 2) },
      },
      'IsInf of no sign': {
        nodes: [['IsInf', 'x', 'y', { detect_negative: 0, detect_positive: 0 }]],
        feeds: { x: row(Number.POSITIVE_INFINITY, Number.NaN, 1) },
        outputs: { y: 'bool' },
      },
      'Cast of numbers out of range, which are known': {
        nodes: [
          ['Cast', 'k', 'a', { to: 2 }],
          ['Cast', 'a', 'b', { to: 1 }],
          ['Add', 'b x', 'y'],
        ],
        constants: { k: ints(7, 255, 300) },
        feeds: { x: row(0, 1, 2) },
      },
      'Cast to bool and back': {
        nodes: [
          ['Cast', 'x', 'b', { to: 9 }],
          ['Cast', 'b', 'y', { to: 7 }],
        ],
        feeds: { x: row(0, -2, 0.5) },
        outputs: integer,
      },
      'Cast to integers': {
        nodes: [['Cast', 'x', 'y', { to: 6 }]],
        feeds: { x: row(1.9, -1.9, 3) },
        outputs: { y: 'int32' },
      },
      CastLike: {
        opset: 15,
        nodes: [['CastLike', 'x like', 'y']],
        constants: { like: scalar(1) },
        feeds: { x: row(1.5, 2) },
        outputs: integer,
      },
      'Dropout in version 7': {
        opset: 7,
        nodes: [['Dropout', 'x', 'y', { ratio: 0.25 }]],
        feeds: { x: row(1, 2) },
      },
      'Dropout with its mask': {
        nodes: [['Dropout', 'x', 'y m']],
        feeds: { x: row(1, 2) },
        outputs: { y: 'float', m: 'bool' },
      },
      'PRelu of one slope': {
        nodes: [['PRelu', 'x s', 'y']],
        constants: { s: row(0.25) },
        feeds: { x: row(-4, 4) },
      },
      'Softmax before version 13': {
        opset: 11,
        nodes: [
          ['Softmax', 'x', 'y', { axis: 1 }],
          ['LogSoftmax', 'x', 'z', { axis: -1 }],
        ],
        feeds: { x: counted([2, 3, 2]) },
        outputs: { y: 'float', z: 'float' },
      },
      'Hardmax of an inner axis': {
        nodes: [['Hardmax', 'x', 'y', { axis: 1 }]],
        feeds: { x: counted([2, 3, 2]) },
      },
      'Relu of integers': {
        nodes: [['Relu', 'x', 'y']],
        opset: 14,
        feeds: { x: [[3], [-1, 0, 2], 'int32'] },
        outputs: { y: 'int32' },
      },
      'ReduceL2 of no axes': {
        nodes: [['ReduceL2', 'x', 'y', { noop_with_empty_axes: 1 }]],
        feeds: { x: row(-3, 4) },
      },
      'ReduceSum in version 11': {
        opset: 11,
        nodes: [['ReduceSum', 'x', 'y', { axes: [-1], keepdims: 0 }]],
        feeds: { x: counted([2, 3]) },
      },
      'ReduceMean of integers as floats': {
        nodes: [['ReduceMean', 'x a', 'y']],
        constants: { a: ints(0) },
        feeds: { x: counted([4, 2]) },
      },
      'ArgMax of the last of equals': {
        nodes: [['ArgMax', 'x', 'y', { axis: 1, select_last_index: 1, keepdims: 0 }]],
        feeds: {
          x: [
            [2, 3],
            [3, 1, 3, 2, 2, 0],
          ],
        },
        outputs: integer,
      },
      'CumSum, exclusive and reversed': {
        nodes: [['CumSum', 'x a', 'y', { exclusive: 1, reverse: 1 }]],
        constants: { a: scalar(1) },
        feeds: { x: counted([2, 4]) },
      },
      'CumSum of integers': {
        nodes: [['CumSum', 'x a', 'y']],
        constants: { a: scalar(0) },
        feeds: { x: [[3], [1, 2, 3], 'int32'] },
        outputs: { y: 'int32' },
      },
      'TopK of the smallest': {
        nodes: [['TopK', 'x k', 'y i', { largest: 0, axis: 1 }]],
        constants: { k: ints(2) },
        feeds: { x: counted([2, 5]) },
        outputs: { y: 'float', i: 'int64' },
      },
      'TopK in version 9': {
        opset: 9,
        nodes: [['TopK', 'x', 'y i', { k: 2 }]],
        feeds: { x: counted([2, 5]) },
        outputs: { y: 'float', i: 'int64' },
      },
      'MatMul of vectors': {
        nodes: [
          ['MatMul', 'a b', 'p'],
          ['MatMul', 'm a', 'q'],
          ['MatMul', 'a m', 'r'],
          ['Add', 'q r', 's'],
          ['Mul', 's p', 'y'],
        ],
        feeds: { a: row(1, 2, 3), b: row(4, 5, 6), m: counted([3, 3]) },
      },
      'MatMul of integers': {
        nodes: [['MatMul', 'a b', 'y']],
        feeds: { a: [[1, 2], [3, 4], 'int32'], b: [[2, 1], [5, 6], 'int32'] },
        outputs: { y: 'int32' },
      },
      'Gemm with factors': {
        nodes: [
          ['Gemm', 'a b c', 'y', { alpha: 0.5, beta: 2.5, transA: 1, transB: 1 } as Attributes],
        ],
        constants: { b: counted([2, 3]), c: row(1, 2) },
        feeds: { a: counted([3, 4]) },
      },
      'Gemm without a bias': {
        nodes: [['Gemm', 'a b', 'y']],
        constants: { b: counted([3, 2]) },
        feeds: { a: counted([4, 3]) },
      },
      'SwiGLU in parts': {
        nodes: [
          ['Sigmoid', 'a', 's'],
          ['Mul', 'a s', 'g'],
          ['Mul', 'g b', 'y'],
        ],
        feeds: { a: row(1, -2), b: row(3, 4) },
      },
    }),
  )('%s', (_, form) => compare(form));
});

describe('windows', () => {
  const image = counted([1, 2, 7, 6], 'float', 0.25);
  const weight = counted([4, 2, 3, 3], 'float', 0.125);
  const conv = (attributes: Attributes, x: Values = image, w: Values = weight): Form => ({
    nodes: [['Conv', 'x w b', 'y', attributes]],
    constants: { w, b: row(1, 2, 3, 4) },
    feeds: { x },
  });
  it.each(
    forms({
      'Conv, same, the more at the end': conv({ auto_pad: 'SAME_UPPER', strides: [2, 2] }),
      'Conv, same, the more at the start': conv({ auto_pad: 'SAME_LOWER', strides: [2, 2] }),
      'Conv, valid': conv({ auto_pad: 'VALID', dilations: [2, 1] }),
      'Conv of different pads': conv({ pads: [0, 1, 2, 1], kernel_shape: [3, 3] }),
      'Conv along one axis': conv(
        { pads: [1, 1], strides: [2] },
        counted([2, 2, 9]),
        counted([4, 2, 3]),
      ),
      'Conv along three axes': conv(
        { pads: [1, 0, 1, 0, 1, 0], strides: [2, 1, 1], dilations: [1, 1, 2] },
        counted([1, 2, 4, 5, 6], 'float', 0.25),
        counted([4, 2, 2, 3, 2], 'float', 0.25),
      ),
      'Conv of groups': conv({ group: 2 }, image, counted([4, 1, 3, 3])),
      'ConvTranspose of an output shape': {
        nodes: [['ConvTranspose', 'x w', 'y', { strides: [2, 2], output_shape: [14, 13] }]],
        constants: { w: counted([2, 3, 3, 3]) },
        feeds: { x: image },
      },
      'ConvTranspose, same': {
        nodes: [['ConvTranspose', 'x w', 'y', { strides: [2, 2], auto_pad: 'SAME_UPPER' }]],
        constants: { w: counted([2, 3, 3, 3]) },
        feeds: { x: image },
      },
      'ConvTranspose of pads and output pads': {
        nodes: [
          [
            'ConvTranspose',
            'x w b',
            'y',
            { strides: [2, 3], pads: [1, 0, 0, 1], output_padding: [1, 2] },
          ],
        ],
        constants: { w: counted([2, 3, 3, 3]), b: row(1, 2, 3) },
        feeds: { x: image },
      },
      'ConvTranspose along one axis': {
        nodes: [['ConvTranspose', 'x w', 'y', { strides: [2], dilations: [2] }]],
        constants: { w: counted([2, 3, 3]) },
        feeds: { x: counted([1, 2, 5]) },
      },
      'MaxPool along one axis': {
        nodes: [['MaxPool', 'x', 'y', { kernel_shape: [3], strides: [2], ceil_mode: 1 }]],
        feeds: { x: counted([1, 2, 8]) },
      },
      'MaxPool along three axes': {
        nodes: [['MaxPool', 'x', 'y', { kernel_shape: [2, 2, 2], strides: [1, 2, 1] }]],
        feeds: { x: counted([1, 2, 3, 4, 5]) },
      },
      'MaxPool, same': {
        nodes: [
          ['MaxPool', 'x', 'y', { kernel_shape: [3, 3], strides: [2, 2], auto_pad: 'SAME_LOWER' }],
        ],
        feeds: { x: image },
      },
      'AveragePool of its padding': {
        nodes: [
          [
            'AveragePool',
            'x',
            'y',
            { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 },
          ],
        ],
        feeds: { x: image },
      },
      'AveragePool along one and three axes': {
        nodes: [
          ['AveragePool', 'x', 'y', { kernel_shape: [3], pads: [1, 1] }],
          ['AveragePool', 'v', 'z', { kernel_shape: [2, 2, 2], pads: [0, 1, 0, 0, 1, 0] }],
        ],
        feeds: { x: counted([1, 2, 7]), v: counted([1, 1, 3, 4, 3]) },
        outputs: { y: 'float', z: 'float' },
      },
      'LpPool and global pools': {
        nodes: [
          ['LpPool', 'x', 'y', { kernel_shape: [2, 2], p: 2 }],
          ['GlobalLpPool', 'x', 'z', { p: 1 }],
          ['GlobalMaxPool', 'x', 'm'],
        ],
        feeds: { x: image },
        outputs: { y: 'float', z: 'float', m: 'float' },
      },
      'Upsample in version 9': {
        opset: 9,
        nodes: [['Upsample', 'x s', 'y', { mode: 'nearest' }]],
        constants: { s: row(1, 1, 2, 3) },
        feeds: { x: image },
      },
      'Upsample in version 7': {
        opset: 8,
        nodes: [['Upsample', 'x', 'y', { mode: 'linear', scales: [1, 1, 2.5, 1.5] } as Attributes]],
        feeds: { x: image },
      },
      'Resize in version 10': {
        opset: 10,
        nodes: [['Resize', 'x s', 'y', { mode: 'linear' }]],
        constants: { s: row(1, 1, 2, 0.5) },
        feeds: { x: image },
      },
      'Resize to sizes, aligned': {
        nodes: [
          [
            'Resize',
            'x - - s',
            'y',
            { mode: 'cubic', coordinate_transformation_mode: 'align_corners' },
          ],
        ],
        constants: { s: ints(1, 2, 9, 11) },
        feeds: { x: image },
      },
      'Resize by fractions that floats of 32 bits round': {
        nodes: [['Resize', 'x - s', 'y', { mode: 'linear' }]],
        constants: { s: row(1, 1, 0.7, 1.4) },
        feeds: { x: counted([1, 1, 10, 5]) },
      },
      'Resize to one element': {
        nodes: [
          [
            'Resize',
            'x - - s',
            'y',
            { mode: 'cubic', coordinate_transformation_mode: 'pytorch_half_pixel' },
          ],
        ],
        constants: { s: ints(1, 1, 1, 1) },
        feeds: { x: counted([1, 1, 5, 4]) },
      },
      'Resize of images of any size': {
        nodes: [
          [
            'Resize',
            'x - s',
            'y',
            { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
          ],
        ],
        constants: { s: row(1, 1, 2, 3) },
        feeds: { x: image },
        dims: { x: ['n', 2, 'h', 'w'] },
      },
      'LpPool that ends after its padding': {
        nodes: [['LpPool', 'x', 'y', { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }]],
        feeds: { x: counted([1, 1, 6, 6]) },
      },
      'GridSample of cubics at the border': {
        nodes: [['GridSample', 'x g', 'y', { mode: 'bicubic', padding_mode: 'border' }]],
        feeds: {
          x: counted([1, 1, 4, 4]),
          g: [
            [1, 1, 3, 2],
            [-1.2, 0.3, 0.9, -1.4, 1.3, 1.1],
          ],
        },
      },
      'Resize by floors': {
        nodes: [
          [
            'Resize',
            'x - s',
            'y',
            { nearest_mode: 'ceil', coordinate_transformation_mode: 'asymmetric' },
          ],
        ],
        constants: { s: row(1, 1, 1.5, 2.5) },
        feeds: { x: image },
      },
      'Resize to sizes that quotients of floats miss, aligned': {
        nodes: [
          [
            'Resize',
            'x - - s',
            'y',
            { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
          ],
        ],
        constants: { s: ints(1, 2, 29, 6) },
        feeds: { x: image },
      },
      'Resize by the nearest, ties up': {
        nodes: [['Resize', 'x - s', 'y', { nearest_mode: 'round_prefer_ceil' }]],
        constants: { s: row(1, 1, 0.5, 1.5) },
        feeds: { x: image },
      },
      'Resize of an older version to sizes': {
        opset: 11,
        nodes: [
          [
            'Resize',
            'x r e s',
            'y',
            { mode: 'nearest', coordinate_transformation_mode: 'tf_half_pixel_for_nn' },
          ],
        ],
        constants: { r: row(), e: row(), s: ints(1, 2, 9, 4) },
        feeds: { x: image },
      },
      'Resize to one element, aligned': {
        nodes: [
          [
            'Resize',
            'x - - s',
            'y',
            { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
          ],
        ],
        constants: { s: ints(1, 1, 1, 7) },
        feeds: { x: counted([1, 1, 5, 4]) },
      },
      'Resize of a part to one element': {
        nodes: [
          [
            'Resize',
            'x r - s',
            'y',
            { mode: 'linear', coordinate_transformation_mode: 'tf_crop_and_resize' },
          ],
        ],
        constants: { r: row(0, 0, 0.25, 0, 1, 1, 0.75, 1), s: ints(1, 1, 1, 6) },
        feeds: { x: counted([1, 1, 5, 4]) },
      },
      'Resize along one axis': {
        nodes: [['Resize', 'x - s', 'y', { axes: [3] }]],
        constants: { s: row(2) },
        feeds: { x: image },
      },
      'Conv, same, of named images': {
        ...conv({ auto_pad: 'SAME_UPPER' }),
        dims: { x: ['n', 2, 'h', 'w'] },
      },
      'ConvTranspose, valid': {
        nodes: [['ConvTranspose', 'x w', 'y', { strides: [2, 2], auto_pad: 'VALID' }]],
        constants: { w: counted([2, 3, 3, 3]) },
        feeds: { x: image },
      },
      'LpPool whose last windows begin in the padding': {
        nodes: [
          [
            'LpPool',
            'x',
            'y',
            { kernel_shape: [2, 2], strides: [3, 3], pads: [0, 0, 1, 1], ceil_mode: 1 },
          ],
        ],
        feeds: { x: counted([1, 1, 6, 6]) },
      },
      'GridSample by reflection in one element': {
        nodes: [
          [
            'GridSample',
            'x g',
            'y',
            { mode: 'bilinear', padding_mode: 'reflection', align_corners: 1 },
          ],
        ],
        feeds: {
          x: counted([1, 1, 1, 4]),
          g: [
            [1, 1, 3, 2],
            [-1.2, 0.3, 0.9, -0.4, 1.3, 1.1],
          ],
        },
      },
      'CenterCropPad of both kinds': {
        nodes: [['CenterCropPad', 'x s', 'y', { axes: [2, 3] }]],
        constants: { s: ints(10, 3) },
        feeds: { x: image },
      },
      'Resize of named images': {
        nodes: [['Resize', 'x - s', 'y', { mode: 'linear' }]],
        constants: { s: row(1, 1, 2, 2) },
        feeds: { x: image },
        dims: { x: ['n', 2, 7, 6] },
      },
    }),
  )('%s', (_, form) => compare(form));
});

it('AffineGrid puts a single position in the middle, as PyTorch does', async () => {
  const form: Form = {
    opset: 20,
    nodes: [['AffineGrid', 't s', 'y', { align_corners: 1 }]],
    constants: { s: ints(1, 1, 1, 3) },
    feeds: { t: counted([1, 2, 3]) },
  };
  const model = await importOnnx(bytesOf(form), { name: 'grid' });
  const { y } = model.apply({ t: input('t', [1, 2, 3]) }) as { y: Node };
  // The identity: ONNX Runtime and the reference of onnx put the row at opposite ends.
  const t = tensor([1, 0, 0, 0, 1, 0], { shape: [1, 2, 3], dtype: 'float32' });
  expect([...evaluate(y, { t }).data]).toEqual([-1, 0, 0, 0, 1, 0]);
});

describe('recurrent operators', () => {
  const [steps, batch, inputs, units] = [3, 2, 2, 3];
  const lstm = (
    attributes: Attributes,
    more: Partial<Form> = {},
    directions = 1,
    from = 'x w r b',
  ): Form => ({
    nodes: [['LSTM', from, 'y h c', { hidden_size: units, ...attributes }]],
    constants: {
      w: counted([directions, 4 * units, inputs], 'float', 0.1),
      r: counted([directions, 4 * units, units], 'float', 0.1),
      b: counted([directions, 8 * units], 'float', 0.1),
      p: counted([directions, 3 * units], 'float', 0.1),
    },
    feeds: { x: counted([steps, batch, inputs], 'float', 0.2) },
    outputs: { y: 'float', h: 'float', c: 'float' },
    ...more,
  });
  it.each(
    forms({
      'LSTM in both directions': lstm({ direction: 'bidirectional' }, {}, 2),
      'LSTM with peepholes and a clip': lstm({ clip: 0.4 } as Attributes, {}, 1, 'x w r b - - - p'),
      'LSTM whose forget gate is that of the input': lstm({
        input_forget: 1,
        direction: 'reverse',
      }),
      'LSTM of other activations': lstm({
        activations: ['HardSigmoid', 'Softsign', 'Relu'],
        activation_alpha: [0.25],
        activation_beta: [0.45],
      } as Attributes),
      'LSTM of lengths': lstm(
        { direction: 'bidirectional' },
        { feeds: { x: counted([steps, batch, inputs], 'float', 0.2), l: [[2], [2, 3], 'int32'] } },
        2,
        'x w r b l',
      ),
      'LSTM with states': lstm(
        {},
        {
          feeds: {
            x: counted([steps, batch, inputs], 'float', 0.2),
            h0: counted([1, batch, units], 'float', 0.1),
            c0: counted([1, batch, units], 'float', -0.1),
          },
        },
        1,
        'x w r b - h0 c0',
      ),
      'GRU, reset after the product': {
        nodes: [['GRU', 'x w r b', 'y h', { hidden_size: units, linear_before_reset: 1 }]],
        constants: {
          w: counted([1, 9, inputs], 'float', 0.1),
          r: counted([1, 9, units], 'float', 0.1),
          b: counted([1, 18], 'float', 0.1),
        },
        feeds: { x: counted([steps, batch, inputs]) },
        outputs: { y: 'float', h: 'float' },
      },
      'GRU, reset before the product': {
        nodes: [['GRU', 'x w r b', 'y h', { hidden_size: units, direction: 'reverse' }]],
        constants: {
          w: counted([1, 9, inputs], 'float', 0.1),
          r: counted([1, 9, units], 'float', 0.1),
          b: counted([1, 18], 'float', 0.1),
        },
        feeds: { x: counted([steps, batch, inputs]) },
        outputs: { y: 'float', h: 'float' },
      },
      'RNN of scaled activations': {
        nodes: [
          [
            'RNN',
            'x w r',
            'y h',
            {
              hidden_size: units,
              activations: ['LeakyRelu'],
              activation_alpha: [0.25],
            } as Attributes,
          ],
        ],
        constants: {
          w: counted([1, 3, inputs], 'float', 0.1),
          r: counted([1, 3, units], 'float', 0.1),
        },
        feeds: { x: counted([steps, batch, inputs]) },
        outputs: { y: 'float', h: 'float' },
      },
    }),
  )('%s', (_, form) => compare(form));
});

describe('normalisations and losses', () => {
  const x = counted([2, 4, 3], 'float', 0.3);
  it.each(
    forms({
      LRN: { nodes: [['LRN', 'x', 'y', { size: 3 }]], feeds: { x: counted([1, 4, 2, 2]) } },
      'LpNormalization of p = 1': {
        nodes: [['LpNormalization', 'x', 'y', { p: 1, axis: 1 }]],
        feeds: { x },
      },
      MeanVarianceNormalization: {
        nodes: [['MeanVarianceNormalization', 'x', 'y']],
        feeds: { x: counted([2, 2, 3, 2]) },
      },
      InstanceNormalization: {
        nodes: [['InstanceNormalization', 'x s b', 'y']],
        constants: { s: row(1, 2, 3, 4), b: row(0, 1, 0, 1) },
        feeds: { x },
      },
      'GroupNormalization per channel': {
        opset: 21,
        nodes: [['GroupNormalization', 'x s b', 'y', { num_groups: 2 }]],
        constants: { s: row(1, 2, 3, 4), b: row(0, 1, 0, 1) },
        feeds: { x },
      },
      'LayerNormalization with its statistics': {
        nodes: [['LayerNormalization', 'x s', 'y m d', { axis: -2 }]],
        constants: { s: counted([4, 3]) },
        feeds: { x },
        outputs: { y: 'float', m: 'float', d: 'float' },
      },
      'BatchNormalization in training': {
        nodes: [
          [
            'BatchNormalization',
            'x s b m v',
            'y rm rv',
            { training_mode: 1, momentum: 0.75 } as Attributes,
          ],
        ],
        constants: {
          s: row(1, 2, 3, 4),
          b: row(0, 1, 0, 1),
          m: row(0, 0, 0, 1),
          v: row(1, 1, 2, 1),
        },
        feeds: { x },
        outputs: { y: 'float', rm: 'float', rv: 'float' },
      },
      'SoftmaxCrossEntropyLoss with weights': {
        nodes: [['SoftmaxCrossEntropyLoss', 'x l w', 'y p', { ignore_index: -1 }]],
        constants: { w: row(1, 2, 3, 4) },
        feeds: { x, l: [[2, 3], [0, -1, 3, 2, 1, 0], 'int64'] },
        outputs: { y: 'float', p: 'float' },
      },
      'NegativeLogLikelihoodLoss, summed': {
        nodes: [['NegativeLogLikelihoodLoss', 'x l', 'y', { reduction: 'sum' }]],
        feeds: { x, l: [[2, 3], [0, 1, 3, 2, 1, 0], 'int64'] },
      },
    }),
  )('%s', (_, form) => compare(form));
});

describe('quantised values', () => {
  const x = row(-1, 0.4, 2.6, 100);
  it.each(
    forms({
      'QuantizeLinear and back': {
        nodes: [
          ['QuantizeLinear', 'x s z', 'q'],
          ['DequantizeLinear', 'q s z', 'y'],
        ],
        constants: { s: scalar(0.5, 'float'), z: scalar(3, 'uint8') },
        feeds: { x },
      },
      'QuantizeLinear of an axis': {
        nodes: [['QuantizeLinear', 'x s z', 'y', { axis: 1 }]],
        constants: { s: row(0.5, 1, 2), z: [[3], [0, 5, 100], 'uint8'] },
        feeds: { x: counted([2, 3]) },
        outputs: { y: 'uint8' },
      },
      DynamicQuantizeLinear: {
        nodes: [['DynamicQuantizeLinear', 'x', 'y s z']],
        feeds: { x },
        outputs: { y: 'uint8', s: 'float', z: 'uint8' },
      },
      'MatMulInteger of zero points of columns': {
        nodes: [['MatMulInteger', 'a b z w', 'y']],
        constants: { z: [[1], [2], 'uint8'], w: [[2], [3, 4], 'uint8'] },
        feeds: {
          a: [[2, 3], [1, 2, 250, 3, 4, 5], 'uint8'],
          b: [[3, 2], [3, 4, 5, 6, 7, 8], 'uint8'],
        },
        outputs: { y: 'int32' },
      },
      'QuantizeLinear without a zero point': {
        nodes: [['QuantizeLinear', 'x s', 'y']],
        constants: { s: scalar(0.5, 'float') },
        feeds: { x },
        outputs: { y: 'uint8' },
      },
      MatMulInteger: {
        nodes: [['MatMulInteger', 'a b z', 'y']],
        constants: { z: scalar(2, 'uint8') },
        feeds: { a: [[1, 3], [1, 2, 250], 'uint8'], b: [[3, 1], [3, 4, 5], 'uint8'] },
        outputs: { y: 'int32' },
      },
    }),
  )('%s', (_, form) => compare(form));
});

describe('models of scikit-learn', () => {
  const x = counted([3, 2], 'float', 0.3);
  const both = { l: 'int64', p: 'float' } as const;
  it.each(
    forms({
      'LinearClassifier of one score': {
        nodes: [
          [
            'ml.LinearClassifier',
            'x',
            'l p',
            {
              classlabels_ints: [0, 1],
              coefficients: [0.5, -0.25],
              intercepts: [0.125],
              post_transform: 'LOGISTIC',
            },
          ],
        ],
        feeds: { x },
        outputs: both,
      },
      'LinearClassifier of several scores': {
        nodes: [
          [
            'ml.LinearClassifier',
            'x',
            'l p',
            {
              classlabels_ints: [3, 5, 9],
              coefficients: [0.5, -0.25, 0.25, 0.5, -0.5, 0.125],
              intercepts: [0.125, 0.25, 0.5],
              post_transform: 'SOFTMAX',
              multi_class: 1,
            },
          ],
        ],
        feeds: { x },
        outputs: both,
      },
      'LinearClassifier of two scores': {
        nodes: [
          [
            'ml.LinearClassifier',
            'x',
            'l p',
            {
              classlabels_ints: [4, 7],
              coefficients: [0.5, -0.25, -0.5, 0.25],
              intercepts: [0.125, -0.125],
            },
          ],
        ],
        feeds: { x },
        outputs: both,
      },
      'Imputer of a number': {
        nodes: [
          [
            'ml.Imputer',
            'x',
            'y',
            { imputed_value_floats: [1.5, 2.5], replaced_value_float: -1.5 } as Attributes,
          ],
        ],
        feeds: {
          x: [
            [2, 2],
            [-1.5, 1, 2, -1.5],
          ],
        },
      },
      'FeatureVectorizer of one matrix': {
        nodes: [['ml.FeatureVectorizer', 'x', 'y', { inputdimensions: [2] }]],
        feeds: { x },
      },
      'ArrayFeatureExtractor of a row': {
        nodes: [['ml.ArrayFeatureExtractor', 'r i', 'y']],
        constants: { i: ints(1, 0) },
        feeds: { r: row(1, 2, 3) },
      },
      LinearRegressor: {
        nodes: [
          [
            'ml.LinearRegressor',
            'x',
            'y',
            { coefficients: [0.5, -0.25, 0.25, 0.5], intercepts: [0.125, 0.25], targets: 2 },
          ],
        ],
        feeds: { x },
      },
      Scaler: {
        nodes: [['ml.Scaler', 'x', 'y', { offset: [0.5, 1.5], scale: [2.5, 0.5] }]],
        feeds: { x },
      },
      'Normalizer of each norm': {
        nodes: [
          ['ml.Normalizer', 'x', 'a', { norm: 'MAX' }],
          ['ml.Normalizer', 'x', 'b', { norm: 'L1' }],
          ['ml.Normalizer', 'x', 'y', { norm: 'L2' }],
        ],
        feeds: {
          x: [
            [2, 2],
            [3, 4, 1, 2],
          ],
        },
        outputs: { a: 'float', b: 'float', y: 'float' },
      },
      'Imputer of NaN': {
        nodes: [
          [
            'ml.Imputer',
            'x',
            'y',
            { imputed_value_floats: [1.5, 2.5], replaced_value_float: Number.NaN } as Attributes,
          ],
        ],
        feeds: {
          x: [
            [2, 2],
            [Number.NaN, 1, 2, Number.NaN],
          ],
        },
      },
      Binarizer: {
        nodes: [['ml.Binarizer', 'x', 'y', { threshold: 0.25 } as Attributes]],
        feeds: { x },
      },
      FeatureVectorizer: {
        nodes: [['ml.FeatureVectorizer', 'x z', 'y', { inputdimensions: [2, 1] }]],
        feeds: {
          x,
          z: [
            [3, 1],
            [1, 2, 3],
          ],
        },
      },
      ArrayFeatureExtractor: {
        nodes: [['ml.ArrayFeatureExtractor', 'x i', 'y']],
        constants: { i: ints(1) },
        feeds: { x },
      },
    }),
  )('%s', (_, form) => compare(form));
});

describe('attention', () => {
  const x = counted([2, 3, 4], 'float', 0.2);
  const four = counted([1, 2, 3, 4], 'float', 0.2);
  const attending = (from: string, attributes: Attributes, more: Partial<Form> = {}): Form => ({
    opset: 23,
    nodes: [['Attention', from, 'y', attributes]],
    feeds: { x },
    ...more,
  });
  it.each(
    forms({
      'of three axes': attending('x x x', { q_num_heads: 2, kv_num_heads: 2 }),
      'of three axes and a causal mask': attending(
        'x x x',
        { q_num_heads: 2, kv_num_heads: 1, is_causal: 1, scale: 0.75 },
        {
          constants: {},
          nodes: [
            [
              'Attention',
              'x k k',
              'y',
              { q_num_heads: 2, kv_num_heads: 1, is_causal: 1, scale: 0.75 },
            ],
          ],
          feeds: { x, k: counted([2, 3, 2], 'float', 0.3) },
        },
      ),
      'of a limit of the scores': attending('x x x', { softcap: 0.5 }, { feeds: { x: four } }),
      'of a mask of numbers': attending(
        'x x x m',
        {},
        { feeds: { x: four, m: counted([3, 3], 'float', 0.5) } },
      ),
      'of scores that are an output': attending(
        'x x x',
        { qk_matmul_output_mode: 3 },
        {
          nodes: [['Attention', 'x x x', 'y - - s', { qk_matmul_output_mode: 3 }]],
          feeds: { x: four },
          outputs: { y: 'float', s: 'float' },
        },
      ),
      'of a past': {
        opset: 23,
        nodes: [['Attention', 'x x x - p q', 'y k v', { is_causal: 1 }]],
        feeds: {
          x: four,
          p: counted([1, 2, 2, 4], 'float', 0.1),
          q: counted([1, 2, 2, 4], 'float', -0.1),
        },
        outputs: { y: 'float', k: 'float', v: 'float' },
      },
      'RotaryEmbedding of positions': {
        opset: 23,
        nodes: [['RotaryEmbedding', 'x c s p', 'y', { num_heads: 2, interleaved: 1 }]],
        constants: { c: counted([5, 1], 'float', 0.1), s: counted([5, 1], 'float', 0.15) },
        feeds: { x, p: [[2, 3], [0, 1, 2, 2, 3, 4], 'int64'] },
      },
      'RotaryEmbedding of a part': {
        opset: 23,
        nodes: [['RotaryEmbedding', 'x c s', 'y', { rotary_embedding_dim: 2 }]],
        constants: { c: counted([1, 3, 1], 'float', 0.1), s: counted([1, 3, 1], 'float', 0.15) },
        feeds: { x: four },
      },
    }),
  )('%s', async (_, form) => {
    // ONNX Runtime as WebAssembly has no kernel for some of these; then the node tests of onnx must do.
    const from = (form.nodes[0]?.[2] ?? '').split(' ').map((name) => (name === '-' ? '' : name));
    await compare({
      ...form,
      nodes: [
        [form.nodes[0]?.[0] ?? '', form.nodes[0]?.[1] ?? '', from.join(' '), form.nodes[0]?.[3]],
      ] as never,
    });
  });
});
