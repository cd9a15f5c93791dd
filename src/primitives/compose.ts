/** Composed ops are replaced by their expansions before a graph is computed. */

import type { Lowering } from '../graph/lowering.js';
import { defect } from '../ir/defect.js';
import type { LoweringRecord } from './record.js';

export const compose: LoweringRecord<Extract<Lowering, { kind: 'compose' }>> = {
  expand: (lowering, { inputs, attributes }) => lowering.expand(inputs, attributes),
  step: undefined,
  lower: () => {
    throw defect('a composed op has not been expanded');
  },
};
