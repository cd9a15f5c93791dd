// What exportOnnx puts into a file: names, types, dimensions, operators; and what it refuses.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  add,
  argmax,
  avgPool2d,
  broadcastTo,
  cast,
  constant,
  cumprod,
  defineOp,
  div,
  equal,
  flip,
  gather,
  input,
  matmul,
  maxPool2d,
  mean,
  mul,
  type Node,
  notDifferentiable,
  parameter,
  randomNormal,
  relu,
  reshape,
  sideUpdate,
  slice,
  sortWithIndices,
  state,
  stopGradient,
  sum,
  Tensor,
  tensor,
  topK,
  training,
  transpose,
  where,
} from '../../src/index.js';
import { type ExportOnnxOptions, exportOnnx, modelOf } from '../../src/onnx/export.js';
import { model } from '../../src/onnx/messages.js';
import { encode } from '../../src/onnx/protobuf.js';
import { normalized } from '../../src/ops/normalization.js';
import { randomTensor } from '../support.js';
import { bytesOf, difference, graphOf, imported, operatorsOf } from './exported.js';

const golden = (name: string) =>
  readFileSync(fileURLToPath(new URL(`golden/${name}.onnx`, import.meta.url)));

/** The bytes of a file without the version of forebay, which changes. */
const unversioned = (options: ExportOnnxOptions) =>
  Buffer.from(encode(model, { ...modelOf(options), producerVersion: undefined }));

/** The dimensions of inputs and outputs, as a file has them. */
const shapesOf = (infos: ReturnType<typeof graphOf>['input']) =>
  Object.fromEntries(
    infos.map(({ name, type }) => [
      name,
      type?.tensorType?.shape?.dim.map(({ dimValue, dimParam }) => dimParam ?? Number(dimValue)),
    ]),
  );

const typesOf = (infos: ReturnType<typeof graphOf>['input']) =>
  Object.fromEntries(infos.map(({ name, type }) => [name, type?.tensorType?.elemType]));

describe('bytes', () => {
  it('are those that the Python package writes: a dense layer', () => {
    const x = input('x', ['batch', 2]);
    const weight = parameter('net.weight', [
      [1, 2, 3],
      [-1, 0.5, 0],
    ]);
    const bias = parameter('net.bias', [0.5, 0, -1]);
    const y = relu(add(matmul(x, weight), bias));
    const options = {
      outputs: { hidden: y, class: argmax(y, 1) },
      metadata: { 'made by': 'a test' },
    };
    expect(unversioned(options).toString('hex')).toBe(golden('dense').toString('hex'));
  });

  it('are those that the Python package writes: indices, float64 and an attribute of float', () => {
    const tokens = input('tokens', [2, 'steps'], { dtype: 'int32' });
    const table = parameter(
      'table',
      tensor(
        [
          [1, 2],
          [3, 5],
          [0, -1],
        ],
        { dtype: 'float64' },
      ),
    );
    const scale = parameter('scale', tensor([1, 2], { dtype: 'float64' }));
    const how = { axes: [2], epsilon: 0.25, centered: true };
    const y = normalized(gather(table, tokens), scale, how);
    expect(unversioned({ outputs: { y }, opset: 21 }).toString('hex')).toBe(
      golden('gather').toString('hex'),
    );
  });

  it('do not depend on how many nodes were made before', () => {
    const make = () => {
      const x = input('x', ['n', 2]);
      return bytesOf({ outputs: mul(div(x, 2), constant(tensor([1, 3]))) });
    };
    expect(make()).toEqual(make());
  });
});

describe('names', () => {
  it('are those of leaves, outputs and labels', () => {
    const x = input('x', [2, 3]);
    const w = parameter('net.w', Tensor.ones([3]));
    const carried = state('net.s', Tensor.ones([3]));
    const inner = mul(x, w).named('scaled');
    const {
      node,
      initializer,
      input: inputs,
      output,
    } = graphOf({
      outputs: { y: relu(mul(inner, carried)), z: inner },
    });
    expect(inputs.map(({ name }) => name)).toEqual(['x']);
    expect(output.map(({ name }) => name)).toEqual(['y', 'z']);
    expect(initializer.map(({ name }) => name)).toEqual(['net.w', 'net.s']);
    expect(node.map(({ output: results }) => results[0])).toEqual(['z', 'Mul_1', 'y']);
    const labelled = graphOf({ outputs: { y: relu(inner) } });
    expect(labelled.node.map(({ output: results }) => results[0])).toEqual(['scaled', 'y']);
  });

  it('of nodes are unique, also beside leaves with such names', () => {
    const [x, w] = [input('Mul_0', [2]), parameter('Relu_0', Tensor.ones([2]))];
    const { node } = graphOf({ outputs: { y: relu(mul(mul(x, w), w)) } });
    const values = [...node.flatMap(({ output }) => output), 'Mul_0', 'Relu_0'];
    expect(new Set(values).size).toBe(values.length);
    expect(new Set(node.map(({ name }) => name)).size).toBe(node.length);
  });

  it('of inputs can be given, also for two inputs of one name', async () => {
    const [a, b] = [input('x', [2]), input('x', [2])];
    const { input: inputs } = graphOf({ inputs: { left: a, right: b }, outputs: { y: div(a, b) } });
    expect(inputs.map(({ name }) => name)).toEqual(['left', 'right']);
  });

  it('a node is the output named output, and an input that nothing reads stays', () => {
    const [x, unused] = [input('x', [2]), input('unused', ['n'])];
    const { input: inputs, output } = graphOf({ inputs: { x, unused }, outputs: relu(x) });
    expect(inputs.map(({ name }) => name)).toEqual(['x', 'unused']);
    expect(output.map(({ name }) => name)).toEqual(['output']);
  });

  it('leaves, several outputs of one value, and outputs without nodes', async () => {
    const [x, w] = [input('x', [2]), parameter('w', [3, 4])];
    const y = relu(x);
    const outputs = {
      x,
      w,
      again: x,
      copy: w,
      y,
      z: y,
      stopped: stopGradient(y),
      five: constant(5),
    };
    const feeds = { x: new Tensor(Float32Array.of(-1, 2), [2]) };
    expect(await difference(outputs, feeds)).toBeUndefined();
    expect(graphOf({ outputs }).output.map(({ name }) => name)).toEqual(Object.keys(outputs));
  });

  it('a leaf that several nodes read is one tensor', () => {
    const [x, w] = [input('x', [2, 2]), parameter('w', Tensor.ones([2, 2]))];
    const { initializer } = graphOf({ outputs: { y: matmul(matmul(x, w), w), z: mul(w, 2) } });
    expect(initializer.map(({ name, dims }) => [name, dims.length])).toEqual([
      ['w', 2],
      ['constant_0', 0],
    ]);
  });
});

describe('types', () => {
  it('int32 is int64, and other dtypes stay', async () => {
    const tokens = input('tokens', [3], { dtype: 'int32' });
    const bytes = input('bytes', [3], { dtype: 'uint8' });
    const mask = input('mask', [3], { dtype: 'bool' });
    const wide = input('wide', [3], { dtype: 'float64' });
    const outputs = {
      taken: gather(constant(tensor(Int32Array.of(7, -8, 9))), tokens),
      same: equal(bytes, cast(tokens, 'uint8')),
      chosen: where(mask, wide, 0),
      count: cast(wide, 'int32'),
      top: topK(wide, 2).indices,
    };
    const { input: inputs, output, initializer } = graphOf({ outputs });
    expect(typesOf(inputs)).toEqual({ tokens: 7, bytes: 2, mask: 9, wide: 11 });
    expect(typesOf(output)).toEqual({ taken: 7, same: 9, chosen: 11, count: 7, top: 7 });
    expect(initializer[0]).toMatchObject({ dataType: 7, dims: [3n] });
    const feeds = {
      tokens: tensor(Int32Array.of(2, 0, -1)),
      bytes: tensor(Uint8Array.of(2, 1, 0)),
      mask: tensor([true, false, true]),
      wide: tensor(Float64Array.of(1.5, Number.NaN, -1e300)),
    };
    expect(await difference(outputs, feeds)).toBeUndefined();
  });

  it('bools are written as 0 and 1', () => {
    const flags = tensor([true, false], { dtype: 'bool' });
    const leaf = state('flags', flags);
    leaf.value.data[0] = 7;
    const { initializer } = graphOf({ outputs: { y: leaf } });
    expect([...(initializer[0]?.rawData ?? [])]).toEqual([1, 0]);
  });
});

describe('dimensions', () => {
  const x = input('x', ['batch', 'steps', 6]);

  it('keep their names', async () => {
    const outputs = { y: reshape(x, ['batch*steps', 6]), z: slice(x, { axis: 1, start: 1 }) };
    const { input: inputs, output } = graphOf({ outputs });
    expect(shapesOf(inputs)).toEqual({ x: ['batch', 'steps', 6] });
    expect(shapesOf(output)).toEqual({ y: ['batch*steps', 6], z: ['batch', 'steps - 1', 6] });
    const again = await imported(bytesOf({ outputs }));
    expect(again.y?.shape).toEqual(['batch*steps', 6]);
    expect(again.z?.shape).toEqual(['batch', 'steps - 1', 6]);
  });

  it('need no shapes where a number says enough', () => {
    const operators = operatorsOf({
      outputs: {
        a: reshape(x, ['batch', 'steps', 2, 3]),
        b: reshape(x, ['batch*steps', 6]),
        c: reshape(x, ['batch', 1, 'steps', 6]),
        d: slice(x, { axis: 1, start: -2 }),
        e: slice(x, { axis: 1, end: -1 }),
        f: flip(x, 1),
        g: broadcastTo(slice(x, { axis: 2, end: 1 }), ['batch', 'steps', 4]),
        h: mean(x, 1, { keepDims: true }),
      },
    });
    expect(operators).toEqual(
      'Reshape Reshape Unsqueeze Slice Slice Slice Slice Expand ReduceMean'.split(' '),
    );
  });

  it('are computed where they are needed, and each once', () => {
    const operators = operatorsOf({
      outputs: {
        a: reshape(x, ['steps', 'batch', 6]),
        b: reshape(x, ['steps', '2*batch', 3]),
        c: broadcastTo(constant(1), ['batch', 'steps']),
      },
    });
    expect(operators.filter((type) => type === 'Shape')).toHaveLength(2);
  });

  const outputs = {
    a: reshape(x, ['steps', 'batch', 6]),
    b: reshape(x, ['steps', '2*batch', 3]),
    c: broadcastTo(sum(x, 2), ['batch', 'batch', 'steps']),
    d: slice(x, { axis: 1, start: 1, end: 'steps - 1' }),
    e: slice(x, { axis: 1, start: -1, step: -1 }),
    f: mean(x, [0, 1]),
    g: transpose(flip(x, [0, 2])),
    h: topK(x, 2, 1).values,
    i: sortWithIndices(x, 2).indices,
  };
  it.each([
    [2, 3],
    [1, 2],
    [4, 2],
  ])('any lengths give the results of the graph: %d, %d', async (batch, steps) => {
    const { data } = randomTensor([batch * steps * 6], 1);
    const feeds = { x: new Tensor(Float32Array.from(data), [batch, steps, 6]) };
    for (const opset of [13, 18]) {
      expect(await difference(outputs, feeds, { opset, tolerance: 1e-6 })).toBeUndefined();
    }
  });

  it('may be named in a node without elements', async () => {
    const none = input('x', ['n', 0]);
    const outputs = { y: broadcastTo(none, [2, 'n', 0]), z: reshape(none, [0, 2, 'n']) };
    expect(await difference(outputs, { x: Tensor.zeros([3, 0]) })).toBeUndefined();
    expect(operatorsOf({ outputs })).toEqual(['Expand', 'Shape', 'Concat', 'Reshape']);
    expect(operatorsOf({ outputs: sortWithIndices(input('y', [2, 0])).values })).toEqual([
      'Identity',
    ]);
  });

  it('along which products run make a Scan, whose body multiplies', () => {
    const { node } = graphOf({ outputs: cumprod(x, 1) });
    const scan = node.at(-1);
    expect(scan?.opType).toBe('Scan');
    const body = scan?.attribute.find(({ name }) => name === 'body')?.g;
    expect(body?.node.map(({ opType }) => opType)).toEqual(['Mul', 'Identity']);
    expect(shapesOf(body?.input ?? [])).toEqual({
      state_0: ['batch', 6],
      row_0: ['batch', 6],
    });
    expect(operatorsOf({ outputs: cumprod(input('y', [3, 2]), 0) })).toEqual(
      'Split Mul Mul Concat'.split(' '),
    );
  });

  it('a name that no input of the file has is refused, and an unused input can give it', () => {
    const options = { outputs: { y: broadcastTo(constant(1), ['n']) } };
    expect(() => modelOf(options)).toThrow(
      /no input of the file has the dimension 'n'.*option inputs/,
    );
    const { input: inputs } = graphOf({ ...options, inputs: { other: input('other', ['n']) } });
    expect(inputs).toHaveLength(1);
  });
});

describe('windows', () => {
  const attributesOf = (y: Node) =>
    Object.fromEntries(
      graphOf({ outputs: y, opset: 19 }).node.flatMap(({ attribute }) =>
        attribute.map(({ name, i, ints }) => [name, i ?? ints]),
      ),
    );

  it('are counted up only if none begins after an axis', () => {
    // Of 3 windows along 5 elements, the last one begins in the padding, and is left out.
    const left = maxPool2d(input('x', [1, 1, 5, 4]), { size: 2, padding: 1, ceil: true });
    expect(left.shape).toEqual([1, 1, 3, 3]);
    expect(attributesOf(left)).toMatchObject({ ceil_mode: 0n, pads: [1n, 1n, 1n, 1n] });
    const up = maxPool2d(input('x', [1, 1, 6, 6]), { size: 3, padding: 1, ceil: true });
    expect(attributesOf(up)).toMatchObject({ ceil_mode: 1n, pads: [1n, 1n, 1n, 1n] });
    const mixed = maxPool2d(input('x', [1, 1, 5, 6]), { size: 3, padding: 1, ceil: true });
    expect(attributesOf(mixed)).toMatchObject({ ceil_mode: 0n, pads: [1n, 1n, 1n, 2n] });
  });

  it('give the results of the graph', async () => {
    const images = input('x', ['batch', 2, 5, 6]);
    const { data } = randomTensor([120], 8);
    const feeds = { x: new Tensor(Float32Array.from(data), [2, 2, 5, 6]) };
    for (const countPadding of [true, false]) {
      for (const padding of [0, 1]) {
        const how = { size: 3, padding, ceil: true } as const;
        const outputs = {
          max: maxPool2d(images, how),
          mean: avgPool2d(images, { ...how, countPadding }),
          whole: maxPool2d(cast(images, 'int32'), how),
        };
        expect(await difference(outputs, feeds, { tolerance: 1e-6 })).toBeUndefined();
      }
    }
  });

  it('of means with a dilation need operator set 19', () => {
    const mean = avgPool2d(input('x', [1, 1, 5, 5]), { size: 2, dilation: 2 });
    expect(attributesOf(mean)).toMatchObject({ dilations: [2n, 2n] });
    expect(() => modelOf({ outputs: mean })).toThrow(/a dilation needs operator set 19/);
  });
});

describe('versions and metadata', () => {
  it.each([
    [13, 7],
    [15, 8],
    [18, 8],
    [19, 9],
    [21, 10],
    [23, 11],
  ])('operator set %d has the format %d', (opset, format) => {
    const made = modelOf({ outputs: input('x', [2]), opset });
    expect(made.opsetImport).toEqual([{ domain: '', version: BigInt(opset) }]);
    expect(made.irVersion).toBe(BigInt(format));
    expect(made.producerName).toBe('forebay');
  });

  it('the default is operator set 18', () => {
    expect(modelOf({ outputs: input('x', [2]) }).opsetImport[0]?.version).toBe(18n);
  });

  it.each([12, 24, 18.5, Number.NaN, '18', null, 'toString'])('%s is refused', (opset) => {
    expect(() => modelOf({ outputs: input('x', [2]), opset: opset as number })).toThrow(
      /^exportOnnx: opset must be an operator set from 13 to 23/,
    );
  });

  it('metadata is kept', () => {
    const { metadataProps } = modelOf({ outputs: input('x', [2]), metadata: { a: 'b', c: '' } });
    expect(metadataProps).toEqual([
      { key: 'a', value: 'b' },
      { key: 'c', value: '' },
    ]);
  });
});

describe('refusals', () => {
  const x = input('x', [2, 2]);
  const refused = (options: unknown) => () => modelOf(options as ExportOnnxOptions);

  it.each([
    [undefined, /^exportOnnx/],
    [{}, /^exportOnnx: outputs must be a node/],
    [{ outputs: {} }, /^exportOnnx: .* the record is empty/],
    [{ outputs: { y: 1 } }, /^exportOnnx: output 'y': expected a node, but received number 1/],
    [{ outputs: { '': x } }, /^exportOnnx: expected a name for an output/],
    [{ outputs: { '\ud800': x } }, /^exportOnnx: expected a name for an output/],
    [{ outputs: [x] }, /^exportOnnx: expected outputs as a node/],
    [{ outputs: x, opsets: 18 }, /^exportOnnx: .*opsets.*opset/],
    [{ outputs: x, inputs: { x: relu(x) } }, /^exportOnnx: input 'x': expected an input/],
    [{ outputs: x, inputs: { a: x, b: x } }, /is given twice, as 'a' and as 'b'/],
    [
      { outputs: relu(x), inputs: {} },
      /depend on \[input 'x'\], which is missing in the option inputs/,
    ],
    [{ outputs: x, metadata: { a: 1 } }, /^exportOnnx: expected metadata as a record of strings/],
    [{ outputs: x, metadata: 'a' }, /^exportOnnx: expected metadata/],
    [
      { outputs: { x: relu(x) } },
      /^exportOnnx: \[input 'x'\] and the output 'x' would both be named 'x'/,
    ],
    [
      { outputs: mul(parameter('x', Tensor.ones([2])), x) },
      /^exportOnnx: \[input 'x'\] and \[parameter 'x'\] would both be named 'x'/,
    ],
    [
      { outputs: mul(x, randomNormal([2]).named('noise')) },
      /^exportOnnx: \[randomNormal 'noise'\] cannot be exported: it draws random numbers/,
    ],
  ])('%s', (options, message) => {
    expect(refused(options)).toThrow(message);
  });

  it('a node with several results', () => {
    const several = sortWithIndices(x).values.inputs[0];
    expect(refused({ outputs: { y: several } })).toThrow(/has several results/);
  });

  it('a batch normalisation in training, which names the layer', () => {
    const made = sideUpdate(x, state('count', 0), (old) => old);
    expect(operatorsOf({ outputs: { y: relu(made) } })).toEqual(['Relu']);
    expect(training(() => relu(made))).toBeDefined();
  });

  it('an op of a user, unless it is composed', () => {
    const shared = {
      arity: 1,
      dtype: ([one]: readonly Node[]) => (one as Node).dtype,
      shape: ([one]: readonly Node[]) => (one as Node).shape,
      gradient: notDifferentiable('it is a test'),
      samples: [],
      refused: [],
    };
    const copied = defineOp({ ...shared, name: 'exportedCopy', lowering: { kind: 'alias' } });
    expect(refused({ outputs: copied(x) })).toThrow(
      /\[exportedCopy #\d+\] cannot be exported: .*lowering of kind compose, but .* is alias/,
    );
    const twice = defineOp({
      ...shared,
      name: 'exportedTwice',
      lowering: { kind: 'compose', expand: ([one]) => mul(one as Node, 2) },
    });
    expect(operatorsOf({ outputs: twice(x) })).toEqual(['Mul']);
  });

  it('the indices of a pooling', () => {
    const pooled = maxPool2d(input('images', [1, 1, 4, 4]), { size: 2 });
    expect(operatorsOf({ outputs: pooled })).toEqual(['MaxPool']);
    expect(refused({ outputs: pooled.inputs[1] })).toThrow(/\[maxPool #\d+\].*cannot be exported/);
  });

  it('a path that is none, before anything is built', async () => {
    await expect(exportOnnx('', { outputs: x })).rejects.toThrow(/^exportOnnx: expected the path/);
  });
});
