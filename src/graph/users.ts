/**
 * Which layers use variables, as text. Modules that are made from files note it, so that variables can be chosen by the
 * nodes of the file: their own names often say nothing.
 */

import { madeIn } from './calls.js';
import { isVariable, type Variable } from './leaf.js';
import type { Node } from './node.js';
import { reachable } from './topology.js';

const known = new WeakMap<Variable, Set<string>>();

/** Notes the layers whose nodes read variables in the graphs of `roots`: directly, or through views such as a transpose. */
export function noteUsers(roots: readonly Node[]): void {
  /** For each variable, and each view of one, the variables whose elements it has. */
  const elements = new Map<Node, readonly Variable[]>();
  for (const node of reachable(roots)) {
    const read = isVariable(node)
      ? [node]
      : node.inputs.flatMap((input) => elements.get(input) ?? []);
    if (read.length === 0) continue;
    if (isVariable(node) || node.op.lowering.kind === 'view') elements.set(node, read);
    const layer = node[madeIn]?.layer;
    if (layer === undefined || isVariable(node)) continue;
    for (const variable of read) noteUser(variable, layer.replace(/^\[|\]$/g, ''));
  }
}

function noteUser(variable: Variable, layer: string): void {
  const users = known.get(variable) ?? new Set();
  known.set(variable, users.add(layer));
}

/** Returns the layers that were noted for a variable: their kinds and names, as in `Conv 'Conv_12'`. */
export function usersOf(variable: Variable): readonly string[] {
  return [...(known.get(variable) ?? [])];
}
