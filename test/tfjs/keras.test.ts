/** Models of Keras, in the forms of Keras 3, compute what Keras computes. The file is written by with_keras.py. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { evaluate, Tensor } from '../../src/index.js';
import { importTfjs } from '../../src/tfjs/import.js';
import { applied } from './support.js';

interface Plain {
  readonly shape: number[];
  readonly data: number[];
}

interface Case {
  readonly name: string;
  readonly modelTopology: object;
  readonly weightSpecs: object[];
  readonly weightData: string;
  readonly inputs: Plain[];
  readonly outputs: Plain[];
}

const models = readFileSync(new URL('./keras.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Case);

describe('models of Keras 3', () => {
  it.each(models)('$name', async ({ name, inputs, outputs, ...artifacts }) => {
    const weightData = new Uint8Array(Buffer.from(artifacts.weightData, 'base64'));
    const module = await importTfjs({ ...artifacts, weightData }, { name: `keras-${name}` });
    const feeds = Object.fromEntries(
      Object.entries(module.inputs).map(([key, { dtype }], index) => {
        const { data, shape } = inputs[index] as Plain;
        const elements = dtype === 'int32' ? Int32Array.from(data) : Float32Array.from(data);
        return [key, new Tensor(elements, shape)];
      }),
    );
    const came = Object.values(evaluate(applied(module).outputs, feeds)) as Tensor[];
    expect(came.map(({ shape }) => shape)).toEqual(outputs.map(({ shape }) => shape));
    for (const [index, { data }] of outputs.entries()) {
      const ours = (came[index] as Tensor).data;
      const worst = Math.max(...data.map((expected, i) => Math.abs(expected - Number(ours[i]))));
      expect(worst).toBeLessThan(2e-6);
    }
  });
});
