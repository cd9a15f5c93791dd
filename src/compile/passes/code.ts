/**
 * Makes the code of a fused loop: its loads, operations and stores, and the registers that they use. The loop works on
 * one tile of the elements at a time, and a register is a buffer that holds one tile.
 */

import type { Keys } from '../../ir/same.js';
import type { Ref, Use, Uses, Value } from '../../ir/value.js';
import type { Operation } from '../../primitives/group.js';
import { valueRecord } from '../../primitives/index.js';
import type { Fusing } from '../../primitives/record.js';
import {
  aligned,
  closes as closesLoop,
  type FusedLoop,
  rowsOf,
  spaceOf,
  sumsRows,
} from './fused-loop.js';
import { withMasks } from './masks.js';
import { readsColumns, readsRow, type Space } from './row-loops.js';

interface Surroundings {
  /** Values that are not stored. Each fused loop that reads such a value computes it again. */
  readonly repeated: { has(value: Value): boolean };
  readonly uses: Uses;
  readonly keys: Keys;
  readonly fire: (rewrite: string) => void;
}

/**
 * Returns the code of a fused loop that computes `members`. In this list, operands precede the values that read them.
 */
export function codeLoop(
  members: readonly Value[],
  grade: number,
  loop: Space,
  { repeated, uses, keys, fire }: Surroundings,
): FusedLoop {
  const own = new Set(members);
  const loads: Ref[] = [];
  const loaded = new Map<number, number>();
  const results = new Map<Value, number>();
  const operations: Operation[] = [];
  // In the finished code, the registers of the loads have the lowest numbers, and those of the results of operations
  // have the next numbers. Until the number of loads is known, the results have the numbers -1, -2, ….
  const made = () => -operations.length;
  /** Whether `reader`, a value of this loop, reads this ref of another value of the loop from a register. */
  const fromRegister = (arg: Ref, reader: Value): boolean => {
    if (sumsRows(reader)) return readsColumns(arg, loop);
    if (typeof loop.keeps === 'number' && closesLoop(reader)) return own.has(arg.value);
    const shape = spaceOf(reader) as readonly number[];
    return aligned(arg, shape) || readsRow(arg, shape, loop);
  };
  const register = (arg: Ref, reader: Value): number => {
    if (fromRegister(arg, reader)) {
      const known = results.get(arg.value);
      if (known !== undefined) return known;
      if (repeated.has(arg.value)) {
        fire('fuse: computed again');
        return compute(arg.value);
      }
    }
    const key = keys.of(arg);
    const known = loaded.get(key);
    if (known !== undefined) return known;
    loaded.set(key, loads.length);
    return loads.push(arg) - 1;
  };
  const emit = (operation: Operation): number => {
    operations.push(operation);
    return made();
  };
  const compute = (value: Value): number => {
    const fusing = valueRecord(value).fusing as Fusing;
    const operands = value.args.map((arg) => register(arg, value));
    const result = fusing.code(value, operands, emit);
    results.set(value, result);
    return result;
  };
  /** Whether this use reads a value of this loop from a register. The value need not be stored for such a use. */
  const readsWithin = (reader: Value | undefined, ref: Ref): boolean => {
    if (!reader || !(own.has(reader) || repeated.has(reader))) return false;
    if (!fromRegister(ref, reader)) return false;
    if (own.has(reader)) return true;
    return repeated.has(reader) && uses.every(reader, (use) => readsWithin(use.reader, use.ref));
  };
  const stores: { value: Value; register: number }[] = [];
  const closes: { value: Value; register: number }[] = [];
  for (const value of members) {
    if (closesLoop(value) && (loop.rows === undefined || rowsOf(value) === undefined)) {
      closes.push({ value, register: register(value.args[0] as Ref, value) });
      continue;
    }
    const result = compute(value);
    const inRegister = ({ reader, ref }: Use) => readsWithin(reader, ref);
    const read = !uses.every(value, inRegister);
    if (read) stores.push({ value, register: result });
  }
  const final = (r: number) => (r < 0 ? loads.length - r - 1 : r);
  const plain = {
    grade,
    shape: loop.space,
    rows: loop.rows,
    keeps: typeof loop.keeps === 'number' ? loop.keeps : undefined,
    loads,
    operations: operations.map((operation) => ({
      ...operation,
      operands: operation.operands.map(final),
    })),
    stores: stores.map(({ value, register: r }) => ({ value, register: final(r) })),
    closes: closes.map(({ value, register: r }) => ({ value, register: final(r) })),
  };
  return withMasks(multiplyAdds(plain, fire));
}

/** If the only reader of a multiplication is an addition or a subtraction, merges the two into one operation. */
function multiplyAdds(loop: FusedLoop, fire: (rewrite: string) => void): FusedLoop {
  const { loads, operations, stores, closes } = loop;
  const readers = new Array<number>(loads.length + operations.length).fill(0);
  for (const { operands } of operations)
    for (const r of operands) readers[r] = (readers[r] as number) + 1;
  for (const { register } of [...stores, ...closes]) readers[register] = Number.POSITIVE_INFINITY;
  const multiplied = (r: number): Operation | undefined => {
    const operation = operations[r - loads.length];
    return operation?.kernel === 'mul' && readers[r] === 1 ? operation : undefined;
  };
  const gone = new Set<number>();
  const fused = operations.map((operation): Operation => {
    const [x, y] = operation.operands as readonly [number, number];
    const [left, right] = [multiplied(x), multiplied(y)];
    const product = right ?? left;
    if ((operation.kernel !== 'add' && operation.kernel !== 'sub') || !product) return operation;
    fire('fuse: multiply-add');
    gone.add(right ? y : x);
    const kernel = operation.kernel === 'add' ? 'fma' : right ? 'fnma' : 'fms';
    return { ...operation, kernel, operands: [...product.operands, right ? x : y] };
  });
  if (gone.size === 0) return loop;
  let next = loads.length;
  const renumbered = readers.map((_, r) => (r < loads.length ? r : gone.has(r) ? -1 : next++));
  const renumber = (r: number) => renumbered[r] as number;
  return {
    ...loop,
    operations: fused
      .filter((_, i) => !gone.has(loads.length + i))
      .map((operation) => ({ ...operation, operands: operation.operands.map(renumber) })),
    stores: stores.map(({ value, register }) => ({ value, register: renumber(register) })),
    closes: closes.map(({ value, register }) => ({ value, register: renumber(register) })),
  };
}
