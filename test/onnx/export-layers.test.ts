// Exports layers and other parts of models: which operators they become, and that an import computes the same. The graph
// of an imported file is exported as the same file.
import { describe, expect, it } from 'vitest';
import {
  add,
  attention,
  BatchNorm,
  backward,
  Conv1d,
  Conv2d,
  ConvTranspose2d,
  clamp,
  constant,
  cumsum,
  Dense,
  div,
  Embedding,
  GRU,
  GroupNorm,
  gelu,
  input,
  LayerNorm,
  LSTM,
  logSoftmax,
  Module,
  MultiHeadAttention,
  max,
  maxPool1d,
  min,
  mish,
  mul,
  type Node,
  pad,
  prod,
  RMSNorm,
  relu,
  reshape,
  SimpleRNN,
  sigmoid,
  softmax,
  split,
  stack,
  sum,
  Tensor,
  TransformerEncoderLayer,
  tanh,
  topK,
  transpose,
} from '../../src/index.js';
import type { DType } from '../../src/tensor/dtype.js';
import { randomTensor } from '../support.js';
import { bytesOf, difference, graphOf, imported, operatorsOf, structureOf } from './exported.js';

let made = 0;
const name = () => `exported.layer${made++}`;

/** Sets the variables of a module to random numbers; variances to positive ones. */
function drawn<M extends Module>(module: M): M {
  for (const [path, variable] of module.entries()) {
    const low = path.endsWith('variance') ? 0.5 : -0.7;
    const { data } = randomTensor(variable.shape as number[], made++, low, low + 1.2);
    variable.value.data.set(data);
  }
  return module;
}

interface Model {
  readonly name: string;
  /** The shape of the input x. */
  readonly shape: readonly (number | string)[];
  readonly build: (x: Node) => Node | Record<string, Node>;
  /** The operators, for some operator sets. */
  readonly operators: Readonly<Record<number, string>>;
  readonly dtype?: DType;
  /** The largest index, if x has indices. */
  readonly indices?: number;
}

const inputs = 4;
const models: readonly Model[] = [
  {
    name: 'Dense',
    shape: ['batch', 4],
    build: (x) => drawn(new Dense(name(), { inputs, units: 3, activation: relu })).apply(x),
    operators: { 18: 'Gemm Relu' },
  },
  {
    name: 'Dense on sequences, without a bias',
    shape: ['batch', 'steps', 4],
    build: (x) => drawn(new Dense(name(), { inputs, units: 3, bias: false })).apply(x),
    operators: { 18: 'MatMul' },
  },
  {
    name: 'Conv1d',
    shape: ['batch', 4, 'length'],
    build: (x) =>
      drawn(new Conv1d(name(), { inputs, filters: 6, size: 3, padding: 1, groups: 2 })).apply(x),
    operators: { 18: 'Conv' },
  },
  {
    name: 'Conv2d',
    shape: ['batch', 4, 7, 5],
    build: (x) =>
      drawn(
        new Conv2d(name(), {
          inputs,
          filters: 6,
          size: [3, 2],
          stride: [2, 1],
          dilation: 2,
          padding: 2,
        }),
      ).apply(x),
    operators: { 18: 'Conv' },
  },
  {
    name: 'ConvTranspose2d',
    shape: ['batch', 4, 5, 4],
    build: (x) =>
      drawn(
        new ConvTranspose2d(name(), {
          inputs,
          filters: 3,
          size: 3,
          stride: 2,
          padding: 1,
          outputPadding: 1,
        }),
      ).apply(x),
    operators: { 18: 'ConvTranspose' },
  },
  {
    name: 'pooling of sequences',
    shape: ['batch', 2, 9],
    build: (x) => maxPool1d(x, { size: 3, stride: 2, padding: 1, ceil: true }),
    operators: { 18: 'MaxPool' },
  },
  {
    name: 'BatchNorm of images',
    shape: ['batch', 4, 3, 2],
    build: (x) => drawn(new BatchNorm(name(), { features: 4 })).apply(x),
    operators: { 13: 'BatchNormalization', 18: 'BatchNormalization' },
  },
  {
    name: 'BatchNorm of rows',
    shape: ['batch', 4],
    build: (x) => drawn(new BatchNorm(name(), { features: 4, epsilon: 0.1 })).apply(x),
    operators: { 18: 'BatchNormalization' },
  },
  {
    name: 'LayerNorm',
    shape: ['batch', 'steps', 4],
    build: (x) => drawn(new LayerNorm(name(), { features: 4 })).apply(x),
    operators: {
      16: 'ReduceMean Sub Mul ReduceMean Add Sqrt Div Mul Mul Add',
      17: 'LayerNormalization',
    },
  },
  {
    name: 'RMSNorm',
    shape: ['batch', 4],
    build: (x) => drawn(new RMSNorm(name(), { features: 4 })).apply(x),
    operators: { 18: 'Mul ReduceMean Add Sqrt Div Mul Mul', 23: 'RMSNormalization' },
  },
  {
    name: 'GroupNorm',
    shape: ['batch', 6, 3, 2],
    build: (x) => drawn(new GroupNorm(name(), { features: 6, groups: 3 })).apply(x),
    operators: { 21: 'GroupNormalization' },
  },
  {
    name: 'Embedding',
    shape: ['batch', 'steps'],
    build: (x) => drawn(new Embedding(name(), { inputs: 5, units: 3 })).apply(x),
    operators: { 18: 'Gather' },
    dtype: 'int32',
    indices: 5,
  },
  {
    name: 'activations',
    shape: ['n'],
    build: (x) => ({
      a: gelu(x),
      b: mish(x),
      c: gelu(x, { approximate: 'tanh' }),
      d: clamp(x, { min: -0.5 }),
      e: logSoftmax(x),
    }),
    operators: { 20: 'Gelu Mish Gelu Clip LogSoftmax' },
  },
  {
    name: 'reductions',
    shape: ['n', 3, 4],
    build: (x) => ({
      a: sum(x, [0, 2]),
      b: max(x, 1, { keepDims: true }),
      c: min(x, 2),
      d: prod(x, 1),
      e: softmax(x, 1),
      f: cumsum(x, 0),
      g: topK(x, 2).values,
    }),
    operators: {
      18: 'ReduceSum ReduceMax ReduceMin Transpose ReduceProd Squeeze Softmax CumSum TopK',
      13: 'ReduceSum ReduceMax ReduceMin Transpose ReduceProd Squeeze Softmax CumSum TopK',
    },
  },
  {
    name: 'moved elements',
    shape: ['n', 4],
    build: (x) => {
      const [left, right] = split(x, 2, 1) as [Node, Node];
      const turned = transpose(stack([left, right], 0), [1, 0, 2]);
      return {
        a: reshape(turned, ['n', 4]),
        b: pad(
          x,
          [
            [2, 1],
            [0, 0],
          ],
          { value: 3 },
        ),
      };
    },
    operators: { 18: 'Slice Slice Unsqueeze Unsqueeze Concat Transpose Reshape Pad' },
  },
  {
    name: 'attention',
    shape: ['batch', 2, 'steps', 4],
    build: (x) => attention(x, mul(x, 2), x),
    operators: { 18: 'Mul Transpose MatMul Mul Softmax MatMul' },
  },
  {
    name: 'long attention, which the graph computes in blocks',
    shape: [1, 1024, 4],
    build: (x) => attention(x, x, tanh(x)),
    operators: { 18: 'Transpose MatMul Mul Softmax Tanh MatMul' },
  },
  {
    name: 'MultiHeadAttention',
    shape: ['batch', 'steps', 8],
    build: (x) =>
      drawn(new MultiHeadAttention(name(), { features: 8, heads: 2 })).apply(x, { causal: true }),
    operators: {},
  },
  {
    name: 'TransformerEncoderLayer',
    shape: ['batch', 'steps', 8],
    build: (x) =>
      drawn(
        new TransformerEncoderLayer(name(), { features: 8, heads: 2, hidden: 12, normFirst: true }),
      ).apply(x),
    operators: {},
  },
];

const sizes = { batch: 2, steps: 5, length: 7, n: 3 } as const;

/** Returns the value of the input of a model. */
function feedOf({ shape, dtype = 'float32', indices }: Model): Tensor {
  const lengths = shape.map((dim) => (typeof dim === 'number' ? dim : sizes[dim as 'n']));
  const { data } = randomTensor(lengths, 7, indices ? 0 : -1, indices ?? 1);
  const value = Tensor.zeros(lengths, { dtype });
  value.data.set(data.map((number) => (indices ? Math.floor(number) : number)));
  return value;
}

function outputsOf({ shape, dtype = 'float32', build }: Model): Record<string, Node> {
  const built = build(input('x', shape, { dtype }));
  return 'op' in built ? { y: built as Node } : (built as Record<string, Node>);
}

describe.each(models)('$name', (model) => {
  const outputs = outputsOf(model);

  it.each(Object.entries(model.operators))('operator set %s', (opset, operators) => {
    expect(operatorsOf({ outputs, opset: Number(opset) }).join(' ')).toBe(operators);
  });

  it('computes the same when it is imported', async () => {
    for (const opset of [13, 18, 23]) {
      const feeds = { x: feedOf(model) };
      expect(await difference(outputs, feeds, { opset, tolerance: 5e-6 })).toBeUndefined();
    }
  });

  it('is exported as the same file when it was imported', async () => {
    const opset = model.operators[20] === undefined ? 18 : 20;
    const first = graphOf({ outputs, opset });
    const second = graphOf({ outputs: await imported(bytesOf({ outputs, opset })), opset });
    expect(structureOf(second)).toEqual(structureOf(first));
  });
});

describe('float64', () => {
  it('is not normalised with an epsilon that is no float32', () => {
    const x = input('x', [2, 4], { dtype: 'float64' });
    const norm = (epsilon: number) =>
      new LayerNorm(name(), { features: 4, epsilon, dtype: 'float64' }).apply(x);
    expect(operatorsOf({ outputs: norm(0.25) })).toEqual(['LayerNormalization']);
    expect(operatorsOf({ outputs: norm(1e-5) })).not.toContain('LayerNormalization');
  });
});

/** The states that `unroll` returns, in a list. */
function statesOf(last: unknown): Node[] {
  if (typeof last === 'object' && last !== null && 'op' in last) return [last as Node];
  return Object.values(last as object).flatMap(statesOf);
}

describe.each([
  ['LSTM', LSTM, 'LSTM'],
  ['GRU', GRU, 'GRU'],
  ['SimpleRNN', SimpleRNN, 'RNN'],
] as const)('%s', (_name, Layer, operator) => {
  const x = input('x', [5, 'batch', 4]);
  const named = input('x', ['steps', 'batch', 4]);
  const feeds = { x: new Tensor(Float32Array.from(randomTensor([60], 5).data), [5, 3, 4]) };
  const made = (options: { layers?: number; bidirectional?: boolean; dtype?: 'float64' }) =>
    drawn(new Layer(name(), { inputs: 4, units: 3, ...options }) as LSTM<number, boolean>);
  const count = (outputs: Record<string, Node>) =>
    operatorsOf({ outputs }).filter((type) => type === operator).length;

  it('is one operator, with its hidden states and its last ones', async () => {
    const layer = made({});
    const { hidden, last } = layer.unroll(x);
    const states = statesOf(last);
    const outputs = { hidden, ...Object.fromEntries(states.map((s, i) => [`last${i}`, s])) };
    const { node, initializer } = graphOf({ outputs });
    expect(node.map(({ opType }) => opType)).toEqual([
      operator,
      'Squeeze',
      ...states.map(() => 'Squeeze'),
    ]);
    expect(initializer.slice(0, 3).map((tensor) => tensor.name)).toEqual(
      ['W', 'R', 'B'].map((key) => `${layer.name}.${key}`),
    );
    expect(await difference(outputs, feeds, { tolerance: 2e-6 })).toBeUndefined();
  });

  it.each([{ layers: 2 }, { bidirectional: true }, { layers: 3, bidirectional: true }])(
    'has one operator for each layer: %s',
    async (options) => {
      const { hidden, last } = made(options).unroll(x);
      const states = statesOf(last);
      const outputs = { hidden, ...Object.fromEntries(states.map((s, i) => [`last${i}`, s])) };
      expect(count(outputs)).toBe(options.layers ?? 1);
      expect(await difference(outputs, feeds, { tolerance: 2e-6 })).toBeUndefined();
    },
  );

  it('starts from initial states, and reads a list of time steps', async () => {
    const layer = made({ layers: 2, bidirectional: true });
    const first = reshape(sum(x, 0), ['batch', 4]);
    const weight = constant(new Tensor(Float32Array.from(randomTensor([3], 9).data), [3]));
    let times = 0;
    const state = () => {
      const node = mul(tanh(sum(mul(first, ++times), 1, { keepDims: true })), weight);
      return operator === 'LSTM' ? { hidden: node, cell: add(node, times) } : { hidden: node };
    };
    const both = () => ({ forward: state(), backward: state() });
    const initial = [both(), both()] as never;
    const steps = Array.from({ length: 5 }, (_, index) => sigmoid(mul(first, index)));
    const { hidden, last } = layer.unroll(steps, { initial });
    const outputs = { hidden, last: statesOf(last).at(-1) as Node };
    expect(count(outputs)).toBe(2);
    expect(await difference(outputs, feeds, { tolerance: 2e-6 })).toBeUndefined();
  });

  it('is one operator for a named number of steps', async () => {
    const { hidden, last } = made({ layers: 2, bidirectional: true }).unroll(named);
    const states = statesOf(last);
    const outputs = { hidden, ...Object.fromEntries(states.map((s, i) => [`last${i}`, s])) };
    expect(operatorsOf({ outputs })).not.toContain('Scan');
    expect(count(outputs)).toBe(2);
    expect(await difference(outputs, feeds, { tolerance: 2e-6 })).toBeUndefined();
  });

  it('is a loop for a gradient, which reads its inner values', async () => {
    const layer = made({});
    const { hidden } = layer.unroll(x);
    const gradient = backward(sum(hidden)).of(layer.parameters[0] as Node);
    expect(count({ hidden, gradient })).toBe(1);
    expect(operatorsOf({ outputs: { hidden, gradient } })).toContain('Scan');
    expect(await difference({ hidden, gradient }, feeds, { tolerance: 5e-6 })).toBeUndefined();
  });

  it('has no operator for no steps', async () => {
    const none = input('none', [0, 3, 4]);
    const { hidden, last } = made({}).unroll(none);
    const outputs = { hidden, last: statesOf(last)[0] as Node };
    expect(operatorsOf({ outputs })).not.toContain('Scan');
    expect(count(outputs)).toBe(0);
    expect(await difference(outputs, { none: Tensor.zeros([0, 3, 4]) })).toBeUndefined();
  });

  it('is a loop in float64, and if its rows have different lengths', () => {
    const lengths = input('lengths', ['batch'], { dtype: 'int32' });
    const { hidden } = made({}).unroll(x, { lengths });
    expect(operatorsOf({ outputs: { hidden } })).toContain('Scan');
    expect(count({ hidden })).toBe(0);
    const wide = input('x', [5, 'batch', 4], { dtype: 'float64' });
    const { hidden: other } = made({ dtype: 'float64' }).unroll(wide);
    expect(count({ other })).toBe(0);
    expect(operatorsOf({ outputs: { other } })).toContain('Scan');
  });
});

describe('a model of layers', () => {
  class Net extends Module {
    readonly convolution = new Conv2d(this.scope('convolution'), {
      inputs: 1,
      filters: 4,
      size: 3,
    });
    readonly norm = new BatchNorm(this.scope('norm'), { features: 4 });
    readonly output = new Dense(this.scope('output'), { inputs: 16, units: 2 });
    forward(x: Node) {
      const h = relu(this.norm.apply(this.convolution.apply(x)));
      return this.output.apply(reshape(h, [-1, 16]));
    }
  }

  it('has its variables as tensors of the file, by their names', () => {
    const net = drawn(new Net('exported.net'));
    const y = net.apply(div(input('images', ['batch', 1, 4, 4]), 255));
    const { node, initializer } = graphOf({ outputs: { y } });
    expect(node.map(({ opType }) => opType)).toEqual(
      'Div Conv BatchNormalization Relu Reshape Gemm'.split(' '),
    );
    const names = initializer.map((tensor) => tensor.name);
    for (const { name: variable } of net.entries().values()) expect(names).toContain(variable);
  });
});
