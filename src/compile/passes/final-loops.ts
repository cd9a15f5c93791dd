/** The fused loops that compute the new values of leaves. */

import type { Value } from '../../ir/value.js';

/**
 * Final values are values that are used only to update leaves. This class divides them into sets of limited size. Each
 * set will become one fused loop.
 */
export class FinalLoops {
  /**
   * Each loop has a representative: the value that was added to it last. This map leads from an earlier representative
   * to the next one.
   */
  readonly #into = new Map<Value, Value>();
  readonly #sizes = new Map<Value, number>();

  constructor(private readonly maxOperations: number) {}

  /**
   * Adds a value to the loop of its readers. If the readers are in several loops, these are merged. Returns false, and
   * changes nothing, if the loop would be too large.
   */
  join(value: Value, readers: readonly Value[]): boolean {
    const finalLoops = new Set(readers.map((reader) => this.#loopOf(reader)));
    let size = 1;
    for (const loop of finalLoops) size += this.#sizes.get(loop) as number;
    if (size > this.maxOperations) return false;
    for (const loop of finalLoops) this.#into.set(loop, value);
    this.#sizes.set(value, size);
    return true;
  }

  #loopOf(value: Value): Value {
    let loop = value;
    for (let next = this.#into.get(loop); next; next = this.#into.get(loop)) loop = next;
    return loop;
  }
}
