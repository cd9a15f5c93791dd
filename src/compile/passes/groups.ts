/** Groups: makes the instructions of fused loops, with the locations of their operands. */

import { type Leaf, Variable } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import type { Pace, Sliced } from '../../graph/sliced.js';
import { type Location, windowAt } from '../../ir/location.js';
import type { Ref, Value } from '../../ir/value.js';
import { dense, equalLists } from '../../ir/view.js';
import type { GroupInstruction, Segment } from '../../primitives/group.js';
import type { RowsInstruction } from '../../primitives/rows.js';
import type { DType } from '../../tensor/dtype.js';
import { type FusedLoop, lastGrade, sumsRows } from './fused-loop.js';
import type { Placement } from './place.js';
import { loadsOnePerRow, rowSegment } from './row-loops.js';

/** Adds instructions that copy elements of leaves, before any leaf is written, and returns where the copies are. */
interface Copies {
  readonly copyOf: (at: Location, leaf: Variable) => Location;
  /** The copy is read with the shape of `at`, which may have broadcast axes. */
  readonly unwritten: (at: Location, leaf: Variable) => Location;
}

/** The locations to which a loop stores its values. */
interface Targets {
  readonly stores: readonly {
    readonly register: number;
    readonly dtype: DType;
    readonly location: Location;
  }[];
  /** The leaves that the loop writes. */
  readonly own: ReadonlySet<Leaf>;
}

export class Groups {
  constructor(
    private readonly placement: Placement,
    private readonly pace: Pace,
    private readonly copies: Copies,
  ) {}

  /** Returns the instruction of a group of fused loops. `targets` returns the locations to which a loop stores. */
  *ofLoops(
    loops: readonly FusedLoop[],
    targets: (loop: FusedLoop) => Targets,
  ): Sliced<GroupInstruction | RowsInstruction> {
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
    const common = {
      operations: first.operations,
      stores,
      closes: first.closes.map(({ register, value }) => ({ register, dtype: value.dtype })),
      nodes: [...nodes],
    };
    if (first.rows === undefined) {
      const dtypes = first.loads.map(({ value }) => value.dtype);
      return { kind: 'group', loads: dtypes, segments, ...common };
    }
    return {
      kind: 'rows',
      loads: first.loads.map((load) => ({
        dtype: load.value.dtype,
        perRow: loadsOnePerRow(load, { space: first.shape, rows: first.rows }),
      })),
      segments: segments.map((segment, i) => rowSegment(loops[i] as FusedLoop, segment)),
      ...common,
      closes: first.closes.map(({ register, value }) => ({
        register,
        dtype: value.dtype,
        columns: sumsRows(value),
      })),
    };
  }

  /** Returns the locations to which a loop stores its values, if it writes no leaves. */
  arena({ stores }: FusedLoop): Targets {
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
  leaves({ stores }: FusedLoop, written: ReadonlyMap<Value, readonly Variable[]>): Targets {
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
    const located = loop.loads.map((load) =>
      load.value === scattered ? undefined : this.#load(load, own, loop),
    );
    return windows.map((window) => {
      const within = (location: Location): Location =>
        window ? windowAt(location, window.start, window.block.shape) : location;
      return {
        shape: window ? window.block.shape : loop.shape,
        keeps: loop.keeps,
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
    return loop.grade === lastGrade && leaf instanceof Variable ? this.copies.copyOf(at, leaf) : at;
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
    return this.copies.unwritten(at, leaf);
  }
}
