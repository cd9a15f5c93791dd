// What importOnnx refuses: files that are damaged or ask for too much, options, feeds, and external data elsewhere.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DTypeError, FormatError, ShapeError, tensor, ValueError } from '../../src/index.js';
import { type ImportOnnxOptions, importOnnx } from '../../src/onnx/index.js';
import { dense, imported, name } from './models.js';
import { infoProto, modelBytes, nodeProto, tensorProto } from './support.js';

describe('external data', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'forebay-onnx-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const elements = Float32Array.of(9, 9, 1, 2, 3, 4, 5, 6);
  const external = (location: string, offset = '8', length?: string) => {
    const w = { ...tensorProto('w', [2, 3], []), dataLocation: 1 };
    delete w.rawData;
    const entries = { location, offset, ...(length !== undefined && { length }) };
    w.externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
    return modelBytes({ ...dense, initializer: [w, tensorProto('b', [3], [0, 0, 0])] });
  };
  const bytes = new Uint8Array(elements.buffer);
  const at = (name: string, model: Uint8Array) => {
    const file = join(folder, name);
    writeFileSync(file, model);
    return file;
  };
  it('is found beside a model that is imported by its path', async () => {
    writeFileSync(join(folder, 'w.data'), bytes);
    const model = await importOnnx(at('a.onnx', external('w.data')), { name: name() });
    expect(model.entries().get('w')?.value.toArray()).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
  });

  it('is given for a model that is imported from bytes, and refused otherwise', async () => {
    const model = await importOnnx(external('w.data', '8', '24'), {
      name: name(),
      externalData: { 'w.data': bytes },
    });
    expect(model.entries().get('w')?.value.toArray()).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    await expect(importOnnx(external('w.data'), { name: name() })).rejects.toThrow(
      /tensor "w": its elements are in the file 'w\.data': give its bytes/,
    );
  });

  it.each([
    ['missing.data', '0', undefined, /there is no such file/],
    ['w.data', '100', undefined, /bytes 100 to 124 of 'w\.data', which has 32/],
    ['w.data', '0', '8', /takes 24 bytes, but the file has 8/],
    ['w.data', '-8', undefined, /the offset of its elements is "-8"/],
    ['../w.data', '0', undefined, /is not in the folder \//],
    ['/etc/hostname', '0', undefined, /is not in the folder \//],
    ['.', '0', undefined, /is not in the folder \//],
    ['', '0', undefined, /which is not named/],
  ])('of %s at %s is refused', async (location, offset, length, message) => {
    writeFileSync(join(folder, 'w.data'), bytes);
    const file = at('b.onnx', external(location, offset, length));
    const importing = importOnnx(file, { name: name() });
    await expect(importing).rejects.toThrow(message);
    await expect(importing).rejects.toThrow(FormatError);
  });

  it('is read in the cache of Hugging Face, where all files are links into one folder', async () => {
    const [blobs, snapshot] = ['blobs', 'snapshot'].map((part) => join(folder, part)) as [
      string,
      string,
    ];
    for (const made of [blobs, snapshot]) mkdirSync(made);
    writeFileSync(join(blobs, '1'), external('w.data'));
    writeFileSync(join(blobs, '2'), bytes);
    writeFileSync(join(folder, 'elsewhere'), bytes);
    symlinkSync(join('..', 'blobs', '1'), join(snapshot, 'd.onnx'));
    symlinkSync(join('..', 'blobs', '2'), join(snapshot, 'w.data'));
    const file = join(snapshot, 'd.onnx');
    const model = await importOnnx(file, { name: name() });
    expect(model.entries().get('w')?.value.toArray()).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    rmSync(join(snapshot, 'w.data'));
    symlinkSync(join('..', 'elsewhere'), join(snapshot, 'w.data'));
    await expect(importOnnx(file, { name: name() })).rejects.toThrow(/is not in the folder \//);
  });

  it('is not read through a link out of the folder', async () => {
    mkdirSync(join(folder, 'inner'));
    writeFileSync(join(folder, 'w.data'), bytes);
    symlinkSync(join(folder, 'w.data'), join(folder, 'inner', 'link.data'));
    writeFileSync(join(folder, 'inner', 'c.onnx'), external('link.data'));
    await expect(importOnnx(join(folder, 'inner', 'c.onnx'), { name: name() })).rejects.toThrow(
      /is not in the folder \//,
    );
  });
});

describe('bad input', () => {
  it('names outputs, inputs and tensors that forebay does not have, if they are needed', async () => {
    const pool = {
      node: [
        nodeProto('MaxPool', ['x'], ['y', 'places'], { kernel_shape: [2] }),
        nodeProto('Add', ['y', 'text'], ['z']),
      ],
      input: [infoProto('x', [1, 1, 4]), { name: 'text', type: { tensorType: { elemType: 8 } } }],
      output: [infoProto('y', []), infoProto('places', [], 'int64')],
    };
    await expect(imported(pool)).rejects.toThrow(/MaxPool .*: its output 1, 'places', is used/);
    await expect(imported(pool, { outputs: ['z'] })).rejects.toThrow(
      /the input 'text': it is string/,
    );
    await expect(imported(pool, { outputs: ['y'] })).resolves.toBeDefined();
    const sparse = {
      ...dense,
      initializer: [tensorProto('b', [3], [1, 2, 3])],
      sparseInitializer: [{ values: tensorProto('w', [1], [1]), dims: [2n, 3n] }],
    };
    await expect(imported(sparse)).rejects.toThrow(/the tensor 'w': it is sparse/);
  });

  it('bounds what a few bytes can ask for', async () => {
    const ranges = Array.from({ length: 8 }, (_, i) =>
      nodeProto('Range', ['zero', 'limit', 'one'], [`r${i}`]),
    );
    const graph = {
      node: [
        ...ranges,
        nodeProto(
          'Sum',
          ranges.map(({ output }) => output[0] as string),
          ['y'],
        ),
      ],
      initializer: [
        tensorProto('zero', [], [0], 'int64'),
        tensorProto('one', [], [1], 'int64'),
        tensorProto('limit', [], [2 ** 23], 'int64'),
      ],
      output: [infoProto('y', [], 'int64')],
    };
    await expect(imported(graph)).rejects.toThrow(/numbers are more than a model may have/);
  });

  it.each([
    ['no ONNX', new TextEncoder().encode('no model'), /this is not an ONNX model/],
    ['nothing', new Uint8Array(0), /this is not an ONNX model: it has no graph/],
    [
      'a truncated model',
      modelBytes(dense).subarray(0, 60),
      /at byte \d+: this is not an ONNX model/,
    ],
    [
      'an old operator set',
      modelBytes(dense, { opsetImport: [{ version: 6n }] }),
      /operator set is 6, but forebay reads 7 to 28/,
    ],
    [
      'a new operator set',
      modelBytes(dense, { opsetImport: [{ version: 29n }] }),
      /operator set is 29/,
    ],
  ])('%s is a FormatError', async (_, bytes, message) => {
    await expect(importOnnx(bytes, { name: 'bad' })).rejects.toThrow(message);
    await expect(importOnnx(bytes, { name: 'bad' })).rejects.toThrow(FormatError);
  });

  it('frees the name of a model that cannot be imported', async () => {
    const missing = { ...dense, node: [nodeProto('MatMul', ['x', 'nothing'], ['y'])] };
    await expect(imported(missing, { name: 'freed' })).rejects.toThrow(/no tensor 'nothing'/);
    await expect(imported(dense, { name: 'freed' })).resolves.toBeDefined();
  });

  it('names tensors whose elements do not fit their shape', async () => {
    const short = {
      ...dense,
      initializer: [tensorProto('w', [2, 3], [1]), tensorProto('b', [3], [1, 2, 3])],
    };
    await expect(imported(short)).rejects.toThrow(
      /tensor "w": float \[2, 3\] takes 24 bytes, but the file has 4/,
    );
    const huge = {
      ...dense,
      initializer: [tensorProto('w', [2 ** 40, 2 ** 40], []), tensorProto('b', [3], [1, 2, 3])],
    };
    await expect(imported(huge)).rejects.toThrow(/larger than any memory/);
  });

  it('names nodes that depend on themselves, and outputs that two nodes have', async () => {
    const loop = {
      node: [nodeProto('Add', ['x', 'b'], ['a']), nodeProto('Relu', ['a'], ['b'])],
      input: [infoProto('x', [2])],
      output: [infoProto('b', [])],
    };
    await expect(imported(loop)).rejects.toThrow(/depends on itself/);
    const twice = {
      ...loop,
      node: [nodeProto('Relu', ['x'], ['b']), nodeProto('Relu', ['x'], ['b'])],
    };
    await expect(imported(twice)).rejects.toThrow(/both Relu .* and Relu .* have the output 'b'/);
  });

  it('refuses attributes that it would ignore', async () => {
    const strange = { ...dense, node: [nodeProto('Relu', ['x'], ['y'], { slope: 1 })] };
    await expect(imported(strange)).rejects.toThrow(/Relu .*: attribute 'slope'/);
  });

  it('refuses options and arguments that do not fit', async () => {
    const options = (given: object) => imported(dense, given as Partial<ImportOnnxOptions>);
    await expect(options({ output: ['y'] })).rejects.toThrow(
      /no option 'output'; did you mean 'outputs'/,
    );
    await expect(options({ outputs: ['nothing'] })).rejects.toThrow(/outputs of the model are y/);
    await expect(options({ outputs: [] })).rejects.toThrow(ValueError);
    await expect(options({ inputs: { z: [1] } })).rejects.toThrow(/no input 'z'; its inputs are x/);
    await expect(options({ inputs: { x: ['n', 3] } })).rejects.toThrow(ShapeError);
    await expect(options({ inputs: { x: [2] } })).rejects.toThrow(ShapeError);
    await expect(options({ values: { z: 1 } })).rejects.toThrow(/no input 'z'/);
    await expect(options({ values: { x: tensor([1]) } })).rejects.toThrow(ShapeError);
    await expect(options({ values: { x: tensor([[1, 2]], { dtype: 'int32' }) } })).rejects.toThrow(
      DTypeError,
    );
    await expect(options({ values: { x: [[1, 2]] }, inputs: { x: [1, 2] } })).rejects.toThrow(
      /both a value and a shape/,
    );
    await expect(options({ dtype: 'float16' })).rejects.toThrow(ValueError);
    await expect(importOnnx(5 as never, { name: 'm' })).rejects.toThrow(ValueError);
    await expect(importOnnx('missing.onnx', { name: 'm' })).rejects.toThrow(
      /missing\.onnx: expected a file, but there is no such file/,
    );
    await expect(importOnnx(modelBytes(dense), undefined as never)).rejects.toThrow(ValueError);
  });

  it('refuses feeds that do not fit', async () => {
    const model = await imported(dense);
    const x = tensor([[1, 1]]);
    expect(() => model.apply({ z: x })).toThrow(/there is no input 'z'; its inputs are x/);
    expect(() => model.apply({})).toThrow(/the input 'x' is missing; its inputs are x/);
    expect(() => model.apply({ x: tensor([1, 1]) })).toThrow(ShapeError);
    expect(() => model.apply({ x: tensor([[1, 1]], { dtype: 'int32' }) })).toThrow(DTypeError);
    expect(() => model.apply(x as never)).toThrow(ValueError);
  });
});
