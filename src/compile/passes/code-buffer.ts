/** The code of a program while it is written: a list of numbers that grows. */

import type { Pace, Sliced } from '../../graph/sliced.js';

// The numbers are in blocks of this length. A single array that grows to millions of numbers would be copied many times,
// and copying a block takes microseconds.
const blockLength = 4096;

export class CodeBuffer {
  readonly #blocks: Float64Array[] = [];
  #length = 0;

  /** The number of numbers written so far. */
  get length(): number {
    return this.#length;
  }

  push(number: number): void {
    const at = this.#length++ % blockLength;
    if (at === 0) this.#blocks.push(new Float64Array(blockLength));
    (this.#blocks[this.#blocks.length - 1] as Float64Array)[at] = number;
  }

  /** Replaces a number that has been written. */
  set(index: number, number: number): void {
    (this.#blocks[Math.floor(index / blockLength)] as Float64Array)[index % blockLength] = number;
  }

  /** Returns the numbers of `header`, followed by those of the buffer. */
  *after(header: readonly number[], pace: Pace): Sliced<Float64Array> {
    const code = new Float64Array(header.length + this.#length);
    code.set(header);
    let at = header.length;
    for (const block of this.#blocks) {
      const rest = code.length - at;
      code.set(rest < blockLength ? block.subarray(0, rest) : block, at);
      at += blockLength;
      if (pace.due(1 + (blockLength >> 8))) yield;
    }
    return code;
  }
}
