/**
 * Once: finds the instructions that need not run in every run, because they read only leaves that do not change and
 * results of one another, and moves them to the start of the program. No other instruction overwrites their results.
 */

import { Constant, type Leaf } from '../../graph/leaf.js';
import type { Pace, Sliced } from '../../graph/sliced.js';
import type { Memory } from '../../ir/location.js';
import type { Value } from '../../ir/value.js';
import { type Instruction, instructionRecord, valueRecord } from '../../primitives/index.js';
import type { Constants } from '../options.js';
import type { Instructions } from './instruct.js';

/** Returns whether a leaf does not change: it is a constant, or one of the option `constants`. */
export function isFixed(leaf: Leaf, constants: ReadonlySet<Leaf>): boolean {
  return leaf instanceof Constant || constants.has(leaf);
}

/**
 * Returns the values that depend only on leaves that do not change.
 * @param order all values; operands precede the values that read them
 */
export function* fixedValues(
  order: readonly Value[],
  constants: Constants,
  pace: Pace,
): Sliced<ReadonlySet<Value>> {
  const fixed = new Set<Value>();
  if (constants === undefined) return fixed;
  for (const value of order) {
    const { leaf } = value.details;
    const isOne = leaf
      ? isFixed(leaf, constants)
      : !valueRecord(value).varies && value.args.every((arg) => fixed.has(arg.value));
    if (isOne) fixed.add(value);
    if (pace.due(1 + value.args.length)) yield;
  }
  return fixed;
}

/** The instructions that read or write a memory of the arena, by their indices. */
interface Accesses {
  readonly readers: number[];
  readonly writers: number[];
}

/** Moves the instructions that need not run in every run to the start of the list. */
export function* moveOnce(
  instructions: Instructions,
  constants: Constants,
  pace: Pace,
): Sliced<Instructions> {
  if (constants === undefined) return instructions;
  const { list, writeStart } = instructions;
  const varying = yield* findVarying(list, writeStart, constants, pace);
  const once: Instruction[] = [];
  const others: Instruction[] = [];
  for (const [index, instruction] of list.entries()) {
    (varying[index] ? others : once).push(instruction);
    if (pace.due()) yield;
  }
  return { ...instructions, list: [...once, ...others], onceCount: once.length };
}

/**
 * Returns, for each instruction, whether it must run in every run. It must if it writes a leaf or draws random numbers,
 * or if it reads or writes a leaf that may change, or a memory that another such instruction writes.
 */
function* findVarying(
  list: readonly Instruction[],
  writeStart: number,
  constants: ReadonlySet<Leaf>,
  pace: Pace,
): Sliced<readonly boolean[]> {
  const varying = new Array<boolean>(list.length).fill(false);
  const pending: number[] = [];
  const vary = (index: number) => {
    if (varying[index]) return;
    varying[index] = true;
    pending.push(index);
  };
  const accesses = new Map<Memory, Accesses>();
  const accessesOf = (memory: Memory) => {
    const known = accesses.get(memory);
    if (known) return known;
    const made: Accesses = { readers: [], writers: [] };
    accesses.set(memory, made);
    return made;
  };
  for (const [index, instruction] of list.entries()) {
    const { reads, writes, varies } = instructionRecord(instruction);
    if (index >= writeStart || varies(instruction)) vary(index);
    for (const locations of reads(instruction)) {
      for (const { memory } of locations) {
        if (!memory.leaf) accessesOf(memory).readers.push(index);
        else if (!isFixed(memory.leaf, constants)) vary(index);
      }
      if (pace.due(1 + locations.length)) yield;
    }
    for (const locations of writes(instruction)) {
      for (const { memory } of locations) {
        if (!memory.leaf) accessesOf(memory).writers.push(index);
        else vary(index);
      }
      if (pace.due(1 + locations.length)) yield;
    }
  }
  for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
    const instruction = list[index] as Instruction;
    for (const locations of instructionRecord(instruction).writes(instruction)) {
      for (const { memory } of locations) {
        const found = accesses.get(memory);
        if (!found) continue;
        // The other instructions that access the memory vary from now on, so they need not be looked at again.
        accesses.delete(memory);
        for (const other of found.readers) vary(other);
        for (const other of found.writers) vary(other);
        if (pace.due(1 + found.readers.length + found.writers.length)) yield;
      }
    }
    if (pace.due()) yield;
  }
  return varying;
}
