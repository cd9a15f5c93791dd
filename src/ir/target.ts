/** What the passes assume of the executor and of the machine. */

import { panelBytes, panelsSave } from '../native/program.js';
import type { DType } from '../tensor/dtype.js';

export interface Target {
  /** Returns the bytes of the panels into which a right operand [k, n] is packed for the product kernel. */
  readonly panelBytes: (dtype: DType, k: number, n: number) => number;
  /**
   * Returns whether a product [M, K] x [K, N] takes less time if its right operand is already packed into panels, and
   * then gives the same bits. `strides` are those of the rows and columns of both operands.
   */
  readonly panelsSave: (
    dtype: DType,
    sizes: readonly [m: number, n: number, k: number],
    strides: readonly number[],
  ) => boolean;
  /**
   * The limits of a fused loop. The executor keeps one tile of each load and of each result in a buffer, which is called
   * a register. The limits are chosen so that the registers fit in the L1 cache with tiles of a useful size.
   */
  readonly loop: {
    /** The maximum number of terms of one sum. */
    readonly terms: number;
    readonly loads: number;
    readonly operations: number;
    /** The maximum number of operations of a loop that computes only values which update leaves: the executor's limit. */
    readonly finalOperations: number;
  };
}

/** The executor of the addon. */
export const executor: Target = {
  panelBytes,
  panelsSave,
  loop: { terms: 8, loads: 32, operations: 96, finalOperations: 256 },
};
