/**
 * Layout: chooses the order of the axes of values in memory. Convolutions read and write images with adjacent channels,
 * [batch, height, width, channels], but in the graph images are [batch, channels, height, width]. Without this pass,
 * each element-wise value between two convolutions would be computed in the order of the graph, and be copied into the
 * order of the next convolution.
 *
 * Example: y = conv(relu(conv(x, v) + b), w). The result of the first convolution is a value [N, H, W, C], of which the
 * graph reads the view [N, C, H, W]. The pass computes the sum and the relu as values [N, H, W, C], too, and b is read
 * with the strides (0, 0, 0, 1). The second convolution then reads all elements of the relu in order, without a copy.
 *
 * First, the order that the readers of each value need is found, from the last value to the first. Then the values are
 * made anew, from the first to the last. A value for which its readers need no order gets that of its operands.
 * Reductions follow: their record chooses how they read the new order. An operand that a routine still cannot read fast
 * is copied, such as an input of the program.
 *
 * Pooling and its gradients compute images in both orders. If the operand of such a routine has at least as many
 * elements as the result, as in pooling, the operand's order is kept, and a reader that needs another copies the result.
 * Otherwise, as in the gradients, the order that the readers need is chosen.
 */

import type { Sliced } from '../../graph/sliced.js';
import {
  type Axes,
  inverse,
  isRowMajor,
  memoryOrder,
  orderOfValue,
  permuted,
} from '../../ir/axes.js';
import type { Builder } from '../../ir/builder.js';
import { byId, endOf, type Ref, Uses, type Value, viewed } from '../../ir/value.js';
import { count, equalLists } from '../../ir/view.js';
import { valueRecord } from '../../primitives/index.js';
import type { Arrange, FewOrders } from '../../primitives/record.js';
import { Rebuilder } from './rebuild.js';

export function* layout(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  const order = yield* build.valuesOf(roots);
  let needed = false;
  for (let i = 0; i < order.length && !needed; i++) {
    const value = order[i] as Value;
    needed =
      typeof arrangement(value) === 'object' || value.args.some((arg) => !readsFast(value, arg));
    if (build.pace.due(1 + value.args.length)) yield;
  }
  if (!needed) return [...roots];
  return yield* new Layout(build).run(roots, order);
}

/** The order that the readers of a value need: an order of its axes, or no particular one. */
type Wanted = Axes | undefined;

class Layout {
  /** The order that the readers of each value need, by the id of the value. */
  #wanted: Wanted[] = [];
  /** Values whose order this pass or a routine has chosen. */
  readonly #arranged = new Set<Value>();
  readonly #rebuilder: Rebuilder;

  constructor(private readonly build: Builder) {
    this.#rebuilder = new Rebuilder(build, (value) => this.#changed(value));
  }

  *run(roots: readonly Ref[], order: readonly Value[]): Sliced<Ref[]> {
    const { pace } = this.build;
    const uses = yield* Uses.of(order, roots, pace);
    this.#wanted = byId<Axes>(endOf(order));
    for (let i = order.length - 1; i >= 0; i--) {
      const value = order[i] as Value;
      if (typeof arrangement(value) !== 'string')
        this.#wanted[value.id] = this.#wantedBy(value, uses);
      if (pace.due(1 + uses.count(value))) yield;
    }
    return yield* this.#rebuilder.run(roots, order);
  }

  /** Returns the order in which the readers of a value need it. If they need several, returns one that is not its own. */
  #wantedBy(value: Value, uses: Uses): Wanted {
    let own: Wanted;
    let other: Wanted;
    for (let i = 0; i < uses.count(value); i++) {
      const { reader, ref } = uses.at(value, i);
      // A value that is computed in the memory of another keeps its order.
      if (reader && valueRecord(reader).onto(reader) === ref) return [...value.shape.keys()];
      const axes = this.#wantedByUse(reader, ref);
      if (axes && !isRowMajor(value.shape, axes)) other ??= axes;
      else own ??= axes;
    }
    const wanted = other ?? own;
    const arrange = arrangement(value);
    return typeof arrange === 'object' ? this.#fewWanted(value, wanted, arrange) : wanted;
  }

  /** Returns which of the few orders of a value is wanted. A value that keeps the order of its operand needs no own one. */
  #fewWanted(value: Value, wanted: Wanted, { orders }: FewOrders): Wanted {
    if (!wanted) return undefined;
    const few = orders(value).find((axes) => areAlike(value.shape, axes, wanted));
    if (few && !isRowMajor(value.shape, wanted)) return few;
    return isLed(value) ? undefined : [...value.shape.keys()];
  }

  #wantedByUse(reader: Value | undefined, ref: Ref): Wanted {
    const own = [...ref.value.shape.keys()];
    if (!reader) return orderOfValue(ref, [...ref.shape.keys()]) ?? own;
    const arrange = arrangement(reader);
    if (typeof arrange === 'string') {
      const read = orderOfValue(ref, [...ref.shape.keys()]);
      if (read && !readsFast(reader, ref)) return read;
      // A value that reads the axes in another order, and fast, reads any order.
      const any = read && (arrange === 'reads any order' || !isRowMajor(ref.value.shape, read));
      return any ? undefined : own;
    }
    const wanted = this.#wanted[reader.id];
    return wanted && (orderOfValue(ref, wanted) ?? own);
  }

  /** Returns the replacement of a value, if it changes. */
  #changed(value: Value): Ref | undefined {
    if (value.args.length === 0) return undefined;
    const { kernel, converts } = value.details;
    const args = value.args.map((arg) => this.#rebuilder.ref(arg));
    const arrange = arrangement(value);
    if (typeof arrange === 'string') return this.#fixed(value, args);
    if (typeof arrange === 'object') return this.#ofFew(value, args, arrange);
    const axes = this.#wanted[value.id] ?? this.#orderOf(args);
    if (!axes || isRowMajor(value.shape, axes)) {
      // A copy that made an operand contiguous is not needed if the operand is computed in this order.
      const copies = kernel === 'copy' && !converts;
      return copies ? this.build.copy(args[0] as Ref, value.node) : undefined;
    }
    this.build.fire('layout: computed in another order');
    const operands = args.map((arg) => viewed(arg.value, permuted(arg, axes)));
    const made =
      kernel === 'copy' && !converts
        ? this.build.copy(operands[0] as Ref, value.node)
        : arrange(this.build, value, axes, operands);
    this.#arranged.add(made.value);
    return viewed(made.value, permuted(made, inverse(axes)));
  }

  /** Makes a value that can have its axes only in some orders. Copies the operands that it cannot read fast. */
  #ofFew(value: Value, args: readonly Ref[], { orders, make }: FewOrders): Ref {
    const own = [...value.shape.keys()];
    const first = args[0] as Ref;
    const kept = [own, ...orders(value)].find((axes) => endsInNeighbours(first, axes));
    const wanted = this.#wanted[value.id];
    const axes = (isLed(value) ? (kept ?? wanted) : (wanted ?? kept)) ?? own;
    if (equalLists(axes, own)) return this.#fixed(value, args);
    this.build.fire('layout: computed in another order');
    const operands = args.map((arg, i) => {
      const operand = viewed(arg.value, permuted(arg, axes));
      return this.#fast(value, value.args[i] as Ref, operand);
    });
    const made = make(this.build, value, axes, operands);
    this.#arranged.add(made.value);
    return viewed(made.value, permuted(made, inverse(axes)));
  }

  /** Returns the order of the first operand whose order was chosen, if it is not that of the operand's axes. */
  #orderOf(args: readonly Ref[]): Axes | undefined {
    for (const arg of args) {
      const axes = this.#arranged.has(arg.value) ? memoryOrder(arg) : undefined;
      if (axes && !isRowMajor(arg.shape, axes)) return axes;
    }
    return undefined;
  }

  /** Makes a value whose order is fixed. Copies the operands that it cannot read fast. */
  #fixed(value: Value, args: readonly Ref[]): Ref {
    const onto = valueRecord(value).onto(value);
    const read = args.map((arg, i) => {
      const old = value.args[i] as Ref;
      return old === onto ? arg : this.#fast(value, old, arg);
    });
    const made = this.#rebuilder.of(value, read);
    this.#arranged.add(made.value);
    return made;
  }

  /** Returns the replacement of an operand, or a copy of it if the value cannot read it fast. */
  #fast(value: Value, old: Ref, arg: Ref): Ref {
    if (valueRecord(value).reads(value, old, arg)) return arg;
    this.build.fire('layout: copied');
    return this.build.copy(arg, value.node);
  }
}

/** Whether the instruction of a value reads an operand fast in the order of the graph. */
function readsFast(value: Value, arg: Ref): boolean {
  return valueRecord(value).reads(value, arg, arg);
}

/** Returns how a value is made in another order, or how it reads its operands if it cannot. */
function arrangement(value: Value): Arrange | FewOrders | 'reads any order' | 'fixed' {
  const { arrange } = valueRecord(value);
  if (typeof arrange === 'string') return arrange;
  const hasNoOther = typeof arrange === 'object' && arrange.orders(value).length === 0;
  return hasNoOther || value.size === 0 ? 'fixed' : arrange;
}

/** Whether the order of the first operand is more important than that of the value, which has no more elements. */
function isLed({ args, size }: Value): boolean {
  return count((args[0] as Ref).shape) >= size;
}

/** Whether two orders are equal, apart from axes of length 1. */
function areAlike(shape: readonly number[], a: Axes, b: Axes): boolean {
  const moving = (axes: Axes) => axes.filter((axis) => shape[axis] !== 1);
  return equalLists(moving(a), moving(b));
}

/** Whether neighbours along the last axis of an order are neighbours in memory. */
function endsInNeighbours({ shape, strides }: Ref, axes: Axes): boolean {
  const last = axes.at(-1) as number;
  return (shape[last] as number) > 1 && strides[last] === 1;
}
