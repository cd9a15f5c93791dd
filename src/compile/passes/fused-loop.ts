/** The result of the pass `fuse`: fused loops, other values, and the order in which they are computed. */

import type { Variable } from '../../graph/leaf.js';
import type { Draw } from '../../ir/location.js';
import type { IrLoop } from '../../ir/loop.js';
import { type Ref, showsAll, type Uses, type Value } from '../../ir/value.js';
import { equalLists } from '../../ir/view.js';
import type { Operation } from '../../primitives/group.js';
import { valueRecord } from '../../primitives/index.js';

/**
 * A fused loop: values that are computed in one traversal of memory. It works on one tile of the elements at a time,
 * and a register is a buffer that holds one tile. Register i holds load i. The registers after those of the loads hold
 * the results of the operations, in their order.
 */
export interface FusedLoop {
  /** The position in the schedule: loops and values with a lower grade are computed earlier. */
  readonly grade: number;
  /** The shape of the elements over which the loop runs. */
  readonly shape: readonly number[];
  /** The number of the first axes, which are the axes of the rows. Undefined if the loop does not work on whole rows. */
  readonly rows: number | undefined;
  /** The axis that the sums in `closes` keep. Undefined if there is no such sum. */
  readonly keeps: number | undefined;
  readonly loads: readonly Ref[];
  readonly operations: readonly Operation[];
  /** The values that are read outside the loop, and are therefore stored in memory. */
  readonly stores: readonly { readonly value: Value; readonly register: number }[];
  /**
   * The values that are sums over all elements of a value of the loop, over all of its rows (then the sum has a result
   * for each column), or over all axes but one. The elements to sum are in `register`.
   */
  readonly closes: readonly { readonly value: Value; readonly register: number }[];
}

/** Fused loops that differ only in the locations of their operands. They are one instruction. */
export interface Group {
  readonly kind: 'group';
  readonly grade: number;
  readonly loops: readonly FusedLoop[];
}

/** A value that is not computed by a fused loop. */
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
  /** The groups and single values, in the order of execution. */
  readonly schedule: readonly (Group | Single)[];
  /**
   * The values that are used only to update leaves. The loops that compute them write the leaves, at the end of a run.
   */
  readonly final: ReadonlySet<Value>;
  /**
   * The values that instructions other than loops compute directly in the memory of a leaf, at the end of a run, with
   * their leaves.
   */
  readonly updated: ReadonlyMap<Value, Variable>;
  /** The draws that have no memory. The loops that load them compute them. */
  readonly drawn: ReadonlyMap<Value, Draw>;
  /** All values. Operands precede the values that read them. `uses` has the uses of these values. */
  readonly order: readonly Value[];
  readonly uses: Uses;
  /** The values that do not change from run to run (see the option `constants` of `compile`). */
  readonly fixed: ReadonlySet<Value>;
  /** The bodies of the loops among the values. */
  readonly bodies: ReadonlyMap<IrLoop, Fused>;
}

/** The grade of values that are used only to update leaves. They are computed after all other values. */
export const lastGrade = Number.MAX_SAFE_INTEGER;

/** Whether the ref reads all elements of its value in order, and has the shape `shape` of the loop that reads it. */
export function aligned(ref: Ref, shape: readonly number[]): boolean {
  return showsAll(ref) && equalLists(ref.shape, ref.value.shape) && equalLists(ref.shape, shape);
}

/**
 * Returns the shape over which a fused loop must run to compute this value; undefined if no fused loop can compute it.
 */
export function spaceOf(value: Value): readonly number[] | undefined {
  return valueRecord(value).fusing?.space(value);
}

/** Whether fused loops compute the value, and it has an element for each element of its loop. */
export function isElementwise(value: Value): boolean {
  return valueRecord(value).fusing?.closes === false;
}

/** Whether the value is a reduction over the elements of a fused loop. */
export function closes(value: Value): boolean {
  return valueRecord(value).fusing?.closes === true;
}

/** Returns the number of axes that are kept, if the value is a reduction over each row of a fused loop. */
export function rowsOf(value: Value): number | undefined {
  return valueRecord(value).fusing?.rows(value);
}

/** Whether the value is the sum of the rows of its operand, and a fused loop over whole rows can compute it. */
export function sumsRows(value: Value): boolean {
  return valueRecord(value).fusing?.columns === true && value.dtype !== 'int32';
}

/** Returns the axis of its loop that is kept, if the value is a sum over all other axes that a fused loop can compute. */
export function keptBy(value: Value): number | undefined {
  return valueRecord(value).fusing?.keeps(value);
}
