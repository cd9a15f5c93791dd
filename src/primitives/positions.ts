/** Positions: consecutive integers, as many as a dimension has in the current run. */

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
  const made = known.get(key) ?? constant(tensor(Int32Array.from({ length }, (_, i) => first + i)));
  known.set(key, made);
  return made;
}

export const positions: LoweringRecord<Extract<Lowering, { kind: 'positions' }>> = {
  expand: undefined,
  step: ({ first }, { attributes }) => {
    const start = first(attributes);
    return (out) => {
      for (let i = 0; i < out.length; i++) out[i] = start + i;
    };
  },
  lower: ({ first }, { build, bound: { attributes, shape } }) =>
    build.leaf(positionsIn(build, first(attributes), shape[0] as number), shape),
};
