/** What flows from layer to layer. */

import type { Node } from '../graph/node.js';
import { transpose } from '../ops/index.js';

/** In which order a node has the axes of a value: that of the model, or with the channels after the batch. */
export type Layout = 'plain' | 'first';

/**
 * A value of a model. Images are [batch, height, width, channels] in most models, but forebay's ops of images read
 * [batch, channels, height, width]. So a value remembers in which order it was computed, and is transposed only when
 * a layer needs the other order. Between layers of images no value is transposed.
 */
export class Value {
  readonly layout: Layout;
  /** The number of axes. */
  readonly rank: number;
  /** bool [batch, steps]: which steps of a sequence count; undefined if all do. */
  readonly mask: Node | undefined;
  readonly #nodes: Partial<Record<Layout, Node>>;

  private constructor(layout: Layout, node: Node, mask: Node | undefined) {
    this.layout = layout;
    this.rank = node.shape.length;
    this.mask = mask;
    this.#nodes = { [layout]: node };
  }

  /** A value whose node has the order of axes of the model. */
  static plain(node: Node, mask?: Node): Value {
    return new Value('plain', node, mask);
  }

  /** A value whose node has the last axis of the model as axis 1. */
  static first(node: Node, mask?: Node): Value {
    return new Value('first', node, mask);
  }

  static of(layout: Layout, node: Node, mask?: Node): Value {
    return new Value(layout, node, mask);
  }

  /** The node with the axes in the order of the model. */
  get plain(): Node {
    return this.in('plain');
  }

  /** The node with the last axis of the model as axis 1. Layers ask for it if there are at least three axes. */
  get first(): Node {
    return this.in('first');
  }

  /** The node with the axes in an order. */
  in(layout: Layout): Node {
    const known = this.#nodes[layout];
    if (known !== undefined) return known;
    const made = reordered(this.#nodes[this.layout] as Node, layout);
    this.#nodes[layout] = made;
    return made;
  }

  /** The node as it was computed. */
  get native(): Node {
    return this.in(this.layout);
  }

  /** Applies a function that changes no order of axes. */
  map(apply: (x: Node) => Node): Value {
    return new Value(this.layout, apply(this.native), this.mask);
  }

  /** The same value, with another mask. */
  masked(mask: Node | undefined): Value {
    return mask === this.mask ? this : new Value(this.layout, this.native, mask);
  }
}

/** Brings a node with the axes of the other layout into a layout. */
function reordered(node: Node, layout: Layout): Node {
  return transpose(node, axesTo(layout, node.shape.length));
}

/** Returns the axes by which a node of the other layout is transposed. */
export function axesTo(layout: Layout, rank: number): number[] {
  const inner = Array.from({ length: rank - 2 }, (_, i) => i + 1);
  return layout === 'first' ? [0, rank - 1, ...inner] : [0, ...inner.map((axis) => axis + 1), 1];
}

/** Returns where an axis of the model is in a layout. @param axis counted from 0 */
export function axisIn(layout: Layout, axis: number, rank: number): number {
  return layout === 'plain' || axis === 0 ? axis : axis === rank - 1 ? 1 : axis + 1;
}

/** Returns the layout in which values are combined: that of the images among them. */
export function commonLayout(values: readonly Value[]): Layout {
  const alike = values.every(({ rank }) => rank >= 3 && rank === values[0]?.rank);
  return alike && values.some(({ layout }) => layout === 'first') ? 'first' : 'plain';
}
