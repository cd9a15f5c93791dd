/**
 * Convolutions. The routines of the addon read and write images with adjacent channels, as [batch, height, width,
 * channels]. In the graph, images are [batch, channels, height, width], so results are read through views. The weight is
 * packed by a routine of its own. Its result is an ordinary value, so convolutions of one weight share it.
 */

import { assertList } from '../arguments/read.js';
import { ShapeError } from '../errors.js';
import type { Bound, ConvolutionCall, Lowering } from '../graph/lowering.js';
import { inverse, permuted } from '../ir/axes.js';
import { type Ref, viewed } from '../ir/value.js';
import { count, dense, equalLists } from '../ir/view.js';
import { prepareMap, prepareRoutine } from '../native/kernels.js';
import { panelBytes } from '../native/program.js';
import { bytesOf, type DType, type TypedArray } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';
import { allocate } from '../tensor/tensor.js';
import type { LoweringRecord } from './record.js';
import { channelsLast, routineResult } from './routine.js';

type Convolution = Extract<Lowering, { kind: 'convolution' }>;

const channelsFirst = inverse(channelsLast);

/** How a convolution or a gradient is computed by routines. */
interface Plan {
  readonly routine: string;
  readonly integers: readonly number[];
  /** Whether the result is an image, which is written with adjacent channels. */
  readonly image: boolean;
  /** The routine that packs the second operand, which is a weight; undefined if it is an image. */
  readonly pack:
    | { readonly routine: string; readonly integers: readonly number[]; readonly length: number }
    | undefined;
}

/**
 * Returns the call of a lowering. The lowering may be a user's, so its shapes are checked.
 * @throws ShapeError if they are not those of the inputs and the result, or do not fit one another
 */
function checkedCall({ computes, call }: Convolution, bound: Bound<object>): ConvolutionCall {
  const given: Partial<ConvolutionCall> | undefined = call(bound);
  const listOf = (list: unknown, what: string, length: number, least: number) => {
    const numbers = assertList(list as readonly number[], `convolution: expected ${what},`);
    const valid = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= least;
    if (numbers.length === length && numbers.every(valid)) return numbers;
    throw new ShapeError(
      `convolution: expected ${what}, ${length} integers of at least ${least}, but received ${formatShape(numbers)}`,
    );
  };
  const [x, weight, y] = (['x', 'weight', 'y'] as const).map((name) =>
    listOf(given?.[name], `the shape of ${name}`, 4, 0),
  ) as [readonly number[], readonly number[], readonly number[]];
  const pads = assertList(given?.padding as readonly unknown[], 'convolution: expected padding,');
  const [groups] = listOf([given?.groups], 'the number of groups', 1, 1) as [number];
  const [first, second] = bound.inputShapes;
  const { expected, result } = {
    y: { expected: [x, weight], result: y },
    x: { expected: [y, weight], result: x },
    weight: { expected: [x, y], result: weight },
  }[computes];
  const fits =
    equalLists(expected[0] as readonly number[], first as readonly number[]) &&
    equalLists(expected[1] as readonly number[], second as readonly number[]) &&
    equalLists(result, bound.shape);
  const [batch, channels] = x;
  const [filters, inGroup] = weight;
  const agree = y[0] === batch && y[1] === filters && channels === (inGroup as number) * groups;
  if (!fits || !agree || (filters as number) % groups !== 0) {
    throw new ShapeError(
      `convolution: x ${formatShape(x)}, weight ${formatShape(weight)} and y ${formatShape(y)}, in ${groups} groups, do not fit one another or the inputs`,
    );
  }
  const pair = (list: unknown, what: string, least: number) =>
    listOf(list, what, 2, least) as readonly [number, number];
  const stride = pair(given?.stride, 'strides', 1);
  const dilation = pair(given?.dilation, 'dilations', 1);
  const padding = [pair(pads[0], 'padding', 0), pair(pads[1], 'padding', 0)] as const;
  for (const axis of [0, 1] as const) {
    const [length, size, count] = [x, weight, y].map((shape) => shape[2 + axis] as number) as [
      number,
      number,
      number,
    ];
    const padded = length + padding[axis][0] + padding[axis][1];
    const room = padded - (dilation[axis] * (size - 1) + 1);
    const expected = Math.floor(room / stride[axis]) + 1;
    if (size >= 1 && room >= 0 && count === expected) continue;
    throw new ShapeError(
      `convolution: y ${formatShape(y)} has ${count} positions along axis ${2 + axis}, but filters of size ${size} have ${Math.max(0, expected)} there`,
    );
  }
  return { x, weight, y, stride, dilation, padding, groups };
}

/** The number of elements of a packed weight, of which each group has `columns` columns of `depth` channels. */
function packedLength(dtype: DType, call: ConvolutionCall, depth: number, columns: number): number {
  const [filters, inGroup, height, width] = call.weight as [number, number, number, number];
  const { groups } = call;
  if (filters === groups && inGroup === 1) return height * width * groups;
  return (groups * panelBytes(dtype, height * width * depth, columns)) / bytesOf[dtype];
}

function planOf(computes: Convolution['computes'], dtype: DType, call: ConvolutionCall): Plan {
  const { weight, stride, dilation, padding, groups } = call;
  const [filters, inGroup, height, width] = weight as [number, number, number, number];
  const window = [height, width, ...stride, ...dilation, ...padding.flat()];
  const integers = [...window, groups];
  if (computes === 'weight') {
    return { routine: 'convWeightGradient', integers, image: false, pack: undefined };
  }
  const outGroup = filters / groups;
  if (computes === 'y') {
    const length = packedLength(dtype, call, inGroup, outGroup);
    const pack = { routine: 'convPack', integers: [groups], length };
    return { routine: 'conv', integers, image: true, pack };
  }
  const length = packedLength(dtype, call, outGroup, inGroup);
  const numbers = [groups, ...stride, ...dilation];
  const pack = { routine: 'convPackGradient', integers: numbers, length };
  return { routine: 'convInputGradient', integers, image: true, pack };
}

/** Whether an operand or the result has no elements. The result then is 0. */
function isEmpty({ x, weight, y }: ConvolutionCall): boolean {
  return [x, weight, y].some((shape) => count(shape) === 0);
}

/** A convolution of images, or one of its gradients. */
export const convolution: LoweringRecord<Convolution> = {
  expand: undefined,
  step: (lowering, node) => {
    const call = checkedCall(lowering, node);
    if (isEmpty(call)) return (out) => void out.fill(0);
    const { dtype, shape, inputShapes } = node;
    const { routine, integers, image, pack } = planOf(lowering.computes, dtype, call);
    const [first, second] = inputShapes as [readonly number[], readonly number[]];
    const written = image ? channelsLast.map((axis) => shape[axis] as number) : shape;
    const packed = pack && allocate(dtype, [pack.length], 'convolution:');
    const prepare =
      pack &&
      prepareRoutine(
        pack.routine,
        [dtype, dtype],
        [dense(second), dense([pack.length])],
        pack.integers,
      );
    const run = prepareRoutine(
      routine,
      [dtype, dtype, dtype],
      [
        permuted(dense(first), channelsLast),
        pack ? dense([pack.length]) : permuted(dense(second), channelsLast),
        dense(written),
      ],
      integers,
    );
    const result = image ? allocate(dtype, written, 'convolution:') : undefined;
    const copy = prepareMap('copy', shape, dense(shape), [permuted(dense(written), channelsFirst)]);
    return (out, inputs) => {
      const [a, b] = inputs as readonly [TypedArray, TypedArray];
      if (prepare && packed) prepare(b, packed);
      run(a, packed ?? b, result ?? out);
      if (result) copy(out, result);
    };
  },
  lower: (lowering, { build, node, bound, args }) => {
    const call = checkedCall(lowering, bound);
    const { dtype } = node;
    const { shape } = bound;
    if (isEmpty(call)) return build.filled(0, dtype, shape);
    const { routine, integers, image, pack } = planOf(lowering.computes, dtype, call);
    const [first, second] = args as readonly [Ref, Ref];
    const made = (
      kernel: string,
      to: readonly number[],
      reads: readonly Ref[],
      list: readonly number[],
    ) =>
      routineResult(build, {
        kind: 'routine',
        dtype,
        shape: to,
        args: reads,
        details: { kernel, integers: list },
        node,
      });
    const imageOf = (ref: Ref) => viewed(ref.value, permuted(ref, channelsLast));
    const operand = pack
      ? made(pack.routine, [pack.length], [second], pack.integers)
      : imageOf(second);
    const written = image ? channelsLast.map((axis) => shape[axis] as number) : shape;
    const operands = [imageOf(first), operand];
    const result = made(routine, written, operands, integers);
    return image ? viewed(result.value, permuted(result, channelsFirst)) : result;
  },
};
