/**
 * Results of an op with several. The first is the value that the instruction is made of. Each further one is a value of
 * this kind: it has memory of its own, and its operand is the first result, whose instruction writes both.
 */

import type { Lowering } from '../graph/lowering.js';
import type { Node } from '../graph/node.js';
import { resultIn, resultsOf } from '../graph/results.js';
import type { Builder } from '../ir/builder.js';
import { defect } from '../ir/defect.js';
import type { IrLoop } from '../ir/loop.js';
import type { Definition } from '../ir/rule.js';
import { type Ref, viewed } from '../ir/value.js';
import { ascends, count, dense, isContiguous } from '../ir/view.js';
import type { LoweringRecord, ValueRecord } from './record.js';

export const result: LoweringRecord<Extract<Lowering, { kind: 'result' }>> = {
  expand: (_lowering, node, { ofResult }) => ofResult(node),
  step: undefined,
  lower: (_lowering, { build, node, bound, args: [given] }) => {
    const found = resultIn(node);
    if (!found) throw defect(`${node} is no result`);
    const first = given as Ref;
    const { loop } = first.value.details;
    if (loop) return resultOfLoop(build, first, loop, found.key, bound.shape, node);
    const index = Object.keys(resultsOf(found.several) ?? {}).indexOf(found.key);
    if (index === 0) return build.reshape(first, bound.shape, node);
    const written = first.value.details.results?.[index - 1];
    // If the results have no elements, no instruction is made.
    if (!written) return build.filled(0, node.dtype, bound.shape);
    const [dtype, ...shape] = written;
    const made = further(build, {
      kind: 'result',
      dtype,
      shape,
      args: [first],
      details: { result: index },
      node,
    });
    return build.reshape(made, bound.shape, node);
  },
};

/** Returns a result of a loop. */
function resultOfLoop(
  build: Builder,
  first: Ref,
  loop: IrLoop,
  key: string,
  shape: readonly number[],
  node: Node,
): Ref {
  const at = loop.found.get(key);
  const written = at && first.value.details.results?.[at.result];
  if (!at || !written) throw defect(`the loop of ${node} does not compute ${key}`);
  const [dtype, ...whole] = written;
  if (count(shape) === 0) return build.filled(0, dtype, shape);
  const details = { result: at.result + 1 };
  const made = further(build, {
    kind: 'result',
    dtype,
    shape: whole,
    args: [first],
    details,
    node,
  });
  return build.resolve(viewed(made.value, { ...dense(shape), offset: at.offset }));
}

function further(build: Builder, definition: Definition): Ref {
  const { dtype, shape, args } = definition;
  const { value } = args[0] as Ref;
  if (!value.details.results || count(shape) === 0) return build.filled(0, dtype, shape);
  return build.make({ ...definition, args: [value.whole] });
}

export const resultValue: ValueRecord = {
  rebuild: (build, { kind, dtype, shape, details, node }, args) =>
    further(build, { kind, dtype, shape, args, details, node }),
  fusing: undefined,
  arrange: 'fixed',
  // The instruction of the operand writes this value, too.
  part: undefined,
  instruct: () => {},
  reads: () => true,
  // A loop writes the rows of a result wherever they are. The slots of a carry are adjacent.
  writes: ({ args, details }, at) => {
    const { loop } = (args[0] as Ref).value.details;
    const isRows = loop !== undefined && (details.result as number) > loop.carries.length;
    return isRows ? ascends(at) : isContiguous(at);
  },
  onto: () => undefined,
  drawn: undefined,
  prepared: undefined,
  updates: () => undefined,
  varies: false,
};
