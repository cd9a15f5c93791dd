/** `scan`: loops over the first axis of nodes, with values that are carried from step to step. */

import { describeValue } from '../arguments/describe.js';
import { callback, checkedLater, filledText, flag, wholeNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { assertRecord, isList, isRecord } from '../arguments/read.js';
import { DTypeError, GraphError, ShapeError, ValueError } from '../errors.js';
import { type Dim, dimension, sameShape } from '../graph/dimension.js';
import { Argument, lift } from '../graph/leaf.js';
import { assertValue, isNode, type Node, nextNodeId } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { formatShape } from '../tensor/shape.js';
import { isTensor } from '../tensor/tensor.js';
import { closeLoop, describeScan, type OpenLoop } from './loop.js';
import { closeInSegments } from './segments.js';

/** What `scan` cuts into rows, and what a body returns for a step: a node, a record of nodes, or nothing. */
export type Scanned = Node | Readonly<Record<string, Node>> | undefined;

/** Nodes by the keys of carries. */
export type Carried<C> = { readonly [K in keyof C]: Node };

const recomputeOptions = declareOptions('scan: recompute', {
  /** The number of steps of a segment. */
  every: required(wholeNumber(1), 'steps'),
});

/** How a loop saves memory by computing steps again. */
export interface Recompute extends OptionsOf<typeof recomputeOptions> {}

/** The option `recompute` of a function that makes loops. */
export const recomputeOption = optional(
  checkedLater<Recompute>('{ every }, a number of steps'),
  'checkpoint',
  'remat',
);

const scanOptions = declareOptions('scan', {
  /** What is cut along its first axis: a node, or a record of nodes. In each step, the body gets a row of each. */
  over: optional(checkedLater<Scanned>('a node or a record of nodes'), 'xs', 'inputs'),
  /** The values of the carries before the first step, by key: nodes, tensors or numbers. Without it, nothing is carried. */
  initial: optional(
    checkedLater<Readonly<Record<string, Operand>>>('a record of nodes'),
    'init',
    'state',
    'carry',
  ),
  /** The number of steps, a number or a name. It is needed only without `over`. */
  length: optional(checkedLater<Dim>('a number of steps, or the name of a dimension'), 'steps'),
  /** If true, the steps run from the last row to the first. The default is false. */
  reverse: optional(flag, 'backwards'),
  /**
   * `{ every: k }` saves memory in training: the loop keeps its carries only at every k-th step, and the backward pass
   * computes the k steps from there again. Training then needs memory for T / k + k steps instead of T, and computes the
   * steps of the loop twice. `ys`, `over` with its gradient, and the draws of the body still have T rows.
   */
  recompute: recomputeOption,
  /** A name for errors, drawings and profiles. */
  name: optional(filledText, 'label'),
});

/** Options of `scan`. */
export interface ScanOptions<
  C extends Readonly<Record<string, Operand>> = Readonly<Record<string, Operand>>,
  X extends Scanned = Scanned,
> extends OptionsOf<typeof scanOptions> {
  /** What is cut along its first axis: a node, or a record of nodes. In each step, the body gets a row of each. */
  readonly over?: X;
  /** The values of the carries before the first step, by key: nodes, tensors or numbers. Without it, nothing is carried. */
  readonly initial?: C;
}

/** The graph of one step. */
export type ScanBody<C, X extends Scanned, Y extends Scanned> = (
  carry: Carried<C>,
  x: X,
  t: Node,
) => readonly [next: { readonly [K in keyof C]: Operand }, y: Y];

const readBody = callback<ScanBody<object, Scanned, Scanned>>();

/**
 * Computes a graph once in each step, and carries values from step to step. It is for sequences of any length: the number
 * of steps may be a name, and a program has as many instructions for 10,000 steps as for 10.
 *
 * ```ts
 * const { last, ys } = scan(
 *   ({ h }, x) => {
 *     const next = tanh(add(matmul(concat([x, h], 1), weight), bias));
 *     return [{ h: next }, next];
 *   },
 *   { over: xs, initial: { h: h0 } },
 * );
 * ```
 *
 * The body is called once, to build the graph of a step. Nodes that it makes of its arguments are computed in each step.
 * All others, such as parameters, are the same in all steps: they are computed once. A draw that is made in the body is a
 * new draw in each step. `backward` differentiates with respect to the initial values, to `over`, and to all nodes that
 * the body reads. With zero steps, the last values are the initial ones, and these gradients are zeros.
 *
 * With `recompute: { every: k }`, results and gradients are the same up to the rounding of sums over the steps. The loop is
 * then a loop `<name>.segments` with a loop over k steps in it, and a loop `<name>.rest` over the steps that are left over.
 * Errors and profiles name these.
 *
 * @param body gets the carries, the row of `over` in its form (undefined if only `length` is given), and t, the index of
 *   the row, an int32 scalar. It returns [next, y]: the next value of each carry, of the same shape and dtype, and a node,
 *   a record of nodes, or undefined
 * @returns `last`, the carries after the last step, and `ys`, in the form of y: its nodes, each with a new first axis of
 *   steps. The row t of ys belongs to the row t of `over`, also if `reverse` is true
 * @throws ShapeError if a carry changes its shape, if the inputs have no steps or different numbers of steps, or if
 *   `length` is another number; DTypeError if a carry changes its dtype; ValueError if the body is not a function, does not
 *   return [next, y] or does not return each carry, if neither `over` nor `length` is given, or if an option is unknown;
 *   GraphError if a result of the body is not a node, or if the body carries a side update
 */
export function scan<
  C extends Readonly<Record<string, Operand>> = Readonly<Record<never, Operand>>,
  X extends Scanned = undefined,
  Y extends Scanned = undefined,
>(
  body: ScanBody<C, X, Y>,
  options: ScanOptions<C, X>,
): { readonly last: Carried<C>; readonly ys: Y } {
  return scanSince(nextNodeId(), body, options);
}

/** Like `scan`, for a body that returns nodes which were made before. @param firstDraw draws with at least this id belong to it */
export function scanSince<
  C extends Readonly<Record<string, Operand>>,
  X extends Scanned,
  Y extends Scanned,
>(
  firstDraw: number,
  body: ScanBody<C, X, Y>,
  options: ScanOptions<C, X>,
): { readonly last: Carried<C>; readonly ys: Y } {
  if (!readBody.accepts(body)) {
    throw new ValueError(
      `scan: expected a function that builds the graph of a step, but received ${describeValue(body)}`,
    );
  }
  const read = scanOptions.read(options);
  const { over, initial = {}, length, reverse = false, name } = read;
  const where = describeScan(name);
  const recompute =
    read.recompute === undefined
      ? undefined
      : recomputeOptions.read(read.recompute, `${where} recompute`);
  const cut = formOf(over, `${where} over:`);
  const steps = stepsOf(cut.entries, length, where);
  const starts = assertRecord(
    initial as Readonly<Record<string, Operand>>,
    `${where} initial: expected a record of nodes,`,
  ).map(([key, value]) => [key, operand(value, `${where} initial.${key}:`)] as const);

  const argument = (label: string, shape: Node['shape'], dtype: Node['dtype']) =>
    new Argument(name === undefined ? label : `${name}.${label}`, shape, dtype, where);
  const carries = starts.map(([key, node]) => ({
    key,
    initial: node,
    argument: argument(key, node.shape, node.dtype),
  }));
  const rows = cut.entries.map(([key, node]) => ({
    over: node,
    argument: argument(key ?? 'x', node.shape.slice(1), node.dtype),
  }));
  const index = argument('t', [], 'int32');
  const returned: unknown = body(
    Object.freeze(
      Object.fromEntries(carries.map(({ key, argument: at }) => [key, at])),
    ) as Carried<C>,
    cut.formed(rows.map((row) => row.argument)) as X,
    index,
  );
  const [next, y] = pairOf(returned, where);
  const nexts = nextOf(next, carries, where);
  const kept = formOf(y, `${where} y:`);
  const open: OpenLoop = {
    name,
    steps,
    reverse,
    carries: carries.map((carry, i) => ({ ...carry, next: nexts[i] as Node })),
    rows,
    index,
    results: kept.entries.map(([, node]) => ({ kind: 'rows', node })),
    firstDraw,
    recomputes: false,
  };
  const { last, results } = recompute ? closeInSegments(open, recompute.every) : closeLoop(open);
  return Object.freeze({
    last: Object.freeze(
      Object.fromEntries(carries.map(({ key }, i) => [key, last[i]])),
    ) as unknown as Carried<C>,
    ys: kept.formed(results) as Y,
  });
}

/** Nodes with their keys, and how other nodes get their form. */
interface Form {
  readonly entries: readonly (readonly [key: string | undefined, node: Node])[];
  formed(nodes: readonly Node[]): Scanned;
}

/** @throws GraphError if `value` is neither a node, nor a record of nodes, nor undefined */
function formOf(value: unknown, where: string): Form {
  if (value === undefined) return { entries: [], formed: () => undefined };
  if (isNode(value) || isTensor(value) || typeof value === 'number') {
    return { entries: [[undefined, operand(value, where)]], formed: ([node]) => node };
  }
  const expected = `${where} expected a node or a record of nodes,`;
  if (!isRecord(value)) throw new GraphError(`${expected} but received ${describeValue(value)}`);
  const entries = assertRecord(value as Readonly<Record<string, Operand>>, expected).map(
    ([key, one]) => [key, operand(one, `${where} ${key}:`)] as const,
  );
  return {
    entries,
    formed: (nodes) =>
      Object.freeze(Object.fromEntries(entries.map(([key], i) => [key, nodes[i] as Node]))),
  };
}

/** @throws GraphError if `value` is not a node, a tensor or a number */
function operand(value: unknown, where: string): Node {
  if (isNode(value)) {
    assertValue(value, where);
    return value;
  }
  if (isTensor(value) || typeof value === 'number') return lift('scan', [value])[0] as Node;
  throw new GraphError(`${where} expected a node, but received ${describeValue(value)}`);
}

function stepsOf(entries: Form['entries'], length: Dim | undefined, where: string): Dim {
  const given = length === undefined ? undefined : dimension(length, `${where} length:`);
  let steps = given;
  let from = 'the option length';
  for (const [key, { shape }] of entries) {
    const label = key === undefined ? 'over' : `over.${key}`;
    const [first] = shape;
    if (first === undefined) {
      throw new ShapeError(
        `${where} ${label}: expected an axis of steps, but received shape ${formatShape(shape)}`,
      );
    }
    if (steps !== undefined && steps !== first) {
      throw new ShapeError(`${where} ${label} has ${first} steps, but ${from} has ${steps}`);
    }
    steps = first;
    from = label;
  }
  if (steps !== undefined) return steps;
  throw new ValueError(
    `${where} expected \`over\` or \`length\`, which say how many steps there are, but received neither`,
  );
}

/** @throws ValueError if a body did not return [next, y] */
function pairOf(returned: unknown, where: string): readonly [unknown, unknown] {
  if (isList(returned) && returned.length === 2) return [returned[0], returned[1]];
  throw new ValueError(
    `${where} expected the body to return [next, y], the next carries and what is kept of the step, but it returned ${describeValue(returned)}`,
  );
}

/** Returns the next value of each carry. */
function nextOf(
  next: unknown,
  carries: readonly { readonly key: string; readonly argument: Argument }[],
  where: string,
): Node[] {
  const expected = `${where} expected the body to return a record of the next carries,`;
  if (!isRecord(next)) throw new ValueError(`${expected} but received ${describeValue(next)}`);
  const values = new Map<string, unknown>(assertRecord(next, expected));
  const keys = carries.map(({ key }) => key);
  const missing = keys.filter((key) => !values.has(key));
  const unknown = [...values.keys()].filter((key) => !keys.includes(key));
  if (missing.length > 0 || unknown.length > 0) {
    const texts = [
      missing.length > 0 ? `${missing.join(', ')} missing` : '',
      unknown.length > 0 ? `${unknown.join(', ')} not in \`initial\`` : '',
    ].filter(Boolean);
    throw new ValueError(
      `${where} expected the body to return the next value of each carry (${keys.join(', ') || 'none'}): ${texts.join('; ')}`,
    );
  }
  return carries.map(({ key, argument }) => {
    const value = values.get(key);
    const node =
      typeof value === 'number'
        ? (lift('scan', [argument, value])[1] as Node)
        : operand(value, `${where} the next value of ${key}:`);
    if (node.dtype !== argument.dtype) {
      throw new DTypeError(
        `${where} the carry ${key} began as ${argument.dtype}, but its next value ${node} is ${node.dtype}`,
      );
    }
    if (!sameShape(node.shape, argument.shape)) {
      throw new ShapeError(
        `${where} the carry ${key} began with shape ${formatShape(argument.shape)}, but its next value ${node} has ${formatShape(node.shape)}`,
      );
    }
    return node;
  });
}
