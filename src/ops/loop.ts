/** The op `scan`, and how the graph that a body traced becomes the body of a loop. `scan.ts` has the public function. */

import { GraphError } from '../errors.js';
import { type Dim, type Shape, sameShape } from '../graph/dimension.js';
import { Argument, Constant } from '../graph/leaf.js';
import { dividedInputs, Loop, type LoopResult, loopOf } from '../graph/loop.js';
import type { Lowering } from '../graph/lowering.js';
import { createNode, type Node } from '../graph/node.js';
import type { Op, SeveralContext } from '../graph/op.js';
import { result } from '../graph/result.js';
import { recordResults } from '../graph/results.js';
import { sideUpdateIn } from '../graph/side-updates.js';
import { rebuilt } from '../graph/substitute.js';
import { reachable } from '../graph/topology.js';
import { formatShape } from '../tensor/shape.js';
import { loopGradient } from './loop-gradient.js';

/** Like the ops of leaves, this op is not declared. Its tests are in test/ops/scan. */
const scanOp: Op = {
  name: 'scan',
  arity: { atLeast: 0 },
  dtype: () => 'float32',
  shape: () => [],
  results: (inputs, attributes, fail) => {
    const loop = attributes as Loop;
    const { initial, over, captured } = dividedInputs(loop, inputs);
    const check = (input: Node, { dtype, shape }: Argument, expected: Shape = shape) => {
      if (input.dtype !== dtype) fail.dtype(`expected ${dtype}, but received ${input.dtype}`);
      if (sameShape(input.shape, expected)) return;
      fail.shape(`expected ${formatShape(expected)}, but received ${formatShape(input.shape)}`);
    };
    for (const [i, { argument }] of loop.carries.entries()) check(initial[i] as Node, argument);
    for (const [i, row] of loop.rows.entries())
      check(over[i] as Node, row, [loop.steps, ...row.shape]);
    for (const [i, argument] of loop.captures.entries()) check(captured[i] as Node, argument);
    return loop.described;
  },
  lowering: { kind: 'scan' },
  gradient: (context) => loopGradient(context as SeveralContext<Loop>, { closeLoop, resultOfLoop }),
  label: (attributes) => {
    const { steps, reverse } = attributes as Loop;
    const times = typeof steps === 'number' ? `${steps} steps` : `over ${steps}`;
    return `${times}${reverse ? ' reversed' : ''}`;
  },
  samples: [],
  refused: [],
};

/** A loop whose body may still read nodes from outside. */
export interface OpenLoop {
  readonly name: string | undefined;
  readonly steps: Dim;
  readonly reverse: boolean;
  readonly carries: readonly {
    readonly key: string;
    readonly argument: Argument;
    readonly initial: Node;
    readonly next: Node;
  }[];
  readonly rows: readonly { readonly argument: Argument; readonly over: Node }[];
  readonly index: Argument;
  /** The results besides the last values of the carries. */
  readonly results: readonly { readonly kind: 'rows' | 'sum'; readonly node: Node }[];
  /** Draws with at least this id were made in the body. */
  readonly firstDraw: number;
  /** Whether the backward pass computes the values of a step again. */
  readonly recomputes: boolean;
}

/** The node of a loop, and the nodes of its results. */
export interface ClosedLoop {
  readonly node: Node;
  readonly last: readonly Node[];
  readonly results: readonly Node[];
}

/** Returns the text with which errors name a scan. */
export function describeScan(name: string | undefined): string {
  return name === undefined ? '[scan]' : `[scan '${name}']`;
}

/**
 * Makes the node of a loop. Nodes of the body that depend on no argument of the loop are computed outside, once: the body
 * gets their values as captures. A draw that was made in the body becomes the row t of one draw for all steps.
 * @throws GraphError if a node of the body carries a side update
 */
export function closeLoop(open: OpenLoop): ClosedLoop {
  const { name, steps, reverse, carries, index } = open;
  const scan = describeScan(name);
  const roots = [...carries.map(({ next }) => next), ...open.results.map(({ node }) => node)];
  const inside = insideOf(roots, open);
  const replacements = new Map<Node, Node>();
  const rows = [...open.rows];
  const outside = new Set<Node>();
  const replaced = (node: Node): Argument => {
    const argument = new Argument(node.name ?? `#${node.id}`, node.shape, node.dtype, scan);
    replacements.set(node, argument);
    return argument;
  };
  const capture = (node: Node) => {
    if (!inside.has(node) && !isNumber(node)) outside.add(node);
  };
  let depth = 1;
  for (const node of inside) {
    depth = Math.max(depth, 1 + (loopOf(node)?.depth ?? 0));
    const carried = sideUpdateIn(node);
    if (carried) {
      throw new GraphError(
        `${scan} the body carries a side update of ${carried.state}; a side update belongs to a run and not to a step, so make it outside of the body`,
      );
    }
    if (isDraw(node)) rows.push({ argument: replaced(node), over: drawOfRows(node, steps) });
    node.inputs.forEach(capture);
  }
  roots.forEach(capture);
  // In the order of the ids, by which the compiler orders weights: it is the same in the body as outside.
  const captures = [...outside]
    .sort((a, b) => a.id - b.id)
    .map((value) => ({ argument: replaced(value), value }));
  const made = rebuilt(roots, replacements);
  const loop = new Loop({
    name,
    steps,
    reverse,
    carries: carries.map(({ key, argument }, i) => ({ key, argument, next: made[i] as Node })),
    rows: rows.map(({ argument }) => argument),
    captures: captures.map(({ argument }) => argument),
    index,
    recomputes: open.recomputes,
    depth,
  });
  const inputs = [
    ...carries.map(({ initial }) => initial),
    ...rows.map(({ over }) => over),
    ...captures.map(({ value }) => value),
  ];
  const node = createNode(scanOp, inputs, loop);
  if (name !== undefined) node.named(name);
  return {
    node,
    last: loop.carries.map((carry) => resultOfLoop(node, { kind: 'last', carry })),
    results: open.results.map(({ kind }, i) =>
      resultOfLoop(node, { kind, node: made[carries.length + i] as Node }),
    ),
  };
}

/** Returns the node of a result of a loop. */
export function resultOfLoop(node: Node, wanted: LoopResult): Node {
  const loop = loopOf(node) as Loop;
  const key = loop.keyOf(wanted);
  recordResults(node, loop.described);
  return result(node, key);
}

/** Returns the nodes that depend on an argument of the loop, and the draws that were made in the body, by id. */
function insideOf(roots: readonly Node[], open: OpenLoop): ReadonlySet<Node> {
  const inside = new Set<Node>([
    ...open.carries.map(({ argument }) => argument),
    ...open.rows.map(({ argument }) => argument),
    open.index,
  ]);
  for (const node of reachable(roots)) {
    const drawn = isDraw(node) && node.id >= open.firstDraw;
    if (drawn || node.inputs.some((input) => inside.has(input))) inside.add(node);
  }
  return inside;
}

/** Whether a node is a single number, which the body need not get from outside. */
function isNumber(node: Node): boolean {
  return node instanceof Constant && node.shape.length === 0;
}

/** Whether a node is a draw, which in the body of a loop is a new one in each step. */
export function isDraw({ op: { lowering }, inputs }: Node): boolean {
  return lowering.kind === 'random' && inputs.length === 0;
}

/** The attributes of a draw of rows: those of the draw of a row, and its shape. */
interface Rows {
  readonly steps: Dim;
  readonly row: object;
  readonly shape: Shape;
}

/** For each op that draws, the op that draws the rows of all steps. */
const drawsOfRows = new WeakMap<Op, Op>();

/** Returns a draw of as many rows as there are steps, with the seed of a draw of one row. */
export function drawOfRows({ op, attributes, shape }: Node, steps: Dim): Node {
  const lowering = op.lowering as Extract<Lowering, { kind: 'random' }>;
  const made = drawsOfRows.get(op) ?? {
    ...op,
    dtype: (inputs, given, fail) => op.dtype(inputs, (given as Rows).row, fail),
    shape: (_inputs, given) => [(given as Rows).steps, ...(given as Rows).shape],
    lowering: {
      ...lowering,
      seed: (given: object) => lowering.seed((given as Rows).row),
    },
    label: (given) => op.label?.((given as Rows).row) ?? '',
  };
  drawsOfRows.set(op, made);
  return createNode(made, [], { steps, row: attributes, shape });
}
