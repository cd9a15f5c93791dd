/**
 * Makes values. Equal values are merged, views of views are composed, empty values become zeros, and operands that an
 * instruction could not read are copied. Rules (`rule.ts`) simplify values and views before they are made. Passes make
 * all values with a builder, so this is true of all values. A ref (`Ref`) is a view of a value.
 */

import type { Bindings } from '../graph/dimension.js';
import { type Constant, constant, type Leaf } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { Pace, type Sliced } from '../graph/sliced.js';
import type { DType } from '../tensor/dtype.js';
import { type Block, compareLists, isMatrix, overlaps } from './blocks.js';
import { defect } from './defect.js';
import type { Definition, Rule, Rules } from './rule.js';
import { hashOf, isSame, sameDetails } from './same.js';
import { executor, type Target } from './target.js';
import { type Details, type Ref, reachable, showsAll, Value, viewed } from './value.js';
import {
  ascends,
  broadcast,
  compose,
  count,
  dense,
  equalLists,
  SharedLayouts,
  type StridedView,
} from './view.js';

/** For each rewrite, by its name, how often it was applied. The tests check that every rewrite is applied somewhere. */
export type Fired = Map<string, number>;

/** Returns what a constant is under another binding of the dimension names. */
export type Formula = (bindings: Bindings) => Constant;

/** Makes a value of other operands: a value record's `rebuild`. */
type Remake = (build: Builder, value: Value, args: readonly Ref[]) => Ref;

const noDetails: Details = {};

export class Builder {
  #next = 0;
  readonly #leaves = new Map<Leaf, Value>();
  /**
   * All values except leaves, by key. A key is the hash of the value or, if another value has this key, the next free
   * number. The values are divided among 64 maps, because a map that grows is copied in one step, which takes
   * milliseconds for a large map.
   */
  readonly #known = Array.from({ length: 64 }, () => new Map<number, Value>());
  readonly #layouts = new SharedLayouts();
  readonly #mapDetails = new Map<string, Details>();

  /** The roots for which `valuesOf` was called last, its result, and the number of changes until then. */
  #ordered: { roots: readonly Ref[]; order: readonly Value[]; changes: number } | undefined;
  /** The number of values that were made or changed so far. */
  #changes = 0;

  /** The value that `remake` makes again, and its new operands. */
  #remade: Value | undefined;
  #remadeArgs: readonly Ref[] = [];

  /**
   * @param rules the rules that simplify values. A pass may replace them, for the passes after it, too
   * @param pace counts the steps of work of all passes that use this builder
   * @param formulas the formulas of the constants that depend on the binding
   */
  constructor(
    public rules: Rules,
    readonly fired: Fired = new Map(),
    readonly target: Target = executor,
    readonly pace = new Pace(),
    readonly formulas: Map<Constant, Formula> = new Map(),
  ) {}

  /** Returns a builder for the values of the body of a loop. */
  forBody(): Builder {
    return new Builder(this.rules, this.fired, this.target, this.pace, this.formulas);
  }

  /** One more than the largest id of the values made so far. */
  get end(): number {
    return this.#next;
  }

  /**
   * Returns all values on which the roots depend, in the order of their ids. If no value has been made or changed since
   * the last call, and the roots are the same, returns the same list.
   */
  *valuesOf(roots: readonly Ref[]): Sliced<readonly Value[]> {
    const last = this.#ordered;
    if (last?.changes === this.#changes && haveSameValues(last.roots, roots)) return last.order;
    const order = yield* reachable(roots, this.pace);
    this.#ordered = { roots, order, changes: this.#changes };
    return order;
  }

  /**
   * Forgets all values on which the roots do not depend, so that their memory can be freed. The other values get the ids
   * 0, 1, 2, …, in the same order. The passes keep lists of this length.
   */
  *forgetOthers(roots: readonly Ref[]): Sliced<void> {
    const order = yield* this.valuesOf(roots);
    this.#leaves.clear();
    for (const known of this.#known) known.clear();
    for (let id = 0; id < order.length; id++) {
      const value = order[id] as Value;
      value.id = id;
      const { leaf } = value.details;
      if (leaf) this.#leaves.set(leaf, value);
      else this.#register(value);
      if (this.pace.due(1 + value.args.length)) yield;
    }
    this.#next = order.length;
  }

  /** Counts one application of a rewrite. */
  fire(rewrite: string): void {
    this.fired.set(rewrite, (this.fired.get(rewrite) ?? 0) + 1);
  }

  /** Returns an equal shape. Equal shapes share one list, which must not be changed. */
  shared(shape: readonly number[]): readonly number[] {
    return this.#layouts.of(shape).shape;
  }

  /** @param consumable see `Details.consumable` */
  leaf(leaf: Leaf, shape: readonly number[], consumable = false): Ref {
    const details = consumable ? { leaf, consumable } : { leaf };
    const value =
      this.#leaves.get(leaf) ??
      new Value(this.#next++, 'leaf', leaf.dtype, [], details, leaf, this.#layouts.of(shape));
    this.#leaves.set(leaf, value);
    return value.whole;
  }

  /** Returns a leaf that has all elements of the constant of a formula under the binding. */
  computed(known: Constant, shape: readonly number[], formula: Formula): Ref {
    this.formulas.set(known, formula);
    return this.leaf(known, shape);
  }

  number(value: number, dtype: DType): Ref {
    return this.leaf(constant(value, { dtype }), []);
  }

  filled(value: number, dtype: DType, shape: readonly number[]): Ref {
    return viewed(this.number(value, dtype).value, broadcast(dense([]), shape));
  }

  map(
    kernel: string,
    dtype: DType,
    shape: readonly number[],
    args: readonly Ref[],
    node?: Node,
    converts = false,
  ): Ref {
    if (count(shape) === 0) return this.filled(0, dtype, shape);
    const details = this.#detailsOf(kernel, converts);
    return this.make({ kind: 'map', dtype, shape, args, details, node });
  }

  /** Returns the ref broadcast to `shape`. */
  stretch(ref: Ref, shape: readonly number[]): Ref {
    if (equalLists(ref.shape, shape)) return ref;
    return viewed(ref.value, broadcast(ref, shape));
  }

  /**
   * Returns a ref that has the same elements, and selects all elements of its value in row-major order. If `ref`
   * already selects all elements of a computed value in this order, returns a view of this value; otherwise makes a
   * copy.
   */
  copy(ref: Ref, node?: Node): Ref {
    if (ref.value.kind !== 'leaf' && showsAll(ref)) return viewed(ref.value, dense(ref.shape));
    const { dtype } = ref.value;
    const details = this.#detailsOf('copy', false);
    return this.value({ kind: 'map', dtype, shape: ref.shape, args: [ref], details, node });
  }

  /**
   * Returns the elements that the view `outer` selects from the elements of the ref. If the composition of the two
   * views is not a strided view, the elements of the ref are copied first.
   */
  through(outer: StridedView, ref: Ref, node?: Node): Ref {
    const direct = compose(outer, ref);
    if (direct) return this.resolve(viewed(ref.value, direct));
    const { value } = this.copy(ref, node);
    return viewed(value, outer);
  }

  reshape(ref: Ref, shape: readonly number[], node?: Node): Ref {
    return equalLists(ref.shape, shape) ? ref : this.through(dense(shape), ref, node);
  }

  sum(dtype: DType, shape: readonly number[], terms: readonly Ref[], node?: Node): Ref {
    if (terms.length === 0 || count(shape) === 0) return this.filled(0, dtype, shape);
    return this.make({ kind: 'sum', dtype, shape, args: terms, details: noDetails, node });
  }

  /**
   * Returns the matrix product of `a` [M, K] and `b` [K, N]. If `onto` [M, N] is given, the product is added onto the
   * elements of `onto`, in their memory.
   */
  product(a: Ref, b: Ref, node?: Node, onto?: Ref): Ref {
    const [m, k] = a.shape as readonly [number, number];
    const n = b.shape[1] as number;
    const { dtype } = a.value;
    const shape = [m, n];
    if (!onto && (m === 0 || n === 0 || k === 0)) return this.filled(0, dtype, shape);
    const args = onto ? [a, b, onto] : [a, b];
    const product: Definition = { kind: 'product', dtype, shape, args, details: noDetails, node };
    const simpler = this.simplified(product);
    if (simpler) return simpler;
    args[0] = this.matrix(a);
    args[1] = this.matrix(b);
    return this.value(product);
  }

  /** Returns the sum of the rows of a matrix [R, C]. The sum has the shape [C]. */
  columnSum(ref: Ref, node?: Node): Ref {
    const { dtype } = ref.value;
    const [rows, columns] = ref.shape as readonly [number, number];
    const shape = [columns];
    if (rows === 0) return this.filled(0, dtype, shape);
    const args = [ref];
    const sum: Definition = { kind: 'columnSum', dtype, shape, args, details: noDetails, node };
    const simpler = this.simplified(sum);
    if (simpler) return simpler;
    args[0] = this.ascending(ref, node);
    return this.value(sum);
  }

  /**
   * Returns a value of shape `shape` that is assembled from blocks. If `adds` is true, blocks may overlap and leave
   * gaps: where they overlap, they are added, and a gap is filled with zeros.
   */
  assemble(
    dtype: DType,
    shape: readonly number[],
    blocks: readonly Block[],
    node?: Node,
    adds = false,
  ): Ref {
    const kept = blocks.filter(({ ref }) => !ref.shape.includes(0));
    if (kept.length === 0) return this.filled(0, dtype, shape);
    if (adds) {
      // The rules are asked before it is known where blocks overlap, because they may drop blocks.
      const apart = { starts: kept.map(({ start }) => start), adds, gaps: adds };
      const args = kept.map(({ ref }) => ref);
      const added: Definition = { kind: 'assemble', dtype, shape, args, details: apart, node };
      const simpler = this.simplified(added);
      if (simpler) return simpler;
      const size = kept.reduce((total, { ref }) => total + count(ref.shape), 0);
      const overlap = overlaps(kept);
      if (overlap || size < count(shape)) {
        return this.value({ ...added, details: { ...apart, adds: overlap } });
      }
    }
    if (!kept.every(followsPrevious)) kept.sort((p, q) => compareLists(p.start, q.start));
    const starts = kept.map(({ start }) => start);
    const args = kept.map(({ ref }) => ref);
    const details = { starts, adds: false, gaps: false };
    return this.make({ kind: 'assemble', dtype, shape, args, details, node });
  }

  /** Returns the ref, or an equal one that is simpler, such as a view of the only block that it reads. */
  resolve(ref: Ref): Ref {
    return this.#apply(this.rules.views, ref, undefined) ?? ref;
  }

  /**
   * Gives a value other operands, of which its kernel computes the same elements. The values that read it need not be
   * made again, so a pass that changes a few values at the start of a graph need not rebuild the rest. The operands must
   * have smaller ids than the value.
   */
  redefine(value: Value, args: readonly Ref[]): void {
    const late = args.find((arg) => arg.value.id >= value.id);
    if (late) throw defect(`value ${value.id} reads the later value ${late.value.id}`);
    value.args = args;
    this.#changes++;
    // The value also stays known by its old definition, which it does not equal any more.
    this.#register(value);
  }

  /** Makes a value known, so that an equal value is not made. */
  #register(value: Value): void {
    let hash = hashOf(value);
    const all = this.#known[hash & 63] as Map<number, Value>;
    while (all.has(hash)) hash++;
    all.set(hash, value);
  }

  /**
   * Makes a value again with `make`, which makes it of the operands `args`. They must have the elements of its old
   * operands. If no rule replaces the new definition, and no other value has it, then no value is made. Instead, `value`
   * itself gets the operands, and a new id, which is larger than the ids of the operands.
   */
  remake(value: Value, args: readonly Ref[], make: Remake): Ref {
    this.#remade = value;
    this.#remadeArgs = args;
    const made = make(this, value, args);
    this.#remade = undefined;
    return made;
  }

  /**
   * Gives a value a new id if an operand has a larger one, because the operand was made again. Returns this value, or
   * another one that it equals now. No rule is applied, because the operands themselves are the same.
   */
  following(value: Value): Ref {
    return followsOperands(value) ? value.whole : this.remake(value, value.args, asDefined);
  }

  /** Returns the value that is made again, if this is its new definition. */
  #remadeAs({ kind, dtype, shape, args, details, node }: Definition): Value | undefined {
    const value = this.#remade;
    if (value?.kind !== kind || value.dtype !== dtype || value.node !== node) return undefined;
    if (args.length !== this.#remadeArgs.length || !equalLists(value.shape, shape))
      return undefined;
    for (let i = 0; i < args.length; i++) if (args[i] !== this.#remadeArgs[i]) return undefined;
    return sameDetails(value.details, details) ? value : undefined;
  }

  /** Returns the ref if BLAS can read it as a matrix, otherwise a copy of its elements. */
  matrix(ref: Ref, node?: Node): Ref {
    return isMatrix(ref.shape, ref.strides) ? ref : this.copy(ref, node);
  }

  /**
   * Returns the ref if it has no negative strides, which reductions and routines cannot read; otherwise a copy of its
   * elements.
   */
  ascending(ref: Ref, node?: Node): Ref {
    return ascends(ref) ? ref : this.copy(ref, node);
  }

  /** Returns the value of a definition, simplified by the rules. */
  make(definition: Definition): Ref {
    return this.simplified(definition) ?? this.value(definition);
  }

  /** Returns what the first rule that matches the definition gives; undefined if none matches. */
  simplified(definition: Definition): Ref | undefined {
    const rules = this.rules.values[definition.kind];
    return rules && this.#apply(rules, definition, definition.details.kernel);
  }

  #apply<Subject>(
    rules: readonly Rule<Subject>[],
    subject: Subject,
    kernel: string | undefined,
  ): Ref | undefined {
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i] as Rule<Subject>;
      if (rule.kernel !== undefined && rule.kernel !== kernel) continue;
      const found = rule.apply(subject, this);
      if (!found) continue;
      this.fire(rule.name);
      return found;
    }
    return undefined;
  }

  /** Returns the value of a definition, to which no rule is applied. Equal definitions have one value. */
  value(definition: Definition): Ref {
    let hash = hashOf(definition);
    const all = this.#known[hash & 63] as Map<number, Value>;
    for (let known = all.get(hash); known; known = all.get(++hash)) {
      if (!isSame(known, definition) || !followsOperands(known)) continue;
      this.fire('simplify: common subexpression');
      return known.whole;
    }
    const { kind, dtype, shape, args, details, node } = definition;
    const id = this.#next++;
    this.#changes++;
    const value =
      this.#remadeAs(definition) ??
      new Value(id, kind, dtype, args, details, node, this.#layouts.of(shape));
    value.id = id;
    value.args = args;
    all.set(hash, value);
    return value.whole;
  }

  /** Returns the details of a map. Maps with the same kernel share them. */
  #detailsOf(kernel: string, converts: boolean): Details {
    const key = converts ? `to ${kernel}` : kernel;
    const known = this.#mapDetails.get(key);
    if (known) return known;
    const details = { kernel, converts };
    this.#mapDetails.set(key, details);
    return details;
  }
}

/** Makes a value of its own operands, without the rules. */
function asDefined(build: Builder, value: Value): Ref {
  return build.value(value);
}

/** Whether a block of a list does not start before the previous one. */
function followsPrevious({ start }: Block, index: number, blocks: readonly Block[]): boolean {
  return index === 0 || compareLists((blocks[index - 1] as Block).start, start) <= 0;
}

/** Whether two lists of refs have the same values. */
function haveSameValues(a: readonly Ref[], b: readonly Ref[]): boolean {
  return a.length === b.length && a.every(({ value }, i) => value === b[i]?.value);
}

/** Whether the id of a value is larger than the ids of its operands. It is not if an operand was made again. */
function followsOperands({ id, args }: Value): boolean {
  for (let i = 0; i < args.length; i++) if ((args[i] as Ref).value.id >= id) return false;
  return true;
}
