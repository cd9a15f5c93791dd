/** Leaves have values, so nothing is computed. */

import type { Leaf } from '../graph/leaf.js';
import type { Lowering } from '../graph/lowering.js';
import { defect } from '../ir/defect.js';
import type { LoweringRecord, ValueRecord } from './record.js';

export const leaf: LoweringRecord<Extract<Lowering, { kind: 'leaf' }>> = {
  expand: undefined,
  step: undefined,
  lower: (_lowering, { build, node, bound: { shape } }) => build.leaf(node as Leaf, shape),
};

export const leafValue: ValueRecord = {
  rebuild: (build, { details, shape }) => build.leaf(details.leaf as Leaf, shape),
  fusing: undefined,
  arrange: 'fixed',
  part: undefined,
  instruct: () => {
    throw defect('a leaf is not computed');
  },
  reads: () => true,
  writes: () => false,
  onto: () => undefined,
  drawn: undefined,
  prepared: undefined,
  updates: () => undefined,
  varies: false,
};
