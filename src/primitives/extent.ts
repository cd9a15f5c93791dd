/** Extents: the size of a dimension in the current run, as a scalar. */

import { type Bindings, bindDim } from '../graph/dimension.js';
import { constant } from '../graph/leaf.js';
import type { Lowering } from '../graph/lowering.js';
import type { LoweringRecord } from './record.js';

export const extent: LoweringRecord<Extract<Lowering, { kind: 'extent' }>> = {
  expand: undefined,
  step: ({ dim }, { attributes, bind }) => {
    const value = bind(dim(attributes));
    return (out) => {
      out[0] = value;
    };
  },
  lower: ({ dim }, { build, node: { dtype }, bound }) => {
    const size = dim(bound.attributes);
    const formula = (bindings: Bindings) => constant(bindDim(size, bindings), { dtype });
    return build.computed(formula(bound.bindings), [], formula);
  },
};
