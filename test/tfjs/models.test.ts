/** Whole models: their topology, their names, and what can be done with them after they are imported. */
import { beforeAll, describe, expect, it } from 'vitest';
import { reachable } from '../../src/graph/topology.js';
import {
  compile,
  evaluate,
  input,
  mul,
  type Node,
  optimize,
  sgd,
  sideUpdates,
  sub,
  sum,
  Tensor,
  training,
} from '../../src/index.js';
import {
  applied,
  expectClose,
  expectSame,
  fed,
  imported,
  randomise,
  saved,
  tf,
} from './support.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const { layers } = tf;
const symbolic = (value: unknown) => value as tf.SymbolicTensor;
const list = (value: unknown) => value as tf.SymbolicTensor[];

/** A network of convolutions with a branch. */
function network(): tf.LayersModel {
  const x = tf.input({ shape: [9, 8, 2] });
  const first = layers.conv2d({ filters: 4, kernelSize: 3, padding: 'same', useBias: false });
  let y = symbolic(first.apply(x));
  y = symbolic(layers.batchNormalization().apply(y));
  y = symbolic(layers.reLU({ maxValue: 6 }).apply(y));
  const branch = symbolic(layers.depthwiseConv2d({ kernelSize: 3, padding: 'same' }).apply(y));
  y = symbolic(layers.add().apply([y, branch]));
  y = symbolic(layers.maxPooling2d({ poolSize: 2 }).apply(y));
  y = symbolic(layers.zeroPadding2d({ padding: 1 }).apply(y));
  y = symbolic(layers.conv2d({ filters: 3, kernelSize: 3, strides: 2 }).apply(y));
  y = symbolic(layers.dropout({ rate: 0.5 }).apply(y));
  y = symbolic(layers.globalAveragePooling2d({}).apply(y));
  y = symbolic(layers.dense({ units: 4, activation: 'softmax' }).apply(y));
  return tf.model({ inputs: x, outputs: y });
}

describe('sequential models', () => {
  it('have the input and the output of TensorFlow.js', async () => {
    const model = tf.sequential({
      layers: [
        layers.dense({ units: 5, inputShape: [4], activation: 'relu', name: 'first' }),
        layers.dense({ units: 2, name: 'last' }),
      ],
    });
    const module = await expectSame(model, [[4]]);
    expect(module.inputs).toEqual({ first_input: { shape: ['batch', 4], dtype: 'float32' } });
    expect(module.outputs).toEqual({ last: { shape: ['batch', 2], dtype: 'float32' } });
    expect(Object.keys(module.inputs)).toEqual(model.inputNames);
    expect(Object.keys(module.outputs)).toEqual(model.outputNames);
    expect([...module.entries().keys()]).toEqual([
      'first/kernel',
      'first/bias',
      'last/kernel',
      'last/bias',
    ]);
  });

  it('may begin with a model, and contain one', async () => {
    const inner = tf.sequential({ layers: [layers.dense({ units: 5, inputShape: [4] })] });
    const middle = tf.sequential({ layers: [layers.dense({ units: 3, inputShape: [5] })] });
    const model = tf.sequential({ layers: [inner, middle, layers.dense({ units: 2 })] });
    await expectSame(model, [[4]]);
  });

  it('read texts', async () => {
    const model = tf.sequential({
      layers: [
        layers.embedding({ inputDim: 10, outputDim: 4, inputLength: 6, maskZero: true }),
        layers.bidirectional({ layer: layers.lstm({ units: 3, returnSequences: true }) as tf.RNN }),
        layers.dropout({ rate: 0.2 }),
        layers.gru({ units: 4 }),
        layers.dense({ units: 1, activation: 'sigmoid' }),
      ],
    });
    // A third of the tokens are 0, which is no part of the text.
    await expectSame(model, [[6]], { tokens: 3 });
  });

  it('leave out masked steps in each direction, and in the results of all steps', async () => {
    const make = (layer: () => tf.layers.Layer) =>
      tf.sequential({
        layers: [layers.masking({ inputShape: [6, 2], maskValue: 0 }), layer()],
      });
    const makes = [
      () => layers.lstm({ units: 3, returnSequences: true }),
      () => layers.gru({ units: 3, goBackwards: true, returnSequences: true }),
      () => layers.simpleRNN({ units: 3, goBackwards: true }),
    ];
    for (const layer of makes) {
      const model = make(layer);
      randomise(model);
      const module = await imported(await saved(model));
      const data = fed([3, 6, 2], 5);
      // Row 0 begins with a masked step, and row 1 ends with two of them.
      data.set([0, 0], 0);
      data.set([0, 0, 0, 0], 20);
      const { outputs } = applied(module);
      const [name] = Object.keys(module.inputs) as [string];
      const [node] = Object.values(outputs) as [Node];
      const came = evaluate(node, { [name]: new Tensor(data, [3, 6, 2]) });
      expectClose(came, model.predict(tf.tensor(data, [3, 6, 2])) as tf.Tensor, 'masked');
    }
  });
});

describe('functional models', () => {
  it('share a layer, have two inputs and two outputs', async () => {
    const [a, b] = [tf.input({ shape: [4], name: 'a' }), tf.input({ shape: [4], name: 'b' })];
    const shared = layers.dense({ units: 3, activation: 'tanh', name: 'shared' });
    const [first, second] = [symbolic(shared.apply(a)), symbolic(shared.apply(b))];
    const joined = symbolic(layers.concatenate({ name: 'joined' }).apply([second, first]));
    const output = symbolic(layers.dense({ units: 2, name: 'output' }).apply(joined));
    const module = await expectSame(tf.model({ inputs: [b, a], outputs: [output, joined] }), [
      [4],
      [4],
    ]);
    expect(Object.keys(module.inputs)).toEqual(['b', 'a']);
    expect(Object.keys(module.outputs)).toEqual(['output', 'joined']);
    expect([...module.entries().keys()].filter((path) => path.startsWith('shared'))).toEqual([
      'shared/kernel',
      'shared/bias',
    ]);
  });

  it('apply a layer to its own result', async () => {
    const x = tf.input({ shape: [4] });
    const twice = layers.dense({ units: 4, activation: 'tanh' });
    const other = layers.dense({ units: 4 });
    const y = twice.apply(other.apply(twice.apply(x)));
    await expectSame(tf.model({ inputs: x, outputs: symbolic(y) }), [[4]]);
  });

  it('apply a model twice, within another one', async () => {
    const x = tf.input({ shape: [4] });
    const inner = tf.sequential({
      layers: [layers.dense({ units: 4, inputShape: [4], activation: 'tanh' })],
    });
    const middle = tf.model({ inputs: x, outputs: symbolic(inner.apply(inner.apply(x))) });
    const y = tf.input({ shape: [4] });
    const once = symbolic(middle.apply(y));
    const sums = layers.add().apply([once, symbolic(middle.apply(once))]);
    await expectSame(tf.model({ inputs: y, outputs: symbolic(sums) }), [[4]]);
  });

  it('give the state of a layer to another one', async () => {
    const [source, target] = [tf.input({ shape: [5, 3] }), tf.input({ shape: [4, 2] })];
    const [, h, c] = list(layers.lstm({ units: 6, returnState: true }).apply(source));
    const decoder = layers.lstm({ units: 6, returnSequences: true, name: 'decoder' });
    const decoded = symbolic(
      decoder.apply([target, h as tf.SymbolicTensor, c as tf.SymbolicTensor]),
    );
    const output = layers.timeDistributed({ layer: layers.dense({ units: 3 }) }).apply(decoded);
    await expectSame(tf.model({ inputs: [source, target], outputs: symbolic(output) }), [
      [5, 3],
      [4, 2],
    ]);
  });

  it('return several results of a layer under names of their own', async () => {
    const x = tf.input({ shape: [5, 3] });
    const outputs = list(layers.gru({ units: 2, returnState: true, name: 'gru' }).apply(x));
    const module = await expectSame(tf.model({ inputs: x, outputs }), [[5, 3]]);
    expect(Object.keys(module.outputs)).toEqual(['gru', 'gru:1']);
  });

  it('return both directions of a layer', async () => {
    const x = tf.input({ shape: [5, 3] });
    const layer = layers.bidirectional({
      layer: layers.lstm({ units: 2, returnState: true, returnSequences: true }) as tf.RNN,
      mergeMode: null as unknown as 'concat',
    });
    const outputs = list(layer.apply(x));
    const module = await expectSame(tf.model({ inputs: x, outputs }), [[5, 3]]);
    expect(Object.keys(module.outputs)).toHaveLength(6);
  });

  it('apply models to each step', async () => {
    const inner = tf.sequential({
      layers: [
        layers.conv1d({ filters: 3, kernelSize: 2, inputShape: [4, 2] }),
        layers.flatten(),
        layers.dense({ units: 3 }),
      ],
    });
    const x = tf.input({ shape: [5, 4, 2] });
    const y = layers.timeDistributed({ layer: inner }).apply(x);
    await expectSame(tf.model({ inputs: x, outputs: symbolic(y) }), [[5, 4, 2]]);
  });

  it('have many layers', async () => {
    const x = tf.input({ shape: [2] });
    let y = x;
    for (let i = 0; i < 300; i++) y = symbolic(layers.activation({ activation: 'elu' }).apply(y));
    await expectSame(tf.model({ inputs: x, outputs: y }), [[2]]);
  });
});

describe('networks of convolutions', () => {
  it('transpose only their input', async () => {
    const module = await expectSame(network(), [[9, 8, 2]]);
    const { outputs } = applied(module);
    const transposes = reachable(Object.values(outputs)).filter(
      ({ op }) => op.name === 'transpose',
    );
    expect(transposes.map(({ shape }) => shape)).toEqual([['batch', 2, 9, 8]]);
  });

  it('compute the same in a compiled program', async () => {
    const model = network();
    randomise(model);
    const module = await imported(await saved(model));
    const { feeds, outputs } = applied(module);
    const [name] = Object.keys(feeds) as [string];
    const program = compile({ outputs, constants: module });
    const data = fed([5, 9, 8, 2], 3);
    const result = program.run({ [name]: new Tensor(data, [5, 9, 8, 2]) });
    const [came] = Object.values(result) as [Tensor];
    expectClose(came, model.predict(tf.tensor(data, [5, 9, 8, 2])) as tf.Tensor, 'program');
  });

  it('return the result of any layer', async () => {
    const model = network();
    randomise(model);
    const inner = model.layers.find(({ name }) =>
      name.startsWith('max_pooling2d'),
    ) as tf.layers.Layer;
    const part = tf.model({ inputs: model.inputs, outputs: inner.output as tf.SymbolicTensor });
    const module = await imported(await saved(model), { outputs: [inner.name] });
    const data = fed([2, 9, 8, 2], 3);
    const [name] = Object.keys(module.inputs) as [string];
    const [node] = Object.values(applied(module).outputs) as [Node];
    expect(node.shape).toEqual(['batch', 4, 4, 4]);
    const came = evaluate(node, { [name]: new Tensor(data, [2, 9, 8, 2]) });
    expectClose(came, part.predict(tf.tensor(data, [2, 9, 8, 2])) as tf.Tensor, inner.name);
    // The layers after it are not made.
    expect([...module.entries().keys()].some((path) => path.startsWith('dense'))).toBe(false);
  });

  it('arrange kernels as conv2d of forebay reads them', async () => {
    const model = tf.sequential({
      layers: [layers.conv2d({ filters: 5, kernelSize: [2, 3], inputShape: [4, 6, 7], name: 'c' })],
    });
    const module = await imported(await saved(model));
    expect(module.variables.get('c/kernel')?.shape).toEqual([5, 7, 2, 3]);
    const [kernel] = model.getWeights() as [tf.Tensor];
    const first = kernel.arraySync() as number[][][][];
    const ours = module.variables.get('c/kernel')?.value.toArray() as number[][][][];
    expect(ours[4]?.[6]?.[1]?.[2]).toBe(first[1]?.[2]?.[6]?.[4]);
  });
});

describe('an imported model', () => {
  const dense = () =>
    tf.sequential({ layers: [layers.dense({ units: 2, inputShape: [3], name: 'dense' })] });

  it('may be applied to a node if it has one input', async () => {
    const module = await imported(await saved(dense()));
    const x = input('x', [4, 3]);
    const { dense: one } = module.apply(x);
    const { dense: two } = module.apply({ dense_input: x });
    const feeds = { x: new Tensor(fed([4, 3], 1), [4, 3]) };
    expect(evaluate(one as Node, feeds).toArray()).toEqual(evaluate(two as Node, feeds).toArray());
    expect(() => module.apply(input('y', [4, 2]))).toThrow(
      /the input 'dense_input' has shape \[batch, 3\], but received \[4, 2\]/,
    );
    expect(() => module.apply(input('y', [4, 3], { dtype: 'int32' }))).toThrow(
      /the input 'dense_input' is float32, but received int32/,
    );
    expect(() => module.apply({ x })).toThrow(/there is no input 'x'; its inputs are dense_input/);
    expect(() => module.apply({})).toThrow(/the input 'dense_input' is missing/);
    expect(() => module.apply('x' as unknown as Node)).toThrow(/expected a node, a tensor/);
  });

  it('is frozen, and trains after unfreeze as in TensorFlow.js', async () => {
    const model = network();
    // Dropout would draw other numbers.
    for (const layer of model.layers) if ('rate' in layer) layer.rate = 0;
    randomise(model);
    const artifacts = await saved(model);
    const module = await imported(artifacts);
    expect(module.frozen).toBe(true);
    module.unfreeze();
    const [x, target] = [input('x', ['batch', 9, 8, 2]), input('target', ['batch', 4])];
    const { loss } = training(() => {
      const [y] = Object.values(module.apply(x)) as [Node];
      return { loss: sum(squared(y, target)) };
    });
    const program = compile({
      outputs: { loss },
      updates: optimize(loss, module, sgd({ rate: 0.1 })),
    });
    const [data, targets] = [fed([4, 9, 8, 2], 2), fed([4, 4], 3)];
    const [xs, ys] = [tf.tensor(data, [4, 9, 8, 2]), tf.tensor(targets, [4, 4])];
    const optimizer = tf.train.sgd(0.1);
    for (let step = 0; step < 3; step++) {
      program.run({ x: new Tensor(data, [4, 9, 8, 2]), target: new Tensor(targets, [4, 4]) });
      optimizer.minimize(() => {
        const y = model.apply(xs, { training: true }) as tf.Tensor;
        return tf.sum(tf.square(tf.sub(y, ys))) as tf.Scalar;
      });
    }
    const after = await imported(await saved(model));
    const entries = module.entries();
    for (const [path, { value }] of after.entries()) {
      expectClose(
        entries.get(path)?.value as Tensor,
        tf.tensor(Array.from(value.data), [...value.shape]),
        path,
      );
    }
  });

  it('keeps its moving statistics in training while it is frozen', async () => {
    const module = await imported(await saved(network()));
    const x = input('x', ['batch', 9, 8, 2]);
    const frozen = training(() => module.apply(x));
    expect(sideUpdates(...(Object.values(frozen) as Node[]))).toEqual([]);
    module.unfreeze(/batch_normalization/);
    const open = training(() => module.apply(x));
    expect(sideUpdates(...(Object.values(open) as Node[]))).toHaveLength(2);
  });

  it('drops elements in training only', async () => {
    const x = tf.input({ shape: [40] });
    for (const layer of [
      layers.dropout({ rate: 0.5 }),
      layers.gaussianNoise({ stddev: 1 }),
      layers.gaussianDropout({ rate: 0.5 }),
      layers.alphaDropout({ rate: 0.5 }),
    ]) {
      const model = tf.model({ inputs: x, outputs: symbolic(layer.apply(x)) });
      const module = await imported(await saved(model));
      const node = input('x', [5, 40]);
      const [y] = Object.values(training(() => module.apply(node))) as [Node];
      const ones = Float32Array.from({ length: 200 }, () => 1);
      const result = evaluate(y, { x: new Tensor(ones, [5, 40]) }).data;
      const mean = Array.from(result).reduce((total, element) => total + element, 0);
      expect(new Set(result).size, layer.name).toBeGreaterThan(1);
      expect(Math.abs(mean / 200 - 1), layer.name).toBeLessThan(
        layer.name.startsWith('alpha') ? 1 : 0.3,
      );
    }
  });

  it('drops the same elements in all steps of a recurrent layer', async () => {
    const x = tf.input({ shape: [6, 4] });
    const layer = layers.spatialDropout1d({ rate: 0.5 });
    const model = tf.model({ inputs: x, outputs: symbolic(layer.apply(x)) });
    const module = await imported(await saved(model));
    const [y] = Object.values(training(() => module.apply(input('x', [5, 6, 4])))) as [Node];
    const ones = Float32Array.from({ length: 120 }, () => 1);
    const result = evaluate(y, { x: new Tensor(ones, [5, 6, 4]) }).toArray() as number[][][];
    for (const row of result) expect(new Set(row.map((step) => step.join())).size).toBe(1);
    const rnn = layers.lstm({ units: 3, dropout: 0.5, recurrentDropout: 0.5 });
    const recurrent = tf.model({ inputs: x, outputs: symbolic(rnn.apply(x)) });
    const imports = await imported(await saved(recurrent));
    const node = input('x', [5, 6, 4]);
    const feeds = { x: new Tensor(fed([5, 6, 4], 1), [5, 6, 4]) };
    const results = [training(() => imports.apply(node)), imports.apply(node)].map((outputs) =>
      evaluate(Object.values(outputs)[0] as Node, feeds).toArray(),
    );
    expect(results[0]).not.toEqual(results[1]);
  });

  it('computes in float64 on request', async () => {
    const model = dense();
    randomise(model);
    const module = await imported(await saved(model), { dtype: 'float64' });
    const { dense: y } = module.apply(input('x', [2, 3], { dtype: 'float64' }));
    expect((y as Node).dtype).toBe('float64');
    expect(module.inputs.dense_input?.dtype).toBe('float64');
  });
});

/** The squared difference, written out so that it does not depend on a loss. */
function squared(y: Node, target: Node): Node {
  const difference = sub(y, target);
  return mul(difference, difference);
}
