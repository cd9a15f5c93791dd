/**
 * The course of a run of the reference executor. A schedule and the schedules of the bodies of its loops share one: it
 * says in which steps of which loops the run is, and may look for values that are not finite.
 */

import { Argument, Constant } from '../graph/leaf.js';
import type { StepOfLoop } from '../graph/loop.js';
import type { Node } from '../graph/node.js';
import { isFloating, type TypedArray } from '../tensor/dtype.js';

export class Course {
  readonly #steps: { readonly scan: Node; t: number }[] = [];
  /** Looks at all values; undefined in an ordinary run. */
  readonly search: Search | undefined;

  constructor(search?: Search) {
    this.search = search;
  }

  /** The steps of the loops that run now, those of the outermost loop first. */
  get steps(): readonly StepOfLoop[] {
    return this.#steps.map(({ scan, t }) => ({ scan, t }));
  }

  /** Calls `run`, which runs the steps of a loop. It calls `begin` with the index of each step. */
  loop(scan: Node, run: (begin: (t: number) => void) => void): void {
    const now = { scan, t: 0 };
    this.#steps.push(now);
    try {
      run((t) => {
        now.t = t;
      });
    } finally {
      this.#steps.pop();
    }
  }
}

/** An element that is NaN or infinite. */
export interface NotFinite {
  readonly node: Node;
  /** The index of the element along each axis, such as [3, 0]. */
  readonly index: readonly number[];
  readonly value: number;
  /** The steps of the loops in whose bodies the node is, those of the outermost loop first. */
  readonly steps: readonly StepOfLoop[];
}

/** Where to look in the body of a loop. */
export interface Sought {
  /** Nodes of the body that are computed, even if no result of the loop that is read depends on them. */
  readonly nodes: Set<Node>;
  /** The only iteration in which to look. It is the last one that is computed. If undefined, looks in all of them. */
  readonly iteration: number | undefined;
}

/**
 * Looks for the first element that is NaN or infinite, in the first node that has such an element. It looks at all nodes
 * that are computed, except constants. The run may end when it is found.
 */
export class Search {
  /** Where to look in the bodies of loops, by the nodes of the loops. In other loops, it looks in all iterations. */
  readonly #sought: ReadonlyMap<Node, Sought>;
  #found: NotFinite | undefined;
  #ended = false;
  #paused = false;

  constructor(sought: ReadonlyMap<Node, Sought>) {
    this.#sought = sought;
  }

  get found(): NotFinite | undefined {
    return this.#found;
  }

  /** Whether nothing more needs to be computed. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Returns the nodes of the body of a loop that are computed in any case. */
  nodesIn(scan: Node): readonly Node[] {
    return [...(this.#sought.get(scan)?.nodes ?? [])];
  }

  /** Returns the only iteration of a loop in which to look; undefined if there is none. */
  iterationOf(scan: Node): number | undefined {
    return this.#paused ? undefined : this.#sought.get(scan)?.iteration;
  }

  /** Says whether to look at the values that are computed from now on. */
  pause(paused: boolean): void {
    this.#paused = paused;
  }

  /** Ends the search: all values that it is about have been computed. */
  end(): void {
    this.#ended = true;
  }

  /** Whether to look at the value of a node when it has been computed. */
  looksAt(node: Node): boolean {
    // The values of arguments have been looked at before. A node with several results has no value.
    const skipped = node instanceof Constant || node instanceof Argument || node.op.results;
    return !this.#paused && !this.#ended && !skipped && isFloating(node.dtype);
  }

  /** Looks at the value of a node. `steps` are the steps of the loops in whose bodies it is. */
  look(
    node: Node,
    values: TypedArray,
    shape: readonly number[],
    steps: readonly StepOfLoop[],
  ): void {
    const position = values.findIndex((value) => !Number.isFinite(value));
    if (position < 0) return;
    const value = values[position] as number;
    this.#found = { node, index: indexOf(position, shape), value, steps };
    this.#ended = true;
  }
}

/** Returns the index along each axis of the element at a row-major position. */
function indexOf(position: number, shape: readonly number[]): number[] {
  const index = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis] as number;
    index[axis] = position % length;
    position = Math.floor(position / length);
  }
  return index;
}
