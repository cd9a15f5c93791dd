/** Loops: each is one operator Scan, whose graph is the body of the loop. */

import { activeCarries } from '../../evaluate/loop.js';
import type { Shape } from '../../graph/dimension.js';
import { dividedInputs, type Loop, type LoopResult, rootOf } from '../../graph/loop.js';
import type { Node } from '../../graph/node.js';
import { reachable } from '../../graph/topology.js';
import type { DType } from '../../tensor/dtype.js';
import { type Emitter, valueInfo } from './emitter.js';
import { attributesOf, type Exported, type Rows, row } from './row.js';

/** An input of the body: a state of the operator, or what it cuts into rows. */
interface Port {
  /** The name that the body has for it. */
  readonly name: string;
  /** The value before the first step, or what is cut into rows. */
  readonly from: string;
  readonly node: Node;
}

/**
 * Emits a loop. A value from outside is read in the body by its name. The index of the step is a further input, the
 * numbers from 0 on; it also gives the number of steps if the loop reads no rows. A sum is a further state.
 */
function scan(exported: Exported): Readonly<Record<string, string>> {
  const { emitter, names, wanted } = exported;
  const loop = attributesOf<Loop>(exported);
  const { initial, over, captured } = dividedInputs(loop, names);
  const results = [...loop.results].filter(([key]) => wanted.has(key));
  const startOf = (result: LoopResult) =>
    result.kind === 'last'
      ? (initial[loop.carries.indexOf(result.carry)] as string)
      : zeros(emitter, result.node.dtype, result.node.shape);
  if (loop.steps === 0) {
    // ONNX Runtime does not run a Scan of no steps.
    const emptyOf = (result: LoopResult) =>
      result.kind === 'rows'
        ? zeros(emitter, result.node.dtype, [0, ...result.node.shape])
        : startOf(result);
    return Object.fromEntries(results.map(([key, result]) => [key, emptyOf(result)]));
  }

  // The operator returns the states, and then the rows.
  const all = results.map(([, result]) => result);
  const carried = activeCarries(loop, all).map((carry) => ({ kind: 'last', carry }) as const);
  const sums = all.filter((result) => result.kind === 'sum');
  const kept = all.filter((result) => result.kind === 'rows');
  const returned = [...carried, ...sums, ...kept];
  const roots = returned.map(rootOf);
  const read = new Set(reachable(roots));

  const inside = emitter.inner();
  const known = new Map<Node, string>();
  for (const [i, argument] of loop.captures.entries()) known.set(argument, captured[i] as string);
  const port = (stem: string, from: string, node: Node): Port => {
    const name = inside.value(stem);
    known.set(node, name);
    return { name, from, node };
  };
  const states = [
    ...carried.map((result) => port('state', startOf(result), result.carry.argument)),
    // A sum is no argument of the body: it stands beside the term that is added to it.
    ...sums.map((result) => ({
      name: inside.value('sum'),
      from: startOf(result),
      node: result.node,
    })),
  ];
  const rows = loop.rows.flatMap((argument, i) =>
    read.has(argument) ? [port('row', over[i] as string, argument)] : [],
  );
  if (rows.length === 0 || read.has(loop.index)) {
    const steps = emitter.scalarDim(loop.steps);
    const indices = emitter.op('Range', [emitter.ints([0], []), steps, emitter.ints([1], [])]);
    rows.push(port('index', indices, loop.index));
  }

  // Each result is a value of its own, because ONNX Runtime does not return what the body only gets.
  const values = exported.within(inside, roots, known).map((value, i) => {
    const isSum = i >= carried.length && i < states.length;
    return inside.op(isSum ? 'Add' : 'Identity', isSum ? [states[i]?.name, value] : [value]);
  });
  const body = inside.graph(
    'body',
    [...states, ...rows].map(({ name, node }) => valueInfo(name, node)),
    values.map((value, i) => valueInfo(value, roots[i] as Node)),
  );
  const directions = (list: readonly unknown[]) =>
    loop.reverse && list.length > 0 ? list.map(() => 1) : undefined;
  const made = emitter.ops(
    'Scan',
    [...states, ...rows].map(({ from }) => from),
    returned.length,
    {
      body,
      num_scan_inputs: rows.length,
      scan_input_directions: directions(rows),
      scan_output_directions: directions(kept),
    },
  );
  const placeOf = (result: LoopResult) =>
    result.kind === 'last'
      ? carried.findIndex(({ carry }) => carry === result.carry)
      : returned.indexOf(result);
  return Object.fromEntries(results.map(([key, result]) => [key, made[placeOf(result)] as string]));
}

function zeros(emitter: Emitter, dtype: DType, shape: Shape): string {
  const zero = emitter.number(0, dtype);
  return shape.length === 0 ? zero : emitter.op('Expand', [zero, emitter.dims(shape)]);
}

export const loops: Rows = { scan: row('Scan', scan) };
