/**
 * Records which addresses are occupied at which time. An extent is a range of addresses that is occupied from its first
 * use to its last. The extents are in a tree, in the order of their addresses, so that the search for the lowest free
 * address can skip whole branches.
 */

import type { Pace, Sliced } from '../../graph/sliced.js';

/** A single extent, or the summary of all extents of a branch. */
interface Extent {
  /** The lowest address. */
  readonly start: number;
  /** The end of the addresses: one more than the highest address. */
  readonly end: number;
  /** The time of the first use. */
  readonly first: number;
  /** The time of the last use. */
  readonly last: number;
  /**
   * From time `solidFirst` to `solidLast`, all addresses from `solidStart` to `end` are occupied without a gap, by the
   * same extents during the whole time. If `solidFirst` is larger than `solidLast`, there is no such time.
   */
  readonly solidStart: number;
  readonly solidFirst: number;
  readonly solidLast: number;
}

interface Branch extends Extent {
  /** Undefined for a single extent. */
  readonly children: readonly Branch[] | undefined;
}

const maxChildren = 16;

export class Occupied {
  #root: Branch = branchOf([]);

  constructor(private readonly pace: Pace) {}

  /**
   * Finds the lowest `size` neighbouring addresses that are free from time `first` to time `last`, and occupies them.
   * @returns the first of these addresses
   */
  *occupy(size: number, first: number, last: number): Sliced<number> {
    const start = yield* this.#free(size, first, last);
    const end = start + size;
    const solid = { solidStart: start, solidFirst: first, solidLast: last };
    const extent = { start, end, first, last, ...solid };
    const branches = inserted(this.#root, { ...extent, children: undefined });
    this.#root = branches.length === 1 ? (branches[0] as Branch) : branchOf(branches);
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

/**
 * Returns the branch with an extent inserted, after the extents that have the same start. Returns two branches if one
 * branch would have too many children.
 */
function inserted(branch: Branch, extent: Branch): Branch[] {
  const children = [...(branch.children as readonly Branch[])];
  let at = children.length;
  while (at > 0 && (children[at - 1] as Branch).start > extent.start) at--;
  const below = children[at - 1] ?? children[0];
  if (below?.children) children.splice(Math.max(0, at - 1), 1, ...inserted(below, extent));
  else children.splice(at, 0, extent);
  if (children.length <= maxChildren) return [branchOf(children)];
  const middle = children.length >> 1;
  return [branchOf(children.slice(0, middle)), branchOf(children.slice(middle))];
}

/** Returns a branch that has these children. They must be in the order of their addresses. */
function branchOf(children: readonly Branch[]): Branch {
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
  const start = children[0]?.start ?? 0;
  return { start, end, first, last, solidStart, solidFirst, solidLast, children };
}
