/**
 * What the passes and the records of primitives assume of the executor and of the machine. No other file of the compiler
 * has such a number (test/house/target.test.ts).
 */

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
    /**
     * The maximum number of cheap operations that compute a value which is not stored. Each loop that reads the value
     * computes it again.
     */
    readonly repeated: number;
    /**
     * A loop that computes a mask again may read several leaves for it, if each of them but one has at most one element
     * for this many elements of the mask.
     */
    readonly maskShare: number;
    /**
     * The maximum number of values that read a draw which is not stored, if it is cheap. Each loop that reads the draw
     * computes it again.
     */
    readonly drawReaders: number;
    /**
     * The maximum number of blocks of an assembled value that loops read block by block. A loop has a segment for each
     * block.
     */
    readonly blocks: number;
    /**
     * A loop can sum the elements that have the same index on an axis, if the axis has at most `kept` indices and each sum
     * has at least `terms` terms. The loop then has a segment for each index.
     */
    readonly sums: { readonly kept: number; readonly terms: number };
  };
  /**
   * The lengths of the rows that a fused loop reduces. The instruction `reduce` computes shorter rows side by side, which
   * takes less time. Longer rows do not fit in a cache together with the values that are kept for them.
   */
  readonly rows: {
    readonly shortest: number;
    readonly longest: number;
    /** The shortest rows for which a loop works on whole rows only to sum them. */
    readonly summed: number;
  };
  /** A value of whose elements at most this share is read is computed only in the region of these elements. */
  readonly partRead: number;
  /**
   * The sum of gathered rows is computed without storing the rows if it has at least `sums` rows, which threads share, or
   * if at most `elements` are gathered.
   */
  readonly gathered: { readonly sums: number; readonly elements: number };
  /** When weights are put together for one product. Doing so takes as long as multiplying a few rows with them. */
  readonly weights: {
    /** The smallest number of rows for which it saves time. */
    readonly rows: number;
    /** Weights of at most this many elements are always put together: they remain in the L1 cache for the product. */
    readonly cached: number;
  };
  /** If the last axis of a read is at most this long, a routine reads it equally fast whether it is contiguous or not. */
  readonly fewLanes: number;
  /**
   * What may be kept for all steps of a loop, so that it can be computed for all of them at once: `times` as much as the
   * loop reads as rows and stacks anyway, or `bytes`, which a cache holds.
   */
  readonly kept: { readonly times: number; readonly bytes: number };
  readonly memory: {
    /** The alignment of addresses, in bytes. A cache line and the widest vector have this size. */
    readonly alignment: number;
    /**
     * Outputs of at least this many bytes are computed in the caller's memory. Smaller outputs are computed in the arena,
     * whose addresses are aligned, and copied.
     */
    readonly direct: number;
    /** The maximum number of elements of a folded constant. Larger ones are computed in every run instead of being stored. */
    readonly folded: number;
  };
  /** The format of code. It must be the same as in native/program/code.h. Instruction records have the opcodes. */
  readonly encoding: {
    readonly version: number;
    readonly buffers: Readonly<
      Record<
        'arena' | 'variable' | 'constant' | 'feed' | 'output' | 'kept' | 'draw' | 'window',
        number
      >
    >;
  };
}

/** The executor of the addon. */
export const executor: Target = {
  panelBytes,
  panelsSave,
  loop: {
    terms: 8,
    loads: 32,
    operations: 96,
    finalOperations: 256,
    repeated: 6,
    maskShare: 8,
    drawReaders: 4,
    blocks: 16,
    sums: { kept: 1024, terms: 512 },
  },
  rows: { shortest: 32, longest: 16_384, summed: 8 },
  partRead: 0.75,
  gathered: { sums: 8, elements: 2 ** 17 },
  weights: { rows: 4, cached: 16_384 },
  fewLanes: 4,
  kept: { times: 8, bytes: 2 ** 18 },
  memory: { alignment: 64, direct: 2 ** 18, folded: 4096 },
  encoding: {
    version: 1,
    buffers: {
      arena: 0,
      variable: 1,
      constant: 2,
      feed: 3,
      output: 4,
      kept: 5,
      draw: 6,
      window: 7,
    },
  },
};
