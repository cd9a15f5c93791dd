/**
 * Makes .npz archives for the fuzzer, valid and damaged. It writes the archives itself, without the writer of forebay.
 */

import { crc32, deflateRawSync } from 'node:zlib';
import { inMemory } from '../../../dist/io/bytes.js';
import { readNpz } from '../../../dist/io/npz.js';
import { makeNpy, npyReasons } from './npy.mjs';
import { damaged, Random } from './random.mjs';

const wide = 0xffffffff;

/** The contents of members, valid and damaged. They are made only once, because deflating takes longer than reading. */
const contents = [];
function prepare() {
  const random = new Random(1);
  const files = Array.from({ length: 500 }, () => makeNpy(random));
  files.push(Buffer.from('pickle'), sound('(1000,)', 4000));
  while (files.length < 1000) files.push(sound('()', 4));
  for (const file of files) {
    contents.push({ file, crc: crc32(file), deflated: deflateRawSync(file) });
  }
}

/** Returns a valid .npy file of zeros. @param {string} shape @param {number} bytes */
const sound = (shape, bytes) =>
  Buffer.concat([
    Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0]),
    Buffer.from(`{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`.padEnd(118)),
    Buffer.alloc(bytes),
  ]);

const names = ['a.npy', 'b.npy', 'lstm.weight.npy', 'é.npy', 'x/y.npy', '.npy', '__proto__.npy'];

/** @param {Random} random */
function make(random) {
  if (contents.length === 0) prepare();
  const members = Array.from({ length: random.below(4) }, (_, index) => member(random, index));
  const end = {};
  if (random.chance(0.15)) end.wide = true;
  if (random.chance(0.4))
    random.pick(wrongs)(random, members[random.below(members.length)], end, members);
  const archive = build(random, members, end);
  // Most inputs request their members by name, because an array of an unsupported type is refused only if it is
  // requested by name. Otherwise it is skipped.
  const named = members.map(({ name }) => `${name}`.slice(0, -'.npy'.length));
  const options = {};
  if (random.chance(0.7)) options.only = named;
  else if (random.chance(0.1)) options.only = random.pick([['x'], /^9/, /^0/]);
  if (random.chance(0.2)) options.dtype = random.pick(['float32', 'float64', 'int32']);
  return { bytes: random.chance(0.25) ? damaged(random, archive) : archive, options };
}

function member(random, index) {
  const { file, crc, deflated } = random.pick(contents);
  const method = random.pick([0, 8]);
  const packed = method === 0 ? file : deflated;
  const name = random.chance(0.95) ? `${index}${random.pick(names)}` : random.pick(names);
  return {
    name: Buffer.from(name),
    flags: 0x800,
    method,
    crc,
    data: packed,
    packed: packed.length,
    size: file.length,
    wide: random.chance(0.2),
    local: {},
    ...(random.chance(0.1) && { follows: true }),
  };
}

/**
 * Functions that damage an archive. Each changes one member (undefined if there is none), the end record, or the list.
 */
const wrongs = [
  (random, one) => set(one, { flags: random.pick([1, 0x20, 0x2000, 0]) }),
  (_random, one) => set(one, { method: 12 }),
  (random, one) => set(one, { crc: random.word() }),
  (random, one) => set(one, { size: Number(random.edge(one?.size ?? 0) % 2n ** 33n) }),
  (random, one) => set(one, { size: Math.max(0, (one?.size ?? 0) + random.below(21) - 10) }),
  (random, one) => set(one, { packed: Math.max(0, (one?.packed ?? 0) + random.below(3) - 1) }),
  (_random, one) =>
    one && set(one, { data: Buffer.concat([one.data, Buffer.alloc(2)]), packed: one.packed + 2 }),
  (random, one) => one && set(one, { data: damaged(random, one.data) }),
  (random, one) =>
    set(one, { name: random.pick([Buffer.of(0xff), Buffer.from('a.txt'), Buffer.from('a.npy/')]) }),
  (_random, _one, _end, all) => all.push(...all.slice(0, 1)),
  // Adds a second member with another name and the same bytes.
  (_random, one, _end, all) =>
    one && all.push({ ...one, name: Buffer.from('z.npy'), sharing: true }),
  (random, one) =>
    one &&
    Object.assign(one.local, {
      [random.pick(['method', 'crc', 'size', 'packed'])]: random.below(999),
    }),
  (_random, one) => one && Object.assign(one.local, { name: Buffer.from('other.npy') }),
  (random, one) => one && Object.assign(one.local, { signature: random.word() }),
  (random, one) => one && Object.assign(one, { start: Number(random.edge(40) % 2n ** 32n) }),
  (_random, one) => set(one, { wide: true, noField: true }),
  (_random, one) => set(one, { disk: 3 }),
  (random, _one, end) => set(end, { disk: random.below(2), inLast: random.below(9) }),
  (random, _one, end) => set(end, { count: Number(random.edge(2) % 65535n) }),
  (random, _one, end) => set(end, { begin: random.below(999) }),
  (random, _one, end) => set(end, { begin: wide, wide: random.chance(0.5) }),
  (random, _one, end) => set(end, { wide: true, locatorTo: random.edge(200) }),
  (random, _one, end) => set(end, { wide: true, bytes64: random.edge(200) }),
  (_random, _one, end) => set(end, { comment: 4 }),
];
const set = (of, values) => of && Object.assign(of, values);

function build(random, members, end) {
  const [parts, directory] = [[], []];
  let at = 0;
  for (const one of members) {
    if (!one.sharing) {
      one.start ??= at;
      const record = local(one);
      parts.push(record, one.data);
      at += record.length + one.data.length;
      if (one.follows) at += parts.push(Buffer.alloc(16)) && 16;
    }
    directory.push(central(one));
  }
  const entries = Buffer.concat(directory);
  const archive = [...parts, entries, ...ending(end, members.length, at, entries.length)];
  if (random.chance(0.02)) archive.unshift(random.bytes(random.below(40)));
  return Buffer.concat(archive);
}

/** Returns the bytes of little-endian fields, given as pairs of [width, value]. A width is 2, 4 or 8 bytes. */
function record(...fields) {
  const bytes = Buffer.alloc(fields.reduce((sum, [width]) => sum + width, 0));
  let at = 0;
  for (const [width, value] of fields) {
    if (width === 8) bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), at);
    else bytes.writeUIntLE(value, at, width);
    at += width;
  }
  return bytes;
}

function local(one) {
  const { name, method, crc, packed, size, signature = 0x04034b50 } = { ...one, ...one.local };
  const extra =
    one.wide && !one.follows ? record([2, 1], [2, 16], [8, size], [8, packed]) : Buffer.of();
  const sizes = one.follows
    ? [0, 0, 0]
    : one.wide
      ? [crc, wide, wide]
      : [crc, packed % 2 ** 32, size % 2 ** 32];
  const flags = one.flags | (one.follows ? 8 : 0);
  const fixed = [
    4,
    signature,
    2,
    45,
    2,
    flags,
    2,
    method,
    4,
    0,
    4,
    sizes[0],
    4,
    sizes[1],
    4,
    sizes[2],
    2,
    name.length,
    2,
    extra.length,
  ];
  return Buffer.concat([record(...pairs(fixed)), name, extra]);
}

function central(one) {
  const { name, flags, method, crc, packed, size, start = 0, disk = 0 } = one;
  const field = record([2, 1], [2, 24], [8, size], [8, packed], [8, start]);
  const extra = one.wide ? (one.noField ? field.subarray(0, 3) : field) : Buffer.of();
  const narrow = (value) => (one.wide ? wide : value % 2 ** 32);
  const fixed = [
    4,
    0x02014b50,
    2,
    45,
    2,
    45,
    2,
    flags,
    2,
    method,
    4,
    0,
    4,
    crc,
    4,
    narrow(packed),
    4,
    narrow(size),
    2,
    name.length,
    2,
    extra.length,
    2,
    0,
    2,
    disk,
    2,
    0,
    4,
    0,
    4,
    narrow(start),
  ];
  return Buffer.concat([record(...pairs(fixed)), name, extra]);
}

function* ending(end, count, begin, bytes) {
  const { disk = 0, comment = 0, locatorTo = begin + bytes, bytes64 = bytes } = end;
  const counts = [end.inLast ?? end.count ?? count, end.count ?? count];
  if (end.wide) {
    yield record(
      ...pairs([
        4,
        0x06064b50,
        8,
        44,
        2,
        45,
        2,
        45,
        4,
        disk,
        4,
        0,
        8,
        counts[0],
        8,
        counts[1],
        8,
        bytes64,
        8,
        begin,
      ]),
    );
    yield record([4, 0x07064b50], [4, 0], [8, locatorTo], [4, 1]);
  }
  const at = end.wide ? wide : (end.begin ?? begin);
  yield record(
    ...pairs([
      4,
      0x06054b50,
      2,
      disk,
      2,
      0,
      2,
      counts[0],
      2,
      counts[1],
      4,
      bytes,
      4,
      at,
      2,
      comment,
    ]),
  );
}

const pairs = (flat) =>
  Array.from({ length: flat.length / 2 }, (_, index) => flat.slice(2 * index, 2 * index + 2));

/** @type {import('./child.mjs').Subject} */
export default {
  make,
  read: ({ bytes, options }) =>
    Object.values(readNpz('fuzzed', inMemory('fuzzed', bytes), options).tensors),
  // The sum of the bytes that are read from the file, the arrays that are made of the members (npy.mjs has the limit),
  // and the bytes that zlib unpacks.
  allowed: ({ bytes }, unpacked) => 14 * bytes.length + 12 * unpacked + 1024,
  reasons: {
    'no end of a directory': /there is no record of a directory's end in its last \d+ bytes/,
    'several files': /at byte \d+: the archive is split into several files/,
    'directory elsewhere': /at byte \d+: the directory is stated to be at bytes \d+ to \d+/,
    'directory too short': /at byte \d+: the directory is too short for \d+ members/,
    'directory too long': /at byte \d+: expected the end of the directory after \d+ members/,
    'no locator': /at byte \d+: expected a zip64 locator/,
    'no room for a locator':
      /expected a zip64 locator before the record at byte \d+, but the file is too short/,
    'locator beyond itself':
      /at byte \d+: the zip64 record .* is at byte \d+, but must end before byte \d+/,
    'no zip64 record': /at byte \d+: expected a zip64 record of the directory's end/,
    'no entry': /at byte \d+: expected an entry of the directory/,
    'truncated record': /at byte \d+: truncated: expected \d+ bytes, but \d+ are left here/,
    'number beyond any file': /at byte \d+: \d+ is larger than any file/,
    'duplicate member': /at byte \d+: the member .* appears twice/s,
    'name in no encoding': /at byte \d+: the name of this member is neither ASCII nor UTF-8/,
    encrypted: /at byte \d+: member .* is encrypted or a patch/s,
    'unknown method': /at byte \d+: member .* is packed by method \d+/s,
    'another disk': /at byte \d+: member .* is in another file/s,
    'no zip64 field':
      /at byte \d+: expected a zip64 field with a size or an offset, but there is none/,
    'stored in another size': /at byte \d+: member .* is stored, but has \d+ bytes packed/s,
    'beyond deflate':
      /at byte \d+: member .* is stated to unpack from \d+ bytes to \d+, more than deflate can/s,
    overlap:
      /member .* (begins at byte|is at bytes) \d+.*, but member .* begins at byte \d+: they overlap/s,
    'beyond the directory':
      /member .* (begins at byte|is at bytes) \d+.*, but the directory begins at byte \d+: they overlap/s,
    'no record of a member': /at byte \d+: expected the record of member/,
    'other name': /at byte \d+: the record of member .* disagree on its name/s,
    'other method': /at byte \d+: the record of member .* disagree on its method/s,
    'other size': /at byte \d+: the record of member .* disagree on its size/s,
    'other checksum': /at byte \d+: the record of member .* disagree on its checksum/s,
    checksum: /the checksum of member .* at byte \d+ is \d+/s,
    'more unpacked':
      /member .* at byte \d+: expected \d+ bytes, as the directory says, but there are more/s,
    'less unpacked':
      /member .* at byte \d+: expected \d+ bytes, as the directory says, but there are \d+/s,
    'invalid stream': /member .* at byte \d+: not a valid deflate stream/s,
    'stream that ends early':
      /member .* at byte \d+: expected \d+ packed bytes, but the stream ends/s,
    'no .npy file': /expected only \.npy files as members, but the one at byte \d+ is/,
    'asked for and not there': /there is no tensor '.*' \(there are: /s,
    'nothing that matches': /no tensor has a name that matches .* \(there are: /s,
    ...Object.fromEntries(
      Object.entries(npyReasons).map(([name, reason]) => [`in a member: ${name}`, reason]),
    ),
  },
};
