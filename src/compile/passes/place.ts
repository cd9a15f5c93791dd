/**
 * Place: where every value lies. What has to lie side by side is computed side by side: the operands
 * of a concat or of a merged product are given their places in its memory, and nothing is moved.
 * A copy is the last resort.
 */

import type { Leaf } from '../../graph/leaf.js';
import { type Pace, type Sliced, sorted } from '../../graph/sliced.js';
import type { DType } from '../../tensor/dtype.js';
import type { Fired } from '../ir/builder.js';
import { defect } from '../ir/defect.js';
import { adjacent, isMatrix, type Part } from '../ir/places.js';
import { type Ref, showsAll, type Uses, Value } from '../ir/value.js';
import { compose, count, dense, equalLists, rowMajor, type View } from '../ir/view.js';
import type { Fused, Pass } from './pass.js';

/** A piece of memory: the arena's, or a leaf's (a feed's is its input's). */
export interface Memory {
  readonly dtype: DType;
  readonly length: number;
  readonly leaf: Leaf | undefined;
}

/** Elements of a memory. */
export interface Location extends View {
  readonly memory: Memory;
}

// A pass over a place in parts makes a segment of each.
const maxScattered = 16;

export class Placement {
  /** Where a value's elements lie; the view is of the value's shape. */
  readonly #located = new Map<Value, Location>();
  /** Values that lie in the memory of a place, from the start. */
  readonly #housed = new Set<Value>();
  /** Places that passes read part by part: they have no memory. */
  readonly #scattered = new Set<Value>();
  /** Places that lie where their operands have been put for another. */
  readonly #aliases = new Set<Value>();
  /** Places that are read as weights are: packed from where their parts lie. */
  readonly #packed = new Set<Value>();
  readonly #leaves = new Map<Leaf, Memory>();
  readonly #stored = new Set<Value>();
  /** The passes that load a value. */
  readonly #loading = new Map<Value, Pass[]>();
  readonly #uses: Uses;

  private constructor(
    private readonly fused: Fused,
    private readonly fired: Fired,
  ) {
    this.#uses = fused.uses;
  }

  static *of(fused: Fused, fired: Fired, pace: Pace): Sliced<Placement> {
    const placement = new Placement(fused, fired);
    for (const item of fused.schedule) {
      for (const pass of item.kind === 'group' ? item.passes : []) {
        placement.#readPass(pass);
        if (pace.due(1 + pass.loads.length)) yield;
      }
    }
    const places: Value[] = [];
    for (const value of fused.order) {
      if (value.kind === 'place' && value.size > 0) places.push(value);
      if (pace.due()) yield;
    }
    // The largest first: what two places want at once, the larger one gets.
    for (const place of yield* sorted(places, (a, b) => b.size - a.size || a.id - b.id, pace)) {
      placement.#house(place);
      if (pace.due(1 + place.args.length)) yield;
    }
    return placement;
  }

  #readPass(pass: Pass): void {
    for (const { value } of pass.stores) this.#stored.add(value);
    for (const { value } of pass.loads) {
      const passes = this.#loading.get(value);
      if (passes) passes.push(pass);
      else this.#loading.set(value, [pass]);
    }
  }

  /** Whether a place has no memory of its own: its readers go to its parts. */
  isScattered(place: Value): boolean {
    return this.#scattered.has(place);
  }

  /** The operands of a place that have to be copied to their places. */
  misplaced(place: Value): { readonly part: Ref; readonly to: Location }[] {
    if (this.#scattered.has(place) || this.#packed.has(place) || !this.#located.has(place))
      return [];
    const whole = this.#located.get(place) as Location;
    return place.args.flatMap((part, i) => {
      if (this.#housed.has(part.value) && this.#lies(part, windowOf(place, i, whole))) return [];
      return [{ part, to: windowOf(place, i, whole) }];
    });
  }

  /** Whether the place's memory is that of another, where its operands lie already. */
  isAlias(place: Value): boolean {
    return this.#aliases.has(place);
  }

  /** Where the elements lie that a ref shows. */
  locate(ref: Ref): Location {
    const at = this.locationOf(ref.value);
    const view = compose(ref, at);
    if (!view) throw defect(`a ${ref.value.kind} cannot be read where it lies`);
    return { memory: at.memory, ...view };
  }

  locationOf(value: Value): Location {
    const known = this.#located.get(value);
    if (known) return known;
    const made = this.#fresh(value);
    this.#located.set(value, made);
    return made;
  }

  leafMemory(leaf: Leaf, length: number): Memory {
    const known = this.#leaves.get(leaf);
    if (known) return known;
    const memory = { dtype: leaf.dtype, length, leaf };
    this.#leaves.set(leaf, memory);
    return memory;
  }

  #fresh(value: Value): Location {
    const { leaf } = value.details;
    const onto = value.kind === 'product' ? value.args[2] : undefined;
    if (onto) return this.locate(onto);
    const memory = leaf
      ? this.leafMemory(leaf, value.size)
      : { dtype: value.dtype, length: value.size, leaf: undefined };
    return { memory, ...dense(value.shape) };
  }

  /** Gives the operands of a place their places in its memory, as far as they can be there. */
  #house(place: Value): void {
    const { adds, gaps } = place.details;
    if (!adds && !gaps && this.#isWeights(place)) {
      this.#packed.add(place);
      return;
    }
    if (adds || gaps) return;
    const lying = this.#whereItLies(place);
    if (lying) {
      this.#fire('place: parts lie side by side already');
      this.#located.set(place, lying);
      this.#aliases.add(place);
      return;
    }
    const memory: Memory = { dtype: place.dtype, length: place.size, leaf: undefined };
    const whole: Location = { memory, ...dense(place.shape) };
    let housed = 0;
    const own = new Set<Value>();
    place.args.forEach((part, i) => {
      const at = own.has(part.value) ? undefined : this.#homeFor(part, windowOf(place, i, whole));
      if (!at) return;
      own.add(part.value);
      housed++;
      this.#located.set(part.value, at);
      this.#housed.add(part.value);
      this.#fire('place: computed in place');
    });
    if (housed === 0 && this.#readByPasses(place)) {
      this.#fire('place: read part by part');
      this.#scattered.add(place);
      return;
    }
    if (housed < place.args.length) this.#fire('place: copied');
    this.#located.set(place, whole);
  }

  /** Weights side by side that only products read, on the right. */
  #isWeights(place: Value): boolean {
    return (
      place.args.every((part) => part.value.details.leaf?.kind === 'parameter') &&
      this.#uses
        .of(place)
        .every(
          ({ reader, ref }) =>
            reader?.kind === 'product' &&
            reader.args[1] === ref &&
            reader.args[0] !== ref &&
            showsWhole(ref),
        )
    );
  }

  isPacked(place: Value): boolean {
    return this.#packed.has(place);
  }

  /** The view of one memory that the parts make where they have been put, if they do. */
  #whereItLies(place: Value): Location | undefined {
    const parts: Part[] = [];
    const holders = new Map<Memory, Value>();
    for (let i = 0; i < place.args.length; i++) {
      const part = place.args[i] as Ref;
      const at = this.#located.get(part.value);
      const view = at && compose(part, at);
      if (!at || !view) return undefined;
      // `adjacent` tells memories apart as it does values: one stand-in for each.
      const holder =
        holders.get(at.memory) ??
        new Value(0, 'leaf', place.dtype, [at.memory.length], [], {}, undefined);
      holders.set(at.memory, holder);
      if (holders.size > 1) return undefined;
      parts.push({
        ref: { value: holder, ...view },
        start: place.details.starts?.[i] as readonly number[],
      });
    }
    const [memory] = holders.keys();
    const found = memory && adjacent(place.shape, parts);
    if (!memory || !found) return undefined;
    const { offset, shape, strides } = found;
    const at = { memory, offset, shape, strides };
    return this.#allRead(place, at) ? at : undefined;
  }

  /** Where an operand's value would lie, if it may lie in its window. */
  #homeFor(part: Ref, window: Location): Location | undefined {
    const { value } = part;
    const product = value.kind === 'product' && value.args.length === 2;
    const movable = this.#stored.has(value)
      ? !this.fused.final.has(value)
      : product || value.kind === 'columnSum';
    if (!movable || this.#located.has(value) || !showsAll(part)) return undefined;
    const view = compose(dense(value.shape), window);
    if (!view) return undefined;
    const at = { memory: window.memory, ...view };
    // A product writes rows without gaps between elements.
    const last = value.shape.length - 1;
    if (product && value.shape[last] !== 1 && at.strides[last] !== 1) return undefined;
    if (product && value.shape[0] !== 1 && (at.strides[0] as number) < (value.shape[1] as number))
      return undefined;
    // Nothing may be added onto what lies elsewhere than it seems.
    return this.#allRead(value, at) ? at : undefined;
  }

  /** Whether all readers of a value can read it there. */
  #allRead(value: Value, at: Location): boolean {
    return this.#uses.of(value).every(({ reader, ref }) => {
      const view = compose(ref, at);
      if (!view) return false;
      if (!reader || (reader.kind !== 'product' && reader.kind !== 'batch')) return true;
      if (reader.args[2] === ref) return view.strides[1] === 1 || view.shape[1] === 1;
      return isMatrix(view.shape, view.strides);
    });
  }

  /** Whether only passes read the place, element by element as they go, and no other place with it. */
  #readByPasses(place: Value): boolean {
    const inOrder = this.#uses
      .of(place)
      .every(
        ({ reader, ref }) =>
          (reader?.kind === 'map' || reader?.kind === 'sum') &&
          showsAll(ref) &&
          equalLists(ref.shape, place.shape),
      );
    return (
      inOrder &&
      place.args.length <= maxScattered &&
      (this.#loading.get(place) ?? []).every(
        ({ shape, loads, closes }) =>
          // A sum over the parts would be a sum a part.
          closes.length === 0 &&
          equalLists(shape, place.shape) &&
          loads.every(({ value }) => value === place || value.kind !== 'place'),
      )
    );
  }

  /** Whether the part is in its window. */
  #lies(part: Ref, window: Location): boolean {
    const at = this.locate(part);
    return (
      at.memory === window.memory &&
      at.offset === window.offset &&
      window.shape.every((size, axis) => size === 1 || at.strides[axis] === window.strides[axis])
    );
  }

  #fire(rewrite: string): void {
    this.fired.set(rewrite, (this.fired.get(rewrite) ?? 0) + 1);
  }
}

/** Whether a ref shows a whole matrix, or its transpose. */
function showsWhole(ref: Ref): boolean {
  const { value, offset, shape, strides } = ref;
  if (value.shape.length !== 2 || offset !== 0 || count(shape) !== value.size) return false;
  const [down, across] = rowMajor(value.shape) as [number, number];
  const is = (a: number, b: number) =>
    (shape[0] === 1 || strides[0] === a) && (shape[1] === 1 || strides[1] === b);
  return (
    (equalLists(shape, value.shape) && is(down, across)) ||
    (shape[0] === value.shape[1] && is(across, down))
  );
}

/** Where an operand of a place has its window. */
function windowOf(place: Value, index: number, whole: Location): Location {
  const start = place.details.starts?.[index] as readonly number[];
  const offset = start.reduce(
    (sum, at, axis) => sum + at * (whole.strides[axis] as number),
    whole.offset,
  );
  return {
    memory: whole.memory,
    offset,
    shape: (place.args[index] as Ref).shape,
    strides: whole.strides,
  };
}
