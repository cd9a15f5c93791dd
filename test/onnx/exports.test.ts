// Imports models that other libraries have exported. exports.py and keras_exports.py have made them, with the results of
// ONNX Runtime.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { checkGradients, compile, input, type Node, type Tensor, tensor } from '../../src/index.js';
import { importOnnx } from '../../src/onnx/index.js';

interface Values {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly data: readonly number[];
}

interface Exported {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly inputs: Readonly<Record<string, Values>>;
  readonly outputs: Readonly<Record<string, Values>>;
}

const models = ['exports', 'keras'].flatMap((name) => {
  const file = new URL(`data/${name}.json.gz`, import.meta.url);
  return JSON.parse(gunzipSync(readFileSync(file)).toString()) as readonly Exported[];
});

const made = ({ shape, dtype, data }: Values) =>
  tensor([...data], { shape, dtype: dtype === 'float32' ? 'float32' : 'int32' });

async function within<T>(files: Exported['files'], use: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-exports-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(join(folder, name), Buffer.from(content, 'base64'));
    }
    return await use(join(folder, 'model.onnx'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('models that other libraries export', () => {
  it.each(models.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const model = await within(one.files, (path) => importOnnx(path, { name: 'model' }));
    const feeds = Object.fromEntries(
      Object.entries(one.inputs).map(([name, values]) => [name, made(values)]),
    );
    const leaves = Object.fromEntries(
      Object.entries(feeds).map(([name, { shape, dtype }]) => [
        name,
        input(name, shape, { dtype }),
      ]),
    );
    const outputs = model.apply(leaves);
    const results = compile({ outputs }).run(feeds);
    expect(Object.keys(one.outputs).length).toBeGreaterThan(0);
    for (const [name, { shape, data }] of Object.entries(one.outputs)) {
      const result = results[name] as Tensor;
      expect(result.shape).toEqual(shape);
      data.forEach((value, index) => {
        expect(Math.abs((result.data[index] as number) - value), `${name}[${index}]`).toBeLessThan(
          1e-4 * Math.max(1, Math.abs(value)),
        );
      });
    }
  });

  it.each(['images', 'tokens', 'lstm', 'attention'])(
    '%s has right gradients in float64',
    async (name) => {
      const one = models.find((model) => model.name.startsWith(`torch ${name}, `)) as Exported;
      const model = await within(one.files, (path) =>
        importOnnx(path, { name: 'model', dtype: 'float64' }),
      );
      const feeds = Object.entries(one.inputs).map(([key, { shape, dtype, data }]) => {
        const type = dtype === 'float32' ? 'float64' : 'int32';
        return [key, tensor([...data], { shape, dtype: type })] as const;
      });
      model.unfreeze();
      const leaves = feeds.map(
        ([key, { shape, dtype }]) => [key, input(key, shape, { dtype })] as const,
      );
      const [y] = Object.values(model.apply(Object.fromEntries(leaves))) as [Node];
      checkGradients(y, model.parameters, { feeds: Object.fromEntries(feeds) });
      expect(model.parameters.length).toBeGreaterThan(1);
    },
  );
});
