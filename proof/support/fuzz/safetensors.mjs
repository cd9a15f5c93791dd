/** Makes safetensors files for the fuzzer, valid and damaged. */

import { inMemory } from '../../../dist/io/bytes.js';
import { readSafetensors } from '../../../dist/io/safetensors.js';
import { damaged } from './random.mjs';

/** The bytes of one element, by dtype: first the dtypes that forebay reads, then others. */
const dtypes = {
  F32: 4,
  F64: 8,
  I32: 4,
  F16: 2,
  BF16: 2,
  BOOL: 1,
  U8: 1,
  I8: 1,
  U16: 2,
  I16: 2,
  U32: 4,
  U64: 8,
  I64: 8,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  F8_E8M0: 1,
  C64: 8,
  F4: 0.5,
  F6_E2M3: 0.75,
};
const names = ['a', 'b', 'lstm.forget.weight', 'é', '__proto__', ''];

/** @param {import('./random.mjs').Random} random */
function make(random) {
  const entries = [];
  let end = 0;
  for (let count = random.below(4); count > 0; count--) {
    const dtype = random.pick(Object.keys(dtypes));
    const shape = Array.from({ length: random.below(4) }, () => random.below(4));
    // A tensor cannot take half a byte. A file with such a tensor is refused.
    const bytes = Math.floor(shape.reduce((product, size) => product * size, dtypes[dtype]));
    const name = random.chance(0.95) ? `${random.pick(names)}${count}` : 'a';
    entries.push({
      name: JSON.stringify(name),
      fields: { dtype: `"${dtype}"`, shape: `[${shape}]`, data_offsets: `[${end},${end + bytes}]` },
    });
    end += bytes;
  }
  let dataBytes = end;
  const entry = random.pick(entries);
  if (entry !== undefined && random.chance(0.6)) random.pick(wrongs)(random, entry.fields);
  if (random.chance(0.05)) dataBytes += random.below(9) - 4;
  const members = entries.map(({ name, fields }) => `${name}:{${object(random, fields)}}`);
  if (random.chance(0.2)) members.unshift(`"__metadata__":${random.pick(metadata)}`);
  if (random.chance(0.05) && members.length > 0) members.push(random.pick(members));
  let json = Buffer.from(`{${members.join(random.chance(0.97) ? ',' : ' ')}}${random.pick(ends)}`);
  if (random.chance(0.3)) json = damaged(random, json);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(random.chance(0.95) ? BigInt(json.length) : random.edge(json.length));
  // Zeros are valid in every dtype. Random bytes are rarely valid bools, and rarely integers in the range of int32.
  const data = Math.max(0, dataBytes);
  const content = random.chance(0.5) ? random.bytes(data) : Buffer.alloc(data);
  const file = Buffer.concat([length, json, content]);
  return {
    bytes: random.chance(0.2) ? damaged(random, file) : file,
    options: optionsOf(random, entry),
  };
}

/** Returns random options for the reader. */
function optionsOf(random, entry) {
  const options = {};
  if (random.chance(0.05)) options.only = random.pick([['a1'], ['b1', 'a2'], /1/g, /[^12]$/]);
  else if (entry !== undefined && random.chance(0.3)) options.only = [JSON.parse(entry.name)];
  if (random.chance(0.2)) options.dtype = random.pick(['float32', 'float64', 'int32']);
  return options;
}

const object = (random, fields) => {
  const pairs = Object.entries(fields).map(([key, value]) => `"${key}":${value}`);
  if (random.chance(0.02)) pairs.push(random.pick(pairs));
  return pairs.join(',');
};

const ends = ['', '', '  ', '\n', ' x'];
const metadata = [
  '{"a":"b"}',
  '{"a":"b","a":"c"}',
  '{"a":1}',
  '{}',
  'null',
  '{"\\ud800":""}',
  '{"\\x":""}',
];
const many = (size, count) => `[${new Array(count).fill(size)}]`;
const sizes = [
  '[-1]',
  '[1.5]',
  '[01]',
  '[9007199254740992]',
  '7',
  '[1,]',
  many(1, 33),
  many(2 ** 40, 3),
];
const values = [
  '[]',
  '[1, -2.5e3, {"x": [true, false, null]}]',
  '"x"',
  'nul',
  '-',
  '{"x":1,"x":1}',
  `${'['.repeat(127)}${']'.repeat(127)}`,
  '['.repeat(100_000),
];
const wrongs = [
  (random, fields) => {
    fields.shape = random.pick(sizes);
  },
  (random, fields) => {
    fields.shape = `[${new Array(random.below(30)).fill(2 ** 52)},0]`.replace('[,', '[');
    fields.data_offsets = '[0,0]';
  },
  (random, fields) => {
    fields.dtype = random.pick(['"BF16"', '"f32"', '"constructor"', '4', '"F32']);
    if (random.chance(0.5)) fields.data_offsets = `[0,0]`;
  },
  (random, fields) => {
    delete fields[random.pick(Object.keys(fields))];
  },
  (random, fields) => {
    fields[random.pick(['strides', 'Dtype', ''])] = random.pick(values);
  },
  (random, fields) => {
    const [begin, end] = JSON.parse(fields.data_offsets);
    const by = random.pick([4, 8, 2 ** 31, 2 ** 53 - 100]);
    const other = [
      [begin + by, end + by],
      [begin, end + by],
      [end + by, begin],
      [begin],
      [begin, end, end],
      [0, end - begin],
    ];
    fields.data_offsets = JSON.stringify(random.pick(other));
  },
];

/** @type {import('./child.mjs').Subject} */
export default {
  make,
  read: ({ bytes, options }) =>
    Object.values(readSafetensors('fuzzed', inMemory('fuzzed', bytes), options).tensors),
  // The bytes of the header and of the tensors. A byte of a tensor becomes at most eight bytes, and needs the buffer of
  // a chunk. A header that is not UTF-8 is encoded again, to find the position of the error.
  allowed: ({ bytes }) => 10 * bytes.length + 64,
  reasons: {
    'no length': /truncated: expected the 8 bytes/,
    'length beyond the format': /the header's length at byte 0 is \d+, but the format allows/,
    'length beyond the file': /truncated: expected a header of \d+ bytes at byte 8/,
    'not UTF-8': /at byte \d+: the header is not UTF-8/,
    'no object': /at byte \d+: expected '\{', but found/,
    'no list': /at byte \d+: expected '\[', but found/,
    'no string': /at byte \d+: expected '"', but found/,
    'no colon': /at byte \d+: expected ':', but found/,
    'no comma': /at byte \d+: expected ',' or '[\]}]', but found/,
    'text after the header': /at byte \d+: expected the end, but found/,
    'string without end': /at byte \d+: this string does not end/,
    'bad string': /at byte \d+: expected a JSON string/,
    'half a surrogate pair': /at byte \d+: this string has an unpaired surrogate/,
    'duplicate key': /at byte \d+: the key .* appears twice/s,
    'no value': /at byte \d+: expected a JSON value, but found/,
    'values nested too deep': /at byte \d+: expected at most 127 levels of nesting/,
    'no dtype': /at byte \d+: tensor .* has no dtype/s,
    'no shape': /at byte \d+: tensor .* has no shape/s,
    'no offsets': /at byte \d+: tensor .* has no data_offsets/s,
    'unknown dtype': /tensor '.*' cannot be read: its dtype is .*, which is not known/s,
    'asked for and not read':
      /tensor '.*' cannot be read: its elements are (C64|F4|F6_E2M3), which/s,
    'too many axes': /tensor '.*' cannot be read: it has \d+ axes, but forebay has at most 32/s,
    'asked for and not there': /there is no tensor '.*' \(there are: /s,
    'nothing that matches': /no tensor has a name that matches .* \(there are: /s,
    'beyond int32': /tensor '.*': the u?int\d+ at byte \d+ is -?\d+, but the limit of int32 is/s,
    'beyond the dtype':
      /tensor '.*': the \w+ at byte \d+ is .*, which does not fit in (float32|float64|int32)/s,
    'no bool': /tensor '.*': expected a bool, 0 or 1, at byte \d+/s,
    'bad size': /at byte \d+: expected a whole number from 0 to 2\^53 - 1/,
    'bad offsets': /at byte \d+: expected the begin and end of tensor/,
    'other length': /at byte \d+: tensor .* takes \d+ bytes, but its data_offsets are/s,
    'overflow beside an empty axis': /at byte \d+: tensor .* has shape .*, larger than any memory/s,
    'data beyond the file': /is at bytes \d+ to \d+ of the data, but there are \d+: truncated/,
    overlap: /is at bytes \d+ to \d+ of the data, but .* ends at \d+: they overlap/s,
    gap: /is at bytes \d+ to \d+ of the data, but .* ends at \d+: there is a gap/s,
    'data left over': /expected the end of the file after \d+ bytes of data, but \d+ more follow/,
  },
};
