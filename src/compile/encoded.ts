/** The result of the passes: the code of a program for one binding of the dimension names, and its statistics. */

import type { Constant, Input, Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { DType } from '../tensor/dtype.js';

/** Statistics of a compiled graph, for one binding of its dimension names. */
export interface Stats {
  /** The number of instructions of the first run. An instruction of a loop counts once. */
  readonly instructions: number;
  /**
   * The number of these instructions that run only once: they depend only on the option `constants` of `compile` and on
   * constants. Later runs have so many instructions less, unless a variable of `constants` has changed.
   */
  readonly onceInstructions: number;
  /** The number of matrix products. A batch of products counts as one. */
  readonly products: number;
  /**
   * The sizes [M, N, K] of each product, in the order of execution. A product in a loop is followed by the number of times
   * that a run computes it: [M, N, K, trips].
   */
  readonly productShapes: readonly (readonly [m: number, n: number, k: number, trips?: number])[];
  /** The number of groups: instructions that compute element-wise operations in fused loops. */
  readonly groups: number;
  /** The bytes of the arena: the memory for intermediate values, and for packed weights that are not kept. */
  readonly arenaBytes: number;
  /**
   * The bytes of the values that are kept from run to run: the results of the instructions that run only once. Bindings
   * of the dimension names in which these instructions are the same share the values.
   */
  readonly keptBytes: number;
  /** The bytes of all weights that are packed for the product kernel. They are in the arena or kept. */
  readonly packedBytes: number;
  /** The bytes of the parameters, states and constants that the program reads or writes. */
  readonly leafBytes: number;
  /** The bytes that all computed values would take if each had its own memory. */
  readonly valueBytes: number;
}

/** Values that are kept from run to run. The first instructions of the program compute them. */
export interface EncodedKept {
  readonly bytes: number;
  /** The number of instructions that compute them. */
  readonly instructions: number;
  /** The variables from which they are computed. */
  readonly variables: readonly Variable[];
  /** Programs whose keys are equal compute the same values, at the same addresses in their memory. */
  readonly key: string;
}

export interface Encoded {
  /** The instructions, in the format that the native executor decodes and checks. */
  readonly code: Float64Array;
  /** The parameters, states and constants, in the order of their buffers in the code. */
  readonly leaves: readonly (Variable | Constant)[];
  /** The inputs, in the order of their buffers in the code. */
  readonly feeds: readonly Input[];
  readonly outputs: readonly { readonly shape: readonly number[]; readonly dtype: DType }[];
  /** The name of the kind of each instruction, as in a profile. */
  readonly kinds: readonly string[];
  /** For each instruction, the nodes that it computes. The instructions of a loop follow the loop, here and above. */
  readonly nodes: readonly (readonly Node[])[];
  /** For each instruction, how often a run executes it, and the index of the loop in which it is; -1 outside of loops. */
  readonly trips: readonly number[];
  readonly loops: readonly number[];
  /** The values that are kept from run to run; undefined if there are none. */
  readonly kept: EncodedKept | undefined;
  readonly stats: Stats;
}
