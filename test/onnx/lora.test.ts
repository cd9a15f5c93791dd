import { describe, expect, it } from 'vitest';
import * as fb from '../../src/index.js';
import { importOnnx } from '../../src/onnx/index.js';
import { model } from '../../src/onnx/messages.js';
import { encode } from '../../src/onnx/protobuf.js';
import { errorOf, randomTensor } from '../support.js';

const float = 1;
const attribute = (name: string, i: number) => ({ name, i: BigInt(i), type: 2 });
const value = (name: string, sizes: readonly number[]) => {
  const dim = sizes.map((size) => ({ dimValue: BigInt(size) }));
  return { name, type: { tensorType: { elemType: float, shape: { dim } } } };
};
const weight = (name: string, dims: readonly number[], seed: number) => ({
  name,
  dims: dims.map(BigInt),
  dataType: float,
  rawData: new Uint8Array(Float32Array.from(randomTensor(dims, seed).data).buffer),
});

/** A model whose weights have names that say nothing, as exporters write them. */
function modelBytes(): Uint8Array {
  const node = (
    opType: string,
    name: string,
    input: string[],
    output: string[],
    more: object[],
  ) => ({
    opType,
    name,
    input,
    output,
    attribute: more,
  });
  return encode(model, {
    irVersion: 8n,
    opsetImport: [{ domain: '', version: 17n }],
    graph: {
      name: 'small',
      input: [value('image', [1, 2, 3, 3]), value('steps', [4, 1, 3])],
      output: [value('y', [3, 2]), value('last', [2, 1, 2])],
      initializer: [
        weight('w0', [3, 2, 2, 2], 1),
        weight('bias', [3], 2),
        weight('w1', [4, 5], 3),
        weight('w2', [2, 5], 4),
        weight('w3', [2, 8, 3], 5),
        weight('w4', [2, 8, 2], 6),
      ],
      node: [
        node('Conv', 'Conv_12', ['image', 'w0', 'bias'], ['maps'], []),
        node('Reshape', 'flat', ['maps', 'sizes'], ['rows'], []),
        node(
          'Constant',
          'sizes',
          [],
          ['sizes'],
          [
            {
              name: 'value',
              type: 4,
              t: { dims: [2n], dataType: 7, int64Data: [Uint8Array.of(3, 4)] },
            },
          ],
        ),
        node('MatMul', 'p', ['rows', 'w1'], ['wide'], []),
        node('Transpose', 'turned', ['w2'], ['w2t'], []),
        node('MatMul', 'last', ['wide', 'w2t'], ['y'], []),
        node(
          'LSTM',
          'both',
          ['steps', 'w3', 'w4'],
          ['', 'last'],
          [
            attribute('hidden_size', 2),
            { name: 'direction', s: new TextEncoder().encode('bidirectional'), type: 3 },
          ],
        ),
      ],
    },
  });
}

describe('lora on a model of an ONNX file', () => {
  it('chooses weights by the operators and the names of the nodes that use them', async () => {
    const trunk = await importOnnx(modelBytes(), { name: 'trunk' });
    const paths = (match: RegExp) => [...fb.lora(trunk, { name: 'lora', match }).adapters.keys()];
    expect(paths(/Conv_12/)).toEqual(['w0']);
    expect(paths(/MatMul/).sort()).toEqual(['w1', 'w2']);
    expect(paths(/^MatMul 'last'$/)).toEqual(['w2']);
    expect(paths(/LSTM/)).toEqual(['w3', 'w4']);
    expect(paths(/Conv_12|MatMul 'p'/).sort()).toEqual(['w0', 'w1']);
    expect(paths(/^w1$/)).toEqual(['w1']);
    const error = errorOf(() => fb.lora(trunk, { name: 'lora', match: /Linear/ }));
    expect(error.message).toContain("'w0' [3, 2, 2, 2] of Conv 'Conv_12'");
    expect(error.message).toContain("'w2' [2, 5] of Transpose 'turned' and MatMul 'last'");
  });

  it('has right gradients in all weights, whose directions share a', async () => {
    const trunk = await importOnnx(modelBytes(), { name: 'trunk', dtype: 'float64' });
    const adapted = fb.lora(trunk, { name: 'lora', rank: 2, alpha: 3 });
    const { a, b } = adapted.adapters.get('w3') as fb.Adapter;
    expect([a.shape, b.shape]).toEqual([
      [3, 2],
      [2, 16],
    ]);
    [...adapted.adapters.values()].forEach(({ b }, index) => {
      b.set(randomTensor(b.value.shape, index));
    });
    const feeds = { image: randomTensor([1, 2, 3, 3], 7), steps: randomTensor([4, 1, 3], 8) };
    const inputs = {
      image: fb.input('image', [1, 2, 3, 3], { dtype: 'float64' }),
      steps: fb.input('steps', [4, 1, 3], { dtype: 'float64' }),
    };
    const { y, last } = adapted.apply(inputs) as { y: fb.Node; last: fb.Node };
    const of = (match: RegExp) => adapted.parameters.filter(({ name }) => match.test(name ?? ''));
    fb.checkGradients(fb.mean(fb.square(y)), of(/w[012]/), { feeds: { image: feeds.image } });
    fb.checkGradients(fb.mean(fb.square(last)), of(/w[34]/), { feeds: { steps: feeds.steps } });
    // The second direction has the rows after those of the first.
    const added = fb.evaluate(fb.mul(fb.transpose(fb.matmul(a, b)), 1.5));
    const w3 = trunk.variables.get('w3') as fb.Variable;
    const sum = (adapted.merged().w3 as fb.Tensor).data;
    expect(sum[30]).toBeCloseTo((w3.value.data[30] as number) + (added.data[30] as number), 12);
  });
});
