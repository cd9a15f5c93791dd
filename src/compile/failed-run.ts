/** The errors of runs that failed, because a result is NaN or infinite or an index is out of range. */

import { type ForebayError, NumericError, ValueError } from '../errors.js';
import { describeNotFinite, firstNotFinite, type Sought } from '../evaluate/finite.js';
import { executionOrder } from '../evaluate/lowered.js';
import { describeNode, describeOutOfRange } from '../graph/calls.js';
import { Argument, type Input } from '../graph/leaf.js';
import { describeSteps, loopOf, rootOf, stepOfLoop } from '../graph/loop.js';
import type { Node } from '../graph/node.js';
import { describeIndex, type IndexFailure, type RunFailure } from '../native/program.js';
import type { TypedArray } from '../tensor/dtype.js';
import type { Encoded } from './encoded.js';
import type { Executable } from './executable.js';

/** What the errors need to know of an executable. */
type Failed = Pick<Executable, 'encoded' | 'bindings'>;

/**
 * Returns the error of a run that failed. If a result is NaN or infinite, evaluates the nodes of the instruction again,
 * to name the first node whose value is not finite. If this finds no such node, the error names all nodes of the
 * instruction.
 * @param graph the outputs of the program, and the new values of leaves
 */
export function failedRun(
  failed: Failed,
  graph: readonly Node[],
  feeds: ReadonlyMap<Input, { readonly data: TypedArray }>,
  failure: RunFailure,
  run: number,
): ForebayError {
  if ('index' in failure) return outOfRange(failed, failure, run);
  const { roots, sought } = whereToLook(failed, graph, failure);
  const found =
    roots.length > 0 ? firstNotFinite(roots, feeds, failed.bindings, run, sought) : undefined;
  const what = found
    ? describeNotFinite(found)
    : `a result of ${namesOf(failed.encoded, failure)} is NaN or infinite${stepsOf(failed, failure)}`;
  return new NumericError(`run ${run}: ${what}; the run has written nothing`);
}

/**
 * Returns the error of a run in which an index is out of range. It names the nodes of the instruction, the steps of the
 * loops around it, the index, the axis and the bound.
 */
export function outOfRange(failed: Failed, failure: IndexFailure, run: number): ValueError {
  const what = `${namesOf(failed.encoded, failure)}${stepsOf(failed, failure)}`;
  const [node] = failed.encoded.nodes[failure.instruction] ?? [];
  const message = describeIndex(failure);
  const why = node === undefined ? message : describeOutOfRange(node, failure, message);
  return new ValueError(`run ${run}: ${what}: ${why}; the run has written nothing`);
}

/** Returns the nodes of an instruction as text. */
function namesOf({ nodes }: Encoded, { instruction }: RunFailure): string {
  const own = nodes[instruction] ?? [];
  return own.length > 0 ? own.map(describeNode).join(' ') : `instruction ${instruction}`;
}

/** Returns the steps of the loops around an instruction as text. */
function stepsOf({ encoded, bindings }: Failed, failure: RunFailure): string {
  const scans = loopsAround(encoded, failure);
  return describeSteps(
    scans.map((scan, i) => stepOfLoop(scan, failure.iterations[i] as number, bindings)),
  );
}

/** Returns the nodes of the loops around an instruction, from the outermost to the innermost. */
function loopsAround({ nodes, loops }: Encoded, { instruction }: RunFailure): readonly Node[] {
  const around: Node[] = [];
  for (let at = loops[instruction] as number; at >= 0; at = loops[at] as number)
    around.unshift(nodes[at]?.[0] as Node);
  return around;
}

/**
 * Returns the nodes to evaluate again, and where to look in the bodies of their loops. A node of a body cannot be
 * evaluated alone, so its loop is evaluated.
 */
function whereToLook({ encoded }: Failed, graph: readonly Node[], failure: RunFailure) {
  const around = loopsAround(encoded, failure);
  const roots = new Set<Node>();
  const sought = new Map<Node, { nodes: Set<Node>; iteration: number | undefined }>();
  let paths: ReadonlyMap<Argument, readonly Path[]> | undefined;
  for (const node of encoded.nodes[failure.instruction] ?? []) {
    const argument = executionOrder([node]).find((one) => one instanceof Argument);
    if (!argument) {
      roots.add(node);
      continue;
    }
    paths ??= pathsIn(graph);
    for (const path of paths.get(argument) ?? []) {
      if (around.some((scan, i) => path[i] !== scan)) continue;
      roots.add(path[0] as Node);
      // An instruction that has been moved out of a loop computes the node for all steps of this loop. Its iterations are
      // only those of the loops around it.
      for (const [i, scan] of path.entries()) {
        const iteration = failure.iterations[i];
        const { nodes } = sought.get(scan) ?? { nodes: new Set() };
        sought.set(scan, { nodes: nodes.add(path[i + 1] ?? node), iteration });
      }
    }
  }
  return { roots: [...roots], sought: sought satisfies ReadonlyMap<Node, Sought> };
}

/** Nodes of the op `scan`: each but the first is in the body of the one before it. */
type Path = readonly Node[];

/** Returns, for each argument of each loop of a graph, the nodes of the loop and of the loops around it. */
function pathsIn(graph: readonly Node[]): ReadonlyMap<Argument, readonly Path[]> {
  const paths = new Map<Argument, Path[]>();
  const visit = (roots: readonly Node[], outer: Path) => {
    for (const node of executionOrder(roots)) {
      const loop = loopOf(node);
      if (!loop) continue;
      const path = [...outer, node];
      for (const argument of loop.arguments) {
        const known = paths.get(argument);
        if (known) known.push(path);
        else paths.set(argument, [path]);
      }
      const body = [
        ...loop.carries.map(({ next }) => next),
        ...[...loop.results.values()].map(rootOf),
      ];
      visit(body, path);
    }
  };
  visit(graph, []);
  return paths;
}
