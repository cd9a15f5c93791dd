/** Makes IDX files for the fuzzer: plain and gzipped, valid and damaged. */

import { gzipSync } from 'node:zlib';
import { readIdxFrom } from '../../../dist/data/idx.js';
import { inMemory } from '../../../dist/io/bytes.js';
import { damaged, Random } from './random.mjs';

/** Gzipped files. They are made only once, because compressing takes longer than reading. */
const packed = [];
function prepare() {
  const random = new Random(2);
  while (packed.length < 500) packed.push(gzipSync(plain(random)));
  // The last file contains more elements than its header says.
  packed.push(
    gzipSync(Buffer.concat([Buffer.from([0, 0, 8, 1, 0, 0, 0, 16]), Buffer.alloc(100_000)])),
  );
}

/** @param {Random} random */
function plain(random) {
  const shape = Array.from({ length: 1 + random.below(3) }, () => random.below(6));
  const size = shape.reduce((product, dim) => product * dim, 1);
  if (random.chance(0.2)) shape[random.below(shape.length)] = Number(random.edge(4) % 2n ** 32n);
  if (random.chance(0.05)) shape.push(...new Array(random.below(9)).fill(0xffffffff));
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = random.chance(0.95) ? 8 : random.below(16);
  header[3] = random.chance(0.95) ? shape.length : random.below(256);
  for (const [axis, dim] of shape.entries()) header.writeUInt32BE(dim, 4 + 4 * axis);
  const spare = random.chance(0.9) ? 0 : random.below(9) - 4;
  const file = Buffer.concat([header, random.bytes(Math.max(0, size + spare))]);
  return random.chance(0.3) ? damaged(random, file) : file;
}

/** @param {Random} random */
function make(random) {
  if (packed.length === 0) prepare();
  const options = random.pick([{}, {}, { rank: 1 + random.below(3) }, { limit: random.below(4) }]);
  if (random.chance(0.6)) return { bytes: plain(random), options };
  let bytes = random.pick(packed);
  if (random.chance(0.05)) bytes = Buffer.concat([bytes, random.bytes(1 + random.below(20))]);
  return { bytes: random.chance(0.4) ? damaged(random, bytes) : bytes, options };
}

/** @type {import('./child.mjs').Subject} */
export default {
  make,
  read: ({ bytes, options }) => [readIdxFrom('fuzzed', inMemory('fuzzed', bytes), options)],
  // zlib first allocates a chunk of 16 KiB.
  allowed: ({ bytes }, unpacked) => 3 * bytes.length + 2 * unpacked + (unpacked && 2 ** 15) + 64,
  reasons: {
    'no magic number': /truncated: expected the 4 bytes of an IDX magic number at byte 0/,
    'another magic number': /not an IDX file: expected the magic number .* at byte 0/,
    'another type': /expected element type 08 \(unsigned byte\) at byte 2/,
    'another rank': /expected .* dimensions at byte 3/,
    'no sizes': /truncated: expected \d+ sizes from byte 4 to byte \d+/,
    overflow: /the sizes at byte 4, .*, multiply to \d+ elements/,
    'elements too few': /truncated: expected \d+ bytes for shape .* ends after \d+/,
    'elements too many': /expected the end of the file at byte \d+, for shape/,
    'more than gzip can hold': /truncated: its header states \d+ bytes .* gzipped bytes can hold/,
    'more unpacked': /expected the unpacked data to end at byte \d+, as its header says, but more/,
    'invalid gzip': /at byte 0: not a valid gzip file/,
    'more than gzip': /expected the end of the file after the gzip stream, at byte \d+/,
  },
};
