/**
 * Records which addresses are occupied at which time. An extent is a range of addresses that is occupied from its first
 * use to its last. The extents are in a tree, in the order of their addresses, so that the search for the lowest free
 * address can skip whole branches.
 */

import type { Pace, Sliced } from '../../graph/sliced.js';

const maxChildren = 16;

/** A single extent, or a branch of the tree, which summarises all its extents. */
class Branch {
  /** The lowest address. */
  start = 0;
  /** The end of the addresses: one more than the highest address. */
  end = 0;
  /** The time of the first use. */
  first = Infinity;
  /** The time of the last use. */
  last = -Infinity;
  /**
   * From time `solidFirst` to `solidLast`, all addresses from `solidStart` to `end` are occupied without a gap, by the
   * same extents during the whole time. If `solidFirst` is larger than `solidLast`, there is no such time.
   */
  solidStart = 0;
  solidFirst = Infinity;
  solidLast = -Infinity;

  /** @param children the branches or extents below, in the order of their addresses; undefined for a single extent */
  constructor(readonly children: Branch[] | undefined) {}

  static extent(start: number, end: number, first: number, last: number): Branch {
    const extent = new Branch(undefined);
    extent.start = start;
    extent.end = end;
    extent.first = first;
    extent.last = last;
    extent.solidStart = start;
    extent.solidFirst = first;
    extent.solidLast = last;
    return extent;
  }

  static of(children: Branch[]): Branch {
    const branch = new Branch(children);
    branch.#summarise(children);
    return branch;
  }

  /**
   * Inserts an extent, after the extents that have the same start. If the branch then has too many children, it keeps
   * the first half of them, and a branch with the others is returned.
   */
  insert(extent: Branch): Branch | undefined {
    const children = this.children as Branch[];
    let at = children.length;
    while (at > 0 && (children[at - 1] as Branch).start > extent.start) at--;
    const below = children[Math.max(0, at - 1)];
    if (below?.children) {
      const split = below.insert(extent);
      if (split) children.splice(Math.max(1, at), 0, split);
    } else children.splice(at, 0, extent);
    const split =
      children.length > maxChildren ? Branch.of(children.splice(children.length >> 1)) : undefined;
    this.#summarise(children);
    return split;
  }

  #summarise(children: readonly Branch[]): void {
    let end = 0;
    let first = Infinity;
    let last = -Infinity;
    let solidStart = 0;
    let solidFirst = Infinity;
    let solidLast = -Infinity;
    for (let i = 0; i < children.length; i++) {
      const child = children[i] as Branch;
      first = Math.min(first, child.first);
      last = Math.max(last, child.last);
      const solid = solidFirst <= solidLast;
      // If all addresses of the child are below `end`, the solid addresses do not change.
      if (solid && child.end <= end) continue;
      const from = Math.max(solidFirst, child.solidFirst);
      const to = Math.min(solidLast, child.solidLast);
      if (solid && child.solidStart <= end && from <= to) {
        solidFirst = from;
        solidLast = to;
      } else if (child.end >= end) ({ solidStart, solidFirst, solidLast } = child);
      end = Math.max(end, child.end);
    }
    this.start = children[0]?.start ?? 0;
    this.end = end;
    this.first = first;
    this.last = last;
    this.solidStart = solidStart;
    this.solidFirst = solidFirst;
    this.solidLast = solidLast;
  }
}

export class Occupied {
  #root = Branch.of([]);

  constructor(private readonly pace: Pace) {}

  /**
   * Finds the lowest `size` neighbouring addresses that are free from time `first` to time `last`, and occupies them.
   * @returns the first of these addresses
   */
  *occupy(size: number, first: number, last: number): Sliced<number> {
    const start = yield* this.#free(size, first, last);
    const split = this.#root.insert(Branch.extent(start, start + size, first, last));
    if (split) this.#root = Branch.of([this.#root, split]);
    return start;
  }

  /** Returns the first of the lowest `size` neighbouring addresses that are free from time `first` to time `last`. */
  *#free(size: number, first: number, last: number): Sliced<number> {
    let start = 0;
    const pending: Branch[] = [this.#root];
    for (let next = pending.pop(); next; next = pending.pop()) {
      if (this.pace.due()) yield;
      if (next.last < first || next.first > last || next.end <= start) continue;
      // All extents that the search has not visited yet start at this address or at higher ones.
      if (next.start >= start + size) break;
      const { children, solidStart, solidFirst, solidLast } = next;
      const solid = Math.max(solidFirst, first) <= Math.min(solidLast, last);
      if (solid && solidStart < start + size) start = next.end;
      else
        for (let i = (children?.length ?? 0) - 1; i >= 0; i--)
          pending.push((children as readonly Branch[])[i] as Branch);
    }
    return start;
  }
}
