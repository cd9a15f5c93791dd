/** The op `pad`. */

import { describeValue } from '../arguments/describe.js';
import { oneOf } from '../arguments/kinds.js';
import { declareOptions, type Kind, type OptionsOf, optional } from '../arguments/options.js';
import { assertList, isList } from '../arguments/read.js';
import { addDims, type Dim } from '../graph/dimension.js';
import { lift } from '../graph/leaf.js';
import { failFor, type Node } from '../graph/node.js';
import type { Fail, Operand } from '../graph/op.js';
import { broadcastTo } from './broadcast.js';
import { slice } from './slice.js';
import { concat } from './windows.js';

const number: Kind<number> = {
  expected: 'a number',
  accepts: (value) => typeof value === 'number',
};

const padOptions = declareOptions('pad', {
  /**
   * What the new elements are: `value` with 'constant' (the default), the elements of x mirrored at its first and last
   * elements with 'reflect', or its first and last elements with 'edge'.
   */
  mode: optional(oneOf('constant', 'reflect', 'edge')),
  /** The new elements of the mode 'constant'; 0 by default. */
  value: optional(number, 'constantValues', 'constantValue'),
});

/** Options of `pad`. */
export interface PadOptions extends OptionsOf<typeof padOptions> {}

type Pair = readonly [before: number, after: number];

/** Returns a copy of the pairs. @throws ValueError if they are not pairs of non-negative integers; ShapeError if there is not one for each axis */
function pairsOf(padding: unknown, rank: number, fail: Fail): Pair[] {
  const expected = `${fail.where} expected a list of pairs [before, after], one for each axis,`;
  const pairs = assertList(padding as readonly unknown[], expected).map((pair): Pair => {
    const list = isList(pair) ? assertList(pair, expected) : [];
    const [before, after] = list;
    const whole = (one: unknown): one is number => Number.isSafeInteger(one) && Number(one) >= 0;
    if (list.length === 2 && whole(before) && whole(after)) return [before, after];
    const came =
      list.length > 0 && list.every((one) => typeof one === 'number')
        ? `[${list.join(', ')}]`
        : describeValue(pair);
    return fail.value(
      `expected pairs [before, after] of non-negative integers, but received ${came}; slice() removes elements`,
    );
  });
  if (pairs.length !== rank) {
    fail.shape(
      `expected a pair [before, after] for each of the ${rank} axes, but received ${pairs.length} pairs`,
    );
  }
  return pairs;
}

/** Returns what is put at one side of an axis: `count` elements. */
type Side = (x: Node, axis: number, count: number, end: 'before' | 'after') => Node;

const edge: Side = (x, axis, count, end) => {
  const [start, stop]: [Dim, Dim | undefined] = end === 'before' ? [0, 1] : [-1, undefined];
  const last = slice(x, { axis, start, ...(stop !== undefined && { end: stop }) });
  return broadcastTo(
    last,
    x.shape.map((dim, at) => (at === axis ? count : dim)),
  );
};

const reflect: Side = (x, axis, count, end) => {
  if (end === 'before') return slice(x, { axis, start: count, end: 0, step: -1 });
  const length = x.shape[axis] as Dim;
  const start = addDims(length, -2);
  // The slice ends before the position length - 2 - count, which is before the first element if the whole axis is read.
  const stop = addDims(length, -2 - count);
  return slice(x, { axis, start, step: -1, ...(stop !== -1 && { end: stop }) });
};

/**
 * Adds elements before and after those of x along each axis. The result has the dtype of x, which may be any dtype.
 *
 * The modes are those of NumPy: 'reflect' gives c b | a b c | b a, and 'edge' gives a a | a b c | c c.
 * @param padding for each axis of x, the numbers of new elements [before, after]. With 'reflect', they must be less than
 *   the length of the axis
 * @throws ShapeError if there is not one pair for each axis, or if an axis is too short for the mode; ValueError if
 *   `padding` is not a list of pairs of non-negative integers, if x is not a Node, Tensor or number, if `value` does not
 *   fit the dtype of x, or if an option is unknown or invalid. A run throws ShapeError if a named axis is too short
 */
export function pad(
  x: Operand,
  padding: readonly (readonly [before: number, after: number])[],
  options?: PadOptions,
): Node {
  const { mode = 'constant', value = 0 } = padOptions.read(options, '[pad]');
  const [node] = lift('pad', [x]) as [Node];
  const fail = failFor({ name: 'pad' }, [node]);
  const pairs = pairsOf(padding, node.shape.length, fail);
  const [, filler] = lift('pad', [node, value]) as [Node, Node];
  const fill: Side = (from, axis, count) =>
    broadcastTo(
      filler,
      from.shape.map((dim, at) => (at === axis ? count : dim)),
    );
  const side = { constant: fill, edge, reflect }[mode];
  return pairs.reduce<Node>((padded, [before, after], axis) => {
    if (before === 0 && after === 0) return padded;
    assertLength(mode, padded, axis, Math.max(before, after), fail);
    return concat(
      [
        ...(before > 0 ? [side(padded, axis, before, 'before')] : []),
        padded,
        ...(after > 0 ? [side(padded, axis, after, 'after')] : []),
      ],
      axis,
    );
  }, node);
}

/** Refuses an axis that is too short for the mode. Named axes are checked in a run. */
function assertLength(mode: string, { shape }: Node, axis: number, most: number, fail: Fail): void {
  const length = shape[axis] as Dim;
  const least = { constant: 0, edge: 1, reflect: most + 1 }[mode] as number;
  if (typeof length !== 'number' || length >= least) return;
  fail.shape(
    `the mode '${mode}' needs at least ${least} elements along axis ${axis} to add ${most}, but x has ${length}`,
  );
}
