/** The operator that adds elements at the sides of axes. */

import type { Dim } from '../../graph/dimension.js';
import type { Node } from '../../graph/node.js';
import { broadcastTo, cast, concat, gather, pad, reshape, slice } from '../../ops/index.js';
import type { Call } from '../call.js';
import type { Value } from '../value.js';
import { axesOf, integers, moved, type Rows, row } from './row.js';

/** Adds elements at the sides of axes. A negative number of them removes elements. */
function padded(call: Call): Value {
  const value = call.value(0);
  const { type } = value;
  const mode = call.text('mode', 'constant');
  const pads = call.version < 11 ? call.ints('pads', []) : call.numbers(1, 'the padding');
  const filler = call.version < 11 ? call.float('value', 0) : call.has(2) ? call.node(2) : 0;
  const rank = value.shape.length;
  const axes = axesOf(
    call.version >= 18 && call.has(3) ? call.numbers(3, 'the axes') : undefined,
    rank,
  );
  const pairs = value.shape.map((): [number, number] => [0, 0]);
  axes.forEach((axis, index) => {
    pairs[axis] = [pads[index] ?? 0, pads[index + axes.length] ?? 0];
  });
  const build = (x: Node, fill: Node | number) => {
    const cropped = pairs.reduce((node, [before, after], axis) => {
      if (before >= 0 && after >= 0) return node;
      const end = after < 0 ? { end: after } : {};
      return slice(node, { axis, start: Math.max(0, -before), ...end });
    }, x);
    const added = pairs.map(
      ([before, after]) => [Math.max(0, before), Math.max(0, after)] as const,
    );
    if (mode === 'wrap') return wrapAround(call, cropped, added);
    if (mode === 'constant') return filled(cropped, added, fill);
    if (mode === 'reflect' || mode === 'edge') return pad(cropped, added, { mode });
    return call.unsupported(`mode '${mode}'`);
  };
  if (typeof filler === 'number') {
    const fold =
      mode === 'constant' ? undefined : moved(call, [value], ([x]) => build(x as Node, 0));
    return fold ?? call.as(type, build(value.node, filler));
  }
  return call.as(type, build(value.node, reshape(filler, [])));
}

/** Adds elements of one value. */
function filled(x: Node, added: readonly (readonly [number, number])[], fill: Node | number): Node {
  if (typeof fill === 'number') return pad(x, added, { mode: 'constant', value: fill });
  return added.reduce((node, [before, after], axis) => {
    const side = (count: number) =>
      broadcastTo(
        cast(fill, x.dtype),
        node.shape.map((dim, at) => (at === axis ? count : dim)),
      );
    const all = [...(before > 0 ? [side(before)] : []), node, ...(after > 0 ? [side(after)] : [])];
    return all.length === 1 ? node : concat(all, axis);
  }, x);
}

/** Repeats the elements of an axis from its other end. */
function wrapAround(call: Call, x: Node, added: readonly (readonly [number, number])[]): Node {
  return added.reduce((node, [before, after], axis) => {
    if (before === 0 && after === 0) return node;
    const length = node.shape[axis] as Dim;
    if (typeof length !== 'number') return call.unsupported(`an axis of the length '${length}'`);
    const indices = Array.from(
      { length: call.bounded(before + length + after, 'elements of an axis') },
      (_, index) => (((index - before) % length) + length) % length,
    );
    return gather(node, integers(indices), axis);
  }, x);
}

export const padding: Rows = {
  Pad: row(padded),
};
