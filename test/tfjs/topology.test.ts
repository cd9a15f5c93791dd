/** What cannot be imported, and the options of `importTfjs`. */
import { beforeAll, describe, expect, it } from 'vitest';
import { FormatError, ShapeError, ValueError } from '../../src/index.js';
import { importTfjs } from '../../src/tfjs/import.js';
import { imported, saved, tf } from './support.js';
import { errorOf, functional, type Json, layer, refused, relu, sequential } from './topologies.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('what forebay does not support', () => {
  it('is said at once, by class and name', async () => {
    const model = sequential(
      layer('ConvLSTM2D'),
      layer('TimeDistributed', { layer: layer('Foo', { name: 'inner' }) }),
      layer('ReLU', { negative_slope: 0.1 }),
      layer('Lambda', { name: 'λ' }),
      layer('constructor'),
    );
    await refused(
      model,
      /forebay does not support 4 layers of the model: ConvLSTM2D 'convlstm2d': forebay has no such layer; Foo 'inner': forebay has no such layer; Lambda 'λ': forebay has no such layer; constructor 'constructor': forebay has no such layer$/,
    );
  });

  it('is said with its reason', async () => {
    const reasons: [Json, RegExp][] = [
      [
        layer('ReLU', { negative_slope: 0.1 }),
        /ReLU 'relu': negative_slope, which TensorFlow.js ignores/,
      ],
      [layer('Activation', { activation: 'foo' }), /Activation 'activation': the activation 'foo'/],
      [layer('Activation', { activation: { class_name: 'Foo' } }), /the activation an object/],
      [layer('LSTM', { units: 2, stateful: true }), /LSTM 'lstm': stateful/],
      [layer('Flatten', { foo: 1 }), /Flatten 'flatten': 'foo'/],
      [layer('Conv1D', { filters: 1, kernel_size: 2, padding: 'full' }), /padding 'full'/],
      [layer('MaxPooling1D', { padding: 'causal' }), /padding 'causal'/],
      [layer('Bidirectional', { layer: layer('Dense') }), /a layer that is a Dense/],
      [
        layer('Bidirectional', { layer: layer('LSTM', { units: 2 }), merge_mode: 'max' }),
        /merge_mode max/,
      ],
      [
        layer('GRU', { units: 2, batch_input_shape: [1, 1e9, 3] }),
        /GRU 'gru': 1000000000 steps; there may be 1 to 4096/,
      ],
      [layer('Softmax', { axis: [1, 2] }), /a softmax along 2 axes/],
      [layer('LayerNormalization', { axis: [2, 1] }), /axis \[2, 1\]/],
    ];
    for (const [one, message] of reasons) {
      const own = (one.config as Json).batch_input_shape;
      const model = sequential(one);
      const [first] = model.modelTopology.config.layers as [{ config: Json }];
      if (own !== undefined) first.config.batch_input_shape = own;
      await refused(model, message);
    }
    const masked = sequential(layer('Masking'), layer('Flatten'));
    await refused(masked, /Flatten 'flatten': its input is a masked sequence/);
  });

  it('includes the forms of Keras 3 that are no layers', async () => {
    const tensor = { class_name: '__keras_tensor__', config: { keras_history: ['x', 0, 0] } };
    const call = (args: unknown[], kwargs: Json = {}) => ({ args, kwargs });
    const op = (class_name: string, node: unknown) => ({
      ...layer(class_name, { name: 'y' }),
      module: 'keras.src.ops.numpy',
      inbound_nodes: [node],
    });
    await refused(
      functional([op('NotEqual', call([tensor, 0]))]),
      /keras.ops.NotEqual 'y': forebay has/,
    );
    await refused(functional([op('Add', call([tensor, 0]))]), /Add 'y': it is applied to \[.*,0\]/);
    const dense = {
      ...layer('ReLU', { name: 'y' }),
      inbound_nodes: [call([tensor], { mask: tensor })],
    };
    await refused(functional([dense]), /ReLU 'y': it is applied with 'mask'/);
    const add = op('Add', call([tensor, tensor]));
    expect((await imported(functional([add]))).outputs).toEqual({
      y: { shape: ['batch', 3], dtype: 'float32' },
    });
  });
});

describe('damaged topologies', () => {
  it('are refused', async () => {
    const topology = (modelTopology: unknown) => ({ modelTopology });
    await refused(topology(5), /expected a model of layers, whose modelTopology has a class_name/);
    await refused(
      topology({ class_name: 'Dense', config: {} }),
      /expected a Sequential or a Functional/,
    );
    await refused(
      topology({ class_name: 'Sequential' }),
      /the config of a Sequential is undefined/,
    );
    await refused(
      topology({ class_name: 'Sequential', config: [] }),
      /expected one input, and layers/,
    );
    await refused(
      topology({ class_name: 'Sequential', config: [5] }),
      /expected a layer with a class_name/,
    );
    await refused(sequential(layer('ReLU'), layer('ReLU')), /two layers are named 'relu'/);
    await refused(sequential(layer('InputLayer')), /expected one input, and layers, but found 2/);
    await refused(sequential(layer('ReLU', { name: 5 })), /the name of a ReLU is number 5/);
    await refused(sequential(layer('Dense')), /Dense 'dense': 'units' is missing/);
    await refused(
      sequential(layer('Dense', { units: 1.5 })),
      /'units' must be an integer of at least 1/,
    );
    await refused(sequential(layer('Dropout', { rate: 2 })), /'rate' must be a number from 0 to 1/);
    await refused(
      sequential(layer('Reshape', { target_shape: 'x' })),
      /'target_shape' must be a list/,
    );
    await refused(
      sequential(layer('ZeroPadding2D', { padding: [[1]] })),
      /'padding' must be a whole/,
    );
    await refused(sequential(layer('MaxPooling2D')), /expected an input with 4 axes, but it has 3/);
    await refused(sequential(layer('Add')), /expected at least two inputs, but there is 1/);
    const error = await errorOf(sequential(layer('Reshape', { target_shape: [5] })));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toMatch(/Reshape 'reshape': \[reshape 'reshape'\] cannot reshape/);
  });

  it('are refused if their layers are wired wrongly', async () => {
    await refused(
      functional([]),
      /refers to application 0 of the layer 'y', but there is no such layer/,
    );
    await refused(functional([relu('y', [['z', 0, 0]])]), /of the layer 'z', but there is no such/);
    await refused(functional([relu('y', [['y', 0, 0]])]), /ReLU 'y' depends on itself/);
    await refused(
      functional([relu('y', [['z', 0, 0]]), relu('z', [['y', 0, 0]])]),
      /depends on itself/,
    );
    await refused(
      functional([relu('y', [['x', 0, 0]])], [['y', 1, 0]]),
      /refers to application 1 of the layer 'y', but it is not applied so often/,
    );
    await refused(
      functional([relu('y', [['x', 0, 0]])], [['y', 0, 1]]),
      /refers to result 1 of the layer 'y', which has 1/,
    );
    await refused(
      functional([relu('y', [['x', 0]])]),
      /expected a reference \[layer, node, tensor\]/,
    );
    await refused(functional([relu('y', 5)]), /an element of inbound_nodes must be a list/);
    await refused(functional([relu('y', [['x', 0, 0]])], []), /expected inputs and outputs/);
    await refused(
      functional([relu('y', [['x', 0, 0]])], [['y', 0, 0]], [['y', 0, 0]]),
      /its input 'y' is not an InputLayer/,
    );
    await refused(
      functional(
        [relu('y', [['x', 0, 0]])],
        [['y', 0, 0]],
        [
          ['x', 0, 0],
          ['x', 0, 0],
        ],
      ),
      /an input appears twice/,
    );
  });

  it('are refused if a weight of a layer without a cell has one more name before it', async () => {
    const source = (entry: Json, names: readonly string[]) => ({
      ...sequential(entry),
      weightSpecs: names.map((name) => ({ name, shape: [3, 3], dtype: 'float32' })),
      weightData: new Uint8Array(names.length * 36),
    });
    const dense = layer('Dense', { name: 'd', units: 3, use_bias: false });
    await refused(source(dense, ['d/other/kernel']), /Dense 'd': its weight 'kernel' is missing/);
    const rnn = layer('SimpleRNN', { name: 'r', units: 3, use_bias: false });
    await imported(source(rnn, ['r/r_cell/kernel', 'r/r_cell/recurrent_kernel']));
  });

  it('are refused if they are nested too deeply', async () => {
    let model: Json = layer('Sequential', {
      layers: [layer('ReLU', { batch_input_shape: [1, 2] })],
    });
    for (let depth = 0; depth < 1_000; depth++) model = layer('Sequential', { layers: [model] });
    await refused({ modelTopology: model }, /at most 32 models within models|cannot be read/);
  });

  it('are refused if models within models apply too many layers', async () => {
    // Each model applies the one within it twice, the innermost 2^20 times in all.
    const twice = (inner: Json) =>
      functional([
        { ...inner, inbound_nodes: [[['x', 0, 0]], [['inner', 0, 0]]] },
        relu('y', [['inner', 1, 0]]),
      ]).modelTopology;
    const named = (model: Json) => ({
      ...model,
      config: { ...(model.config as Json), name: 'inner' },
    });
    let model: Json = relu('inner');
    for (let depth = 0; depth < 20; depth++) model = named(twice(model));
    await refused(
      { modelTopology: model },
      /expected at most 100000 inputs of layers, steps of recurrent layers and phases of enlargements, but the model has more$/,
    );
  });

  it('are refused if recurrent layers have too many steps in all', async () => {
    const calls = Array.from({ length: 30 }, (_, i) => [
      [i === 0 ? 'x' : 'y', Math.max(0, i - 1), 0],
    ]);
    const rnn = {
      ...layer('SimpleRNN', { name: 'y', units: 1, use_bias: false, return_sequences: true }),
    };
    const model = functional([{ ...rnn, inbound_nodes: calls }], [['y', 29, 0]]);
    (model.modelTopology.config.layers[0] as { config: Json }).config.batch_input_shape = [
      1, 4096, 1,
    ];
    const weightSpecs = ['kernel', 'recurrent_kernel'].map((name) => ({
      name: `y/${name}`,
      shape: [1, 1],
      dtype: 'float32',
    }));
    await refused(
      { ...model, weightSpecs, weightData: new Uint8Array(8) },
      /phases of enlargements, but the model has more$/,
    );
  }, 60_000);

  it('are refused if a layer for two directions has an odd number of states', async () => {
    const bidirectional = layer('Bidirectional', { name: 'y', layer: layer('GRU', { units: 2 }) });
    const states = ['x', 'x', 'x', 'x'].map((name) => [name, 0, 0]);
    await refused(
      functional([{ ...bidirectional, inbound_nodes: [states] }]),
      /Bidirectional 'y': expected as many initial states for each direction, but there are 3/,
    );
  });
});

describe('the options of importTfjs', () => {
  const steps = () =>
    tf.sequential({
      layers: [
        tf.layers.lstm({ units: 2, batchInputShape: [null, null, 3], name: 'lstm' }),
        tf.layers.dense({ units: 1, name: 'dense' }),
      ],
    });

  it('give numbers to the dimensions of inputs', async () => {
    const artifacts = await saved(steps());
    const error = await errorOf(artifacts);
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toMatch(
      /LSTM 'lstm': the number of steps of its input is 'lstm_input_1', but must be a number: give it in the option inputs/,
    );
    const module = await imported(artifacts, { inputs: { lstm_input: ['rows', 4, 3] } });
    expect(module.inputs.lstm_input?.shape).toEqual(['rows', 4, 3]);
    expect(module.outputs).toEqual({ dense: { shape: ['rows', 1], dtype: 'float32' } });
    for (const [shape, Kind] of [
      [['rows', 4], ShapeError],
      [['rows', 4, 2], ShapeError],
      ['rows', ValueError],
    ] as const) {
      const inputs = { lstm_input: shape as never };
      expect(await errorOf(artifacts, { inputs })).toBeInstanceOf(Kind);
    }
    expect((await errorOf(artifacts, { inputs: { x: [1] } })).message).toMatch(
      /the model has no input 'x'; its inputs are lstm_input/,
    );
  });

  it('name named dimensions of inputs after the input', async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.activation({ activation: 'relu', batchInputShape: [null, null, 3], name: 'a.b' }),
      ],
    });
    const module = await imported(await saved(model));
    expect(module.inputs['a.b_input']?.shape).toEqual(['batch', 'a_b_input_1', 3]);
  });

  it('are checked', async () => {
    const artifacts = await saved(steps());
    const check = async (options: object, message: RegExp) => {
      const error = await errorOf(artifacts, options);
      expect(error).toBeInstanceOf(ValueError);
      expect(error.message).toMatch(message);
    };
    await check({ name: '' }, /expected a name or a scope/);
    await check({ layers: [] }, /importTfjs: there is no option 'layers'/);
    await check({ outputs: [] }, /outputs must not be empty/);
    await check(
      { outputs: ['foo'] },
      /expected the name of a layer of the model.*its layers are lstm, dense/,
    );
    await check({ outputs: 'dense' }, /outputs must be a list/);
    await check({ dtype: 'int32' }, /dtype must be 'float32' or 'float64'/);
    await expect(importTfjs(artifacts, undefined as never)).rejects.toThrow(/name must be/);
  });

  it('frees the scope of a model that cannot be imported', async () => {
    const { scope } = await import('../../src/index.js');
    const own = scope('kept');
    await expect(importTfjs(sequential(layer('Foo')), { name: own })).rejects.toThrow(/Foo/);
    const module = await importTfjs(sequential(layer('ReLU')), { name: own });
    expect(module.name).toBe('kept');
  });
});
