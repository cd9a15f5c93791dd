import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
  ShapeError,
  StateError,
  save,
  sum,
  tensor,
  training,
  ValueError,
} from '../../src/index.js';
import { type ImportOnnxOptions, importOnnx, type OnnxModule } from '../../src/onnx/index.js';
import type { GraphProto } from '../../src/onnx/messages.js';
import { graphProto, infoProto, modelBytes, nodeProto, tensorProto } from './support.js';

/** y = relu(x w + b), with x [n, 2] and w [2, 3]. */
const dense: Partial<GraphProto> = {
  node: [
    nodeProto('MatMul', ['x', 'w'], ['product'], {}, { name: 'MatMul_0' }),
    nodeProto('Add', ['product', 'b'], ['sum']),
    nodeProto('Relu', ['sum'], ['y']),
  ],
  initializer: [tensorProto('w', [2, 3], [1, 2, 3, 4, 5, 6]), tensorProto('b', [3], [0, 0, -100])],
  input: [infoProto('x', ['n', 2])],
  output: [infoProto('y', ['n', 3])],
};

let count = 0;
const imported = (
  graph: Partial<GraphProto>,
  options: Partial<ImportOnnxOptions> = {},
  more: Parameters<typeof modelBytes>[1] = {},
): Promise<OnnxModule> => importOnnx(modelBytes(graph, more), { name: `m${count++}`, ...options });

const run = (node: Node, feeds: Parameters<typeof evaluate>[1] = {}) =>
  evaluate(node, feeds).toArray();

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

  it('keeps apart the tensors of one name in functions and in branches', async () => {
    const scaling = (name: string, factor: number) => ({
      name,
      domain: 'mine',
      input: ['a'],
      output: ['b'],
      attribute: [],
      attributeProto: [],
      opsetImport: [{ domain: '', version: 18n }],
      node: [
        nodeProto('Constant', [], ['w'], { value: tensorProto('', [2], [factor, 10 * factor]) }),
        nodeProto('Mul', ['a', 'w'], ['b']),
      ],
    });
    const model = await imported(
      {
        node: [
          nodeProto('F', ['x'], ['f'], {}, { domain: 'mine' }),
          nodeProto('G', ['x'], ['g'], {}, { domain: 'mine' }),
          nodeProto('F', ['g'], ['h'], {}, { domain: 'mine' }),
          nodeProto('Sum', ['f', 'g', 'h'], ['y']),
        ],
        input: [infoProto('x', [2])],
        output: [infoProto('y', [])],
      },
      {},
      {
        opsetImport: [
          { domain: '', version: 18n },
          { domain: 'mine', version: 1n },
        ],
        functions: [scaling('F', 2), scaling('G', 3)],
      },
    );
    expect([...model.entries().keys()]).toEqual(['w', 'w.2']);
    expect(run(model.apply({ x: tensor([1, 1]) }).y as Node)).toEqual([2 + 3 + 6, 20 + 30 + 600]);
  });

  it('keeps apart the tensors that calls of one function give it', async () => {
    const model = await imported(
      {
        node: [
          nodeProto('F', ['x', 'one', 'two'], ['f'], {}, { domain: 'mine' }),
          nodeProto('F', ['f', 'three', 'four'], ['y'], {}, { domain: 'mine' }),
        ],
        initializer: [
          tensorProto('one', [2], [1, 1]),
          tensorProto('two', [2], [2, 2]),
          tensorProto('three', [2], [3, 3]),
          tensorProto('four', [2], [4, 4]),
        ],
        input: [infoProto('x', [1, 2])],
        output: [infoProto('y', [])],
      },
      {},
      {
        opsetImport: [
          { domain: '', version: 18n },
          { domain: 'mine', version: 1n },
        ],
        functions: [
          {
            name: 'F',
            domain: 'mine',
            input: ['a', 's', 'b'],
            output: ['n'],
            attribute: [],
            attributeProto: [],
            opsetImport: [{ domain: '', version: 18n }],
            node: [nodeProto('LayerNormalization', ['a', 's', 'b'], ['n'], { epsilon: 1e-12 })],
          },
        ],
      },
    );
    expect([...model.entries().keys()]).toEqual(['one', 'two', 'three', 'four']);
    // The row (-5, 5) is (-1, 1) when it is normalised, and so is (1, 3), which the first call makes of it.
    const y = model.apply({ x: tensor([[-5, 5]]) }).y as Node;
    const [first, second] = evaluate(y).data as Float32Array;
    expect(first).toBeCloseTo(1, 5);
    expect(second).toBeCloseTo(7, 5);
  });

  it.each([
    ['a function that is given a tensor that is sparse', 'Relu'],
    ['a function that returns one', 'Identity'],
  ])('names what is sparse, in %s', async (_, op) => {
    const importing = imported(
      {
        node: [
          nodeProto('F', ['s'], ['f'], {}, { domain: 'mine' }),
          nodeProto('Add', ['x', 'f'], ['y']),
        ],
        sparseInitializer: [{ values: tensorProto('s', [1], [1]), dims: [2n] }] as never,
        input: [infoProto('x', [2])],
        output: [infoProto('y', [])],
      },
      {},
      {
        opsetImport: [
          { domain: '', version: 18n },
          { domain: 'mine', version: 1n },
        ],
        functions: [
          {
            name: 'F',
            domain: 'mine',
            input: ['a'],
            output: ['b'],
            attribute: [],
            attributeProto: [],
            opsetImport: [{ domain: '', version: 18n }],
            node: [nodeProto(op, ['a'], ['b'])],
          },
        ],
      },
    );
    await expect(importing).rejects.toThrow(FormatError);
    await expect(importing).rejects.toThrow(/the tensor 's': it is sparse/);
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

  it('calls the functions of a model', async () => {
    const scaled = {
      name: 'Scaled',
      domain: 'mine',
      input: ['a'],
      output: ['b'],
      attribute: ['alpha'],
      attributeProto: [],
      opsetImport: [{ domain: '', version: 18n }],
      node: [
        nodeProto(
          'LeakyRelu',
          ['a'],
          ['b'],
          {},
          {
            attribute: [
              { name: 'alpha', refAttrName: 'alpha', type: 1, floats: [], ints: [], strings: [] },
            ],
          },
        ),
      ],
    };
    const model = await imported(
      {
        node: [nodeProto('Scaled', ['x'], ['y'], { alpha: 0.5 }, { domain: 'mine' })],
        input: [infoProto('x', [2])],
        output: [infoProto('y', [])],
      },
      {},
      {
        opsetImport: [
          { domain: '', version: 18n },
          { domain: 'mine', version: 1n },
        ],
        functions: [scaled],
      },
    );
    expect(run(model.apply({ x: tensor([-2, 2]) }).y as Node)).toEqual([-1, 2]);
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
  const name = () => `e${count++}`;

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

  it('ends for functions that call themselves or one another without end', async () => {
    const calling = (name: string, calls: readonly string[]) => ({
      name,
      domain: 'mine',
      input: ['a'],
      output: ['b'],
      attribute: [],
      attributeProto: [],
      opsetImport: [
        { domain: '', version: 18n },
        { domain: 'mine', version: 1n },
      ],
      node: calls.map((called, index) =>
        nodeProto(
          called,
          [index === 0 ? 'a' : `h${index}`],
          [index === calls.length - 1 ? 'b' : `h${index + 1}`],
          {},
          called === 'Relu' ? {} : { domain: 'mine' },
        ),
      ),
    });
    const graph = {
      node: [nodeProto('F0', ['x'], ['y'], {}, { domain: 'mine' })],
      input: [infoProto('x', [2])],
      output: [infoProto('y', [])],
    };
    const opsetImport = [
      { domain: '', version: 18n },
      { domain: 'mine', version: 1n },
    ];
    const itself = imported(graph, {}, { opsetImport, functions: [calling('F0', ['F0'])] });
    await expect(itself).rejects.toThrow(/functions call one another more than 64 deep/);
    const doubling = Array.from({ length: 40 }, (_, i) =>
      calling(`F${i}`, i === 39 ? ['Relu'] : [`F${i + 1}`, `F${i + 1}`]),
    );
    const many = imported(graph, {}, { opsetImport, functions: doubling });
    await expect(many).rejects.toThrow(/the graph has more than \d+ nodes/);
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
    const steps = {
      node: [nodeProto('RNN', ['x', 'w', 'r'], ['y'])],
      initializer: [tensorProto('w', [1, 1, 1], [1]), tensorProto('r', [1, 1, 1], [1])],
      input: [infoProto('x', [100_000, 1, 1])],
      output: [infoProto('y', [])],
    };
    await expect(imported(steps)).rejects.toThrow(/a sequence of 100000 time steps/);
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
