/** Computes values of a body for all steps at once: with a first axis of steps, or their sums over the steps. */

import type { Builder } from '../../../ir/builder.js';
import type { Ref, Value } from '../../../ir/value.js';
import { narrow, numberOf, viewed } from '../../../ir/value.js';
import { valueRecord } from '../../../primitives/index.js';
import { batched } from '../../../primitives/product.js';

/** The kinds of values that can be computed for all steps at once. */
const kinds = new Set(['map', 'sum', 'product', 'columnSum', 'reduce', 'batch', 'assemble']);

export function hasAllSteps({ kind, details, args }: Value): boolean {
  if (kind === 'assemble') return !details.adds && !details.gaps;
  return kinds.has(kind) && !(kind === 'product' && args.length > 2);
}

/** What a leaf of the body, or a value that the loop stacks, is outside of the loop. */
export type Outside =
  /** The elements in all steps, with a first axis of steps. */
  | { readonly kind: 'rows'; readonly ref: Ref }
  /** The elements, which are the same in all steps. */
  | { readonly kind: 'same'; readonly ref: Ref };

export class AllSteps {
  readonly #known = new Map<Value, Outside>();

  /**
   * @param steps the number of steps
   * @param outside returns what a value is outside of the loop; undefined if it is computed from its operands
   */
  constructor(
    private readonly build: Builder,
    private readonly steps: number,
    private readonly outside: (value: Value) => Outside | undefined,
  ) {}

  /** Returns the elements of a ref in all steps, with a first axis of steps. */
  rows({ value, offset, shape, strides }: Ref): Ref {
    const { build, steps } = this;
    const of = this.#of(value);
    if (of.kind === 'same') {
      const ref = build.through({ offset, shape, strides }, of.ref, value.node);
      return build.stretch(ref, [steps, ...shape]);
    }
    const view = { offset, shape: [steps, ...shape], strides: [value.size, ...strides] };
    return build.through(view, of.ref, value.node);
  }

  /** Returns the sum of the elements of a ref over all steps; undefined if it is not a sum of products. */
  total(ref: Ref): Ref | undefined {
    const { value, offset, shape, strides } = ref;
    const whole = this.#total(value);
    return whole && this.build.through({ offset, shape, strides }, whole, value.node);
  }

  /** Returns the first of the steps in which a left operand is not known to be 0, and the step after the last. */
  #nonzero({ value }: Ref): readonly [number, number] {
    const { steps } = this;
    const of = this.#of(value);
    const zero = of.kind === 'rows' ? zeroRow(of.ref) : undefined;
    if (zero === 'first') return [1, steps];
    return zero === 'last' ? [0, steps - 1] : [0, steps];
  }

  #of(value: Value): Outside {
    const known = this.#known.get(value);
    if (known) return known;
    const made = this.outside(value) ?? { kind: 'rows' as const, ref: this.#made(value) };
    this.#known.set(value, made);
    return made;
  }

  #made(value: Value): Ref {
    const { build, steps } = this;
    const { kind, args, dtype, shape, details, node } = value;
    const all = [steps, ...shape];
    if (kind === 'product') return this.#product(value);
    if (kind === 'columnSum') {
      const [matrix] = args.map((arg) => this.rows(arg)) as [Ref];
      const kept = swapped(matrix, 1, 2);
      const sum = { kind: 'reduce' as const, dtype, shape: all, details: { kernel: 'sum' }, node };
      return valueRecord(sum).rebuild(build, sum, [kept]);
    }
    const starts = details.starts?.map((start) => [0, ...start]);
    const own = starts ? { ...details, starts } : details;
    const defined = { kind, dtype, shape: all, details: own, node };
    return valueRecord(value).rebuild(
      build,
      defined,
      args.map((arg) => this.rows(arg)),
    );
  }

  #product({ args, shape, node }: Value): Ref {
    const { build, steps } = this;
    const [a, b] = args as readonly [Ref, Ref];
    const right = this.#of(b.value);
    if (right.kind === 'rows') return batched(build, this.rows(a), this.rows(b), node);
    const [m, k] = a.shape as readonly [number, number];
    const lefts = build.reshape(this.rows(a), [steps * m, k], node);
    const weight = build.through(b, right.ref, node);
    return build.reshape(build.product(lefts, weight, node), [steps, ...shape], node);
  }

  #total(value: Value): Ref | undefined {
    const { build, steps } = this;
    const { kind, args, dtype, shape, details, node } = value;
    if (kind === 'product' && args.length === 2) {
      const [a, b] = args as readonly [Ref, Ref];
      const [m, k] = a.shape as readonly [number, number];
      const n = b.shape[1] as number;
      const [first, end] = this.#nonzero(a);
      const terms = (end - first) * k;
      const left = swapped(narrow(this.rows(a), 0, first, end), 0, 1);
      const right = narrow(this.rows(b), 0, first, end);
      return build.product(
        build.reshape(left, [m, terms], node),
        build.reshape(right, [terms, n], node),
        node,
      );
    }
    if (kind === 'columnSum') {
      const matrix = this.rows(args[0] as Ref);
      const terms = steps * ((args[0] as Ref).shape[0] as number);
      return build.columnSum(build.reshape(matrix, [terms, ...shape], node), node);
    }
    if (kind === 'sum') {
      const terms = args.map((arg) => this.total(arg));
      return terms.every((term) => term !== undefined)
        ? build.sum(dtype, shape, terms, node)
        : undefined;
    }
    if (kind !== 'assemble' || details.adds || details.gaps) return undefined;
    const blocks = args.map((arg) => this.total(arg));
    if (!blocks.every((block) => block !== undefined)) return undefined;
    const starts = details.starts as readonly (readonly number[])[];
    return build.assemble(
      dtype,
      shape,
      blocks.map((ref, i) => ({ ref, start: starts[i] as readonly number[] })),
      node,
    );
  }
}

/** Returns a ref with two of its axes exchanged. */
function swapped({ value, offset, shape, strides }: Ref, a: number, b: number): Ref {
  const exchange = (list: readonly number[]) =>
    list.with(a, list[b] as number).with(b, list[a] as number);
  return viewed(value, { offset, shape: exchange(shape), strides: exchange(strides) });
}

/** Returns which row is 0 because it is the first value of a carry, which began as 0; undefined if none is. */
function zeroRow({ value, offset, shape }: Ref): 'first' | 'last' | undefined {
  const scan = value.kind === 'result' ? value.args[0]?.value : undefined;
  const loop = scan?.details.loop;
  const index = (value.details.result ?? 0) - 1;
  if (!scan || !loop || loop.carries[index]?.kept !== 'all') return undefined;
  const initial = scan.args[loop.initials.indexOf(loop.carries[index])];
  if (!initial || numberOf(initial) !== 0 || shape[0] !== loop.count) return undefined;
  const size = value.size / (loop.count + 1);
  if (!loop.reverse && offset === 0) return 'first';
  return loop.reverse && offset === size ? 'last' : undefined;
}

/** Whether `AllSteps.total` returns the sum of a ref over the steps. */
export function isTotal({ value }: Ref, canBeRows: (ref: Ref) => boolean): boolean {
  const { kind, args, details } = value;
  switch (kind) {
    case 'product':
      return args.length === 2 && args.every(canBeRows);
    case 'columnSum':
      return args.every(canBeRows);
    case 'sum':
      return args.every((arg) => isTotal(arg, canBeRows));
    case 'assemble':
      return !details.adds && !details.gaps && args.every((arg) => isTotal(arg, canBeRows));
    default:
      return false;
  }
}
