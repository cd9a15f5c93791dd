/** Fused loops over memory, which the pass `fuse` makes of values, and their schedule. */

import type { Variable } from '../../graph/leaf.js';
import type { DType } from '../../tensor/dtype.js';
import { type Ref, showsAll, type Uses, type Value } from '../ir/value.js';
import { equalLists } from '../ir/view.js';

/** One operation of a fused loop: a kernel over registers. */
export interface Operation {
  readonly kernel: string;
  readonly converts: boolean;
  /** The dtype of the operands. */
  readonly dtype: DType;
  readonly operands: readonly number[];
}

/** Values computed in one traversal of memory. Registers are the loads, then the results of the operations, in order. */
export interface FusedLoop {
  readonly grade: number;
  readonly shape: readonly number[];
  readonly loads: readonly Ref[];
  readonly operations: readonly Operation[];
  /** The values that are read outside the loop. */
  readonly stores: readonly { readonly value: Value; readonly register: number }[];
  /** The values that are sums over all elements of a register. */
  readonly closes: readonly { readonly value: Value; readonly register: number }[];
}

/** Fused loops that differ only in their operands. They run as one instruction. */
export interface Group {
  readonly kind: 'group';
  readonly grade: number;
  readonly loops: readonly FusedLoop[];
}

/** A value that no fused loop computes. */
export interface Single {
  readonly kind: 'single';
  readonly grade: number;
  readonly value: Value;
}

export interface Update {
  readonly leaf: Variable;
  readonly ref: Ref;
}

export interface Fused {
  readonly outputs: readonly Ref[];
  readonly updates: readonly Update[];
  /** In the order of execution. */
  readonly schedule: readonly (Group | Single)[];
  /** Values computed in the fused loop that writes them to leaves, at the end of the run. */
  readonly final: ReadonlySet<Value>;
  /** All values, operands first, and their uses. */
  readonly order: readonly Value[];
  readonly uses: Uses;
}

/** The grade of values that are used only to update leaves. */
export const lastGrade = Number.MAX_SAFE_INTEGER;

/** Whether the ref visits all elements of its value in the order of a loop over `shape`. */
export function aligned(ref: Ref, shape: readonly number[]): boolean {
  return showsAll(ref) && equalLists(ref.shape, ref.value.shape) && equalLists(ref.shape, shape);
}

/** The index space of the fused loop that can compute a value; undefined if no fused loop can. */
export function spaceOf(value: Value): readonly number[] | undefined {
  if (value.size === 0) return undefined;
  switch (value.kind) {
    case 'map':
    case 'sum':
      return value.shape;
    case 'reduce': {
      const closes = value.details.kernel === 'sum' && value.shape.length === 0;
      return closes ? (value.args[0] as Ref).shape : undefined;
    }
    case 'leaf':
    case 'product':
    case 'columnSum':
    case 'batch':
    case 'random':
    case 'assemble':
      return undefined;
  }
}
