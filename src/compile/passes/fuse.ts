/**
 * Fuse: combines element-wise values that have one shape and depend on one another, and the sums over all their
 * elements, into one fused loop, which computes them in one traversal of memory. Each value gets a grade. A value has
 * the grade of its operands in the same loop, and a higher grade than its operands outside the loop. Loops of one grade
 * are therefore independent of one another, and the loops can be executed in the order of their grades.
 */

import { Variable } from '../../graph/leaf.js';
import { type Sliced, sorted } from '../../graph/sliced.js';
import type { Builder } from '../../ir/builder.js';
import type { Draw } from '../../ir/location.js';
import type { IrLoop } from '../../ir/loop.js';
import { Keys } from '../../ir/same.js';
import { type Ref, Uses, type Value, viewed } from '../../ir/value.js';
import type { Constants } from '../options.js';
import { codeLoop } from './code.js';
import { findDrawn } from './drawn.js';
import { FinalLoops } from './final-loops.js';
import {
  aligned,
  closes,
  type Fused,
  type FusedLoop,
  type Group,
  lastGrade,
  rowsOf,
  type Single,
  spaceOf,
  sumsRows,
  type Update,
} from './fused-loop.js';
import { settle, shortSums } from './fusible.js';
import { fits, Joins, type Members } from './joins.js';
import { fixedValues } from './once.js';
import { findRepeated, type Repeated } from './repeated.js';
import { loadsOnePerRow, readsRow } from './row-loops.js';
import { findUpdated } from './updated.js';

export function* fuse(
  outputs: readonly Ref[],
  updates: readonly Update[],
  build: Builder,
  constants?: Constants,
  bodies: ReadonlyMap<IrLoop, Fused> = new Map(),
): Sliced<Fused> {
  const short = yield* shortSums([...outputs, ...updates.map(({ ref }) => ref)], build);
  const roots = settle(short, outputs.length, updates, build);
  const settledOutputs = roots.slice(0, outputs.length);
  const settledUpdates = updates.map(({ leaf }, i) => {
    const root = roots[outputs.length + i] as Ref;
    // The ref is copied, because a value may be both an output and the new value of a leaf, and each needs its own ref.
    return { leaf, ref: viewed(root.value, root) };
  });
  return { ...(yield* Fusion.of(settledOutputs, settledUpdates, build, constants)), bodies };
}

interface Operand {
  readonly arg: Ref;
  /** Whether the fused loop that reads the operand may compute it. */
  readonly within: boolean;
}

/** A group or a value, with its position among those of its grade. */
interface Scheduled {
  readonly item: Group | Single;
  readonly at: number;
}

class Fusion {
  readonly #order: readonly Value[];
  readonly #uses: Uses;
  readonly #keys = new Keys();
  /** The values that have no memory. Every loop that reads such a value computes it again. */
  #repeated: ReadonlyMap<Value, Repeated> = new Map();
  /** The draws that have no memory. Every loop that loads such a draw computes it. */
  #drawn: ReadonlyMap<Value, Draw> = new Map();
  /** The values that instructions other than loops compute directly in the memory of a leaf. */
  #updated: ReadonlyMap<Value, Variable> = new Map();
  readonly #joins: Joins;
  readonly #final = new Set<Value>();

  private constructor(
    private readonly outputs: readonly Ref[],
    private readonly updates: readonly Update[],
    private readonly build: Builder,
    order: readonly Value[],
    uses: Uses,
    /** The values that do not change from run to run. */
    private readonly fixed: ReadonlySet<Value>,
  ) {
    this.#order = order;
    this.#uses = uses;
    this.#joins = new Joins(order, this.#keys, build);
  }

  static *of(
    outputs: readonly Ref[],
    updates: readonly Update[],
    build: Builder,
    constants: Constants,
  ): Sliced<Omit<Fused, 'bodies'>> {
    const roots = [...outputs, ...updates.map(({ ref }) => ref)];
    const order = yield* build.valuesOf(roots);
    const uses = yield* Uses.of(order, roots, build.pace);
    const fixed = yield* fixedValues(order, constants, build.pace);
    return yield* new Fusion(outputs, updates, build, order, uses, fixed).#fused();
  }

  *#fused(): Sliced<Omit<Fused, 'bodies'>> {
    this.#repeated = yield* findRepeated(this.#order, this.#uses, this.#keys, this.build);
    this.#drawn = yield* findDrawn(this.#order, this.#uses, this.#repeated, this.build);
    this.#updated = yield* findUpdated(this.updates, this.#uses, this.fixed, this.build);
    yield* this.#findFinal();
    for (let i = 0; i < this.#order.length; i++) {
      const value = this.#order[i] as Value;
      this.#assign(value);
      if (this.build.pace.due(1 + value.args.length)) yield;
    }
    yield* this.#joins.joinReaders();
    yield* this.#joins.joinSums();
    return {
      outputs: this.outputs,
      updates: this.updates,
      schedule: yield* this.#schedule(),
      final: this.#final,
      updated: this.#updated,
      drawn: this.#drawn,
      order: this.#order,
      uses: this.#uses,
      fixed: this.fixed,
    };
  }

  /** Whether no instruction computes the value. Its readers then need not wait for one. */
  #hasNoInstruction(value: Value): boolean {
    return value.kind === 'leaf' || this.#drawn.has(value);
  }

  /** Finds the final values: those used only to update leaves. They are computed in the loops that write the leaves. */
  *#findFinal(): Sliced<void> {
    const shapes = new Map(this.updates.map(({ leaf, ref }) => [ref, [...leaf.value.shape]]));
    const finalLoops = new FinalLoops(this.build.target.loop.finalOperations);
    for (let i = this.#order.length - 1; i >= 0; i--) {
      const value = this.#order[i] as Value;
      if (this.build.pace.due(1 + this.#uses.count(value))) yield;
      const space = spaceOf(value);
      if (!space || closes(value) || this.#repeated.has(value)) continue;
      const copied = value.kind === 'map' && value.details.kernel === 'copy';
      if (copied && (value.args[0] as Ref).value.details.leaf instanceof Variable) continue;
      const final = this.#uses.every(value, ({ reader, ref }) => {
        if (reader) return this.#endsFinal(reader, ref);
        const shape = shapes.get(ref);
        return shape !== undefined && aligned(ref, shape);
      });
      if (final && finalLoops.join(value, this.#finalReaders(value))) this.#final.add(value);
    }
  }

  /** Returns the final values that read this value, directly or through values that are computed again. */
  #finalReaders(value: Value): Value[] {
    return this.#uses.of(value).flatMap(({ reader }) => {
      if (!reader) return [];
      return this.#final.has(reader) ? [reader] : this.#finalReaders(reader);
    });
  }

  /** Whether this use of a value is only in loops that compute final values. */
  #endsFinal(reader: Value, ref: Ref): boolean {
    const space = spaceOf(reader);
    if (!space || !aligned(ref, space)) return false;
    if (this.#final.has(reader)) return true;
    // A value that is computed again belongs to the loops of its readers.
    return (
      this.#repeated.has(reader) &&
      this.#uses.every(
        reader,
        (use) => use.reader !== undefined && this.#endsFinal(use.reader, use.ref),
      )
    );
  }

  /** Assigns a grade to a value. If a fused loop can compute the value, assigns the value to a loop, too. */
  #assign(value: Value): void {
    if (this.#repeated.has(value)) return;
    if (this.#joins.joinsColumns(value) || this.#joins.joinsKeeping(value)) return;
    const space = spaceOf(value);
    const final = this.#final.has(value);
    const operands = this.#operands(value, space);
    let grade = this.#hasNoInstruction(value) ? 0 : 1;
    for (let i = 0; i < operands.length; i++) {
      const operand = operands[i] as Operand;
      const below = this.#joins.grades[operand.arg.value.id] as number;
      const rises = !this.#hasNoInstruction(operand.arg.value) && !this.#canJoin(operand, final);
      grade = Math.max(grade, rises ? below + 1 : below);
    }
    if (final || this.#updated.has(value)) grade = lastGrade;
    this.#joins.grades[value.id] = space ? this.#assignLoop(value, space, operands, grade) : grade;
  }

  /** Whether a loop that computes an operand can compute the value that reads it. */
  #canJoin({ arg, within }: Operand, final: boolean): boolean {
    return within && (!final || this.#final.has(arg.value));
  }

  /** Assigns a value to the loops of its operands that have its grade, or to a new one. Returns the grade of its loop. */
  #assignLoop(
    value: Value,
    space: readonly number[],
    operands: readonly Operand[],
    grade: number,
  ): number {
    const final = grade === lastGrade;
    const rows = rowsOf(value);
    const keeps = closes(value) && rows === undefined ? 'none' : undefined;
    const own: Members = { space, rows, keeps, grade, values: [value], loads: new Map() };
    const loops: Members[] = [];
    for (let i = 0; i < operands.length; i++) {
      const operand = operands[i] as Operand;
      const { arg } = operand;
      if (!this.#canJoin(operand, final) || this.#joins.grades[arg.value.id] !== grade) {
        own.loads.set(this.#keys.of(arg), arg);
        continue;
      }
      const loop = this.#joins.loopOf(arg.value) as Members;
      if (!loops.includes(loop)) loops.push(loop);
    }
    loops.push(own);
    this.#joins.start(value, own);
    if (final || fits(loops, this.build.target.loop)) {
      this.#joins.join(loops);
      return grade;
    }
    // The merged loop would be too large. The value starts a new loop, which loads its operands from memory.
    this.build.fire('fuse: full loop');
    for (let i = 0; i < operands.length; i++) {
      const { arg } = operands[i] as Operand;
      own.loads.set(this.#keys.of(arg), arg);
    }
    this.#joins.start(value, { ...own, grade: grade + 1 });
    return grade + 1;
  }

  /** Returns the operands of a value. An operand that is computed again is replaced by its own operands. */
  #operands(
    value: Value,
    space: readonly number[] | undefined,
    found: Operand[] = [],
  ): readonly Operand[] {
    for (const arg of value.args) {
      const lines = space !== undefined && aligned(arg, space);
      if (lines && this.#repeated.has(arg.value)) {
        this.#operands(arg.value, arg.value.shape, found);
      } else {
        const inLoop = spaceOf(arg.value) !== undefined && !closes(arg.value);
        const within = (lines && inLoop) || this.#readsRow(arg, space);
        found.push({ arg, within });
      }
    }
    return found;
  }

  /** Whether a loop over whole rows that computes the operand can compute a value of this shape that reads it. */
  #readsRow(arg: Ref, shape: readonly number[] | undefined): boolean {
    const loop = this.#joins.loopOf(arg.value);
    return shape !== undefined && loop?.rows !== undefined && readsRow(arg, shape, loop);
  }

  /** Whether a loop over whole rows is only a reduction of values in memory, which needs no loop. */
  #isReduction({ rows, values: [value, ...others] }: Members): boolean {
    if (rows === undefined || others.length > 0) return false;
    const [arg] = (value as Value).args as readonly [Ref];
    return !(
      aligned(arg, spaceOf(value as Value) as readonly number[]) && this.#repeated.has(arg.value)
    );
  }

  /** Returns, for each grade, the position of the first group that loads a value, by the id of the value. */
  *#firstLoads(schedule: readonly Scheduled[]): Sliced<Map<number, Map<number, number>>> {
    const loaded = new Map<number, Map<number, number>>();
    for (const { item, at } of schedule) {
      if (item.kind !== 'group') continue;
      const first = loaded.get(item.grade) ?? new Map<number, number>();
      loaded.set(item.grade, first);
      for (const { loads } of item.loops) {
        if (this.build.pace.due(1 + loads.length)) yield;
        for (const { value } of loads) first.set(value.id, Math.min(at, first.get(value.id) ?? at));
      }
    }
    return loaded;
  }

  /**
   * Returns the position of a value that no loop computes. If a group of its grade loads a larger operand of the value,
   * the value is computed before the group, which may then be the last to read the operand, and write in its place.
   * @param loaded the positions of the first groups of the grade that load a value, by its id
   */
  #beforeLoops(value: Value, loaded: ReadonlyMap<number, number> | undefined): number {
    const positions = value.args.flatMap(({ value: operand }) =>
      operand.kind !== 'leaf' && operand.size > value.size ? (loaded?.get(operand.id) ?? []) : [],
    );
    return Math.min(value.id, Math.min(...positions) - 0.5);
  }

  *#schedule(): Sliced<(Group | Single)[]> {
    const leaves = new Map<Value, number>();
    for (const { ref } of this.updates) leaves.set(ref.value, (leaves.get(ref.value) ?? 0) + 1);
    const groups = new Map<string, FusedLoop[]>();
    const schedule: Scheduled[] = [];
    for (const loop of yield* this.#joins.distinctLoops()) {
      if (this.build.pace.due(2 * loop.values.length)) yield;
      if (this.#isReduction(loop)) {
        const [value] = loop.values as [Value];
        const item: Single = { kind: 'single', grade: loop.grade, value };
        schedule.push({ item, at: value.id });
        continue;
      }
      const inOrder = loop.values.sort((a, b) => a.id - b.id);
      const coded = codeLoop(inOrder, loop.grade, loop, {
        repeated: this.#repeated,
        uses: this.#uses,
        keys: this.#keys,
        fire: (rewrite) => this.build.fire(rewrite),
      });
      const { grade, loads, operations, stores, closes } = coded;
      const form = [
        grade,
        // Loops that need not run in every run form groups of their own.
        inOrder.every((value) => this.fixed.has(value)),
        coded.rows,
        loads.map((load) => [
          load.value.dtype,
          coded.rows !== undefined && loadsOnePerRow(load, loop),
        ]),
        operations,
        // A value that updates several leaves is stored to each of them.
        stores.map(({ register, value }) => [
          register,
          grade === lastGrade ? leaves.get(value) : 1,
        ]),
        closes.map(({ register, value }) => [register, sumsRows(value)]),
      ];
      const key = JSON.stringify(form);
      const alike = groups.get(key);
      if (alike) {
        this.build.fire('fuse: identical loops');
        alike.push(coded);
        continue;
      }
      const loops = [coded];
      groups.set(key, loops);
      if (coded.operations.length > 1) this.build.fire('fuse: operations in one loop');
      if (coded.closes.length > 0) this.build.fire('fuse: closing sum');
      for (const { reduces } of operations)
        if (reduces) this.build.fire('fuse: reduction of rows in a loop');
      schedule.push({ item: { kind: 'group', grade, loops }, at: (loop.values[0] as Value).id });
    }
    const loaded = yield* this.#firstLoads(schedule);
    for (let i = 0; i < this.#order.length; i++) {
      const value = this.#order[i] as Value;
      if (this.build.pace.due()) yield;
      if (
        value.kind === 'leaf' ||
        value.size === 0 ||
        this.#joins.loopOf(value) ||
        this.#drawn.has(value) ||
        this.#repeated.has(value)
      )
        continue;
      const grade = this.#joins.grades[value.id] as number;
      // Values that update leaves keep their order.
      const at = grade === lastGrade ? value.id : this.#beforeLoops(value, loaded.get(grade));
      schedule.push({ item: { kind: 'single', grade, value }, at });
    }
    const compare = (a: Scheduled, b: Scheduled) => a.item.grade - b.item.grade || a.at - b.at;
    return (yield* sorted(schedule, compare, this.build.pace)).map(({ item }) => item);
  }
}
