/** Makes .npy files for the fuzzer, valid and damaged. */

import { inMemory } from '../../../dist/io/bytes.js';
import { readNpy } from '../../../dist/io/npy.js';
import { damaged } from './random.mjs';

const types = ['f2', 'f4', 'f8', 'b1', 'u1', 'i1', 'u2', 'i2', 'u4', 'i4', 'u8', 'i8'];
const others = [
  '|O',
  '<c8',
  '<f16',
  '|S3',
  '<U3',
  '|V4',
  '<M8[D]',
  '<m8[ns]',
  '<i3',
  '^f4',
  'f',
  '',
  'constructor',
];
const many = (size, count) => `(${new Array(count).fill(size)})`;
const shapes = [
  many(1, 33),
  many(2 ** 40, 3),
  `(${new Array(8).fill(2 ** 52)},0)`,
  '(-1,)',
  '(01,)',
  '(3)',
  '(1 2)',
  '(9007199254740992,)',
  '[1,]',
  '(1L,)',
];

/** @param {import('./random.mjs').Random} random */
export function makeNpy(random) {
  const type = random.pick(types);
  const shape = Array.from({ length: random.below(4) }, () => random.below(5));
  const size = shape.reduce((product, dim) => product * dim, 1);
  const descr = random.chance(0.9)
    ? `'${random.pick(['<', '>', '=', '|', ''])}${type}'`
    : random.pick(["[('a', '<f4')]", '3', "'\\x3c'", ...others.map((other) => `'${other}'`)]);
  const fields = {
    descr,
    fortran_order: random.chance(0.97)
      ? random.pick(['True', 'False'])
      : random.pick(['1', 'Truer', 'None']),
    shape: random.chance(0.9) ? tuple(shape) : random.pick(shapes),
  };
  if (random.chance(0.03)) delete fields[random.pick(Object.keys(fields))];
  const pairs = Object.entries(fields).map(([key, value]) => `'${key}': ${value}`);
  if (random.chance(0.02)) pairs.push("'strides': ()");
  if (random.chance(0.02) && pairs.length > 0) pairs.push(random.pick(pairs));
  let text = Buffer.from(
    `${random.chance(0.99) ? '{' : '['}${pairs.join(random.chance(0.98) ? ', ' : ' ')}${random.pick(ends)}`,
  );
  if (random.chance(0.2)) text = damaged(random, text);
  const version = random.pick([1, 2, 3]);
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  const edge = Number(random.edge(text.length) % 2n ** BigInt(8 * length.length));
  length.writeUIntLE(random.chance(0.95) ? text.length : edge, 0, length.length);
  const begin = Buffer.from([
    0x93,
    0x4e,
    0x55,
    0x4d,
    0x50,
    0x59,
    random.chance(0.98) ? version : 4,
    0,
  ]);
  const spare = random.chance(0.95) ? 0 : random.below(9) - 4;
  const data = dataOf(random, type, Math.max(0, size * Number(type[1]) + spare));
  const file = Buffer.concat([begin, length, text, data]);
  return random.chance(0.2) ? damaged(random, file) : file;
}

const ends = ['}', ', }', '}\n', ',}   \n', '}', '', ', } x'];
const tuple = (shape) => (shape.length === 1 ? `(${shape},)` : `(${shape.join(', ')})`);

/**
 * Returns the bytes of the elements. Most are zeros, because random bytes often are integers that int32 cannot hold,
 * which are refused.
 */
function dataOf(random, type, bytes) {
  if (random.chance(0.2)) return random.bytes(bytes);
  const data = Buffer.alloc(bytes);
  if (type === 'b1') for (let at = 0; at < bytes; at++) data[at] = random.below(2);
  return data;
}

/** For each reason to refuse a .npy file, the pattern of its message. The file may be a member of an archive. */
export const npyReasons = {
  'another magic number': /not a \.npy file: expected \\x93NUMPY at byte 0/,
  'no magic number': /truncated: expected \\x93NUMPY and a version at byte 0/,
  'unknown version': /expected version 1.0, 2.0 or 3.0 at byte 6/,
  'no length': /truncated: expected the header's length at byte 8/,
  'huge header': /the header's length at byte 8 is \d+, but the limit is/,
  'header beyond the file': /truncated: expected a header of \d+ bytes at byte/,
  'no dictionary': /at byte \d+: expected '\{', but found/,
  'no tuple': /at byte \d+: expected '\(', but found/,
  'no colon': /at byte \d+: expected ':', but found/,
  'no comma': /at byte \d+: expected ',' or '[)}]', but found/,
  'a tuple that is a number': /at byte \d+: expected ',' in a tuple of one/,
  'text after the header': /at byte \d+: expected the end, but found/,
  'no string': /at byte \d+: expected a string, but found/,
  'no boolean': /at byte \d+: expected True or False, but found/,
  'bad size': /at byte \d+: expected a whole number from 0 to 2\^53 - 1/,
  'duplicate key': /at byte \d+: the key .* appears twice/s,
  'unknown key': /at byte \d+: unknown key/,
  'no descr': /the header at byte \d+ has no descr/,
  'no order': /the header at byte \d+ has no fortran_order/,
  'no shape': /the header at byte \d+ has no shape/,
  'too many axes': /at byte \d+: the shape has \d+ axes, but forebay has 32/,
  overflow: /at byte \d+: shape .* has more elements than any memory holds/,
  pickled: /at byte \d+: dtype .*: the elements are Python objects, pickled/s,
  structures: /at byte \d+: the elements are structures/,
  complex: /at byte \d+: dtype .*: the elements are complex numbers/s,
  'wide floats': /at byte \d+: dtype .*: the elements are floating-point numbers wider/s,
  'byte strings': /at byte \d+: dtype .*: the elements are byte strings/s,
  text: /at byte \d+: dtype .*: the elements are text/s,
  'raw bytes': /at byte \d+: dtype .*: the elements are raw bytes/s,
  dates: /at byte \d+: dtype .*: the elements are dates/s,
  spans: /at byte \d+: dtype .*: the elements are spans of time/s,
  'unknown dtype': /at byte \d+: dtype .*: expected one of/s,
  'elements too few': /truncated: expected \d+ bytes of elements .* at byte \d+/s,
  'elements too many': /expected the end of the file after \d+ bytes of elements .* at byte \d+/s,
  'no bool': /expected a bool, 0 or 1, at byte \d+/,
  'beyond the dtype': /the \w+ at byte \d+ is .*, which does not fit in (float32|float64|int32)/,
  'beyond int32': /the u?int\d+ at byte \d+ is -?\d+, but the limit of int32 is/,
};

/** @type {import('./child.mjs').Subject} */
export default {
  make: (random) => ({
    bytes: makeNpy(random),
    options: random.chance(0.3) ? random.pick(['float32', 'float64', 'int32']) : undefined,
  }),
  read: ({ bytes, options }) => [readNpy('fuzzed', inMemory('fuzzed', bytes), options)],
  // An element of one byte becomes at most a float64, and a second copy reorders the elements. Elements that are
  // converted also need the buffer of a chunk.
  allowed: ({ bytes }) => 17 * bytes.length + 64,
  reasons: npyReasons,
};
