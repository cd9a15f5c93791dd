/** Loops: the body, a graph, is computed once in each step. */

import type { Lowering } from '../graph/lowering.js';
import type { Builder } from '../ir/builder.js';
import { type IrLoop, readsOperand } from '../ir/loop.js';
import type { Definition } from '../ir/rule.js';
import type { Ref } from '../ir/value.js';
import type { LoweringRecord, ValueRecord } from './record.js';

export const scan: LoweringRecord<Extract<Lowering, { kind: 'scan' }>> = {
  expand: undefined,
  step: (_lowering, node) => node.loopStep(),
  lower: (_lowering, { loop }) => loop(),
};

/** Makes the value of a loop. */
export function loopValue(build: Builder, definition: Definition): Ref {
  const args = definition.args.map((arg) => build.ascending(arg, definition.node));
  return build.make({ ...definition, args });
}

/** A loop. Its results are values of the kind `result`. Its own element means nothing. */
export const scanValue: ValueRecord = {
  rebuild: (build, { kind, dtype, shape, details, node }, args) =>
    loopValue(build, { kind, dtype, shape, args, details, node }),
  fusing: undefined,
  arrange: 'fixed',
  part: undefined,
  instruct: (value, writer, nodes) => writer.loop(value, nodes),
  // One operand may be the first value of a carry, and also be read in other ways.
  reads: ({ args, details: { loop } }, operand, view) =>
    args.every(
      (arg, index) => arg !== operand || readsOperand(loop as IrLoop, index, operand, view),
    ),
  writes: () => false,
  onto: () => undefined,
  drawn: undefined,
  prepared: undefined,
  updates: () => undefined,
  varies: true,
};
