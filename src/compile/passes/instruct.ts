/** Instruct: makes the list of instructions from the schedule, with the locations of their operands. */

import { constant, type Leaf, Variable } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import type { Pace, Sliced } from '../../graph/sliced.js';
import type { DType } from '../../tensor/dtype.js';
import type { Fired } from '../ir/builder.js';
import { defect, unreachable } from '../ir/defect.js';
import { Keys } from '../ir/same.js';
import type { Ref, Value } from '../ir/value.js';
import { count, dense, equalLists, isContiguous } from '../ir/view.js';
import { type Fused, type FusedLoop, lastGrade } from './fused-loop.js';
import type {
  GroupInstruction,
  Instruction,
  Instructions,
  PackedBytes,
  PackInstruction,
  Segment,
} from './instruction.js';
import type { Location, Memory, Placement } from './place.js';

export function instruct(
  fused: Fused,
  placement: Placement,
  packedBytes: PackedBytes,
  fired: Fired,
  pace: Pace,
): Sliced<Instructions> {
  return new Writer(fused, placement, packedBytes, fired, pace).write();
}

class Writer {
  readonly #list: Instruction[] = [];
  /** The instructions that write leaves. They follow all others. */
  readonly #writes: Instruction[] = [];
  readonly #keys = new Keys();
  /** For each packed right operand of products, by its key, the location of the packed elements. */
  readonly #panels = new Map<number, Location>();
  /** For each right operand, by its key, the number of products that read it. */
  readonly #readers = new Map<number, number>();

  constructor(
    private readonly fused: Fused,
    private readonly placement: Placement,
    private readonly packedBytes: PackedBytes,
    private readonly fired: Fired,
    private readonly pace: Pace,
  ) {}

  *write(): Sliced<Instructions> {
    yield* this.#countReaders();
    const written = new Map<Value, Variable[]>();
    for (const { leaf, ref } of this.fused.updates) {
      if (!this.fused.final.has(ref.value)) continue;
      const leaves = written.get(ref.value);
      if (leaves) leaves.push(leaf);
      else written.set(ref.value, [leaf]);
    }
    for (const item of this.fused.schedule) {
      if (item.kind === 'single') this.#single(item.value);
      else if (item.grade === lastGrade)
        this.#writes.push(yield* this.#group(item.loops, (loop) => this.#writing(loop, written)));
      else this.#list.push(yield* this.#group(item.loops, (loop) => this.#arena(loop)));
      if (this.pace.due(item.kind === 'single' ? 1 + item.value.args.length : 1)) yield;
    }
    const outputs: Location[] = [];
    for (const ref of this.fused.outputs) {
      outputs.push(this.#output(ref));
      if (this.pace.due()) yield;
    }
    for (const { leaf, ref } of this.fused.updates) {
      if (this.pace.due()) yield;
      if (this.fused.final.has(ref.value) || count(ref.shape) === 0) continue;
      const to = {
        memory: this.placement.leafMemory(leaf, leaf.value.size),
        ...dense(leaf.value.shape),
      };
      const from = this.placement.locate(ref);
      this.#writes.push({
        kind: 'copy',
        from,
        to: { ...to, shape: from.shape, strides: dense(from.shape).strides },
        nodes: [leaf],
      });
    }
    const writeStart = this.#list.length;
    for (const write of this.#writes) this.#list.push(write);
    return { list: this.#list, writeStart, outputs };
  }

  *#countReaders(): Sliced<void> {
    for (const item of this.fused.schedule) {
      if (this.pace.due()) yield;
      if (item.kind !== 'single' || item.value.kind !== 'product') continue;
      const key = this.#keys.of(item.value.args[1] as Ref);
      this.#readers.set(key, (this.#readers.get(key) ?? 0) + 1);
    }
  }

  #fire(rewrite: string): void {
    this.fired.set(rewrite, (this.fired.get(rewrite) ?? 0) + 1);
  }

  /** Returns a location in new memory. */
  #fresh(dtype: DType, shape: readonly number[]): Location {
    const memory: Memory = { dtype, length: count(shape), leaf: undefined };
    return { memory, ...dense(shape) };
  }

  /** Adds an instruction that copies the elements of a location to new memory, and returns the new location. */
  #copyOf(from: Location, nodes: readonly Node[]): Location {
    const to = this.#fresh(from.memory.dtype, from.shape);
    this.#list.push({ kind: 'copy', from, to, nodes });
    return to;
  }

  /** Returns the location of an output. The elements of an output must be contiguous, so others are copied. */
  #output(ref: Ref): Location {
    if (count(ref.shape) === 0) return this.#fresh(ref.value.dtype, ref.shape);
    const at = this.placement.locate(ref);
    return isContiguous(at) ? at : this.#copyOf(at, nodesOf([ref.value]));
  }

  #single(value: Value): void {
    const nodes = nodesOf([value]);
    const { kernel, seed } = value.details;
    switch (value.kind) {
      case 'product':
        this.#product(value, nodes);
        return;
      case 'columnSum': {
        const from = this.placement.locate(swapped(value.args[0] as Ref));
        this.#list.push({
          kind: 'reduce',
          kernel: 'sum',
          kept: 1,
          from,
          to: this.placement.locationOf(value),
          nodes,
        });
        return;
      }
      case 'reduce': {
        const from = this.placement.locate(value.args[0] as Ref);
        const to = this.placement.locationOf(value);
        this.#list.push({
          kind: 'reduce',
          kernel: kernel as string,
          kept: value.shape.length,
          from,
          to,
          nodes,
        });
        return;
      }
      case 'batch': {
        const [a, b] = value.args.map((arg) => this.placement.locate(arg)) as [Location, Location];
        this.#list.push({ kind: 'batch', a, b, c: this.placement.locationOf(value), nodes });
        return;
      }
      case 'random':
        this.#list.push({
          kind: 'random',
          kernel: kernel as string,
          seed: seed as number,
          to: this.placement.locationOf(value),
          nodes,
        });
        return;
      case 'assemble':
        this.#assemble(value, nodes);
        return;
      case 'leaf':
      case 'map':
      case 'sum':
        throw defect(`a ${value.kind} is not an instruction of its own`);
      default:
        unreachable(value.kind);
    }
  }

  #assemble(assembled: Value, nodes: readonly Node[]): void {
    const { placement } = this;
    if (
      placement.isScattered(assembled) ||
      placement.isPacked(assembled) ||
      placement.isAlias(assembled)
    )
      return;
    const { adds, gaps, starts } = assembled.details;
    if (!adds && !gaps) {
      for (const { block, to } of placement.misplaced(assembled)) {
        this.#list.push({ kind: 'copy', from: placement.locate(block), to, nodes });
      }
      return;
    }
    const whole = placement.locationOf(assembled);
    this.#list.push(fill(whole, placement, nodes));
    assembled.args.forEach((block, i) => {
      const start = starts?.[i] as readonly number[];
      const offset = start.reduce(
        (sum, at, axis) => sum + at * (whole.strides[axis] as number),
        whole.offset,
      );
      const to = { memory: whole.memory, offset, shape: block.shape, strides: whole.strides };
      const from = placement.locate(block);
      if (!adds) this.#list.push({ kind: 'copy', from, to, nodes });
      else this.#list.push(addition(from, to, nodes));
    });
  }

  #product(value: Value, nodes: readonly Node[]): void {
    const [a, b, onto] = value.args as readonly [Ref, Ref, Ref | undefined];
    const [m, n] = value.shape as readonly [number, number];
    const k = a.shape[1] as number;
    const panels = this.#panelsOf(b, nodes);
    this.#list.push({
      kind: 'product',
      m,
      n,
      k,
      a: this.placement.locate(a),
      b: panels ?? this.placement.locate(b),
      packed: panels !== undefined,
      c: this.placement.locationOf(value),
      accumulates: onto !== undefined,
      nodes,
    });
  }

  /**
   * Decides whether a right operand is packed for the product kernel. Only an operand that consists of parameters is
   * packed. It is packed in two cases: several products read it, or its blocks are at separate locations. It is packed
   * once in each run. Returns the location of the packed elements, or undefined if the operand is not packed.
   */
  #panelsOf(b: Ref, nodes: readonly Node[]): Location | undefined {
    const apart = this.placement.isPacked(b.value);
    const key = this.#keys.of(b);
    const weights = b.value.details.leaf?.kind === 'parameter';
    if (!apart && !(weights && (this.#readers.get(key) as number) > 1)) return undefined;
    const known = this.#panels.get(key);
    if (known) return known;
    this.#fire('place: packed once');
    const [k, n] = b.shape as readonly [number, number];
    const { dtype } = b.value;
    const bytes = this.packedBytes(dtype, k, n);
    const to = this.#fresh(dtype, [bytes / (dtype === 'float64' ? 8 : 4)]);
    const pieces = apart
      ? this.#pieces(b)
      : [{ row: 0, column: 0, from: this.placement.locate(b) }];
    this.#list.push({ kind: 'pack', k, n, pieces, to, nodes });
    this.#panels.set(key, to);
    return to;
  }

  /** Returns the blocks of an assembled right operand, with their positions and locations. */
  #pieces(b: Ref): PackInstruction['pieces'] {
    const { value } = b;
    // The ref selects the whole value or its transpose, because the value is packed. `upright` is false if it selects
    // the transpose. The stride along an axis of length 1 does not matter.
    const { strides } = value.whole;
    const upright =
      equalLists(b.shape, value.shape) &&
      b.shape.every((size, axis) => size === 1 || b.strides[axis] === strides[axis]);
    const starts = value.details.starts as readonly (readonly [number, number])[];
    return value.args.map((block, i) => {
      const [row, column] = starts[i] as readonly [number, number];
      const from = this.placement.locate(upright ? block : swapped(block));
      return upright ? { row, column, from } : { row: column, column: row, from };
    });
  }

  /** Returns the instruction of a group of fused loops. `targets` returns the locations to which a loop stores. */
  *#group(
    loops: readonly FusedLoop[],
    targets: (loop: FusedLoop) => Targets,
  ): Sliced<GroupInstruction> {
    const [first] = loops as readonly [FusedLoop, ...FusedLoop[]];
    const segments: Segment[] = [];
    const nodes = new Set<Node>();
    const found: Targets[] = [];
    // `targets` is called for all loops first, because these calls create memories, and their order must not change.
    for (const loop of loops) {
      found.push(targets(loop));
      if (this.pace.due(1 + loop.stores.length)) yield;
    }
    for (const [i, loop] of loops.entries()) {
      for (const segment of this.#segments(loop, found[i] as Targets)) segments.push(segment);
      for (const { value } of loop.stores) if (value.node) nodes.add(value.node);
      for (const { value } of loop.closes) if (value.node) nodes.add(value.node);
      if (this.pace.due(1 + loop.loads.length + loop.stores.length)) yield;
    }
    const stores = (found[0] as Targets).stores.map(({ register, dtype }) => ({ register, dtype }));
    return {
      kind: 'group',
      loads: first.loads.map(({ value }) => value.dtype),
      operations: first.operations,
      stores,
      closes: first.closes.map(({ register, value }) => ({ register, dtype: value.dtype })),
      segments,
      nodes: [...nodes],
    };
  }

  /** Returns the locations to which a loop stores its values, if it writes no leaves. */
  #arena({ stores }: FusedLoop): Targets {
    return {
      stores: stores.map(({ register, value }) => ({
        register,
        dtype: value.dtype,
        location: this.placement.locationOf(value),
      })),
      own: new Set(),
    };
  }

  /**
   * Returns the leaves to which a loop stores its values, with their locations. A value may be stored to several
   * leaves.
   */
  #writing({ stores }: FusedLoop, written: ReadonlyMap<Value, readonly Variable[]>): Targets {
    const targets = stores.flatMap(({ register, value }) =>
      (written.get(value) ?? []).map((leaf) => ({
        register,
        dtype: value.dtype,
        location: {
          memory: this.placement.leafMemory(leaf, leaf.value.size),
          ...dense(leaf.value.shape),
        },
        leaf,
      })),
    );
    return { stores: targets, own: new Set(targets.map(({ leaf }) => leaf)) };
  }

  /**
   * Returns the segments of a loop. There is one for each block if the loop reads an assembled value block by block;
   * otherwise there is only one.
   */
  #segments(loop: FusedLoop, { stores, own }: Targets): Segment[] {
    const scattered = loop.loads.find(({ value }) => this.placement.isScattered(value))?.value;
    const windows = scattered
      ? scattered.args.map((block, i) => ({
          block,
          start: scattered.details.starts?.[i] as readonly number[],
        }))
      : [undefined];
    const whole = windows[0] === undefined;
    const located = loop.loads.map((load) =>
      load.value === scattered ? undefined : this.#load(load, own, loop),
    );
    return windows.map((window) => {
      const within = (location: Location): Location => {
        if (whole || !window) return location;
        const offset = window.start.reduce(
          (sum, at, axis) => sum + at * (location.strides[axis] as number),
          location.offset,
        );
        return {
          memory: location.memory,
          offset,
          shape: window.block.shape,
          strides: location.strides,
        };
      };
      return {
        shape: window ? window.block.shape : loop.shape,
        loads: located.map((location) =>
          location ? within(location) : this.#block((window as { block: Ref }).block, loop),
        ),
        stores: stores.map(({ location }) => within(location)),
        closes: loop.closes.map(({ value }) => this.placement.locationOf(value)),
      };
    });
  }

  /**
   * Returns the location of a block that a loop reads. If the block is a parameter or state and the loop writes leaves,
   * copies the block first, and returns the location of the copy.
   */
  #block(block: Ref, loop: FusedLoop): Location {
    const at = this.placement.locate(block);
    const { leaf } = block.value.details;
    return loop.grade === lastGrade && leaf instanceof Variable ? this.#copyOf(at, [leaf]) : at;
  }

  /**
   * Returns the location from which a loop loads a ref. A loop that writes leaves may read directly only elements of
   * leaves that it overwrites itself at the same position. Other elements of leaves are copied before any leaf is
   * written, and the loop loads them from the copy.
   */
  #load(load: Ref, own: ReadonlySet<Leaf>, loop: FusedLoop): Location {
    const at = this.placement.locate(load);
    const { leaf } = load.value.details;
    if (loop.grade !== lastGrade || !(leaf instanceof Variable)) return at;
    const inPlace =
      own.has(leaf) && equalLists(load.strides, dense(load.shape).strides) && load.offset === 0;
    if (inPlace && equalLists(load.shape, leaf.value.shape)) return at;
    const packed = packedView(at);
    const copy = this.#copyOf(packed.compact, [leaf]);
    return { memory: copy.memory, offset: 0, shape: at.shape, strides: packed.strides(copy) };
  }
}

interface Targets {
  readonly stores: readonly {
    readonly register: number;
    readonly dtype: DType;
    readonly location: Location;
  }[];
  /** The leaves that the loop writes. */
  readonly own: ReadonlySet<Leaf>;
}

/**
 * Prepares the copy of a location that may have broadcast axes (stride 0). `compact` is the location with length 1
 * along these axes. `strides` returns the strides with which a dense copy of `compact` is read instead of the location.
 */
function packedView(at: Location) {
  const shape = at.shape.map((size, axis) => (at.strides[axis] === 0 ? 1 : size));
  return {
    compact: { memory: at.memory, offset: at.offset, shape, strides: at.strides },
    strides: (copy: Location) =>
      at.shape.map((size, axis) => (shape[axis] === size ? (copy.strides[axis] as number) : 0)),
  };
}

function swapped({ value, offset, shape, strides }: Ref): Ref {
  return { value, offset, shape: [...shape].reverse(), strides: [...strides].reverse() };
}

function nodesOf(values: readonly Value[]): Node[] {
  const nodes = new Set<Node>();
  for (const { node } of values) if (node) nodes.add(node);
  return [...nodes];
}

/** Returns an instruction that fills a location with zeros. */
function fill(to: Location, placement: Placement, nodes: readonly Node[]): GroupInstruction {
  const { dtype } = to.memory;
  const zero = {
    memory: placement.leafMemory(constant(0, { dtype }), 1),
    offset: 0,
    shape: to.shape,
    strides: to.shape.map(() => 0),
  };
  return {
    kind: 'group',
    loads: [dtype],
    operations: [],
    stores: [{ dtype, register: 0 }],
    closes: [],
    segments: [{ shape: to.shape, loads: [zero], stores: [to], closes: [] }],
    nodes,
  };
}

/** Returns an instruction that adds the elements of `from` to the elements of `to`, in place. */
function addition(from: Location, to: Location, nodes: readonly Node[]): GroupInstruction {
  const { dtype } = to.memory;
  return {
    kind: 'group',
    loads: [dtype, dtype],
    operations: [{ kernel: 'add', converts: false, dtype, operands: [0, 1] }],
    stores: [{ dtype, register: 2 }],
    closes: [],
    segments: [{ shape: to.shape, loads: [to, from], stores: [to], closes: [] }],
    nodes,
  };
}
