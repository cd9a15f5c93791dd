/** Loops: each is one operator Scan, whose graph is the body of the loop. */

import { activeCarries } from '../../evaluate/loop.js';
import type { Argument } from '../../graph/leaf.js';
import { type Loop, type LoopResult, rootOf } from '../../graph/loop.js';
import type { Node } from '../../graph/node.js';
import { reachable } from '../../graph/topology.js';
import { type Emitter, typeProto } from './emitter.js';
import { attributesOf, type Exported, type Rows, row } from './row.js';

/** A state of the operator: its value before the first step, and the name that the body has for it. */
interface State {
  readonly name: string;
  readonly start: string;
  readonly node: Node;
}

/**
 * Emits a loop. A value from outside is read in the body by its name. The index of the step is a further input, the
 * numbers from 0 on; it also gives the number of steps if the loop reads no rows. A sum is a further state.
 */
function scan(exported: Exported): Readonly<Record<string, string>> {
  const { emitter, names, wanted } = exported;
  const loop = attributesOf<Loop>(exported);
  const results = [...loop.results].filter(([key]) => wanted.has(key));
  if (loop.steps === 0) {
    // ONNX Runtime does not run a Scan of no steps.
    const unchanged = ([key, result]: (typeof results)[number]) => {
      const value =
        result.kind === 'last'
          ? names[loop.carries.indexOf(result.carry)]
          : zeros(emitter, result.node);
      return [key, value as string] as const;
    };
    return Object.fromEntries(results.map(unchanged));
  }
  const carries = activeCarries(
    loop,
    results.map(([, result]) => result),
  );
  const kept = results.filter(([, { kind }]) => kind === 'rows');
  const sums = results.filter(([, { kind }]) => kind === 'sum');
  const roots = [...carries.map(({ next }) => next), ...[...sums, ...kept].map(rooted)];
  const read = new Set(reachable(roots));

  const inside = emitter.inner();
  const outside = new Map<Node, string>();
  for (const [i, argument] of loop.captures.entries()) {
    outside.set(argument, names[loop.carries.length + loop.rows.length + i] as string);
  }
  const named = (stem: string, argument?: Argument) => {
    const name = inside.value(stem);
    if (argument !== undefined) outside.set(argument, name);
    return name;
  };
  const states: State[] = [
    ...carries.map((carry) => ({
      name: named('state', carry.argument),
      start: names[loop.carries.indexOf(carry)] as string,
      node: carry.argument,
    })),
    ...sums.map(([, result]) => {
      const node = rootOf(result);
      return { name: named('sum'), start: zeros(emitter, node), node };
    }),
  ];
  const rows = loop.rows.flatMap((argument, i) =>
    read.has(argument)
      ? [
          {
            name: named('row', argument),
            over: names[loop.carries.length + i] as string,
            node: argument,
          },
        ]
      : [],
  );
  if (rows.length === 0 || read.has(loop.index)) {
    const steps = emitter.scalarDim(loop.steps);
    const over = emitter.op('Range', [emitter.ints([0], []), steps, emitter.ints([1], [])]);
    rows.push({ name: named('index', loop.index), over, node: loop.index });
  }

  const values = exported.within(inside, roots, outside);
  const [next, added] = [values.slice(0, carries.length), values.slice(carries.length)];
  for (const [i] of sums.entries()) {
    const { name } = states[carries.length + i] as State;
    next.push(inside.op('Add', [name, added[i] as string]));
  }
  const ends = [...next, ...added.slice(sums.length)].map((value) =>
    inside.op('Identity', [value]),
  );
  const info = (name: string, { dtype, shape }: Node) => ({ name, type: typeProto(dtype, shape) });
  const body = inside.graph(
    'body',
    [...states, ...rows].map(({ name, node }) => info(name, node)),
    [...states.map(({ node }) => node), ...kept.map(rooted)].map((node, i) =>
      info(ends[i] as string, node),
    ),
  );
  const direction = Number(loop.reverse);
  const directions = (count: number) =>
    loop.reverse && count > 0 ? new Array<number>(count).fill(direction) : undefined;
  const made = emitter.ops(
    'Scan',
    [...states.map(({ start }) => start), ...rows.map(({ over }) => over)],
    ends.length,
    {
      body,
      num_scan_inputs: rows.length,
      scan_input_directions: directions(rows.length),
      scan_output_directions: directions(kept.length),
    },
  );
  const keys = [
    ...carries.map((carry) => loop.keyOf({ kind: 'last', carry })),
    ...[...sums, ...kept].map(([key]) => key),
  ];
  return Object.fromEntries(keys.map((key, i) => [key, made[i] as string]));
}

function rooted([, result]: readonly [string, LoopResult]): Node {
  return rootOf(result);
}

function zeros(emitter: Emitter, { dtype, shape }: Node): string {
  const zero = emitter.number(0, dtype);
  return shape.length === 0 ? zero : emitter.op('Expand', [zero, emitter.dims(shape)]);
}

export const loops: Rows = { scan: row('Scan', scan) };
