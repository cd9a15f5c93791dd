import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holdLeaves, releaseLeaves } from '../../src/graph/in-flight.js';
import {
  checkpoint,
  compile,
  FeedForward,
  load,
  loadMetadata,
  mul,
  parameter,
  StateError,
  save,
  saveNpy,
  saveNpz,
  state,
  sum,
  Tensor,
  type TypedArray,
  tensor,
  Variable,
} from '../../src/index.js';
import { writeAtomically } from '../../src/io/files.js';
import { errorOf } from '../support.js';

let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-io-'));
  file = join(folder, 'model.safetensors');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bitsOf = ({ buffer, byteOffset, byteLength }: TypedArray) =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString('hex');

/** Reads the file without code of forebay. Returns its header, and the bytes after the header. */
function parts() {
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const json = bytes.subarray(8, 8 + length).toString('utf8');
  return { length, json, header: JSON.parse(json), data: bytes.subarray(8 + length) };
}

describe('a saved file', () => {
  it('has the published format: length, JSON, data, little-endian', () => {
    const w = parameter('net.w', [
      [1, -2],
      [0.5, 3],
    ]);
    const count = state('count', tensor(new Int32Array([-1, 258])));
    save(file, [w, count], { metadata: { by: 'forebay', note: 'é "quoted"' } });
    const { length, header, data } = parts();
    expect(length % 8).toBe(0);
    expect(header).toEqual({
      __metadata__: { by: 'forebay', note: 'é "quoted"' },
      'net.w': { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] },
      count: { dtype: 'I32', shape: [2], data_offsets: [16, 24] },
    });
    expect(data.toString('hex')).toBe('0000803f000000c00000003f00004040ffffffff02010000');
  });

  it('aligns each tensor to the size of its elements, whatever the order of the tensors', () => {
    const made = [
      state('a', tensor(new Int32Array(1))),
      state('b', tensor(new Float64Array(1))),
      parameter('c', [1, 2, 3]),
      state('d', tensor(new Float64Array(2))),
    ];
    save(file, made);
    const { header, data } = parts();
    expect(data.length).toBe(4 + 8 + 12 + 16);
    for (const { name, dtype } of made) {
      const width = dtype === 'float64' ? 8 : 4;
      expect(header[name as string].data_offsets[0] % width, name).toBe(0);
    }
  });

  it('may hold tensors under any names', () => {
    const names = [
      '',
      '0',
      '__proto__',
      'constructor',
      'ключ',
      '\u{1f600}',
      'a"b\\c\n',
      'metadata',
    ];
    save(file, Object.fromEntries(names.map((name, index) => [name, tensor(index)])));
    const loaded = load(file);
    expect(Object.keys(loaded).sort()).toEqual([...names].sort());
    names.forEach((name, index) => {
      expect(Object.getOwnPropertyDescriptor(loaded, name)?.value.item(), name).toBe(index);
    });
  });

  it('may hold no tensors', () => {
    save(file, []);
    expect(load(file)).toEqual({});
    expect(loadMetadata(file)).toEqual({});
  });

  it('may be larger than the pieces that are written or read at a time', () => {
    const data = new Float32Array(5_000_000);
    for (let index = 0; index < data.length; index += 997) data[index] = index;
    save(file, { data: tensor(data) });
    const back = load(file).data as Tensor;
    expect(
      Buffer.compare(Buffer.from(back.data.buffer as ArrayBuffer), Buffer.from(data.buffer)),
    ).toBe(0);
  });
});

describe('a round trip', () => {
  it('keeps every bit: NaN payloads, signed zeros, subnormal numbers, integers', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 0, maxLength: 64 }),
        fc.constantFrom(Float32Array, Float64Array, Int32Array),
        (bytes, Kind) => {
          const whole = bytes.slice(0, bytes.length - (bytes.length % Kind.BYTES_PER_ELEMENT));
          const value = new Tensor(new Kind(whole.buffer));
          const leaf = new Variable('state', 's', value);
          save(file, [leaf]);
          const loaded = load(file).s as Tensor;
          expect(loaded.dtype).toBe(value.dtype);
          expect(bitsOf(loaded.data)).toBe(Buffer.from(whole).toString('hex'));
          leaf.value.data.fill(1);
          load(file, [leaf]);
          expect(bitsOf(leaf.value.data)).toBe(Buffer.from(whole).toString('hex'));
        },
      ),
      { seed: 5, numRuns: 200 },
    );
  });

  it.each([[[]], [[0]], [[2, 0, 3]], [[1, 1, 1]], [[2, 3, 4]]])('keeps the shape %j', (shape) => {
    save(file, { x: Tensor.ones(shape) });
    expect((load(file).x as Tensor).shape).toEqual(shape);
  });

  it('keeps metadata, which loadMetadata reads without the tensors', () => {
    const metadata = { epoch: '3', __proto__: 'x', 'a b': '' };
    save(file, { x: tensor([1, 2]) }, { metadata });
    expect(loadMetadata(file)).toEqual(metadata);
  });
});

describe('load(file, parameters)', () => {
  it('writes the parameters in place, and ignores the rest of the file', () => {
    const [trained, fresh] = [1, 2].map(
      (seed) => new FeedForward('net', { inputs: 3, units: 2, seed }),
    ) as [FeedForward, FeedForward];
    save(file, [...trained.parameters, state('net.weight.adam.m', 0)]);
    const { data } = fresh.weight.value;
    expect(Object.keys(load(file, fresh.parameters))).toEqual(['net.weight', 'net.bias']);
    expect(fresh.weight.value.data).toBe(data);
    expect(data).toEqual(trained.weight.value.data);
  });

  it('accepts a record if the names in the file are different', () => {
    save(file, { theirs: tensor([1, 2]) });
    const ours = parameter('ours', [0, 0]);
    load(file, { theirs: ours });
    expect(ours.value.toArray()).toEqual([1, 2]);
  });

  it.each([
    ['is missing', parameter('z', 1), 'FormatError', "there is no tensor 'z' for [parameter 'z']"],
    [
      'has another shape',
      parameter('b', [[1, 2]]),
      'ShapeError',
      'is float32 [1, 2], but the file has [2]',
    ],
    [
      'has another dtype',
      parameter('b', tensor(new Float64Array(2))),
      'DTypeError',
      'is float64 [2], but the file has float32',
    ],
  ])('writes nothing if one %s', (_, wrong, kind, message) => {
    save(file, { a: tensor([1, 2]), b: tensor([3, 4]) });
    const [a, before] = [parameter('a', [8, 9]), wrong.value.toArray()];
    const error = errorOf(() => load(file, [a, wrong]));
    expect(error.name).toBe(kind);
    expect(error.message).toContain(message);
    expect(error.message).toContain(file);
    expect([a.value.toArray(), wrong.value.toArray()]).toEqual([[8, 9], before]);
  });
});

describe('save refuses', () => {
  const w = () => parameter('w', [1, 2]);
  const detached = () => {
    const gone = tensor(new Float32Array(2));
    structuredClone(gone.data.buffer, { transfer: [gone.data.buffer as ArrayBuffer] });
    return gone;
  };
  it.each<[string, () => unknown, string, string]>([
    [
      'two parameters with the same name',
      () => [w(), w()],
      'GraphError',
      "two of the parameters are named 'w'",
    ],
    [
      'a number instead of a list',
      () => 3,
      'ValueError',
      'a list of parameters and states, or a record of them by name, but received number 3',
    ],
    ['a parameter that is not in a list', w, 'ValueError', 'put it in a list: [parameter]'],
    [
      'a list of tensors',
      () => [tensor(1)],
      'ValueError',
      'a list of parameters and states, but one is a tensor of float32',
    ],
    ['a record of numbers', () => ({ x: 1 }), 'ValueError', "for 'x', but received number 1"],
    [
      'the reserved name',
      () => ({ __metadata__: w() }),
      'ValueError',
      'a tensor of a file cannot be named "__metadata__"',
    ],
    [
      'half a surrogate pair',
      () => ({ '\ud800': w() }),
      'ValueError',
      'a tensor of a file cannot be named',
    ],
    ['a transferred buffer', () => ({ x: detached() }), 'ValueError', 'transferred away'],
  ])('%s', (_, make, kind, message) => {
    const error = errorOf(() => save(file, make() as never));
    expect([error.name, error.message]).toEqual([kind, expect.stringContaining(message)]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    [{ a: 1 }, 'expected metadata as strings, but "a" is number 1'],
    [{ a: '\udc00' }, 'expected metadata as strings'],
    ['text', 'expected metadata as a record of strings'],
    [null, 'expected metadata as a record of strings'],
  ])('the metadata %j', (metadata, message) => {
    const error = errorOf(() => save(file, [], { metadata: metadata as never }));
    expect([error.name, error.message]).toEqual(['ValueError', expect.stringContaining(message)]);
  });

  it.each([[''], ['a\0b'], [3], [undefined]])('the path %j', (path) => {
    expect(errorOf(() => save(path as never, [])).message).toContain('expected the path of a file');
    expect(errorOf(() => load(path as never)).message).toContain('expected the path of a file');
  });
});

describe('a parameter that a run in flight uses', () => {
  it('can be saved but not loaded while runs only read it', async () => {
    const w = parameter('w', [1, 2]);
    const serving = compile({ outputs: { y: sum(mul(w, 2)) } });
    const answer = serving.runAsync();
    for (const write of [() => save(file, [w]), () => saveNpz(file, [w]), () => saveNpy(file, w)]) {
      write();
    }
    save(file, [w]);
    const written = checkpoint(join(folder, 'checkpoint'), { updates: [[w, mul(w, 2)]] });
    expect(errorOf(() => load(file, [w]))).toBeInstanceOf(StateError);
    expect((await answer).y.item()).toBe(6);
    w.set([0, 0]);
    load(file, [w]);
    expect(w.value.toArray()).toEqual([1, 2]);
    await written;
    expect((load(join(folder, 'checkpoint')).w as Tensor).toArray()).toEqual([1, 2]);

    const training = compile({ outputs: {}, updates: [[w, mul(w, 2)]] }).runAsync();
    const { message } = errorOf(() => save(file, [w]));
    expect(message).toBe(`save: a run that writes ${w} is in flight; await it first`);
    await training;
    save(file, [w]);
    expect((load(file).w as Tensor).toArray()).toEqual([2, 4]);
  });

  it('can be neither saved nor loaded while a run writes it', () => {
    const [idle, held] = [parameter('idle', [1]), parameter('held', [2])];
    save(file, [idle, held]);
    const before = readFileSync(file);
    idle.set([3]);
    holdLeaves([held], [held]);
    for (const act of [() => save(file, [idle, held]), () => load(file, [idle, held])]) {
      const error = errorOf(act);
      expect([error.name, error.message]).toEqual([
        'StateError',
        expect.stringMatching(/writes \[parameter 'held'\] is in flight; await it first$/),
      ]);
    }
    expect(readFileSync(file)).toEqual(before);
    expect(idle.value.toArray()).toEqual([3]);
    releaseLeaves([held], [held]);
    load(file, [idle, held]);
    expect(idle.value.toArray()).toEqual([1]);
  });
});

describe('writing is atomic:', () => {
  it('save replaces the whole file', () => {
    save(file, { x: tensor([1, 2, 3]) });
    const { ino } = statSync(file);
    save(file, { x: tensor([4]) });
    expect(statSync(file).ino).not.toBe(ino);
    expect((load(file).x as Tensor).toArray()).toEqual([4]);
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
  });

  it('save leaves nothing behind if the file cannot be written', () => {
    mkdirSync(file);
    const error = errorOf(() => save(file, { x: tensor(1) }));
    expect([error.name, error.message]).toEqual([
      'FormatError',
      expect.stringMatching(/model\.safetensors: cannot be written: /),
    ]);
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
    const nowhere = join(folder, 'no', 'where');
    expect(errorOf(() => save(nowhere, [])).message).toContain('ENOENT');
    expect(existsSync(join(folder, 'no'))).toBe(false);
  });

  it('the old file is kept if the write fails halfway', () => {
    save(file, { x: tensor([1, 2]) });
    const before = readFileSync(file);
    const halfway = function* () {
      yield new Uint8Array(1000);
      throw new RangeError('no more');
    };
    expect(errorOf(() => writeAtomically(file, halfway())).message).toBe(
      `${file}: cannot be written: no more`,
    );
    expect(readFileSync(file)).toEqual(before);
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
  });
});
