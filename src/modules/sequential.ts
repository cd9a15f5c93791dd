/** `Sequential`: a module that applies layers one after another. */

import { describeValue } from '../arguments/describe.js';
import { assertList } from '../arguments/read.js';
import { ValueError } from '../errors.js';
import { lift } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { setPaths } from './entries.js';
import { isModule } from './known.js';
import { Module } from './module.js';
import type { Scope } from './scope.js';

/** A layer of `Sequential`: a module whose `forward` takes one node and returns one, or a function such as `relu`. */
export type SequentialLayer =
  | (Module & {
      /** Builds the graph of the layer. */
      forward(x: Node): Node;
    })
  | ((x: Node) => Node);

/**
 * A module that applies layers one after another. Layers are modules, and functions of one node:
 *
 * ```ts
 * const below = scope('net');
 * const net = new Sequential(below, [
 *   new Dense(below.at(0), { inputs: 784, units: 128 }),
 *   relu,
 *   new Dense(below.at(2), { inputs: 128, units: 10 }),
 * ]);
 * ```
 *
 * The relative paths of its variables begin with the position of their layer in the list, as in `2.weight`, whatever the
 * name of the layer is. A layer may also be made with a name of its own, as in `new Dense('hidden', …)`.
 */
export class Sequential extends Module {
  /** The layers, in the order in which they are applied. */
  readonly layers: readonly SequentialLayer[];

  /**
   * Makes the module from layers that exist already.
   * @param scope the name or the scope of the module
   * @throws ValueError if `scope` is neither a non-empty string nor a scope without a module, or if `layers` is not a
   *   list of modules and functions
   */
  constructor(scope: string | Scope, layers: readonly SequentialLayer[]) {
    super(scope);
    try {
      const expected = `${this}: expected a list of layers,`;
      this.layers = Object.freeze(assertList(layers, expected));
      setPaths(this, (field) => field.replace(/^layers\./, ''));
      this.layers.forEach((layer, index) => {
        if (isModule(layer) || typeof layer === 'function') return;
        throw new ValueError(
          `${this}: expected a module or a function as layer ${index}, but received ${describeValue(layer)}`,
        );
      });
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  /**
   * Applies the layers one after another. Users call `apply`.
   * @param x the operand of the first layer
   * @returns the result of the last layer; x itself if there are no layers
   * @throws ValueError if a layer does not return a node; any error that a layer throws
   */
  forward(x: Operand): Node {
    const [first] = lift('sequential', [x]) as [Node];
    return this.layers.reduce<Node>((h, layer, index) => {
      const y = typeof layer === 'function' ? layer(h) : (layer as Layer).apply(h);
      if (isNode(y)) return y;
      throw new ValueError(
        `${this}: layer ${index} must return a node, but returned ${describeValue(y)}`,
      );
    }, first);
  }
}

/** A module, with the types that `SequentialLayer` guarantees. */
interface Layer {
  apply(x: Node): Node;
}
