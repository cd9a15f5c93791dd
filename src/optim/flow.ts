/** The direction in which a rule moves a parameter, while the transforms of the rule change it one after another. */

import type { Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { add, div, mul } from '../ops/index.js';
import { Factor } from './factor.js';

/**
 * One term of a direction: factor * value / (root + epsilon). The three are combined as late as possible, so that all
 * scalars are multiplied before they are multiplied by the elements of the value.
 */
export interface Term {
  readonly factor: Factor;
  /** A node with the shape and dtype of the parameter. */
  readonly value: Node;
  /** By what the value is divided; undefined if it is not divided. */
  readonly over?: { readonly root: Node; readonly epsilon: number };
}

/** A parameter, and the direction in which it moves: the sum of the terms. At first, this is the gradient. */
export class Flow {
  #value: Node | undefined;

  constructor(
    readonly parameter: Variable,
    /** The path of the parameter relative to its module; its name if it was given without a module. */
    readonly path: string,
    readonly terms: readonly Term[],
  ) {}

  /** Returns a flow of the same parameter with another direction. */
  with(...terms: Term[]): Flow {
    return new Flow(this.parameter, this.path, terms);
  }

  /** Returns a flow of the same parameter whose direction is a node. */
  to(value: Node): Flow {
    return this.with({ factor: Factor.one, value });
  }

  /** Returns the direction times a scalar. */
  scaled(scalar: number | Node): Flow {
    return this.with(
      ...this.terms.map((term) => ({ ...term, factor: term.factor.multiplied(scalar) })),
    );
  }

  /** The direction as a node. */
  get value(): Node {
    this.#value ??= this.#sum();
    return this.#value;
  }

  #sum(): Node {
    const { dtype } = this.parameter;
    const divided = (term: Term) => Number(term.over !== undefined);
    // The product that contains a quotient is the last term, because the executor adds the last product of a sum without
    // rounding it first.
    return [...this.terms]
      .sort((a, b) => divided(a) - divided(b))
      .map(({ factor, value, over }) => {
        if (over === undefined) return factor.isOne ? value : mul(factor.in(dtype), value);
        const sum = add(over.root, factor.added(dtype, over.epsilon));
        return mul(div(factor.in(dtype), sum), value);
      })
      .reduce((sum, term) => add(sum, term));
  }
}
