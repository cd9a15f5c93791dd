/** What `dot` draws of a loop: its body with its own wait list, its arguments, and where its results come from. */

import type { Argument } from './leaf.js';
import { dividedInputs, type Loop, type LoopResult, loopOf, rootOf } from './loop.js';
import type { Node } from './node.js';
import { resultIn } from './results.js';
import { topologicalOrder } from './topology.js';
import { WaitList } from './waitlist.js';

/** An argument of the body of a loop. */
export interface DrawnArgument {
  readonly argument: Argument;
  /** The lines of its label above the shape: its name, if it has one, and what it is. */
  readonly label: string;
  /** The input of the loop that leads to it; undefined for the index of the step. */
  readonly input: Node | undefined;
}

/** Returns the arguments of a loop. Those that inputs of the loop lead to come first. */
export function argumentsOf(node: Node, loop: Loop): readonly DrawnArgument[] {
  const { initial, over, captured } = dividedInputs(loop, node.inputs);
  const drawn = (what: string) => (argument: Argument, input: Node | undefined) => ({
    argument,
    label: [...nameOf(argument, loop), what].join('\n'),
    input,
  });
  const captures = new Map(loop.captures.map((argument, i) => [argument, captured[i] as Node]));
  return [
    ...loop.carries.map(({ argument }, i) => drawn('carry')(argument, initial[i])),
    ...loop.rows.map((argument, i) => drawn('row t')(argument, over[i])),
    ...reached(loop).map((argument) => drawn('capture')(argument, captures.get(argument))),
    drawn('index of the step')(loop.index, undefined),
  ];
}

/** Returns the inputs of a node, in an order that does not depend on the ids of nodes. */
export function inputsOf(node: Node): readonly Node[] {
  const loop = loopOf(node);
  if (!loop) return node.inputs;
  return argumentsOf(node, loop).flatMap(({ input }) => input ?? []);
}

/** Returns the captures in the order in which the body reads them. A loop has them in the order of ids. */
function reached(loop: Loop): readonly Argument[] {
  const captures = new Set<Node>(loop.captures);
  const roots = [
    ...loop.carries.map(({ next }) => next),
    ...[...loop.results.values()].map(rootOf),
    ...loop.captures,
  ];
  return topologicalOrder(roots, inputsOf).filter((node) => captures.has(node)) as Argument[];
}

/** Returns the name of an argument without that of its loop; nothing if the name is only an id. */
function nameOf({ name = '' }: Argument, loop: Loop): readonly string[] {
  const prefix = `${loop.name}.`;
  const own = name.startsWith(prefix) ? name.slice(prefix.length) : name;
  return /^#\d+$/.test(own) ? [] : [own];
}

/** If a node is a result of a loop, returns the result. */
export function loopResultOf(node: Node): LoopResult | undefined {
  const of = resultIn(node);
  return of && loopOf(of.several)?.results.get(of.key);
}

/**
 * Returns the roots of the body of a loop, and its wait list. Gradients also come from outside of the body: one to the
 * next value of each carry, and one to each node of which a result is drawn.
 * @param results the nodes of the results that are drawn
 */
export function bodyOf(
  loop: Loop,
  results: readonly Node[],
): { readonly roots: readonly Node[]; readonly waits: WaitList } {
  const read = results.map((node) => [node, loopResultOf(node) as LoopResult] as const);
  const roots = [...loop.carries.map(({ next }) => next), ...read.map(([, of]) => rootOf(of))];
  const waits = WaitList.of(...roots);
  for (const { key, next } of loop.carries) waits.register(next, `the carry ${key}`);
  for (const [node, of] of read) {
    // The gradient of the last value of a carry comes in place of that of a further step. And results that only gradients
    // read send none.
    if (of.kind === 'last' || (node.derived && !of.node.derived)) continue;
    waits.register(of.node, `the result ${loop.keyOf(of)}`);
  }
  return { roots, waits };
}

/** Returns how a result of a loop is labelled. */
export function labelOfResult(of: LoopResult): string {
  if (of.kind === 'last') return `last ${of.carry.key}`;
  return of.kind === 'rows' ? 'all steps' : 'sum of all steps';
}
