/** Instruct: makes the list of instructions from the schedule, with the locations of their operands. */

import { type Leaf, Variable } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import type { Pace, Sliced } from '../../graph/sliced.js';
import type { Fired } from '../../ir/builder.js';
import type { Location, Memory } from '../../ir/location.js';
import type { IrLoop } from '../../ir/loop.js';
import { Keys } from '../../ir/same.js';
import type { Target } from '../../ir/target.js';
import { type Ref, showsAll, type Value } from '../../ir/value.js';
import { count, dense, isContiguous } from '../../ir/view.js';
import { fill } from '../../primitives/group.js';
import { type Instruction, instructionRecord, valueRecord } from '../../primitives/index.js';
import type { InstructionWriter } from '../../primitives/record.js';
import type { DType } from '../../tensor/dtype.js';
import { arrange } from './arena.js';
import { type Fused, lastGrade } from './fused-loop.js';
import { Groups } from './groups.js';
import { isSameLocation, type LoopPlaces, loopPlaces, outerAccesses } from './loop-places.js';
import { type NeededSteps, neededSteps, type StepRange } from './needed-steps.js';
import { Placement } from './place.js';

/** The instructions of a program. */
export interface Instructions {
  readonly list: readonly Instruction[];
  /** The number of instructions, at the start of the list, that need not run in every run (pass `once`). */
  readonly onceCount: number;
  /** The index of the first instruction that writes a leaf. */
  readonly writeStart: number;
  readonly outputs: readonly Location[];
}

export function instruct(
  fused: Fused,
  placement: Placement,
  target: Target,
  fired: Fired,
  pace: Pace,
): Sliced<Instructions> {
  return new Writer(fused, placement, target, fired, pace).write();
}

class Writer implements InstructionWriter {
  readonly #list: Instruction[] = [];
  /** The instructions that write leaves. They follow all others. */
  readonly #writes: Instruction[] = [];
  readonly #keys = new Keys();
  /** For each operand that is prepared, by the kind of its readers and its key, the location of its prepared form. */
  readonly #prepared = new Map<string, Location>();
  /** For each operand that can be prepared, by the kind of its readers and its key, the number of its readers. */
  readonly #readers = new Map<string, number>();

  /** Whether instructions are written before the loop whose body this is. */
  #hoists = false;
  /** The steps of the instructions that are not executed in all steps. */
  readonly #ranges = new Map<Instruction, StepRange>();
  /** The memories outside of the loop that this writer has made. */
  readonly #adopted = new Set<Memory>();
  /** For each value of an instruction with several results, the further results that are read. */
  readonly #further = new Map<Value, Value[]>();

  constructor(
    private readonly fused: Fused,
    private readonly placement: Placement,
    readonly target: Target,
    private readonly fired: Fired,
    private readonly pace: Pace,
    /** The writer of the instructions outside of the loop, if this one writes a body. */
    private readonly outside?: {
      readonly writer: Writer;
      readonly steps: number;
      /** The steps in which values are computed that are not needed in all steps. */
      readonly ranges: ReadonlyMap<Value, NeededSteps>;
    },
  ) {}

  *write(): Sliced<Instructions> {
    yield* this.#schedule();
    const outputs: Location[] = [];
    for (const ref of this.fused.outputs) {
      outputs.push(this.#output(ref));
      if (this.pace.due()) yield;
    }
    return yield* this.#finished(outputs);
  }

  /** Writes the instructions of the body of a loop, whose results are at these places. */
  *writeBody({ outputs }: LoopPlaces): Sliced<readonly Instruction[]> {
    yield* this.#schedule();
    for (const { ref, at } of outputs) {
      const from = this.placement.locate(ref);
      if (count(ref.shape) > 0 && !isSameLocation(from, at)) {
        const copy: Instruction = { kind: 'copy', from, to: at, nodes: nodesOf([ref.value]) };
        this.#list.push(copy);
        const range = this.outside?.ranges.get(ref.value);
        // Zeros are copied, too.
        if (range) this.#ranges.set(copy, { ...range, first: 0 });
      }
      if (this.pace.due()) yield;
    }
    return this.#list;
  }

  /** Writes the instructions of the values in the order of the schedule. */
  *#schedule(): Sliced<void> {
    yield* this.#readSingles();
    const written = new Map<Value, Variable[]>();
    for (const { leaf, ref } of this.fused.updates) {
      if (!this.fused.final.has(ref.value)) continue;
      const leaves = written.get(ref.value);
      if (leaves) leaves.push(leaf);
      else written.set(ref.value, [leaf]);
    }
    const groups = new Groups(this.placement, this.pace, {
      copyOf: (at, leaf) => this.#copyOf(at, [leaf]),
      unwritten: (at, leaf) => this.#unwritten(at, leaf),
    });
    for (const item of this.fused.schedule) {
      if (item.kind === 'single') yield* this.#single(item.value);
      else if (item.grade === lastGrade)
        this.#writes.push(
          yield* groups.ofLoops(item.loops, (loop) => groups.leaves(loop, written)),
        );
      else this.#list.push(yield* groups.ofLoops(item.loops, (loop) => groups.arena(loop)));
      if (this.pace.due(item.kind === 'single' ? 1 + item.value.args.length : 1)) yield;
    }
  }

  /** Writes the copies of values to leaves. */
  *#finished(outputs: readonly Location[]): Sliced<Instructions> {
    for (const { leaf, ref } of this.fused.updates) {
      if (this.pace.due()) yield;
      const { final, updated } = this.fused;
      if (final.has(ref.value) || updated.has(ref.value) || count(ref.shape) === 0) continue;
      const to = {
        memory: this.placement.leafMemory(leaf, leaf.value.size),
        ...dense(leaf.value.shape),
      };
      const from = this.placement.locate(ref);
      this.#writes.push({
        kind: 'copy',
        from,
        to: { ...to, shape: from.shape, strides: dense(from.shape).strides },
        nodes: [leaf],
      });
    }
    const writeStart = this.#list.length;
    for (const write of this.#writes) this.#list.push(write);
    return { list: this.#list, onceCount: 0, writeStart, outputs };
  }

  /** Counts the readers of operands that can be prepared, and collects further results. */
  *#readSingles(): Sliced<void> {
    for (const item of this.fused.schedule) {
      if (this.pace.due()) yield;
      if (item.kind !== 'single') continue;
      const { args, details } = item.value;
      if (details.result !== undefined) {
        const first = (args[0] as Ref).value;
        const further = this.#further.get(first) ?? [];
        further[details.result - 1] = item.value;
        this.#further.set(first, further);
      }
      const key = this.#preparedKey(item.value);
      if (key !== undefined) this.#readers.set(key, (this.#readers.get(key) ?? 0) + 1);
    }
  }

  /** Returns a key of the kind of the value and of its operand that can be prepared; undefined if there is none. */
  #preparedKey(value: Value): string | undefined {
    const { prepared } = valueRecord(value);
    if (prepared === undefined) return undefined;
    return `${value.kind} ${this.#keys.of(value.args[prepared] as Ref)}`;
  }

  #fire(rewrite: string): void {
    this.fired.set(rewrite, (this.fired.get(rewrite) ?? 0) + 1);
  }

  fresh(dtype: DType, shape: readonly number[]): Location {
    if (this.#hoists && this.outside) {
      const at = this.outside.writer.fresh(dtype, shape);
      this.#adopted.add(at.memory);
      return at;
    }
    const memory: Memory = { dtype, length: count(shape), leaf: undefined };
    return { memory, ...dense(shape) };
  }

  /** Adds an instruction that copies the elements of a location to new memory, and returns the new location. */
  #copyOf(from: Location, nodes: readonly Node[]): Location {
    const to = this.fresh(from.memory.dtype, from.shape);
    this.#list.push({ kind: 'copy', from, to, nodes });
    return to;
  }

  /** Returns the location of an output. The elements of an output must be contiguous, so others are copied. */
  #output(ref: Ref): Location {
    if (count(ref.shape) === 0) return this.fresh(ref.value.dtype, ref.shape);
    const at = this.placement.locate(ref);
    return isContiguous(at) ? at : this.#copyOf(at, nodesOf([ref.value]));
  }

  *#single(value: Value): Sliced<void> {
    const range = this.outside?.ranges.get(value);
    for (const steps of range?.zeros ?? []) {
      const zeros = fill(this.locationOf(value), this, nodesOf([value]));
      this.#ranges.set(zeros, steps);
      this.#list.push(zeros);
    }
    const before = this.#list.length;
    const sliced = valueRecord(value).instruct(value, this, nodesOf([value]));
    if (sliced) yield* sliced;
    if (!range) return;
    for (const instruction of this.#list.slice(before)) this.#ranges.set(instruction, range);
  }

  locate(ref: Ref): Location {
    return this.placement.locate(ref);
  }

  locationOf(value: Value): Location {
    return this.placement.locationOf(value);
  }

  resultsOf(value: Value): Location[] {
    const read = this.#further.get(value);
    const further = (value.details.results ?? []).map(([dtype, ...shape], index) => {
      const result = read?.[index];
      return result ? this.locationOf(result) : this.fresh(dtype, shape);
    });
    return [this.locationOf(value), ...further];
  }

  leafMemory(leaf: Leaf, length: number): Memory {
    return this.placement.leafMemory(leaf, length);
  }

  operandsOf(value: Value): Location[] {
    const updated = this.fused.updated.get(value);
    const overwritten = valueRecord(value).updates(value);
    return value.args.map((arg, i) => {
      const at = this.placement.locate(arg);
      const { leaf } = arg.value.details;
      if (!updated || !(leaf instanceof Variable)) return at;
      return leaf === updated && i === overwritten && showsAll(arg)
        ? at
        : this.#unwritten(at, leaf);
    });
  }

  emit(instruction: Instruction): void {
    if (this.#hoists && this.outside) {
      this.outside.writer.emit(instruction);
      return;
    }
    const writesLeaf = [...instructionRecord(instruction).writes(instruction)].some((locations) =>
      locations.some(({ memory }) => memory.leaf),
    );
    (writesLeaf ? this.#writes : this.#list).push(instruction);
  }

  *loop(value: Value, nodes: readonly Node[]): Sliced<void> {
    const loop = value.details.loop as IrLoop;
    const body = this.fused.bodies.get(loop) as Fused;
    const [, ...results] = this.resultsOf(value);
    const operands = value.args.map((arg) => this.locate(arg));
    const places = loopPlaces(loop, body.outputs, operands, results);
    for (const { from, to } of places.begins) {
      if (count(to.shape) === 0) continue;
      this.emit(from ? { kind: 'copy', from, to, nodes } : fill(to, this, nodes));
    }
    const { target, fired, pace } = this;
    const placement = yield* Placement.of(body, fired, pace, places);
    const writer = new Writer(body, placement, target, fired, pace, {
      writer: this,
      steps: loop.count,
      ranges: neededSteps(value, loop, body, this.fused),
    });
    const list = yield* writer.writeBody(places);
    const outer = new Set(
      [...places.leaves.values(), ...places.outputs.map(({ at }) => at)].map(
        ({ memory }) => memory,
      ),
    );
    const isOutside = (memory: Memory) => outer.has(memory) || writer.#adopted.has(memory);
    const instructions = { list, onceCount: 0, writeStart: list.length, outputs: [] };
    const arena = yield* arrange(instructions, fired, pace, isOutside);
    const accesses = outerAccesses(list, places.windows, arena.offsets);
    this.emit({
      kind: 'loop',
      nodes,
      count: loop.count,
      windows: places.windows,
      body: list.map((instruction) => {
        const { first, end } = writer.#ranges.get(instruction) ?? { first: 0, end: loop.count };
        return { first, end, instruction };
      }),
      scratch: this.fresh('uint8', [arena.bytes]),
      offsets: arena.offsets,
      ...accesses,
    });
  }

  isPacked(assembled: Value): boolean {
    return this.placement.isPacked(assembled);
  }

  misplaced(assembled: Value): ReturnType<Placement['misplaced']> {
    return this.placement.isAlias(assembled) ? [] : this.placement.misplaced(assembled);
  }

  /**
   * An operand that consists of parameters is prepared in two cases: several instructions of one kind read it, or its
   * blocks are at separate locations. An operand that does not change from run to run is prepared if `saves` says so.
   */
  prepared(
    value: Value,
    prepare: (operand: Ref) => Location,
    saves: (operand: Ref) => boolean,
  ): Location | undefined {
    const key = this.#preparedKey(value) as string;
    const operand = value.args[valueRecord(value).prepared as number] as Ref;
    const apart = this.placement.isPacked(operand.value);
    const weights = operand.value.details.leaf?.kind === 'parameter';
    const several = weights && (this.#readers.get(key) as number) > 1;
    const hoists = this.#isCaptured(operand.value);
    const kept = () => this.fused.fixed.has(operand.value) && saves(operand);
    if (!apart && !several && !hoists && !kept()) return undefined;
    const known = this.#prepared.get(key);
    if (known) return known;
    this.#fire('place: packed once');
    this.#hoists = hoists;
    const made = prepare(operand);
    this.#hoists = false;
    this.#prepared.set(key, made);
    return made;
  }

  /** Whether a value is the same in several steps of the loop whose body this is: a capture, or weights that are packed. */
  #isCaptured(value: Value): boolean {
    if (!this.outside || this.outside.steps === 1) return false;
    const { leaf } = value.details;
    if (leaf) return this.placement.isCaptured(leaf);
    const isCapture = ({ value: { details } }: Ref) =>
      details.leaf !== undefined && this.placement.isCaptured(details.leaf);
    return this.placement.isPacked(value) && value.args.every(isCapture);
  }

  /** Copies elements of a leaf, before any leaf is written. Returns the location from which they can be read. */
  #unwritten(at: Location, leaf: Variable): Location {
    const packed = packedView(at);
    const copy = this.#copyOf(packed.compact, [leaf]);
    return { memory: copy.memory, offset: 0, shape: at.shape, strides: packed.strides(copy) };
  }
}

/**
 * Prepares the copy of a location that may have broadcast axes (stride 0). `compact` is the location with length 1
 * along these axes. `strides` returns the strides with which a dense copy of `compact` is read instead of the location.
 */
function packedView(at: Location) {
  const shape = at.shape.map((size, axis) => (at.strides[axis] === 0 ? 1 : size));
  return {
    compact: { memory: at.memory, offset: at.offset, shape, strides: at.strides },
    strides: (copy: Location) =>
      at.shape.map((size, axis) => (shape[axis] === size ? (copy.strides[axis] as number) : 0)),
  };
}

function nodesOf(values: readonly Value[]): Node[] {
  const nodes = new Set<Node>();
  for (const { node } of values) if (node) nodes.add(node);
  return [...nodes];
}
