/** Extents: the size of a dimension in the current run, as a scalar. */

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
  lower: ({ dim }, { build, node, bound }) =>
    build.number(bound.bind(dim(bound.attributes)), node.dtype),
};
