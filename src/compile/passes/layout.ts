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
import { valueRecord } from '../../primitives/index.js';
import type { Arrange } from '../../primitives/record.js';
import { Rebuilder } from './rebuild.js';

export function* layout(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  const order = yield* build.valuesOf(roots);
  let needed = false;
  for (let i = 0; i < order.length && !needed; i++) {
    const value = order[i] as Value;
    needed = value.args.some((arg) => !readsFast(value, arg));
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
      if (arrangement(value)) this.#wanted[value.id] = this.#wantedBy(value, uses);
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
    return other ?? own;
  }

  #wantedByUse(reader: Value | undefined, ref: Ref): Wanted {
    const own = [...ref.value.shape.keys()];
    if (!reader) return own;
    const { arrange } = valueRecord(reader);
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
    if (!arrange) return this.#fixed(value, args);
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
    const record = valueRecord(value);
    const onto = record.onto(value);
    const read = args.map((arg, i) => {
      const old = value.args[i] as Ref;
      if (old === onto || record.reads(value, old, arg)) return arg;
      this.build.fire('layout: copied');
      return this.build.copy(arg, value.node);
    });
    const made = this.#rebuilder.of(value, read);
    this.#arranged.add(made.value);
    return made;
  }
}

/** Whether the instruction of a value reads an operand fast in the order of the graph. */
function readsFast(value: Value, arg: Ref): boolean {
  return valueRecord(value).reads(value, arg, arg);
}

/** Returns the function that makes a value in another order; undefined if there is none. */
function arrangement(value: Value): Arrange | undefined {
  const { arrange } = valueRecord(value);
  return typeof arrange === 'function' && value.size > 0 ? arrange : undefined;
}
