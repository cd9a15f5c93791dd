// Tests the ops of data: their bad input, named lengths, dtypes and special values. test/golden compares the values and
// gradients with those of PyTorch.
import { describe, expect, it } from 'vitest';
import {
  backward,
  cast,
  compile,
  constant,
  type DType,
  DTypeError,
  evaluate,
  expandDims,
  fromHWC,
  input,
  type Node,
  pad,
  parameter,
  roll,
  ShapeError,
  split,
  squeeze,
  sum,
  Tensor,
  tensor,
  tile,
  tril,
  triu,
  upsample2d,
  ValueError,
} from '../../src/index.js';
import { errorOf, nestedValue, randomTensor } from '../support.js';
import { expectDerivatives, shapesOf } from './agreement.js';

const x = input('x', [2, 3]);
const scalar = constant(1);
/** Returns the pairs that a text such as '1,0 2,3' lists. */
const pairs = (text: string) =>
  text.split(' ').map((pair) => pair.split(',').map(Number) as [number, number]);

describe('gradients of both orders', () => {
  it.each<[string, string, (x: Node) => Node]>([
    ['pad', '2x3', (x) => pad(x, pairs('1,0 2,3'), { value: 7 })],
    ['pad, reflect', '3x4', (x) => pad(x, pairs('2,1 0,3'), { mode: 'reflect' })],
    ['pad, edge', '1x3x2', (x) => pad(x, pairs('2,1 0,3 1,1'), { mode: 'edge' })],
    ['roll', '2x3x2', (x) => roll(x, [1, -2], [1, 0])],
    ['roll without an axis', '2x3', (x) => roll(x, -4)],
    ['tile', '2x1x3', (x) => tile(x, [2, 1, 3, 2])],
    ['split', '4x3', (x) => split(x, [1, 0, 3])[2] as Node],
    ['tril', '2x3x4', (x) => tril(x, 1)],
    ['triu of a vector', '3', (x) => triu(x)],
    ['upsample2d, nearest', '1x2x2x3', (x) => upsample2d(x, { scale: [2, 3] })],
    ['upsample2d, bilinear', '1x1x3x2', (x) => upsample2d(x, { scale: 3, mode: 'bilinear' })],
    ['upsample2d without rows', '1x1x0x2', (x) => upsample2d(x, { scale: 2, mode: 'bilinear' })],
    ['fromHWC', '2x3x4x3', (x) => fromHWC(x)],
  ])('%s', (_title, shape, build) => {
    const inputs = shapesOf(shape).map((one) => ({ shape: one }));
    expectDerivatives({ inputs, build: (node) => build(node as Node) });
  });
});

describe('values', () => {
  it('of split are the parts in order', () => {
    const y = tensor([[1, 2, 3, 4]]);
    expect(split(y, 2, 1).map((part) => nestedValue(part))).toEqual([[[1, 2]], [[3, 4]]]);
    expect(split(y, [3, 0, 1], -1).map((part) => nestedValue(part))).toEqual([
      [[1, 2, 3]],
      [[]],
      [[4]],
    ]);
    expect(split(input('n', ['batch', 2]), ['batch']).map(({ shape }) => shape)).toEqual([
      ['batch', 2],
    ]);
    const double = tile(input('e', ['batch']), 2);
    expect(split(double, 2).map(({ shape }) => shape)).toEqual([['batch'], ['batch']]);
    expect(split(input('z', [0]), 3).map(({ shape }) => shape)).toEqual([[0], [0], [0]]);
  });

  it('of squeeze and expandDims have other shapes', () => {
    const y = input('y', [1, 'batch', 1, 3]);
    expect(squeeze(y).shape).toEqual(['batch', 3]);
    expect(squeeze(y, [-2]).shape).toEqual([1, 'batch', 3]);
    expect(squeeze(y, []).shape).toEqual([1, 'batch', 1, 3]);
    expect(expandDims(x, 1).shape).toEqual([2, 1, 3]);
    expect(expandDims(x, [0, -1, 2]).shape).toEqual([1, 2, 1, 3, 1]);
    expect(expandDims(x, []).shape).toEqual([2, 3]);
    expect(expandDims(1, -1).shape).toEqual([1]);
  });

  it('of tril and triu of a vector are those of NumPy', () => {
    expect(nestedValue(tril(tensor([1, 2, 3])))).toEqual([
      [1, 0, 0],
      [1, 2, 0],
      [1, 2, 3],
    ]);
    expect(nestedValue(triu(tensor([1, 2]), 1))).toEqual([
      [0, 2],
      [0, 0],
    ]);
  });

  it('of triangles are 0 where x is infinite or NaN, and the diagonal may be huge', () => {
    const odd = tensor([
      [1, Infinity],
      [Number.NaN, 2],
    ]);
    expect(nestedValue(tril(odd, -1))).toEqual([
      [0, 0],
      [Number.NaN, 0],
    ]);
    expect(nestedValue(triu(odd, 1))).toEqual([
      [0, Infinity],
      [0, 0],
    ]);
    const big = Number.MAX_SAFE_INTEGER;
    expect(nestedValue(tril(odd, -big))).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(evaluate(triu(odd, -big)).toArray()).toEqual(odd.toArray());
  });

  it('of upsample2d are not affected by a neighbour that does not take part', () => {
    const image = tensor([[[[1, Infinity]]]]);
    expect(nestedValue(upsample2d(image, { scale: [1, 3], mode: 'bilinear' }))).toEqual([
      [[[1, 1, Infinity, Infinity, Infinity, Infinity]]],
    ]);
  });

  it.each<DType>(['int32', 'bool', 'uint8'])('exist for %s', (dtype) => {
    const y = cast(
      tensor([
        [1, 0],
        [1, 1],
      ]),
      dtype,
    );
    const values = [
      pad(y, pairs('1,0 0,1'), { value: 1 }),
      roll(y, 1, 0),
      tile(y, [1, 2]),
      tril(y),
      fromHWC(expandDims(y, 2)),
      upsample2d(expandDims(y, [0, 1]), { scale: [1, 2] }),
    ];
    expect(new Set(values.map((value) => evaluate(value).dtype))).toEqual(new Set([dtype]));
    expect(values.map((value) => Array.from(evaluate(value).data))).toEqual([
      [1, 1, 1, 1, 0, 1, 1, 1, 1],
      [1, 1, 1, 0],
      [1, 0, 1, 0, 1, 1, 1, 1],
      [1, 0, 1, 1],
      [1, 0, 1, 1],
      [1, 1, 0, 0, 1, 1, 1, 1],
    ]);
  });
});

describe('named lengths', () => {
  it('give the values and gradients of numbers, in both executors', () => {
    const named = input('x', ['batch', 1, 'rows', 3], { dtype: 'float64' });
    const value = randomTensor([2, 1, 4, 3], 1);
    const fixed = parameter('x', value);
    const ops: ((x: Node) => Node)[] = [
      (x) => pad(x, pairs('1,2 0,0 2,1 0,1'), { value: 3 }),
      (x) => pad(x, pairs('0,1 0,0 3,2 0,0'), { mode: 'reflect' }),
      (x) => pad(x, pairs('2,1 0,0 0,1 0,0'), { mode: 'edge' }),
      (x) => roll(x, [1, -3], [0, 2]),
      (x) => tile(x, [2, 2, 3, 1]),
      (x) => triu(tril(x, 1), -1),
      (x) => upsample2d(x, { scale: 2, mode: 'bilinear' }),
      (x) => upsample2d(x, { scale: [3, 1] }),
      (x) => fromHWC(x),
    ];
    const both = (leaf: Node) =>
      Object.fromEntries(
        ops.flatMap((op, i) => {
          const y = op(leaf);
          return [
            [`${i}`, y],
            [`gradient ${i}`, backward(sum(y)).of(leaf)],
          ];
        }),
      );
    const expected = evaluate(both(fixed));
    const program = compile({ outputs: both(named) });
    const feeds = { x: value };
    const found = [evaluate(both(named), feeds), program.run(feeds)];
    program.dispose();
    for (const results of found) {
      for (const [name, { shape, data }] of Object.entries(expected)) {
        expect((results[name] as Tensor).shape, name).toEqual(shape);
        (results[name] as Tensor).data.forEach((got, i) => {
          expect(got, name).toBeCloseTo(data[i] as number, 12);
        });
      }
    }
  });

  it.each<[string, (x: Node) => Node]>([
    ['reflect', (x) => pad(x, pairs('2,0'), { mode: 'reflect' })],
    ['edge of nothing', (x) => pad(x, pairs('0,1'), { mode: 'edge' })],
    ['a roll beyond the end', (x) => roll(x, -3, 0)],
  ])('are checked in a run: %s', (title, build) => {
    const y = build(input('x', ['batch']));
    const length = title === 'edge of nothing' ? 0 : 2;
    const feeds = { x: Tensor.zeros([length]) };
    const program = compile({ outputs: { y } });
    for (const run of [() => evaluate(y, feeds), () => program.run(feeds)]) {
      expect(errorOf(run)).toBeInstanceOf(ShapeError);
    }
    program.dispose();
  });
});

describe('bad input', () => {
  it.each<[RegExp, new (message: string) => Error, () => unknown]>([
    [
      /^\[squeeze\] axis 0 of \[2, 3\] has the length 2; only axes of length 1 can be removed/,
      ShapeError,
      () => squeeze(x, 0),
    ],
    [/^\[squeeze\] axis 2 is out of range/, ShapeError, () => squeeze(x, 2)],
    [/has the length n/, ShapeError, () => squeeze(input('n', ['n']), 0)],
    [/^\[squeeze\] expected an axis or a list/, ShapeError, () => squeeze(x, 'a' as never)],
    [
      /^\[expandDims\] axis 3 is out of range \(allowed: -3 to 2\)/,
      ShapeError,
      () => expandDims(x, 3),
    ],
    [/^\[expandDims\] an axis appears twice: \[0, -4\]/, ShapeError, () => expandDims(x, [0, -4])],
    [/^\[expandDims\] expected an axis/, ShapeError, () => expandDims(x, undefined as never)],
    [
      /^\[tile\] expected repeats that are non-negative integers, but received number -1/,
      ValueError,
      () => tile(x, -1),
    ],
    [/but received number 0.5/, ValueError, () => tile(x, [1, 0.5])],
    [/but received undefined/, ValueError, () => tile(x, undefined as never)],
    [/at most 32 axes, but received 33/, ShapeError, () => tile(x, Array(33).fill(1))],
    [
      /^\[roll\] expected shifts that are integers, but received number 0.5/,
      ValueError,
      () => roll(x, 0.5, 0),
    ],
    [
      /^\[roll\] expected one shift for each axis, but received 2 shifts and 3 axes/,
      ValueError,
      () => roll(x, [1, 2], [0, 1, 0]),
    ],
    [/but received 1 shifts and 0 axes/, ValueError, () => roll(x, 1, [])],
    [/but received 0 shifts and 1 axes/, ValueError, () => roll(x, [], 0)],
    [/^\[roll\] axis 2 is out of range/, ShapeError, () => roll(x, 1, 2)],
    [
      /^\[split\] axis 1 has the length 3, which cannot be divided into 2 parts of equal size/,
      ShapeError,
      () => split(x, 2, 1),
    ],
    [/the length n, which cannot be divided/, ShapeError, () => split(input('n', ['n']), 2)],
    [
      /^\[split\] the sizes \[1, 2\] add up to 3, but axis 0 has the length 2/,
      ShapeError,
      () => split(x, [1, 2]),
    ],
    [/^\[split\] expected a dimension/, ShapeError, () => split(x, [3, -1])],
    [
      /^\[split\] expected a positive number of parts, or a list of sizes, but received number 0/,
      ValueError,
      () => split(x, 0),
    ],
    [
      /^\[split\] expected at most 2\^20 parts, but received 1099511627776/,
      ValueError,
      () => split(input('e', [0]), 2 ** 40),
    ],
    [/^\[split\] axis 0 is out of range \(allowed: none/, ShapeError, () => split(scalar, 1)],
    [/^\[tril\] expected at least one axis, but received a scalar/, ShapeError, () => tril(scalar)],
    [
      /^\[triu\] expected a diagonal \(an integer\), but received number/,
      ValueError,
      () => triu(x, 0.5),
    ],
    [
      /^\[tril\] expected a diagonal \(an integer\), but received the string "1"/,
      ValueError,
      () => tril(x, '1' as never),
    ],
    [
      /^\[pad\] expected a pair \[before, after\] for each of the 2 axes, but received 1 pairs/,
      ShapeError,
      () => pad(x, pairs('1,1')),
    ],
    [
      /^\[pad\] expected pairs \[before, after\] of non-negative integers, but received \[0, -1\]; slice\(\)/,
      ValueError,
      () => pad(x, pairs('1,1 0,-1')),
    ],
    [/but received number 1/, ValueError, () => pad(x, [1, 1] as never)],
    [
      /^\[pad\] expected a list of pairs \[before, after\], one for each axis, but received number 1/,
      ValueError,
      () => pad(x, 1 as never),
    ],
    [
      /^\[pad\] the mode 'reflect' needs at least 3 elements along axis 0 to add 2, but x has 2/,
      ShapeError,
      () => pad(x, pairs('2,0 0,0'), { mode: 'reflect' }),
    ],
    [
      /^\[pad\] the mode 'edge' needs at least 1 elements along axis 0/,
      ShapeError,
      () => pad(input('e', [0]), pairs('1,0'), { mode: 'edge' }),
    ],
    [
      /^\[pad\]: mode must be 'constant' or 'reflect' or 'edge'/,
      ValueError,
      () => pad(x, pairs('1,1 0,0'), { mode: 'wrap' as never }),
    ],
    [
      /^\[pad\] operand 1 must be/,
      ValueError,
      () => pad(cast(x, 'int32'), pairs('1,1 0,0'), { value: 0.5 }),
    ],
    [
      /^\[upsample2d\] expected x of shape \[batch, channels, height, width\], but received \[2, 3\]/,
      ShapeError,
      () => upsample2d(x, { scale: 2 }),
    ],
    [
      /^\[upsample2d\] scale: expected a positive integer, or a list of two, but received number 1.5/,
      ValueError,
      () => upsample2d(input('i', [1, 1, 2, 2]), { scale: 1.5 }),
    ],
    [
      /^\[upsample2d\]: scale must be a scale, but is undefined/,
      ValueError,
      () => upsample2d(input('i', [1, 1, 2, 2]), {} as never),
    ],
    [
      /^\[upsample2d\] is defined for float32 and float64, but received int32/,
      DTypeError,
      () =>
        upsample2d(input('i', [1, 1, 2, 2], { dtype: 'int32' }), { scale: 2, mode: 'bilinear' }),
    ],
    [
      /^\[fromHWC\] expected an image of shape \[height, width, channels\] or \[batch, height, width, channels\], but received \[2, 3\]/,
      ShapeError,
      () => fromHWC(x),
    ],
  ])('%s', (message, kind, build) => {
    const error = errorOf(build);
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(message);
  });
});
