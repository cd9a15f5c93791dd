/** What the passes make: a program for one binding of the dimension names. */

import type { Constant, Input, Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { DType } from '../tensor/dtype.js';

/** What the compiler made of a graph, for one binding of its dimension names. */
export interface Stats {
  /** What the program does in one run, one after another. */
  readonly instructions: number;
  /** Matrix products, batches counted as one. */
  readonly products: number;
  /** [M, N, K] of each product, in the order of execution. */
  readonly productShapes: readonly (readonly [m: number, n: number, k: number])[];
  /** Element-wise passes. */
  readonly groups: number;
  /** Memory for everything that is computed on the way, packed weights included. */
  readonly arenaBytes: number;
  /** Of the arena: weights laid out for the product's kernel. */
  readonly packedBytes: number;
  /** Memory of the parameters, states and constants that the program reads or writes. */
  readonly leafBytes: number;
  /** What all values would take, had each its own memory. */
  readonly valueBytes: number;
}

export interface Encoded {
  /** What the native executor checks and runs. */
  readonly code: Float64Array;
  /** In the order of the code's buffers of these kinds. */
  readonly leaves: readonly (Variable | Constant)[];
  readonly feeds: readonly Input[];
  readonly outputs: readonly { readonly shape: readonly number[]; readonly dtype: DType }[];
  /** For each instruction, the nodes that it computes. */
  readonly nodes: readonly (readonly Node[])[];
  readonly stats: Stats;
}
