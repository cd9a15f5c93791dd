/** Layers of which docs/guides/tfjs.md says that TensorFlow.js computes something else. */
import { beforeAll, describe, expect, it } from 'vitest';
import { evaluate, type Node, Tensor } from '../../src/index.js';
import { applied, imported, saved, tf } from './support.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const { layers } = tf;
const shape = [1, 2, 3];
const values = Float32Array.of(1, 2, 3, 4, 5, 6);

/** Returns what the import of a model of one input or two computes for `values`, and what TensorFlow.js computes. */
async function both(model: tf.LayersModel): Promise<{ ours: unknown; theirs: unknown }> {
  const module = await imported(await saved(model));
  const names = Object.keys(module.inputs);
  const feeds = Object.fromEntries(names.map((name) => [name, new Tensor(values, shape)]));
  const [node] = Object.values(applied(module).outputs) as [Node];
  const predicted = model.predict(names.map(() => tf.tensor(values, shape))) as tf.Tensor;
  return { ours: evaluate(node, feeds).toArray(), theirs: predicted.arraySync() };
}

describe('layers follow Keras', () => {
  it('BatchNormalization of an axis that is not the last', async () => {
    const layer = layers.batchNormalization({
      ...{ axis: 1, scale: false, center: false, epsilon: 0, inputShape: [2, 3] },
    });
    const model = tf.sequential({ layers: [layer] });
    layer.setWeights([tf.tensor([1, 10]), tf.tensor([4, 25])]);
    const { ours, theirs } = await both(model);
    const expected = [
      [
        [0, 0.5, 1],
        [-6 / 5, -1, -4 / 5],
      ],
    ];
    expect((ours as number[][][]).flat(2)).toEqual(
      expected.flat(2).map((x) => expect.closeTo(x, 6)),
    );
    expect((theirs as number[][][]).flat(2)).not.toEqual(
      expected.flat(2).map((x) => expect.closeTo(x, 3)),
    );
  });

  it('Concatenate along an axis that is counted from the last', async () => {
    const inputs = [tf.input({ shape: [2, 3] }), tf.input({ shape: [2, 3] })];
    const outputs = layers.concatenate({ axis: -2 }).apply(inputs) as tf.SymbolicTensor;
    const { ours, theirs } = await both(tf.model({ inputs, outputs }));
    const rows = [
      [1, 2, 3],
      [4, 5, 6],
    ];
    expect(ours).toEqual([[...rows, ...rows]]);
    expect(theirs).toEqual([rows.map((row) => [...row, ...row])]);
  });
});
