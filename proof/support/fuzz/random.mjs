/** A random generator with a seed, and a function that damages bytes at random. */

/** Sizes, offsets and counts at boundaries, such as powers of two, where errors are likely. */
const edges = [
  0n,
  1n,
  2n,
  127n,
  128n,
  255n,
  256n,
  65535n,
  65536n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** The random generator mulberry32. Its state of 32 bits starts as the seed. */
export class Random {
  #state;

  /** @param {number} seed */
  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** Returns a random integer from 0 up to, but not including, 2^32. */
  word() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** Returns a random integer from 0 up to, but not including, `n`. @param {number} n */
  below(n) {
    return Math.floor((this.word() / 2 ** 32) * n);
  }

  /** @param {number} probability */
  chance(probability) {
    return this.word() < probability * 2 ** 32;
  }

  /** @template T @param {readonly T[]} list @returns {T} */
  pick(list) {
    return /** @type {T} */ (list[this.below(list.length)]);
  }

  /** @param {number} length */
  bytes(length) {
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length; at++) bytes[at] = this.word();
    return bytes;
  }

  /** Returns a boundary value, or a value close to `near`. @param {number} near */
  edge(near) {
    return this.chance(0.5) ? this.pick(edges) : BigInt(Math.max(0, near + this.below(5) - 2));
  }
}

/**
 * Returns a copy of the bytes with up to four random changes. A change flips a bit, overwrites a number of any width
 * and byte order, removes, repeats, inserts or moves some bytes, or cuts off the end.
 * @param {Random} random @param {Uint8Array} bytes
 */
export function damaged(random, bytes) {
  let made = Buffer.from(bytes);
  for (let times = 1 + random.below(4); times > 0; times--) {
    made = random.pick(changes)(random, made) ?? made;
  }
  return made;
}

/** @type {((random: Random, bytes: Buffer) => Buffer | undefined)[]} */
const changes = [
  (random, bytes) => {
    if (bytes.length === 0) return undefined;
    const at = random.below(bytes.length);
    bytes[at] = /** @type {number} */ (bytes[at]) ^ (1 << random.below(8));
    return bytes;
  },
  (random, bytes) => {
    if (bytes.length > 0) bytes[random.below(bytes.length)] = random.word();
    return bytes;
  },
  (random, bytes) => {
    const width = random.pick([2, 4, 8]);
    if (bytes.length < width) return undefined;
    const at = random.below(bytes.length - width + 1);
    const value = BigInt.asUintN(8 * width, random.edge(bytes.length));
    const field = Buffer.alloc(8);
    if (random.chance(0.8)) field.writeBigUInt64LE(value);
    else field.writeBigUInt64BE(value << BigInt(64 - 8 * width));
    field.copy(bytes, at, 0, width);
    return bytes;
  },
  (random, bytes) => bytes.subarray(0, random.below(bytes.length + 1)),
  (random, bytes) => {
    const [begin, end] = piece(random, bytes);
    return Buffer.concat([bytes.subarray(0, begin), bytes.subarray(end)]);
  },
  (random, bytes) => {
    const [begin, end] = piece(random, bytes);
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(begin)]);
  },
  (random, bytes) => {
    const at = random.below(bytes.length + 1);
    const more = random.bytes(1 + random.below(8));
    return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
  },
  (random, bytes) => {
    const [begin, end] = piece(random, bytes);
    const to = random.below(bytes.length - (end - begin) + 1);
    bytes.copyWithin(to, begin, end);
    return bytes;
  },
];

/** @param {Random} random @param {Buffer} bytes @returns {[number, number]} */
function piece(random, bytes) {
  const begin = random.below(bytes.length + 1);
  return [begin, Math.min(bytes.length, begin + random.below(33))];
}
