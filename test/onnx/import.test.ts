import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  adam,
  assign,
  BatchNorm,
  compile,
  DTypeError,
  evaluate,
  FormatError,
  input,
  type Node,
  restore,
  StateError,
  save,
  sum,
  tensor,
  training,
} from '../../src/index.js';
import { dense, imported, run } from './models.js';
import { graphProto, infoProto, nodeProto, tensorProto } from './support.js';

describe('importOnnx', () => {
  it('makes a module whose weights are frozen parameters with the names of the file', async () => {
    const model = await imported(dense);
    expect([...model.entries().keys()]).toEqual(['w', 'b']);
    expect(model.parameters.map(({ kind }) => kind)).toEqual(['parameter', 'parameter']);
    expect(model.frozen).toBe(true);
    expect(model.inputs).toEqual({ x: { shape: ['n', 2], dtype: 'float32' } });
    expect(model.outputs).toEqual({ y: { shape: ['n', 3], dtype: 'float32' } });
    const x = input('x', ['batch', 2]);
    const { y } = model.apply({ x }) as { y: Node };
    expect(run(y, { x: tensor([[1, 1]]) })).toEqual([[5, 7, 0]]);
  });

  it('builds the graph anew for each application, with the same variables', async () => {
    const model = await imported(dense);
    const one = model.apply({ x: tensor([[1, 0]]) }).y as Node;
    const two = model.apply({
      x: tensor([
        [0, 1],
        [1, 0],
      ]),
    }).y as Node;
    expect(run(one)).toEqual([[1, 2, 0]]);
    expect(run(two)).toEqual([
      [4, 5, 0],
      [1, 2, 0],
    ]);
  });

  it('trains what is unfrozen, and only that', async () => {
    const model = await imported(dense);
    model.unfreeze(/^w$/);
    const x = input('x', ['n', 2]);
    const loss = sum(model.apply({ x }).y as Node);
    const updates = adam(loss, model, { rate: 0.1 });
    const before = model.entries().get('b')?.value.toArray();
    compile({ outputs: { loss }, updates }).run({ x: tensor([[1, 1]]) });
    expect(model.entries().get('b')?.value.toArray()).toEqual(before);
    expect(model.entries().get('w')?.value.toArray()).not.toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
  });

  it('takes weights from Constant nodes and from the branches of If', async () => {
    const branch = (value: number) =>
      graphProto({
        node: [
          nodeProto('Constant', [], [`w${value}`], {
            value: tensorProto('', [2, 1], [value, value]),
          }),
          nodeProto('MatMul', ['x', `w${value}`], [`y${value}`]),
        ],
        output: [infoProto(`y${value}`, [])],
      });
    const graph = {
      node: [nodeProto('If', ['flag'], ['y'], { then_branch: branch(1), else_branch: branch(2) })],
      input: [infoProto('x', [1, 2]), infoProto('flag', [], 'bool')],
      output: [infoProto('y', [])],
    };
    const model = await imported(graph, { values: { flag: tensor(false) } });
    expect(Object.keys(model.inputs)).toEqual(['x']);
    expect([...model.entries().keys()]).toEqual(['w2']);
    expect(run(model.apply({ x: tensor([[1, 1]]) }).y as Node)).toEqual([[4]]);
    await expect(imported(graph)).rejects.toThrow(/If .* its condition is computed/);
    await expect(imported(graph)).rejects.toThrow(FormatError);
  });

  it('cuts the model at inner tensors, and needs only their inputs', async () => {
    const model = await imported(dense, { outputs: ['sum', 'product'] });
    const { sum: biased, product } = model.apply({ x: tensor([[1, 1]]) });
    expect(run(biased as Node)).toEqual([[5, 7, -91]]);
    expect(run(product as Node)).toEqual([[5, 7, 9]]);
    const narrow = await imported(dense, { outputs: ['product'] });
    expect([...narrow.entries().keys()]).toEqual(['w']);
  });

  it('lets two models live in one graph', async () => {
    const [a, b] = [await imported(dense), await imported(dense)];
    const x = input('x', ['n', 2]);
    const both = [a, b].map((model) => model.apply({ x }).y as Node);
    const total = compile({ outputs: { a: both[0] as Node, b: both[1] as Node } });
    const { a: first, b: second } = total.run({ x: tensor([[1, 1]]) });
    expect(first?.toArray()).toEqual(second?.toArray());
  });

  it('widens floats to float64', async () => {
    const model = await imported(dense, { dtype: 'float64' });
    expect(model.inputs.x?.dtype).toBe('float64');
    expect(model.entries().get('w')?.dtype).toBe('float64');
    expect(() => model.apply({ x: tensor([[1, 1]]) })).toThrow(DTypeError);
    const x = tensor([[1, 1]], { dtype: 'float64' });
    expect(run(model.apply({ x }).y as Node)).toEqual([[5, 7, 0]]);
  });

  it('gives dimensions numbers and names', async () => {
    const graph = {
      node: [
        nodeProto('Shape', ['x'], ['shape']),
        nodeProto('Gather', ['shape', 'zero'], ['first']),
        nodeProto('Unsqueeze', ['first', 'axes'], ['list']),
        nodeProto('Concat', ['list', 'minus'], ['target'], { axis: 0 }),
        nodeProto('Reshape', ['x', 'target'], ['y']),
      ],
      initializer: [
        tensorProto('zero', [], [0], 'int64'),
        tensorProto('axes', [1], [0], 'int64'),
        tensorProto('minus', [1], [-1], 'int64'),
      ],
      input: [infoProto('x', ['batch size', 2, ''])],
      output: [infoProto('y', [])],
    };
    const named = await imported(graph);
    expect(named.inputs.x?.shape).toEqual(['batch_size', 2, 'x_2']);
    expect(named.outputs.y?.shape).toEqual(['batch_size', '2*x_2']);
    const given = await imported(graph, { inputs: { x: ['n', 2, 4] } });
    expect(given.outputs.y?.shape).toEqual(['n', 8]);
    const x = tensor([
      [
        [1, 2],
        [3, 4],
      ],
    ]);
    expect(run(named.apply({ x }).y as Node)).toEqual([[1, 2, 3, 4]]);
    expect(() => given.apply({ x })).toThrow(/has shape \[n, 2, 4\], but received \[1, 2, 2\]/);
  });

  it('computes with int64 as int32, and refuses what does not fit where it is computed with', async () => {
    const graph = (limit: number) => ({
      node: [
        nodeProto('Slice', ['x', 'start', 'end'], ['tail']),
        nodeProto('Add', ['tail', 'more'], ['y']),
      ],
      initializer: [
        tensorProto('start', [1], [1], 'int64'),
        tensorProto('end', [1], [2 ** 62], 'int64'),
        tensorProto('more', [1], [limit], 'int64'),
      ],
      input: [infoProto('x', [3], 'int64')],
      output: [infoProto('y', [], 'int64')],
    });
    const model = await imported(graph(10));
    const x = tensor([1, 2, 3], { dtype: 'int32' });
    expect(run(model.apply({ x }).y as Node)).toEqual([12, 13]);
    await expect(imported(graph(2 ** 40))).rejects.toThrow(/is 1099511627776.*limit of int32/);
  });

  it('gives each batch normalisation variables of its own, with the statistics as states', async () => {
    const names = ['gamma', 'beta', 'beta', 'gamma'];
    const model = await imported({
      node: [
        nodeProto('BatchNormalization', ['x', ...names], ['h'], {}, { name: 'first' }),
        nodeProto('BatchNormalization', ['h', ...names], ['y'], {}, { name: 'second' }),
      ],
      initializer: [tensorProto('gamma', [2], [1, 1]), tensorProto('beta', [2], [0, 0])],
      input: [infoProto('x', ['n', 2])],
      output: [infoProto('y', [])],
    });
    expect(model.parameters).toHaveLength(4);
    expect(model.states).toHaveLength(4);
    expect(new Set([...model.entries().keys()]).size).toBe(8);
    const layer = new BatchNorm('layer', { features: 2 });
    const x = tensor([[1, 2]]);
    const expected = run(layer.apply(layer.apply(x)));
    const came = run(model.apply({ x }).y as Node) as number[][];
    (expected as number[][])[0]?.forEach((value, index) => {
      expect(came[0]?.[index]).toBeCloseTo(value, 6);
    });
  });

  it('keeps large constants of integers and bools for each application', async () => {
    const size = 200;
    const model = await imported({
      node: [
        nodeProto('Where', ['mask', 'x', 'low'], ['masked']),
        nodeProto('Gather', ['masked', 'order'], ['y'], { axis: 1 }),
      ],
      initializer: [
        tensorProto(
          'mask',
          [size, size],
          Array.from({ length: size * size }, (_, i) => Number(i % size <= i / size)),
          'bool',
        ),
        tensorProto(
          'order',
          [5000],
          Array.from({ length: 5000 }, (_, i) => i % size),
          'int64',
        ),
        tensorProto('low', [], [-1]),
      ],
      input: [infoProto('x', [size, size])],
      output: [infoProto('y', [])],
    });
    const x = input('x', [size, size]);
    const { y } = model.apply({ x }) as { y: Node };
    const result = evaluate(y, {
      x: tensor(new Float32Array(size * size).fill(7), { shape: [size, size] }),
    });
    expect([result.data[0], result.data[1], result.data[5000 + 1]]).toEqual([7, -1, 7]);
    expect(model.apply({ x }).y?.shape).toEqual([size, 5000]);
  });

  it('names an output that no row computes, of a branch that is chosen', async () => {
    const branch = graphProto({
      node: [nodeProto('MaxPool', ['x'], ['m', 'i'], { kernel_shape: [2, 2] })],
      output: [infoProto('i', [], 'int64')],
    });
    const importing = imported({
      node: [nodeProto('If', ['c'], ['y'], { then_branch: branch, else_branch: branch })],
      initializer: [tensorProto('c', [], [1], 'bool')],
      input: [infoProto('x', [1, 1, 2, 2])],
      output: [infoProto('y', [], 'int64')],
    });
    await expect(importing).rejects.toThrow(/MaxPool.*its output 1, 'i', is used/);
  });

  it('does not train as one what an exporter has stored once', async () => {
    const model = await imported({
      node: [
        nodeProto(
          'BatchNormalization',
          ['x', 'zeros', 'zeros', 'zeros', 'ones'],
          ['a'],
          {},
          { name: 'bn' },
        ),
        nodeProto('LayerNormalization', ['a', 'ones', 'zeros'], ['b'], {}, { name: 'ln' }),
        nodeProto('Gemm', ['b', 'w', 'zeros'], ['c'], {}, { name: 'one' }),
        nodeProto('Gemm', ['c', 'w', 'zeros'], ['y'], {}, { name: 'two' }),
      ],
      initializer: [
        tensorProto('zeros', [2], [0, 0]),
        tensorProto('ones', [2], [1, 1]),
        tensorProto('w', [2, 2], [1, 2, 3, 4]),
      ],
      input: [infoProto('x', ['n', 2])],
      output: [infoProto('y', [])],
    });
    // Scale and shift of both normalisations, one weight that two layers share, and two biases.
    expect(model.parameters).toHaveLength(7);
    expect(model.states).toHaveLength(2);
  });

  it('reads constants whose elements are in another file, and outputs that nobody needs', async () => {
    const value = { ...tensorProto('', [2], []), dataLocation: 1 };
    delete value.rawData;
    value.externalData = [{ key: 'location', value: 'c.data' }];
    const model = await imported(
      {
        node: [
          nodeProto('Constant', [], ['c'], { value }),
          nodeProto('Add', ['x', 'c'], ['s']),
          nodeProto('MaxPool', ['s3', ''], ['y', 'places'].slice(0, 2), { kernel_shape: [2] }),
          nodeProto('Unsqueeze', ['s', 'axes'], ['s3']),
        ].map((one) => ({ ...one, input: one.input.filter((name) => name !== '') })),
        initializer: [tensorProto('axes', [2], [0, 1], 'int64')],
        input: [infoProto('x', [2]), infoProto('text', [1])],
        output: [infoProto('y', []), infoProto('places', [], 'int64')],
      },
      {
        outputs: ['y'],
        externalData: { 'c.data': new Uint8Array(Float32Array.of(10, 20).buffer) },
      },
    );
    const { y } = model.apply({ x: tensor([1, 2]), text: tensor([0]) }) as { y: Node };
    expect(run(y)).toEqual([[[22]]]);
  });

  it('can be saved, restored and assigned by the names of the file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'forebay-onnx-'));
    try {
      const [a, b] = [await imported(dense), await imported(dense)];
      a.entries().get('b')?.set([1, 2, 3]);
      save(join(folder, 'a.safetensors'), a);
      restore(join(folder, 'a.safetensors'), b);
      expect(b.entries().get('b')?.value.toArray()).toEqual([1, 2, 3]);
      await assign(a, {
        w: tensor([
          [0, 0, 0],
          [0, 0, 0],
        ]),
        b: tensor([7, 7, 7]),
      });
      expect(run(a.apply({ x: tensor([[1, 1]]) }).y as Node)).toEqual([[7, 7, 7]]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('says that what was computed at the import cannot be trained', async () => {
    const model = await imported({
      node: [nodeProto('Resize', ['x', '', 'scales'], ['h']), nodeProto('Add', ['h', 'b'], ['y'])],
      initializer: [tensorProto('scales', [4], [1, 1, 2, 2]), tensorProto('b', [4], [1, 2, 3, 4])],
      input: [infoProto('x', [1, 1, 2, 2])],
      output: [infoProto('y', [])],
    });
    expect(() => model.unfreeze(/scales/)).toThrow(StateError);
    expect(() => model.unfreeze(/scales/)).toThrow(/'scales' .* computed at the import/);
    expect(() => model.unfreeze(/weight/)).toThrow(/matches none of its variables, b/);
    model.unfreeze(/b/);
    expect(model.frozen).toBe(false);
    model.freeze();
    expect(model.frozen).toBe(true);
  });

  it('drops elements in training where the file has Dropout', async () => {
    const model = await imported({
      node: [nodeProto('Dropout', ['x', 'rate'], ['y'])],
      initializer: [tensorProto('rate', [], [1])],
      input: [infoProto('x', [2])],
      output: [infoProto('y', [])],
    });
    const x = tensor([1, 2]);
    expect(run(model.apply({ x }).y as Node)).toEqual([1, 2]);
    expect(run(training(() => model.apply({ x })).y as Node)).toEqual([0, 0]);
  });

  it('lists all nodes that forebay does not support, before any other error', async () => {
    const graph = {
      node: [
        nodeProto('NonMaxSuppression', ['x'], ['a'], {}, { name: 'nms' }),
        nodeProto('Relu', ['a'], ['b']),
        nodeProto('Thing', ['b'], ['y'], {}, { domain: 'com.example', name: 'thing' }),
        nodeProto('Reshape', ['x', 'bad'], ['z']),
      ],
      initializer: [tensorProto('bad', [1], [7], 'int64')],
      input: [infoProto('x', [2])],
      output: [infoProto('z', []), infoProto('y', [])],
    };
    await expect(imported(graph)).rejects.toThrow(
      /does not support 2 nodes of the model: .*NonMaxSuppression 'nms'.*com\.example\.Thing 'thing': the model imports no operator set/,
    );
    await expect(imported(graph, { outputs: ['z'] })).rejects.toThrow(
      /Reshape with the output 'z': \[reshape .*\[2\]/,
    );
  });

  it('does not need the nodes on which no output depends, in any order', async () => {
    const model = await imported({
      node: [nodeProto('Thing', ['x'], ['unused']), ...(dense.node ?? [])].reverse(),
      initializer: dense.initializer ?? [],
      input: dense.input ?? [],
      output: dense.output ?? [],
    });
    expect(run(model.apply({ x: tensor([[1, 1]]) }).y as Node)).toEqual([[5, 7, 0]]);
  });

  it('lets other work of the process go on', async () => {
    const nodes = Array.from({ length: 3000 }, (_, i) =>
      nodeProto('Relu', [i === 0 ? 'x' : `h${i}`], [`h${i + 1}`]),
    );
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await imported({
      node: nodes,
      input: [infoProto('x', [2])],
      output: [infoProto('h3000', [])],
    });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
  });
});
