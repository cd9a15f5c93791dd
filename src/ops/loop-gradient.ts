/**
 * The gradient rule of the op `scan`. The gradient of a loop is another loop, over the same steps in the opposite
 * direction, whose body is the backward pass of the body.
 */

import { bindDim, namesOf } from '../graph/dimension.js';
import { Argument, Constant, constant } from '../graph/leaf.js';
import { type Carry, dividedInputs, type Loop, type LoopResult, rootOf } from '../graph/loop.js';
import type { Node } from '../graph/node.js';
import { none, type Sent, type SeveralContext } from '../graph/op.js';
import { rebuilt } from '../graph/substitute.js';
import { reachable } from '../graph/topology.js';
import { isFloating } from '../tensor/dtype.js';
import { broadcastTo } from './broadcast.js';
import type { ClosedLoop, OpenLoop } from './loop.js';

/** The functions of loop.ts that the rule calls. That file has the op, so it imports this one. */
interface Making {
  closeLoop(open: OpenLoop): ClosedLoop;
  resultOfLoop(node: Node, wanted: LoopResult): Node;
}

/** A node of the body to which a gradient arrives in each step. */
interface Start {
  readonly node: Node;
  readonly argument: Argument;
  /** The gradient: of all steps if the node is stacked, of each step if it is summed. */
  readonly gradient: Node;
  readonly stacked: boolean;
}

/** Returns the gradients of the inputs of a loop. */
export function loopGradient(
  { node, inputs, attributes: loop, gradients, differentiate }: SeveralContext<Loop>,
  { closeLoop, resultOfLoop }: Making,
): readonly Sent[] {
  const name = loop.name === undefined ? undefined : `${loop.name}.backward`;
  const argument = (label: string, { shape, dtype }: Node) =>
    new Argument(label, shape, dtype, `the backward pass of ${node}`);
  // The gradients of the carries at the end of a step. Only carries to which a gradient flows have one.
  const carried = new Map<Carry, Argument>();
  const finals = new Map<Carry, Node>();
  const starts: Start[] = [];
  for (const [key, gradient] of Object.entries(gradients)) {
    if (gradient === none) continue;
    const of = loop.results.get(key) as LoopResult;
    if (of.kind === 'last') finals.set(of.carry, gradient);
    else {
      const stacked = of.kind === 'rows';
      starts.push({
        node: of.node,
        argument: argument(`gradient of ${key}`, of.node),
        gradient,
        stacked,
      });
    }
  }
  const join = (carry: Carry) =>
    carried.set(carry, argument(`gradient of ${carry.key}`, carry.argument));
  for (const carry of finals.keys()) join(carry);

  const leaves = [...loop.carries.map((carry) => carry.argument), ...loop.rows, ...loop.captures];
  const sources = leaves.filter(({ dtype }) => isFloating(dtype));
  let found = new Map<Node, Node>();
  // A carry to which a gradient flows within a step has one at the end of the step before, so the backward pass is built
  // again with it. It ends because there are finitely many carries.
  for (let before = -1; before < carried.size; ) {
    before = carried.size;
    const roots = [
      ...[...carried].map(([carry, gradient]) => [carry.next, gradient] as const),
      ...starts.map((start) => [start.node, start.argument] as const),
    ];
    found = new Map();
    differentiate(roots, sources).forEach((gradient, i) => {
      if (gradient !== none) found.set(sources[i] as Node, gradient);
    });
    for (const carry of loop.carries)
      if (found.has(carry.argument) && !carried.has(carry)) join(carry);
  }

  const { initial, over, captured } = dividedInputs(loop, inputs);
  const nexts = [...carried.keys()].map(
    ({ argument: of }) => found.get(of) ?? broadcastTo(constant(0, { dtype: of.dtype }), of.shape),
  );
  const rows = loop.rows.filter((row) => found.has(row));
  const sums = loop.captures.filter((capture) => found.has(capture));
  const gradientsOf = [...rows, ...sums].map((leaf) => found.get(leaf) as Node);
  const residuals = new Residuals(loop, [...nexts, ...gradientsOf]);
  const index = argument(loop.index.name as string, loop.index);
  const replacements = new Map<Node, Node>([[loop.index, index]]);
  const read: { readonly argument: Argument; readonly over: Node }[] = [];
  const stack = (inner: Node, values: Node) => {
    const row = argument(inner.name ?? `#${inner.id}`, inner);
    replacements.set(inner, row);
    read.push({ argument: row, over: values });
  };
  for (const start of starts) {
    if (start.stacked) read.push({ argument: start.argument, over: start.gradient });
    else replacements.set(start.argument, start.gradient);
  }
  for (const [i, capture] of loop.captures.entries())
    replacements.set(capture, captured[i] as Node);
  for (const [i, row] of loop.rows.entries()) {
    if (residuals.reads(row)) stack(row, over[i] as Node);
  }
  for (const inner of residuals.stored) {
    stack(inner, resultOfLoop(node, { kind: 'rows', node: inner }));
  }
  const roots = rebuilt([...nexts, ...gradientsOf], replacements);
  const { last, results } = closeLoop({
    name,
    steps: loop.steps,
    reverse: !loop.reverse,
    carries: [...carried].map(([carry, gradient], i) => ({
      key: carry.key,
      argument: gradient,
      initial: finals.get(carry) ?? zerosLike(initial[loop.carries.indexOf(carry)] as Node),
      next: roots[i] as Node,
    })),
    rows: read,
    index,
    results: [...rows, ...sums].map((_, i) => ({
      kind: i < rows.length ? 'rows' : 'sum',
      node: roots[carried.size + i] as Node,
    })),
    firstDraw: Number.POSITIVE_INFINITY,
    recomputes: loop.recomputes,
  });
  const sent = (list: readonly unknown[], of: unknown, nodes: readonly Node[]) => {
    const at = list.indexOf(of);
    return at < 0 ? none : (nodes[at] as Node);
  };
  const active = [...carried.keys()];
  return [
    ...loop.carries.map((carry) => sent(active, carry, last)),
    ...loop.rows.map((row) => sent(rows, row, results)),
    ...loop.captures.map((capture) => sent(sums, capture, results.slice(rows.length))),
  ];
}

function zerosLike({ dtype, shape }: Node): Node {
  return broadcastTo(constant(0, { dtype }), shape);
}

/** The kernels that take less time than reading their result from memory, beside others in one loop. */
const cheapKernels = new Set(['add', 'sub', 'mul', 'neg', 'abs', 'maximum', 'minimum', 'where']);

/**
 * What the backward pass of a body reads of the body. Values that take little time are computed again. The others are
 * stored: the loop stacks them over the steps. If the loop recomputes, only carries are stored.
 */
class Residuals {
  /** The nodes whose values are stored: carries, and other nodes of the body, by id. */
  readonly stored: readonly Node[];
  readonly #stored = new Set<Node>();
  /** The rows of inputs that are read, and the nodes that are computed again. */
  readonly #seen = new Set<Node>();
  readonly #carries: ReadonlySet<Node>;

  /** @param roots the results of the backward pass, which read nodes of the body */
  constructor(loop: Loop, roots: readonly Node[]) {
    this.#carries = new Set(loop.carries.map(({ argument }) => argument));
    const own = new Set(
      reachable([
        ...loop.carries.map(({ next }) => next),
        ...[...loop.results.values()].map(rootOf),
        ...loop.arguments,
      ]),
    );
    const needed: Node[] = [];
    const visited = new Set(roots);
    for (const node of visited) {
      // A gradient rule may have asked for further results of a loop in the body.
      const isOwn = own.has(node) || (isResult(node) && own.has(node.inputs[0] as Node));
      if (isOwn) needed.push(node);
      else for (const input of node.inputs) visited.add(input);
    }
    needed.sort((a, b) => a.id - b.id);
    if (loop.recomputes) this.#recompute(needed);
    else {
      // The values that must be stored come first, because others can be computed from them.
      for (const node of needed) if (!isLeaf(node) && !isCheap(node)) this.#stored.add(node);
      for (const node of needed) this.#provide(node);
    }
    this.stored = [...this.#stored].sort((a, b) => a.id - b.id);
  }

  /** Whether a row of an input of the loop is read. */
  reads(row: Argument): boolean {
    return this.#seen.has(row);
  }

  /** Computes all of these nodes again, from the carries and the rows. */
  #recompute(nodes: readonly Node[]): void {
    const visited = new Set(nodes);
    for (const node of visited) {
      (this.#carries.has(node) ? this.#stored : this.#seen).add(node);
      for (const input of node.inputs) visited.add(input);
    }
  }

  /** Decides how the backward pass gets the value of a node. */
  #provide(node: Node): void {
    if (this.#isKnown(node)) return;
    if (!this.#isComputedAgain(node)) {
      this.#stored.add(node);
      return;
    }
    this.#seen.add(node);
    for (const input of node.inputs) this.#provide(input);
  }

  #isComputedAgain(node: Node): boolean {
    if (isLeaf(node)) return !this.#carries.has(node);
    if (!isCheap(node)) return false;
    if (node.inputs.every((input) => isLeaf(input) || this.#isKnown(input))) return true;
    // To store the operand of a view takes no more memory than to store the view, unless the view is a part of it.
    const [operand] = node.inputs;
    return isView(node) && operand !== undefined && roughSize(node) >= roughSize(operand);
  }

  /** Whether it is decided already how the backward pass gets the value. */
  #isKnown(node: Node): boolean {
    return this.#stored.has(node) || this.#seen.has(node);
  }
}

function isLeaf(node: Node): boolean {
  return node instanceof Argument || node instanceof Constant;
}

function isResult({ op }: Node): boolean {
  return op.lowering.kind === 'result';
}

function isView({ op: { lowering } }: Node): boolean {
  return lowering.kind === 'view' || lowering.kind === 'alias';
}

/** Whether computing the value takes less time than storing and loading it. */
function isCheap(node: Node): boolean {
  const { lowering } = node.op;
  switch (lowering.kind) {
    case 'view':
    case 'alias':
    case 'cast':
    case 'extent':
    case 'positions':
    // A concatenation is usually computed in place, or split by its readers.
    case 'place':
      return true;
    case 'map':
      return node.dtype === 'bool' || cheapKernels.has(lowering.kernel);
    default:
      return false;
  }
}

/** Returns the number of elements of a node, if every name of a dimension were 64. */
function roughSize({ shape }: Node): number {
  const bindings = new Map(shape.flatMap(namesOf).map((name) => [name, 64]));
  return shape.reduce<number>((size, dim) => size * bindDim(dim, bindings), 1);
}
