/** Positions: consecutive integers, as many as a dimension has in the current run. */

import { bindDim, type Dim } from '../graph/dimension.js';
import { type Constant, constant } from '../graph/leaf.js';
import type { Lowering } from '../graph/lowering.js';
import type { Builder } from '../ir/builder.js';
import { tensor } from '../tensor/tensor.js';
import type { LoweringRecord } from './record.js';

/** The constants of each program by first integer and length. Equal positions share one, so that their readers merge. */
const constants = new WeakMap<Builder, Map<string, Constant>>();

function positionsIn(build: Builder, first: number, length: number): Constant {
  const known = constants.get(build) ?? new Map<string, Constant>();
  constants.set(build, known);
  const key = `${first} ${length}`;
  const made = known.get(key) ?? positionsOf(first, length);
  known.set(key, made);
  return made;
}

/** Returns the `length` integers from `first` on. */
export function positionsOf(first: number, length: number): Constant {
  return constant(tensor(Int32Array.from({ length }, (_, i) => first + i)));
}

export const positions: LoweringRecord<Extract<Lowering, { kind: 'positions' }>> = {
  expand: undefined,
  step: ({ first }, { attributes }) => {
    const start = first(attributes);
    return (out) => {
      for (let i = 0; i < out.length; i++) out[i] = start + i;
    };
  },
  lower: ({ first }, { build, node, bound: { attributes, shape } }) => {
    const start = first(attributes);
    const known = positionsIn(build, start, shape[0] as number);
    return build.computed(known, shape, (bindings) =>
      positionsOf(start, bindDim(node.shape[0] as Dim, bindings)),
    );
  },
};
