/** Passes over memory: what fuse makes of values, and the schedule that they stand in. */

import type { Variable } from '../../graph/leaf.js';
import type { DType } from '../../tensor/dtype.js';
import { type Ref, showsAll, type Uses, type Value } from '../ir/value.js';
import { equalLists } from '../ir/view.js';

/** One step of a pass: a kernel over registers. */
export interface Operation {
  readonly kernel: string;
  readonly converts: boolean;
  /** Of the operands. */
  readonly dtype: DType;
  readonly operands: readonly number[];
}

/** Values computed in one pass: registers are the loads, then the operations' results, in order. */
export interface FusedLoop {
  readonly grade: number;
  readonly shape: readonly number[];
  readonly loads: readonly Ref[];
  readonly operations: readonly Operation[];
  /** What others read. */
  readonly stores: readonly { readonly value: Value; readonly register: number }[];
  /** Sums over all elements. */
  readonly closes: readonly { readonly value: Value; readonly register: number }[];
}

/** Passes that differ only in their operands run as one. */
export interface Group {
  readonly kind: 'group';
  readonly grade: number;
  readonly loops: readonly FusedLoop[];
}

/** Any other value. */
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
  /** Values computed in the pass that writes them to leaves: at the very end. */
  readonly final: ReadonlySet<Value>;
  /** All values, operands first, and their uses. */
  readonly order: readonly Value[];
  readonly uses: Uses;
}

/** The grade of what only the leaves are waiting for. */
export const lastGrade = Number.MAX_SAFE_INTEGER;

/** Whether two shapes are walked through in the same order. */
export function aligned(ref: Ref, shape: readonly number[]): boolean {
  return showsAll(ref) && equalLists(ref.shape, ref.value.shape) && equalLists(ref.shape, shape);
}

/** The index space of a value that a pass can compute; undefined for any other. */
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
