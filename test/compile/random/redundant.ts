/** Draws redundant nodes, such as x / 1 and sums of zeros, in the forms that the compiler simplifies. */

import { Part } from '../../../src/graph/op.js';
import {
  add,
  broadcastTo,
  concat,
  constant,
  div,
  mul,
  type Node,
  neg,
  slice,
  square,
  sub,
  sum,
} from '../../../src/index.js';
import { assemble } from '../../../src/ops/windows.js';
import type { Draft } from './draft.js';
import type { Structure } from './recurrent.js';

/** Each returns a node that needs fewer operations than the nodes from which it is made. */
const forms: readonly ((draft: Draft, x: Node) => Node)[] = [
  (_, x) => div(x, 1),
  (_, x) => sub(x, 0),
  (_, x) => sub(mul(x, 1), 0),
  (_, x) => neg(neg(x)),
  ({ draws }, x) => mul(draws.between(2, 3), mul(-1, x)),
  ({ dtype, draws }, x) => mul(x, add(constant(1, { dtype }), draws.between(1, 2))),
  (draft) => {
    const [m, n] = [draft.units(1, 3), draft.units(1, 3)];
    const joined = concat([square(draft.like([m, n])), draft.like([m, n])], 1);
    return concat([joined, draft.like([m, 1])], 1);
  },
  (draft) => {
    const [m, n] = [draft.draws.between(2, 3), draft.units(2, 3)];
    return add(draft.like([n]), sum(zeros(draft, [m, n]), [0]));
  },
  (draft) => {
    const [m, n] = [draft.draws.between(1, 3), draft.units(1, 3)];
    const block = new Part(square(draft.like([m, n])), [0, 0]);
    return assemble([m + 2, n], [block, new Part(zeros(draft, [1, n]), [m, 0])]);
  },
  (draft) => {
    const [m, n] = [draft.draws.between(1, 3), draft.units(1, 3)];
    const joined = assemble([m + 2, n], [new Part(square(draft.like([m, n])), [1, 0])]);
    return slice(draft.keep(joined), { axis: 0, start: m + 1 });
  },
];

function zeros({ dtype }: Draft, shape: readonly number[]): Node {
  return broadcastTo(constant(0, { dtype }), shape);
}

/** Adds each of the forms four times, to existing nodes or leaves. */
export const redundant: Structure = (draft) =>
  draft.draws
    .shuffled([...forms, ...forms, ...forms, ...forms])
    .map((form) => draft.keep(form(draft, draft.any())));
