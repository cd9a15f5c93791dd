/** Lowers the loops of a graph: makes the value of a loop, with the values of its body and its results. */

import { GraphError } from '../../errors.js';
import { activeCarries } from '../../evaluate/loop.js';
import { executionOrder } from '../../evaluate/lowered.js';
import { type Bindings, bindDim, type Dim } from '../../graph/dimension.js';
import { Argument, Constant } from '../../graph/leaf.js';
import {
  boundSteps,
  type Carry,
  dividedInputs,
  type Loop,
  type LoopResult,
  loopOf,
  rootOf,
} from '../../graph/loop.js';
import type { Node } from '../../graph/node.js';
import type { Builder } from '../../ir/builder.js';
import { type Found, type IrCarry, IrLoop, slotsOf } from '../../ir/loop.js';
import { type Details, type Ref, viewed } from '../../ir/value.js';
import { count, equalLists } from '../../ir/view.js';
import { maxLoopDepth } from '../../native/program.js';
import { positionsOf } from '../../primitives/positions.js';
import { loopValue } from '../../primitives/scan.js';
import type { DType } from '../../tensor/dtype.js';

/** Lowers the nodes of a body with a builder of its own. `known` has the refs of some nodes. */
type LowerBody = (
  order: readonly Node[],
  build: Builder,
  known: ReadonlyMap<Node, Ref>,
) => ReadonlyMap<Node, Ref>;

/** The value of a loop; if the loop has no steps, its results by their keys instead. */
type Lowered =
  | { readonly value: Ref }
  | { readonly value: undefined; readonly results: ReadonlyMap<string, Ref> };

/**
 * Lowers a node of the op `scan`.
 * @param keys the keys of the results that are read
 * @param args the elements of the inputs
 * @throws ShapeError if a shape of the body is not valid under this binding, or if there are too many steps; GraphError if
 *   too many loops are in one another
 */
export function lowerLoop(
  node: Node,
  keys: readonly string[],
  args: readonly Ref[],
  bindings: Bindings,
  build: Builder,
  lowerBody: LowerBody,
): Lowered {
  const loop = loopOf(node) as Loop;
  const bind = (dim: Dim) => bindDim(dim, bindings);
  const wanted = keys.map((key) => [key, loop.results.get(key) as LoopResult] as const);
  const { initial, over, captured } = dividedInputs(loop, args);
  const initialOf = (carry: Carry) => initial[loop.carries.indexOf(carry)] as Ref;
  const steps = boundSteps(node, bindings);
  if (loop.depth > maxLoopDepth) {
    throw new GraphError(
      `${node} has ${loop.depth} loops in one another; a program can have at most ${maxLoopDepth}`,
    );
  }
  if (steps === 0) {
    const empty = (result: LoopResult) => {
      if (result.kind === 'last') return initialOf(result.carry);
      const { dtype, shape } = result.node;
      const own = shape.map(bind);
      return build.filled(0, dtype, result.kind === 'rows' ? [0, ...own] : own);
    };
    return {
      value: undefined,
      results: new Map(wanted.map(([key, result]) => [key, empty(result)])),
    };
  }

  const active = activeCarries(
    loop,
    wanted.map(([, result]) => result),
  );
  const body = build.forBody();
  // Constants are leaves of the body, so that the rules see them.
  const constants = new Map<Node, Ref>();
  for (const [i, capture] of loop.captures.entries()) {
    const ref = captured[i] as Ref;
    const { leaf } = ref.value.details;
    if (!(leaf instanceof Constant)) continue;
    constants.set(capture, viewed(body.leaf(leaf, ref.value.shape).value, ref));
  }
  const order = executionOrder([
    ...wanted.map(([, result]) => rootOf(result)),
    ...active.map(({ next }) => next),
  ]);
  const refs = lowerBody(order, body, constants);
  const isRead = (argument: Argument) =>
    refs.get(argument)?.value.details.leaf === argument && !constants.has(argument);
  const rows = loop.rows.flatMap((argument, i) =>
    isRead(argument) ? [{ argument, ref: over[i] as Ref }] : [],
  );
  if (isRead(loop.index)) {
    const indices = (known: Bindings) => positionsOf(0, boundSteps(node, known));
    rows.push({
      argument: loop.index,
      ref: build.computed(indices(bindings), [steps], indices),
    });
  }
  const captures = loop.captures.flatMap((argument, i) =>
    isRead(argument) ? [{ argument, ref: captured[i] as Ref }] : [],
  );
  const results = new Results(loop, steps, active, refs, body);
  for (const [key, result] of wanted) results.add(key, result);
  const { carries, roots, found, details } = results.all();
  return {
    value: loopValue(build, {
      kind: 'scan',
      dtype: 'float32',
      shape: [],
      args: [
        ...active.map(initialOf),
        ...rows.map(({ ref }) => ref),
        ...captures.map(({ ref }) => ref),
      ],
      details: {
        loop: new IrLoop({
          roots,
          build: body,
          count: steps,
          reverse: loop.reverse,
          recomputes: loop.recomputes,
          carries,
          rows: rows.map(({ argument }) => argument),
          captures: captures.map(({ argument }) => argument),
          found,
        }),
        results: details,
      },
      node,
    }),
  };
}

/** Finds out which memory the results of a loop need. */
class Results {
  /** Whether all values of a carry remain, by its index among the carries. */
  readonly #remain: boolean[];
  readonly #sums: { readonly argument: Argument; readonly next: Ref }[] = [];
  readonly #stacked: Ref[] = [];
  /** For each key, what has the result. */
  readonly #at = new Map<
    string,
    (
      carries: number,
      sums: number,
    ) => { readonly result: number; readonly row: number; readonly rows: number | undefined }
  >();
  readonly #nexts: readonly Ref[];
  readonly #states: readonly Ref[];

  constructor(
    private readonly loop: Loop,
    private readonly steps: number,
    private readonly active: readonly Carry[],
    private readonly refs: ReadonlyMap<Node, Ref>,
    private readonly build: Builder,
  ) {
    this.#remain = active.map(() => false);
    this.#nexts = active.map(({ next }) => this.#refOf(next));
    this.#states = active.map(
      ({ argument }, i) =>
        refs.get(argument) ?? build.leaf(argument, (this.#nexts[i] as Ref).shape),
    );
  }

  #refOf(node: Node): Ref {
    return this.refs.get(node) as Ref;
  }

  add(key: string, result: LoopResult): void {
    const { steps } = this;
    const { reverse } = this.loop;
    if (result.kind === 'last') {
      const at = this.active.indexOf(result.carry);
      this.#at.set(key, () => {
        const slot = this.#remain[at] ? (reverse ? 0 : steps) : steps % 2;
        return { result: at, row: slot, rows: undefined };
      });
      return;
    }
    const ref = this.#refOf(result.node);
    if (result.kind === 'sum') {
      const argument = new Argument('sum', result.node.shape, result.node.dtype, 'a sum');
      const leaf = this.build.leaf(argument, ref.shape);
      const next = this.build.sum(ref.value.dtype, ref.shape, [leaf, ref], result.node);
      const at = this.#sums.push({ argument, next }) - 1;
      this.#at.set(key, (carries) => ({ result: carries + at, row: 0, rows: undefined }));
      return;
    }
    const start = this.#states.findIndex((one) => isSame(one, ref));
    const end = start < 0 ? this.#nexts.findIndex((one) => isSame(one, ref)) : -1;
    const carry = Math.max(start, end);
    if (carry >= 0) {
      this.#remain[carry] = true;
      // Row t begins the step t, and the row after it (before it, in reverse) ends it.
      const row = start >= 0 === reverse ? 1 : 0;
      this.#at.set(key, () => ({ result: carry, row, rows: steps }));
      return;
    }
    const known = this.#stacked.findIndex((one) => isSame(one, ref));
    const at = known >= 0 ? known : this.#stacked.push(ref) - 1;
    this.#at.set(key, (carries, sums) => ({ result: carries + sums + at, row: 0, rows: steps }));
  }

  all(): {
    readonly carries: readonly IrCarry[];
    readonly roots: readonly Ref[];
    readonly found: ReadonlyMap<string, Found>;
    readonly details: NonNullable<Details['results']>;
  } {
    const { steps, active } = this;
    const carries: IrCarry[] = [
      ...active.map(({ argument }, i): IrCarry => {
        return { argument, kept: this.#remain[i] ? 'all' : 'last' };
      }),
      ...this.#sums.map(({ argument }): IrCarry => ({ argument, kept: 'sum' })),
    ];
    const roots = [...this.#nexts, ...this.#sums.map(({ next }) => next), ...this.#stacked];
    const details = roots.map(({ value: { dtype }, shape }, i): readonly [DType, ...number[]] => {
      const carry = carries[i];
      if (carry?.kept === 'sum') return [dtype, ...shape];
      return [dtype, carry ? slotsOf(carry, steps) : steps, ...shape];
    });
    const found = new Map<string, Found>();
    for (const [key, at] of this.#at) {
      const { result, row, rows } = at(active.length, this.#sums.length);
      const { shape } = roots[result] as Ref;
      found.set(key, {
        result,
        offset: row * count(shape),
        shape: rows === undefined ? shape : [rows, ...shape],
      });
    }
    return { carries, roots, found, details };
  }
}

function isSame(a: Ref, b: Ref): boolean {
  return (
    a.value === b.value &&
    a.offset === b.offset &&
    equalLists(a.shape, b.shape) &&
    equalLists(a.strides, b.strides)
  );
}
