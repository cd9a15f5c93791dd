/** Makes the order of the examples in an epoch. */

import { Interpreter } from '../evaluate/interpreter.js';
import { randomUniform } from '../ops/index.js';
import type { TypedArray } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { Turns } from './turns.js';

// The order is shuffled in blocks of this length, so that the event loop can run between two blocks. A block takes well
// under a millisecond.
const blockLength = 2 ** 15;
// Each block of an epoch has its own run index, because the random numbers depend on the seed and the run index. This
// constant is the difference between the run indices of two successive blocks.
const runsBetweenBlocks = 2 ** 32;
// The number of blocks between two streams. No order has so many blocks, and all run indices are less than 2^53.
const blocksBetweenStreams = 2 ** 19;

/** Returns 0, 1, …, count - 1. */
export function inOrder(count: number): Int32Array {
  // Use a loop, because `Int32Array.from` would take twenty times as long.
  const order = new Int32Array(count);
  for (let index = 0; index < count; index++) order[index] = index;
  return order;
}

/** Permutations of 0, …, count - 1, one for each epoch. They depend only on the seed and the epoch. */
export class Shuffle {
  readonly #count: number;
  readonly #seed: number;
  readonly #firstBlock: number;
  readonly #draws = new Map<number, Interpreter>();

  /** @param stream 0 or 1; permutations of different streams are independent of each other */
  constructor(count: number, seed: number, stream: 0 | 1 = 0) {
    this.#count = count;
    this.#seed = seed;
    this.#firstBlock = stream * blocksBetweenStreams;
  }

  /** Returns the order of an epoch, by Fisher & Yates's shuffle (Knuth, Art of Computer Programming 2, algorithm P). */
  async order(epoch: number): Promise<Int32Array> {
    const turns = new Turns();
    const order = inOrder(this.#count);
    const blocks = Math.ceil(this.#count / blockLength);
    for (let block = blocks - 1; block >= 0; block--) {
      const first = block * blockLength;
      const draws = this.#uniform(
        Math.min(blockLength, this.#count - first),
        epoch,
        this.#firstBlock + block,
      );
      for (let offset = draws.length - 1; offset >= 0; offset--) {
        const last = first + offset;
        const other = Math.floor((draws[offset] as number) * (last + 1));
        [order[last], order[other]] = [order[other] as number, order[last] as number];
      }
      await turns.pass();
    }
    return order;
  }

  #uniform(length: number, epoch: number, block: number): TypedArray {
    let draw = this.#draws.get(length);
    if (!draw) {
      draw = new Interpreter([randomUniform([length], { seed: this.#seed, dtype: 'float64' })]);
      this.#draws.set(length, draw);
    }
    return (draw.run({}, epoch + block * runsBetweenBlocks)[0] as Tensor).data;
  }
}
