import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  assign,
  Dense,
  DTypeError,
  FormatError,
  load,
  loadSharded,
  maps,
  restore,
  save,
  tensor,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';

let folder = '';
let index = '';
beforeEach(() => {
  const base = mkdtempSync(join(tmpdir(), 'forebay-sharded-'));
  folder = join(base, 'model');
  mkdirSync(folder);
  index = join(folder, 'model.safetensors.index.json');
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

const first = 'model-00001-of-00002.safetensors';
const second = 'model-00002-of-00002.safetensors';

/** Writes an index as Hugging Face does. */
function writeIndex(weights: Readonly<Record<string, unknown>>): void {
  const content = { metadata: { total_size: 44, note: [1, { a: null }] }, weight_map: weights };
  writeFileSync(index, `${JSON.stringify(content, null, 2)}\n`);
}

/** Writes the layer of PyTorch with weights [2, 3] and biases, and one other tensor, to two files. */
function writeModel(): void {
  const weight = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  save(join(folder, first), { weight, unused: tensor(9) });
  save(join(folder, second), { bias: tensor([7, 8]), weight: tensor([0]) });
  writeIndex({ weight: first, bias: second });
}

describe('loadSharded', () => {
  it('reads each tensor from the file that the index names', () => {
    writeModel();
    const expected = {
      weight: [
        [1, 2, 3],
        [4, 5, 6],
      ],
      bias: [7, 8],
    };
    for (const path of [index, pathToFileURL(index)]) {
      const loaded = loadSharded(path);
      expect(
        Object.fromEntries(Object.entries(loaded).map(([name, t]) => [name, t.toArray()])),
      ).toEqual(expected);
    }
  });

  it('takes the options of load', () => {
    writeModel();
    // A file that is not needed may be missing.
    renameSync(join(folder, first), join(folder, 'elsewhere'));
    const { bias, ...others } = loadSharded(index, { only: ['bias'], dtype: 'float64' });
    expect([bias?.dtype, bias?.toArray(), others]).toEqual(['float64', [7, 8], {}]);
    expect(Object.keys(loadSharded(index, { only: /^b/ }))).toEqual(['bias']);
    const missing = errorOf(() => loadSharded(index, { only: ['gain'] }));
    expect(missing.message).toBe(
      `${index}: there is no tensor 'gain' (there are: 'weight', 'bias')`,
    );
    expect(
      errorOf(() => loadSharded(index, { only: ['bias'], dtype: { w: 'float64' } })),
    ).toBeInstanceOf(DTypeError);
  });

  it('skips tensors that cannot be read, and says so', () => {
    const header = '{"c":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}';
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(
      join(folder, first),
      Buffer.concat([length, Buffer.from(header), Buffer.alloc(8)]),
    );
    save(join(folder, second), { bias: tensor([7, 8]) });
    writeIndex({ c: first, bias: second });
    const onSkipped = vi.fn();
    expect(Object.keys(loadSharded(index, { onSkipped }))).toEqual(['bias']);
    expect(onSkipped.mock.calls[0]?.[0]).toMatchObject([{ name: 'c' }]);
    expect(errorOf(() => loadSharded(index, { only: ['c'] })).message).toContain(
      "tensor 'c' cannot be read",
    );
  });

  it('gives assign and restore the weights of a net', async () => {
    writeModel();
    const net = new Dense('net', { inputs: 3, units: 2 });
    const values = () => [net.weight.value.toArray(), net.bias?.value.toArray()];
    const expected = [
      [
        [1, 4],
        [2, 5],
        [3, 6],
      ],
      [7, 8],
    ];
    await assign(net, loadSharded(index), { map: maps.pytorch(net) });
    expect(values()).toEqual(expected);
    net.weight.set(new Float32Array(6));
    expect(restore(index, net, { map: maps.pytorch(net) })).toEqual({
      missing: [],
      unexpected: [],
    });
    expect(values()).toEqual(expected);
    const names = { map: { weight: 'weight', bias: 'gain' } };
    const error = errorOf(() => restore(pathToFileURL(index), net, names));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toContain(
      "missing: 'gain'; unexpected: 'bias'; of another shape: 'weight'",
    );
    expect(values()).toEqual(expected);
  });

  it('follows links, as in the cache of Hugging Face', () => {
    writeModel();
    const [snapshot, blobs] = ['snapshot', 'blobs'].map((name) => join(folder, '..', name)) as [
      string,
      string,
    ];
    mkdirSync(snapshot);
    renameSync(folder, blobs);
    for (const name of [first, second, 'model.safetensors.index.json']) {
      renameSync(join(blobs, name), join(blobs, `blob-${name}`));
      symlinkSync(join('..', 'blobs', `blob-${name}`), join(snapshot, name));
    }
    const loaded = loadSharded(join(snapshot, 'model.safetensors.index.json'));
    expect(loaded.bias?.toArray()).toEqual([7, 8]);
  });

  it('refuses a link to a file outside of the folder', () => {
    writeModel();
    const outside = join(folder, '..', 'secret.safetensors');
    renameSync(join(folder, second), outside);
    symlinkSync(outside, join(folder, second));
    const error = errorOf(() => loadSharded(index));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toContain(
      `the index has tensor 'bias' in the file '${second}', but this is a link to`,
    );
    expect(error.message).toMatch(/secret\.safetensors, outside of the folder of the index$/);
  });

  it.each([
    '../a.safetensors',
    '/a.safetensors',
    'sub/a',
    '..',
    '.',
    '',
    'C:\\a',
    '..\\a',
    'C:a',
    'a\0',
  ])('refuses %j as the name of a file', (name) => {
    writeIndex({ bias: name });
    const at = readFileSync(index, 'utf8').indexOf('"bias":') + '"bias":'.length;
    const error = errorOf(() => loadSharded(index));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toContain(
      `${index}: at byte ${at}: expected the name of a file in the folder of the index for tensor "bias", but found ${JSON.stringify(name)}`,
    );
  });

  it('names the tensor and the file if the file is missing, or lacks the tensor', () => {
    writeModel();
    writeIndex({ weight: first, bias: second, gain: second });
    expect(errorOf(() => loadSharded(index)).message).toBe(
      `${index}: tensor 'gain' is said to be in ${join(folder, second)}, but it is not`,
    );
    rmSync(join(folder, second));
    const error = errorOf(() => loadSharded(index));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toBe(
      `${index}: the index has tensor 'bias' in the file '${second}', but there is no such file`,
    );
    mkdirSync(join(folder, second));
    expect(errorOf(() => loadSharded(index)).message).toContain('not a regular file');
    rmSync(join(folder, second), { recursive: true });
    writeFileSync(join(folder, second), readFileSync(join(folder, first)).subarray(0, 40));
    expect(errorOf(() => loadSharded(index)).message).toContain(`${second}: truncated`);
  });

  it.each<[string, string | Buffer, string]>([
    ['is empty', '', "at byte 0: expected '{', but found the end of the index"],
    ['is a list', '[]', `at byte 0: expected '{', but found "["`],
    [
      'does not end',
      '{"weight_map":{"a":"b"',
      "at byte 22: expected ',' or '}', but found the end of the index",
    ],
    [
      'has more after its end',
      '{"weight_map":{}} x',
      'at byte 18: expected the end, but found "x"',
    ],
    ['has no weight_map', '{"metadata":{}}', 'at byte 0: the index has no weight_map'],
    [
      'has a tensor twice',
      '{"weight_map":{"a":"b","a":"c"}}',
      'at byte 23: the key "a" appears twice',
    ],
    [
      'has two weight_maps',
      '{"weight_map":{},"weight_map":{}}',
      'at byte 17: the key "weight_map" appears twice',
    ],
    ['has a number as a file', '{"weight_map":{"a":7}}', `at byte 19: expected '"', but found "7"`],
    ['has a list of files', '{"weight_map":["a"]}', `at byte 14: expected '{', but found "["`],
    ['is not UTF-8', Buffer.from([0x7b, 0xff]), 'at byte 1: the index is not UTF-8'],
    [
      'has too many files',
      JSON.stringify({
        weight_map: Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [i, `f${i}`])),
      }),
      'expected at most 1000 files, but the index has 1001',
    ],
  ])('refuses an index that %s', (_what, content, message) => {
    writeFileSync(index, content);
    for (const read of [
      () => loadSharded(index),
      () => restore(index, new Dense('d', { inputs: 1, units: 1 })),
    ]) {
      const error = errorOf(read);
      expect(error).toBeInstanceOf(FormatError);
      expect(error.message).toContain(`${index}: ${message}`);
    }
  });

  it('refuses a missing index, and bytes', () => {
    expect(errorOf(() => loadSharded(index)).message).toBe(
      `${index}: expected a file, but there is no such file`,
    );
    expect(errorOf(() => loadSharded(new Uint8Array(8) as never))).toBeInstanceOf(ValueError);
    writeModel();
    expect(errorOf(() => load(index)).message).toMatch(/; loadSharded reads an index$/);
  });
});
