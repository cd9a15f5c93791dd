// How exportOnnx writes files: completely or not at all, and weights beside the model if they are too many.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  compile,
  evaluate,
  FormatError,
  GraphError,
  input,
  matmul,
  mul,
  parameter,
  randomNormal,
  relu,
  StateError,
  state,
  Tensor,
} from '../../src/index.js';
import { exportOnnx, modelOf } from '../../src/onnx/export.js';
import { importOnnx } from '../../src/onnx/import.js';
import { type ModelProto, model } from '../../src/onnx/messages.js';
import { decode, encode } from '../../src/onnx/protobuf.js';
import { writeModel } from '../../src/onnx/write.js';
import { randomTensor } from '../support.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-export-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const x = input('x', ['batch', 20]);
const weight = parameter(
  'weight',
  new Tensor(Float32Array.from(randomTensor([400], 1).data), [20, 20]),
);
const small = parameter('small', new Tensor(Float32Array.from(randomTensor([20], 2).data), [20]));
const outputs = { y: mul(matmul(relu(matmul(x, weight)), weight), small) };
const options = { outputs };

async function result(file: string | Uint8Array, more = {}) {
  const made = await importOnnx(file, { name: `exported.file${Math.random()}`, ...more });
  const { y } = made.apply({ x });
  return evaluate(y as typeof x, feeds).data;
}
const feeds = { x: new Tensor(Float32Array.from(randomTensor([40], 3).data), [2, 20]) };
const expected = evaluate(outputs.y, feeds).data;

describe('a file', () => {
  it('has the bytes of the model, at a path or a URL', async () => {
    const file = join(folder, 'a model.onnx');
    await exportOnnx(file, options);
    expect(readFileSync(file)).toEqual(Buffer.from(encode(model, modelOf(options))));
    const other = join(folder, 'other.onnx');
    await exportOnnx(pathToFileURL(other), options);
    expect(readFileSync(other)).toEqual(readFileSync(file));
    expect(await result(file)).toEqual(expected);
    expect(readdirSync(folder).sort()).toEqual(['a model.onnx', 'other.onnx']);
  });

  it('has the values at the time of the call', async () => {
    const leaf = state('exported.state', Tensor.ones([2000]));
    const file = join(folder, 'model.onnx');
    const writing = exportOnnx(file, { outputs: leaf });
    leaf.set(Tensor.zeros([2000]));
    await writing;
    const { graph } = decode<ModelProto>(file, 'a model', model, readFileSync(file));
    const raw = Buffer.from(graph?.initializer[0]?.rawData ?? []);
    expect(raw.length).toBe(8000);
    expect(raw.readFloatLE(7996)).toBe(1);
  });

  it('stays as it was if the graph cannot be exported', async () => {
    const file = join(folder, 'model.onnx');
    writeFileSync(file, 'before');
    const refused = exportOnnx(file, { outputs: mul(x, randomNormal(['batch', 20])) });
    await expect(refused).rejects.toThrow(GraphError);
    expect(readFileSync(file, 'utf8')).toBe('before');
    expect(readdirSync(folder)).toEqual(['model.onnx']);
  });

  it('that cannot be written is a FormatError that names it', async () => {
    const file = join(folder, 'none', 'model.onnx');
    await expect(exportOnnx(file, options)).rejects.toThrow(FormatError);
    await expect(exportOnnx(file, options)).rejects.toThrow(file);
    mkdirSync(join(folder, 'directory'));
    await expect(exportOnnx(join(folder, 'directory'), options)).rejects.toThrow(
      /directory: cannot be written: it exists, but is not a regular file/,
    );
    expect(readdirSync(folder)).toEqual(['directory']);
  });

  it('keeps its permissions when it is replaced', async () => {
    const file = join(folder, 'model.onnx');
    writeFileSync(file, 'before');
    chmodSync(file, 0o640);
    await exportOnnx(file, options);
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  it('is refused while a run that writes a leaf is in flight', async () => {
    const leaf = state('exported.busy', Tensor.ones([2, 2]));
    const program = compile({ outputs: { y: leaf }, updates: [[leaf, mul(leaf, 2)]] });
    const run = program.runAsync({});
    await expect(exportOnnx(join(folder, 'a.onnx'), { outputs: leaf })).rejects.toThrow(StateError);
    await run;
    program.dispose();
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('weights beside the model', () => {
  const large = parameter(
    'large',
    new Tensor(Float64Array.from(randomTensor([512], 4).data), [512]),
  );
  const both = { outputs: { ...outputs, twice: mul(large, 2), again: large } };

  it('are written if the model would be too large, and are read again', async () => {
    const file = join(folder, 'model.onnx');
    await writeModel(file, modelOf(both), 1000);
    expect(readdirSync(folder).sort()).toEqual(['model.onnx', 'model.onnx.data']);
    const { graph } = decode<ModelProto>(file, 'a model', model, readFileSync(file));
    const places = graph?.initializer.map(({ name, rawData, externalData }) => [
      name,
      rawData?.length,
      externalData.map(({ key, value }) => `${key} ${value}`).join(', '),
    ]);
    expect(places).toEqual([
      ['weight', undefined, 'location model.onnx.data, offset 0, length 1600'],
      ['small', 80, ''],
      ['large', undefined, 'location model.onnx.data, offset 4096, length 4096'],
      ['constant_0', 8, ''],
    ]);
    expect(statSync(`${file}.data`).size).toBe(8192);
    expect(await result(file)).toEqual(expected);
    const data = { 'model.onnx.data': readFileSync(`${file}.data`) };
    expect(await result(readFileSync(file), { externalData: data })).toEqual(expected);
  });

  it('are not written if the model is as large as it may be', async () => {
    const file = join(folder, 'model.onnx');
    const { length } = encode(model, modelOf(both));
    await writeModel(file, modelOf(both), length);
    expect(readdirSync(folder)).toEqual(['model.onnx']);
    await writeModel(file, modelOf(both), length - 1);
    expect(readdirSync(folder)).toEqual(['model.onnx', 'model.onnx.data']);
  });

  it('that cannot be written leave the old model', async () => {
    const file = join(folder, 'model.onnx');
    writeFileSync(file, 'before');
    mkdirSync(`${file}.data`);
    await expect(writeModel(file, modelOf(both), 1000)).rejects.toThrow(
      /model\.onnx\.data: cannot be written/,
    );
    expect(readFileSync(file, 'utf8')).toBe('before');
  });
});
