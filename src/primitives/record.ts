/**
 * The types of the records. There are three kinds of records. A lowering record says how the nodes of an op are
 * computed: by a step of the reference executor, and as values of the intermediate representation (IR). A value record
 * says what the passes of the compiler must know of a kind of value. An instruction record says how an instruction is
 * written in the code of a program. A record has all fields of its type, so a field that is forgotten does not
 * type-check.
 */

import type { Bound, Lowering } from '../graph/lowering.js';
import type { Node } from '../graph/node.js';
import type { Pace, Sliced } from '../graph/sliced.js';
import type { Window } from '../graph/window.js';
import type { Axes } from '../ir/axes.js';
import type { Builder } from '../ir/builder.js';
import type { Draw, Location, Memory } from '../ir/location.js';
import type { Definition } from '../ir/rule.js';
import type { Target } from '../ir/target.js';
import type { Details, Ref, Value } from '../ir/value.js';
import type { StridedView } from '../ir/view.js';
import type { DType, TypedArray } from '../tensor/dtype.js';
import type { Operation } from './group.js';
import type { Instruction } from './index.js';
import type { LoopStep } from './loop.js';

/**
 * Computes the value of one node and writes it to `out`. `run` is the index of the run, on which random draws depend.
 * `results` are the buffers of all results of an op that has several; `out` is the first.
 */
export type Step = (
  out: TypedArray,
  inputs: readonly TypedArray[],
  run: number,
  results: readonly TypedArray[],
) => void;

/** A node during one run, in which all its dimensions are numbers, with its dtype. */
export interface BoundNode extends Bound<object> {
  readonly dtype: DType;
  readonly inputDTypes: readonly DType[];
  /** The dtypes of the results, if the op has several. */
  readonly resultDTypes: readonly DType[];
  /** Prepares the step of a loop, which writes the results that are read. Only a node of the op `scan` has a loop. */
  loopStep(): Step;
}

/** The node that is lowered, in one binding of the dimension names. */
export interface LoweredNode {
  readonly build: Builder;
  readonly node: Node;
  readonly bound: Bound<object>;
  /** The elements of the inputs. */
  readonly args: readonly Ref[];
  /** Makes the value of a loop. Only a node of the op `scan` has a loop. */
  readonly loop: () => Ref;
}

/** How the executors replace nodes that are not computed themselves. */
export interface Expander {
  /** Returns an equal matrix product whose operands have no constant zeros; undefined if they have none. */
  withoutZeroParts(product: Node): Node | undefined;
  /** Returns the expansion of a result; undefined if the op that has several results is not composed. */
  ofResult(result: Node): Node | undefined;
}

/** How the nodes of one kind of lowering are computed. */
export interface LoweringRecord<L extends Lowering> {
  /**
   * Returns the node that is computed instead of the node; undefined if the node itself is computed. Undefined if nodes
   * of this kind are always computed themselves.
   */
  readonly expand: ((lowering: L, node: Node, expander: Expander) => Node | undefined) | undefined;
  /**
   * Prepares the step with which the reference executor computes a node. It is undefined if nothing is computed: a leaf
   * has a value, a composed op is replaced by its expansion, and any other node shares the buffer of its input.
   * @throws ShapeError if the lowering refuses the shapes
   */
  readonly step: ((lowering: L, node: BoundNode) => Step) | undefined;
  /**
   * Makes the values of a node with `build`. Returns the ref that has the node's elements.
   * @throws ShapeError if the lowering refuses the shapes
   */
  readonly lower: (lowering: L, node: LoweredNode) => Ref;
}

/** How a fused loop computes a kind of value. */
export interface Fusing {
  /** Returns the shape over which a loop must run to compute the value; undefined if no loop can compute it. */
  readonly space: (value: Value) => readonly number[] | undefined;
  /**
   * True if the value is a reduction over the elements of the loop. False if the value has an element for each element
   * of the loop.
   */
  readonly closes: boolean;
  /**
   * Returns the number of axes that are kept, if the value is a reduction over each row of the loop. Returns undefined
   * for any other value.
   */
  readonly rows: (value: Value) => number | undefined;
  /**
   * True if the value is the sum of all rows of its operand. A loop that computes the operand can add the rows, and so
   * can a loop over whole rows that loads it.
   */
  readonly columns: boolean;
  /**
   * Returns the axis of the loop that is kept, if the value is a sum of all elements that have the same index on one axis.
   * A loop that computes the operand can compute the sums. Returns undefined for any other value.
   */
  readonly keeps: (value: Value) => number | undefined;
  /**
   * Whether computing the value again takes less time than storing it, so that each loop that reads it computes it.
   */
  readonly cheap: (value: Value) => boolean;
  /**
   * Emits the operations that compute the value. `operands` are the registers of its operands, and `emit` returns the
   * register of the result of an operation. Returns the register of the value.
   */
  readonly code: (
    value: Value,
    operands: readonly number[],
    emit: (operation: Operation) => number,
  ) => number;
}

/**
 * Makes the same value with its axes in another order. Its operands, which are given in this order already, must have
 * its shape or, for an assembled value, its rank.
 */
export type Arrange = (build: Builder, value: Value, axes: Axes, args: readonly Ref[]) => Ref;

/** For values that can have their axes only in some orders. */
export interface FewOrders {
  /** The orders, other than its own, in which a value can be made. */
  readonly orders: (value: Value) => readonly Axes[];
  /** Makes the value in one of these orders. The instruction must read each operand in this order without a loss of speed. */
  readonly make: Arrange;
}

/** The definition of a value, without its operands. */
export type Defined = Omit<Definition, 'args'>;

/** What a value becomes of which only the elements in a region are computed. */
export interface Part {
  /** For each operand, the view that is read. */
  readonly args: readonly Ref[];
  readonly details: Details;
}

/** What the passes must know of one kind of value. */
export interface ValueRecord {
  /** Makes the same value of other operands. */
  readonly rebuild: (build: Builder, value: Defined, args: readonly Ref[]) => Ref;
  /** How a fused loop computes the value; undefined if it cannot. */
  readonly fusing: Fusing | undefined;
  /**
   * Makes the value with its axes in another order in memory: in any, or in a few. 'reads any order' if the order of the
   * value is fixed, but it reads operands in any order equally fast; otherwise 'fixed'.
   */
  readonly arrange: Arrange | FewOrders | 'reads any order' | 'fixed';
  /**
   * Returns what the value becomes if only the elements in a region are computed; undefined if it must be computed
   * whole, and if values of this kind always are.
   */
  readonly part: ((value: Value, region: Window) => Part | undefined) | undefined;
  /** Makes the instructions that compute the value, if no fused loop computes it. */
  readonly instruct: (
    value: Value,
    writer: InstructionWriter,
    nodes: readonly Node[],
  ) => void | Sliced<void>;
  /** Whether the instruction can read the operand `operand` from memory through this view, without a loss of speed. */
  readonly reads: (value: Value, operand: Ref, view: StridedView) => boolean;
  /**
   * Whether the instruction can write the value to this location, which is a part of an assembled value. It is not
   * called for a value that a fused loop stores: a loop can write to any location.
   */
  readonly writes: (value: Value, at: StridedView) => boolean;
  /** Returns the operand in whose memory the value is computed; undefined if the value has memory of its own. */
  readonly onto: (value: Value) => Ref | undefined;
  /**
   * Returns how fused loops compute the elements of the value while they load them. Such a value has no memory and no
   * instruction, if only fused loops read it, and read each element at most once. Undefined if the value is always
   * computed by an instruction.
   */
  readonly drawn: ((value: Value) => Drawn) | undefined;
  /**
   * The index of the operand that the instruction can read in a prepared form, which is made once in each run and shared
   * by all instructions that read the operand. Undefined if there is none.
   */
  readonly prepared: number | undefined;
  /**
   * If the instruction can write the value directly to a leaf, at the end of a run, returns the index of the operand
   * that it may overwrite. Undefined if it cannot. Then the value is computed in memory of its own and copied to the
   * leaf. It is not called for a value that a fused loop stores: a loop can write to any leaf.
   */
  readonly updates: (value: Value) => number | undefined;
  /** True if the value differs from run to run even if its operands do not: random numbers. */
  readonly varies: boolean;
}

/** A value whose elements fused loops can compute while they load them. */
export interface Drawn {
  readonly draw: Draw;
  /**
   * Whether computing an element again takes less time than storing and loading it. If not, the value is stored if more
   * than one value reads it.
   */
  readonly cheap: boolean;
}

/** The pass `instruct`, as the value records see it. */
export interface InstructionWriter {
  readonly target: Target;
  /** Returns the location of the elements that a ref selects. */
  locate(ref: Ref): Location;
  /**
   * Returns the locations of all results that the instruction of a value writes. The first is the value itself. A result
   * that nothing reads gets new memory.
   */
  resultsOf(value: Value): readonly Location[];
  /**
   * Returns the locations of the operands of a value whose instruction may write a leaf. Such an instruction reads no
   * other leaf that may be written: those operands are copied first.
   */
  operandsOf(value: Value): Location[];
  /** Returns the location of a value. */
  locationOf(value: Value): Location;
  /** Returns the memory of a leaf that has `length` elements. */
  leafMemory(leaf: NonNullable<Memory['leaf']>, length: number): Memory;
  /** Returns a location in new memory. */
  fresh(dtype: DType, shape: readonly number[]): Location;
  emit(instruction: Instruction): void;
  /**
   * Returns the location of the operand that the record of `value` prepares, in its prepared form, if it is worthwhile.
   * @param prepare makes the prepared form with instructions, and returns its location. It is called at most once in
   *   each program
   * @param saves whether the instruction takes less time with a prepared form that was made in an earlier run, and
   *   gives the same bits
   */
  prepared(
    value: Value,
    prepare: (operand: Ref) => Location,
    saves: (operand: Ref) => boolean,
  ): Location | undefined;
  /** Makes the instructions of a loop. */
  loop(value: Value, nodes: readonly Node[]): Sliced<void>;
  /** Whether an assembled value has no memory, because its blocks are packed. */
  isPacked(assembled: Value): boolean;
  /** Returns the blocks of an assembled value that must be copied into its memory, and the locations of the copies. */
  misplaced(assembled: Value): readonly { readonly block: Ref; readonly to: Location }[];
}

/** How one kind of instruction is written. */
export interface InstructionRecord<I> {
  /** The names of the instruction in profiles, with their opcodes. The native code is native/program/code.h. */
  readonly opcodes: Readonly<Record<string, number>>;
  /** Yields the locations that the instruction reads, in short lists. */
  readonly reads: (instruction: I) => Iterable<readonly Location[]>;
  /** Yields the locations that the instruction writes, in short lists. */
  readonly writes: (instruction: I) => Iterable<readonly Location[]>;
  /**
   * Yields the writes that can be at the address of a read of equal size and strides, each with these reads.
   * The instruction then must read an element before it writes the element at the same address.
   */
  readonly inPlace: (instruction: I) => Iterable<InPlace>;
  /** Writes the numbers that follow the opcode and the length. @returns the opcode */
  readonly encode: (instruction: I, code: CodeWriter) => number | Sliced<number>;
  /** Whether the results differ from run to run even if the operands do not: the instruction draws random numbers. */
  readonly varies: (instruction: I) => boolean;
  /** Returns what the statistics of a program count of the instruction. */
  readonly counted: (instruction: I) => Counted;
  /** Returns the instructions of the steps, if the instruction is a loop. */
  readonly body?: (instruction: I) => readonly LoopStep[];
}

/** A write, and the reads whose address it can have. */
export interface InPlace {
  readonly write: Location;
  readonly reads: readonly Location[];
}

/** What the statistics of a program count of one instruction. */
export interface Counted {
  /** The size [M, N, K] of the matrix product that the instruction computes. */
  readonly product?: [m: number, n: number, k: number];
  /** The bytes of the panels that the instruction packs. */
  readonly packedBytes?: number;
  /** True if the instruction is a group of fused loops. */
  readonly group?: boolean;
}

/** The code of an instruction while it is written. */
export interface CodeWriter {
  readonly pace: Pace;
  push(...numbers: readonly number[]): void;
  /** Writes the index of the buffer in which a location is, and the offset of the location in bytes. */
  at(location: Pick<Location, 'memory' | 'offset'>): void;
  /** Writes loops; undefined where there can be none. */
  readonly loops: LoopCodeWriter | undefined;
}

/** Writes the code of loops. */
export interface LoopCodeWriter {
  /** Returns the index of the buffer of a memory that moves from step to step of a loop. */
  windowOf(memory: Memory): number;
  /** Says that memories lie in another one, at these offsets in bytes. */
  within(outer: Location, offsets: ReadonlyMap<Memory, number>): void;
  /** Writes an instruction of the body of a loop. */
  step(step: LoopStep): Sliced<void>;
}
