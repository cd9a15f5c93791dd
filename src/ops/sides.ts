/** The options that pooling and convolution have in common: numbers for the sides of images and of sequences. */

import { describeValue } from '../arguments/describe.js';
import { assertList, isList } from '../arguments/read.js';
import { ValueError } from '../errors.js';
import { lift } from '../graph/leaf.js';
import { failFor, type Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { formatShape } from '../tensor/shape.js';

/** A number for both axes of an image, or one for the height and one for the width. */
export type Sides = number | readonly [height: number, width: number];
/**
 * A number for all sides, one for the height and one for the width, or [[top, bottom], [left, right]]. For sequences,
 * also [before, after] or [[before, after]].
 */
export type Padding =
  | Sides
  | readonly [readonly [number, number], readonly [number, number]]
  | readonly [readonly [before: number, after: number]];

/** Returns the lists in an option as arrays, of which each element was read once. Returns any other value unchanged. */
export function copied(value: unknown, where: string, depth = 2): unknown {
  if (!isList(value) || depth === 0) return value;
  const list = assertList(value as readonly unknown[], `${where}: expected a list,`);
  return list.map((item) => copied(item, where, depth - 1));
}

function isSide(side: unknown, least: 0 | 1): side is number {
  return Number.isInteger(side) && (side as number) >= least && (side as number) < 2 ** 31;
}

/** Describes a value. A short list is described by its elements, because its length alone does not show what is wrong. */
function described(value: unknown): string {
  if (!isList(value) || value.length > 4) return describeValue(value);
  const items = (value as readonly unknown[]).map((item) =>
    typeof item === 'number' ? String(item) : describeValue(item),
  );
  return `[${items.join(', ')}]`;
}

/** Returns the two numbers of an option. @throws ValueError if it is not a number from `least`, or a list of two */
export function sidesOf(value: unknown, least: 0 | 1, where: string): [number, number] {
  if (isSide(value, least)) return [value, value];
  if (isList(value) && value.length === 2 && isSide(value[0], least) && isSide(value[1], least)) {
    return [value[0], value[1]];
  }
  const integer = least === 1 ? 'a positive integer' : 'a whole number';
  throw new ValueError(
    `${where}: expected ${integer}, or a list of two, but received ${described(value)}`,
  );
}

/** Returns the number of an option of sequences. @throws ValueError if it is neither a number from `least` nor a list of one */
export function sideOf(value: unknown, least: 0 | 1, where: string): number {
  const single = isList(value) && value.length === 1 ? value[0] : value;
  if (isList(single)) {
    throw new ValueError(`${where}: expected a number, but received ${described(value)}`);
  }
  return sidesOf(single, least, where)[0];
}

/** Returns the padding [[top, bottom], [left, right]] of images. @throws ValueError if it is not of a form of `Padding` */
export function imagePadding(name: string, padding: unknown): [number, number][] {
  const side = (value: unknown) => sidesOf(value, 0, `[${name}] padding`);
  const nested = isList(padding) && (padding as readonly unknown[]).every(isList);
  const pads = nested
    ? (padding as readonly unknown[]).map(side)
    : side(padding).map((pad): [number, number] => [pad, pad]);
  if (pads.length === 2) return pads;
  throw new ValueError(
    `[${name}] padding: expected [[top, bottom], [left, right]], but received ${described(padding)}`,
  );
}

/**
 * Returns the padding [before, after] of sequences.
 * @throws ValueError if it is neither a number, nor [before, after], nor [[before, after]]
 */
export function sequencePadding(name: string, padding: unknown): [number, number] {
  const where = `[${name}] padding`;
  const pair = isList(padding) && padding.length === 1 && isList(padding[0]) ? padding[0] : padding;
  if (isList(pair) && pair.length === 2 && !isList(pair[0])) return sidesOf(pair, 0, where);
  const pad = sideOf(padding, 0, where);
  return [pad, pad];
}

/** Returns the node of an operand. @throws ShapeError if it has another number of axes than `axes` */
export function operandOf(name: string, what: string, x: Operand, axes: readonly string[]): Node {
  const [node] = lift(name, [x]) as [Node];
  if (node.shape.length === axes.length) return node;
  return failFor({ name }, [node]).shape(
    `expected ${what} of shape [${axes.join(', ')}], but received ${formatShape(node.shape)}`,
  );
}
