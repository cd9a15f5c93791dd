/**
 * The instructions of the executor. Their operands are locations in memories, which have no address in the arena yet.
 */

import type { Node } from '../../graph/node.js';
import type { DType } from '../../tensor/dtype.js';
import type { Operation } from './fused-loop.js';
import type { Location } from './place.js';

interface Common {
  /** The nodes that the instruction computes. */
  readonly nodes: readonly Node[];
}

export interface GroupInstruction extends Common {
  readonly kind: 'group';
  readonly loads: readonly DType[];
  readonly operations: readonly Operation[];
  readonly stores: readonly { readonly dtype: DType; readonly register: number }[];
  readonly closes: readonly { readonly dtype: DType; readonly register: number }[];
  readonly segments: readonly Segment[];
}

/** The shape and the locations of one loop of a group, or of the part of a loop that reads one block. */
export interface Segment {
  readonly shape: readonly number[];
  readonly loads: readonly Location[];
  readonly stores: readonly Location[];
  readonly closes: readonly Location[];
}

export interface ProductInstruction extends Common {
  readonly kind: 'product';
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Location;
  /** The right operand [K, N]. If `packed` is true, its elements are packed in panels for the product kernel. */
  readonly b: Location;
  readonly packed: boolean;
  readonly c: Location;
  readonly accumulates: boolean;
}

export interface PackInstruction extends Common {
  readonly kind: 'pack';
  readonly k: number;
  readonly n: number;
  readonly pieces: readonly {
    readonly row: number;
    readonly column: number;
    readonly from: Location;
  }[];
  readonly to: Location;
}

export interface ReduceInstruction extends Common {
  readonly kind: 'reduce';
  readonly kernel: string;
  readonly kept: number;
  readonly from: Location;
  readonly to: Location;
}

export interface BatchInstruction extends Common {
  readonly kind: 'batch';
  readonly a: Location;
  readonly b: Location;
  readonly c: Location;
}

export interface RandomInstruction extends Common {
  readonly kind: 'random';
  readonly kernel: string;
  readonly seed: number;
  readonly to: Location;
}

export interface CopyInstruction extends Common {
  readonly kind: 'copy';
  readonly from: Location;
  readonly to: Location;
}

export type Instruction =
  | GroupInstruction
  | ProductInstruction
  | PackInstruction
  | ReduceInstruction
  | BatchInstruction
  | RandomInstruction
  | CopyInstruction;

export interface Instructions {
  readonly list: readonly Instruction[];
  /** The index of the first instruction that writes a leaf. */
  readonly writeStart: number;
  readonly outputs: readonly Location[];
}

/** A function that returns the number of bytes of the panels into which a matrix [k, n] is packed. */
export type PackedBytes = (dtype: DType, k: number, n: number) => number;
