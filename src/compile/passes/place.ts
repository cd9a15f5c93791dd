/**
 * Place: decides the location of every value in memory. If possible, the blocks of an assembled value, such as a
 * concatenation or an operand of a merged product, are computed directly in the memory of the assembled value. A block
 * is copied there only if no other way is possible.
 */

import type { Leaf } from '../../graph/leaf.js';
import { type Pace, type Sliced, sorted } from '../../graph/sliced.js';
import { adjacent, type Block } from '../../ir/blocks.js';
import type { Fired } from '../../ir/builder.js';
import { defect } from '../../ir/defect.js';
import { type Location, type Memory, windowAt } from '../../ir/location.js';
import { executor } from '../../ir/target.js';
import { type Ref, showsAll, type Uses, Value, viewed } from '../../ir/value.js';
import { ascends, compose, count, dense, equalLists, rowMajor } from '../../ir/view.js';
import { valueRecord } from '../../primitives/index.js';
import { type Fused, type FusedLoop, isElementwise } from './fused-loop.js';
import type { LoopPlaces } from './loop-places.js';

export class Placement {
  /** The location of the elements of each value. It has the shape of the value. */
  readonly #located = new Map<Value, Location>();
  /** Values that are blocks of an assembled value and are computed in its memory. */
  readonly #placed = new Set<Value>();
  /** Assembled values that have no memory, because fused loops read their blocks. */
  readonly #scattered = new Set<Value>();
  /**
   * Assembled values that have no memory, because their blocks are adjacent in the memory of another assembled value.
   */
  readonly #aliases = new Set<Value>();
  /**
   * Assembled values that have no memory, because their blocks are weights, which are packed for the product kernel.
   */
  readonly #packed = new Set<Value>();
  readonly #leaves = new Map<Leaf, Memory>();
  /** The values that fused loops store. */
  readonly #stored = new Set<Value>();
  /** For each value, the fused loops that load it. */
  readonly #loading = new Map<Value, FusedLoop[]>();
  readonly #uses: Uses;

  private constructor(
    private readonly fused: Fused,
    private readonly fired: Fired,
    private readonly places: LoopPlaces | undefined,
  ) {
    this.#uses = fused.uses;
  }

  /** @param places where the arguments and results are, if this is the body of a loop */
  static *of(fused: Fused, fired: Fired, pace: Pace, places?: LoopPlaces): Sliced<Placement> {
    const placement = new Placement(fused, fired, places);
    for (const item of fused.schedule) {
      for (const loop of item.kind === 'group' ? item.loops : []) {
        placement.#readLoop(loop);
        if (pace.due(1 + loop.loads.length)) yield;
      }
    }
    for (const { ref, at } of places?.outputs ?? []) placement.#placeOutput(ref, at);
    const assembled: Value[] = [];
    for (const value of fused.order) {
      if (value.kind === 'assemble' && value.size > 0) assembled.push(value);
      if (pace.due()) yield;
    }
    // The largest assembled value is first. A block that belongs to two assembled values is computed in the memory of
    // the larger one.
    for (const value of yield* sorted(assembled, (a, b) => b.size - a.size || a.id - b.id, pace)) {
      placement.#placeBlocks(value);
      if (pace.due(1 + value.args.length)) yield;
    }
    return placement;
  }

  #readLoop(loop: FusedLoop): void {
    for (const { value } of loop.stores) this.#stored.add(value);
    for (const { value } of loop.loads) {
      const loops = this.#loading.get(value);
      if (loops) loops.push(loop);
      else this.#loading.set(value, [loop]);
    }
  }

  /** Whether an assembled value has no memory, because the fused loops that read it read its blocks. */
  isScattered(assembled: Value): boolean {
    return this.#scattered.has(assembled);
  }

  /** Returns the blocks that must be copied into the memory of the assembled value, and the locations of the copies. */
  misplaced(assembled: Value): { readonly block: Ref; readonly to: Location }[] {
    if (
      this.#scattered.has(assembled) ||
      this.#packed.has(assembled) ||
      !this.#located.has(assembled)
    )
      return [];
    const whole = this.#located.get(assembled) as Location;
    return assembled.args.flatMap((block, i) => {
      if (this.#placed.has(block.value) && this.#isIn(block, windowOf(assembled, i, whole)))
        return [];
      return [{ block, to: windowOf(assembled, i, whole) }];
    });
  }

  /**
   * Whether an assembled value needs no memory of its own, because its blocks are adjacent in the memory of another.
   */
  isAlias(assembled: Value): boolean {
    return this.#aliases.has(assembled);
  }

  /** Returns the location of the elements that a ref selects. */
  locate(ref: Ref): Location {
    const at = this.locationOf(ref.value);
    const view = compose(ref, at);
    if (!view) throw defect(`a view of a ${ref.value.kind} cannot be composed with its location`);
    return { memory: at.memory, ...view };
  }

  /**
   * Returns the location of a value. A value without a location gets one: in the memory of its leaf, in the memory of
   * the leaf that it updates, in the memory of the operand onto which it is computed, or in new memory.
   */
  locationOf(value: Value): Location {
    const known = this.#located.get(value);
    if (known) return known;
    const made = this.#fresh(value);
    this.#located.set(value, made);
    return made;
  }

  /** Returns the memory of a leaf that has `length` elements. */
  leafMemory(leaf: Leaf, length: number): Memory {
    const known = this.#leaves.get(leaf);
    if (known) return known;
    const memory = { dtype: leaf.dtype, length, leaf };
    this.#leaves.set(leaf, memory);
    return memory;
  }

  /** Places a value that the body of a loop computes where its result is, if the instruction can write it there. */
  #placeOutput(ref: Ref, at: Location): void {
    const { value } = ref;
    if (value.kind === 'leaf' || this.#located.has(value) || !showsAll(ref)) return;
    const view = compose(dense(value.shape), at);
    const { onto, writes } = valueRecord(value);
    if (!view || onto(value) || !(this.#stored.has(value) || writes(value, view))) return;
    const own = { memory: at.memory, ...view };
    if (this.#allRead(value, own)) this.#located.set(value, own);
  }

  #fresh(value: Value): Location {
    const given = value.details.leaf && this.places?.leaves.get(value.details.leaf);
    if (given) return given;
    const leaf = value.details.leaf ?? this.fused.updated.get(value);
    const onto = valueRecord(value).onto(value);
    if (onto) return this.locate(onto);
    const draw = this.fused.drawn.get(value);
    const memory = leaf
      ? this.leafMemory(leaf, value.size)
      : { dtype: value.dtype, length: value.size, leaf: undefined, draw };
    return { memory, ...dense(value.shape) };
  }

  /** Decides the location of an assembled value, and of those of its blocks that can be computed in its memory. */
  #placeBlocks(assembled: Value): void {
    const { adds, gaps } = assembled.details;
    if (!adds && !gaps && this.#isWeights(assembled)) {
      this.#packed.add(assembled);
      return;
    }
    if (adds || gaps) return;
    const adjacentBlocks = this.#adjacentLocation(assembled);
    if (adjacentBlocks) {
      this.#fire('place: blocks are adjacent already');
      this.#located.set(assembled, adjacentBlocks);
      this.#aliases.add(assembled);
      return;
    }
    const memory: Memory = { dtype: assembled.dtype, length: assembled.size, leaf: undefined };
    const whole: Location = { memory, ...dense(assembled.shape) };
    let placed = 0;
    const own = new Set<Value>();
    assembled.args.forEach((block, i) => {
      const at = own.has(block.value)
        ? undefined
        : this.#locationFor(block, windowOf(assembled, i, whole));
      if (!at) return;
      own.add(block.value);
      placed++;
      this.#located.set(block.value, at);
      this.#placed.add(block.value);
      this.#fire('place: computed in place');
    });
    if (placed === 0 && this.#readByLoops(assembled)) {
      this.#fire('place: read block by block');
      this.#scattered.add(assembled);
      return;
    }
    if (placed < assembled.args.length) this.#fire('place: copied');
    this.#located.set(assembled, whole);
  }

  /**
   * Whether all blocks are parameters that are read forwards, and the assembled value is read only as an operand that is
   * prepared.
   */
  #isWeights(assembled: Value): boolean {
    return (
      assembled.args.every((block) => this.isWeight(block.value.details.leaf) && ascends(block)) &&
      this.#uses.every(
        assembled,
        ({ reader, ref }) => reader !== undefined && preparesOnly(reader, ref) && showsWhole(ref),
      )
    );
  }

  /** Whether the value of a leaf is the same in all of a run, or of a loop: a parameter, or a capture of the loop. */
  isWeight(leaf: Leaf | undefined): boolean {
    return leaf?.kind === 'parameter' || (leaf !== undefined && this.isCaptured(leaf));
  }

  /** Whether a leaf is a capture of the loop whose body this is. */
  isCaptured(leaf: Leaf): boolean {
    return this.places?.captures.has(leaf) ?? false;
  }

  /** Whether an assembled value has no memory, because its blocks, which are weights, are packed. */
  isPacked(assembled: Value): boolean {
    return this.#packed.has(assembled);
  }

  /**
   * Returns the location of the assembled value if its blocks are already adjacent in one memory, and all readers of
   * the value can read it there; otherwise undefined.
   */
  #adjacentLocation(assembled: Value): Location | undefined {
    const blocks: Block[] = [];
    const holders = new Map<Memory, Value>();
    for (let i = 0; i < assembled.args.length; i++) {
      const block = assembled.args[i] as Ref;
      const at = this.#located.get(block.value);
      const view = at && compose(block, at);
      if (!at || !view) return undefined;
      // `adjacent` expects views of one value, so a value is made for the memory.
      const holder =
        holders.get(at.memory) ??
        new Value(0, 'leaf', assembled.dtype, [], {}, undefined, dense([at.memory.length]));
      holders.set(at.memory, holder);
      if (holders.size > 1) return undefined;
      blocks.push({
        ref: viewed(holder, view),
        start: assembled.details.starts?.[i] as readonly number[],
      });
    }
    const [memory] = holders.keys();
    const found = memory && adjacent(assembled.shape, blocks);
    if (!memory || !found) return undefined;
    const { offset, shape, strides } = found;
    const at = { memory, offset, shape, strides };
    return this.#allRead(assembled, at) ? at : undefined;
  }

  /**
   * If the value of a block can be computed in `window`, the block's part of the assembled value's memory, returns the
   * location of the value. Otherwise returns undefined.
   */
  #locationFor(block: Ref, window: Location): Location | undefined {
    const { value } = block;
    const stored = this.#stored.has(value);
    if (stored && this.fused.final.has(value)) return undefined;
    if (this.#located.has(value) || !showsAll(block)) return undefined;
    const view = compose(dense(value.shape), window);
    if (!view || !(stored || valueRecord(value).writes(value, view))) return undefined;
    const at = { memory: window.memory, ...view };
    // If another value is computed onto the value, `#allRead` also checks that it can be written to this location.
    return this.#allRead(value, at) ? at : undefined;
  }

  /** Whether all readers of a value can read it at this location. */
  #allRead(value: Value, at: Location): boolean {
    return this.#uses.every(value, ({ reader, ref }) => {
      const view = compose(ref, at);
      if (!view) return false;
      return !reader || valueRecord(reader).reads(reader, ref, view);
    });
  }

  /** Whether only fused loops read the assembled value, in row-major order, and load no other assembled value. */
  #readByLoops(assembled: Value): boolean {
    const inOrder = this.#uses.every(
      assembled,
      ({ reader, ref }) =>
        reader !== undefined &&
        isElementwise(reader) &&
        showsAll(ref) &&
        equalLists(ref.shape, assembled.shape),
    );
    return (
      inOrder &&
      assembled.args.length <= executor.loop.blocks &&
      (this.#loading.get(assembled) ?? []).every(
        ({ shape, rows, loads, closes }) =>
          // A loop that reads block by block has a segment for each block, so a sum would be over only one block.
          closes.length === 0 &&
          rows === undefined &&
          equalLists(shape, assembled.shape) &&
          loads.every(({ value }) => value === assembled || value.kind !== 'assemble'),
      )
    );
  }

  /** Whether the elements of the block are already located in the window. */
  #isIn(block: Ref, window: Location): boolean {
    const at = this.locate(block);
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

/** Whether the ref is the operand of the reader that is prepared, and no other operand. */
function preparesOnly(reader: Value, ref: Ref): boolean {
  const { prepared } = valueRecord(reader);
  return reader.args.every((arg, i) => (arg === ref) === (i === prepared));
}

/** Whether a ref selects all elements of a matrix, as this matrix or as its transpose. */
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

/**
 * Returns the window of block `index`: the part of the location `whole` of the assembled value that the block occupies.
 */
function windowOf(assembled: Value, index: number, whole: Location): Location {
  const start = assembled.details.starts?.[index] as readonly number[];
  return windowAt(whole, start, (assembled.args[index] as Ref).shape);
}
