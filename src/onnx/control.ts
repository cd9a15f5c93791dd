/** The operators that have graphs inside of them. */

import { FormatError } from '../errors.js';
import type { Call } from './call.js';
import { Frame, type Inner } from './frame.js';
import { loopOf, scanOf } from './loops.js';

/** Returns the branch of an If, whose condition must be known. */
function branchOf(call: Call, outer: Frame): Inner {
  const branches = [call.graph('then_branch'), call.graph('else_branch')];
  const condition = call.value(0).known?.numbers();
  if (condition?.length !== 1) {
    call.unsupported('its condition is computed, but must be known at the import');
  }
  const branch = branches[condition[0] ? 0 : 1];
  if (branch === undefined) throw new FormatError('a branch is missing');
  const frame = Frame.ofGraph(outer.file, outer.sets, branch, outer);
  return { frame, outputs: branch.output.map(({ name = '' }) => name) };
}

const operators: Readonly<Record<string, (call: Call, outer: Frame) => Inner>> = {
  If: branchOf,
  Loop: loopOf,
  Scan: scanOf,
};

/** Returns how the graph inside of a node is found; undefined if its operator has none. */
export function controlOf(
  domain: string,
  operator: string,
): ((call: Call, outer: Frame) => Inner) | undefined {
  return domain === '' && Object.hasOwn(operators, operator) ? operators[operator] : undefined;
}
