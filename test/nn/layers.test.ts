import { describe, expect, it } from 'vitest';
import { reachable } from '../../src/graph/topology.js';
import {
  add,
  backward,
  checkGradients,
  constant,
  DTypeError,
  evaluate,
  FeedForward,
  type ForebayError,
  GraphError,
  initializers,
  input,
  LSTM,
  mul,
  parameter,
  relu,
  ShapeError,
  square,
  sum,
  Tensor,
  tanh,
  tensor,
  ValueError,
  type Variable,
  VariationalAutoencoder,
  WaitList,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';

const float64 = { dtype: 'float64' } as const;

describe('FeedForward', () => {
  const layer = () => {
    const made = new FeedForward('hidden', { inputs: 3, units: 2, activation: tanh, ...float64 });
    made.weight.set(
      tensor(
        [
          [0.1, -0.2],
          [0.3, 0.4],
          [-0.5, 0.6],
        ],
        float64,
      ),
    );
    made.bias?.set(tensor([0.7, -0.8], float64));
    return made;
  };
  // Computes tanh(x W + b) in plain numbers.
  const wanted = ([a, b, c]: number[]) => [
    Math.tanh(0.1 * (a as number) + 0.3 * (b as number) - 0.5 * (c as number) + 0.7),
    Math.tanh(-0.2 * (a as number) + 0.4 * (b as number) + 0.6 * (c as number) - 0.8),
  ];

  it('has a weight [inputs, units] and a bias [units], named after the layer', () => {
    const { parameters } = layer();
    expect(parameters.map(({ name, shape, dtype, kind }) => [name, shape, dtype, kind])).toEqual([
      ['hidden.weight', [3, 2], 'float64', 'parameter'],
      ['hidden.bias', [2], 'float64', 'parameter'],
    ]);
    expect(new FeedForward('f', { inputs: 3, units: 2 }).weight.dtype).toBe('float32');
    expect([...(new FeedForward('f', { inputs: 3, units: 2 }).bias?.value.data ?? [1])]).toEqual([
      0, 0,
    ]);
  });

  it.each([[[]], [[4]], [['batch']], [[2, 'batch']], [[2, 1, 2]]])(
    'accepts any leading axes: %o',
    (lead: (number | string)[]) => {
      const x = input('x', [...lead, 3], float64);
      const y = layer().apply(x);
      expect(y.shape).toEqual([...lead, 2]);
      const bound = lead.map((dim) => (dim === 'batch' ? 4 : Number(dim)));
      const feed = randomTensor([...bound, 3], 1);
      const found = evaluate(y, { x: feed });
      expect(found.shape).toEqual([...bound, 2]);
      for (let row = 0; row < feed.size / 3; row++) {
        wanted([...feed.data.subarray(3 * row, 3 * row + 3)]).forEach((value, i) => {
          expect(found.data[2 * row + i]).toBeCloseTo(value, 14);
        });
      }
    },
  );

  it('has no activation by default, and accepts any function as the activation', () => {
    const plain = new FeedForward('p', { inputs: 1, units: 1, init: initializers.constant(-2) });
    expect(evaluate(plain.apply(tensor([[3]]))).toArray()).toEqual([[-6]]);
    const odd = new FeedForward('o', {
      inputs: 1,
      units: 1,
      init: initializers.constant(-2),
      activation: (x) => square(relu(mul(x, -1))),
    });
    expect(evaluate(odd.apply(tensor([[3]]))).toArray()).toEqual([[36]]);
  });

  it('shares its parameters if it is applied twice, and their gradients sum over both uses', () => {
    const shared = new FeedForward('shared', { inputs: 2, units: 2, seed: 1, ...float64 });
    const loss = sum(square(shared.apply(tanh(shared.apply(constant(randomTensor([3, 2], 1)))))));
    expect(reachable([loss]).filter((node) => node.op.name === 'parameter')).toHaveLength(2);
    expect(WaitList.of(loss).edges(shared.weight)).toHaveLength(2);
    checkGradients(loss, shared.parameters);
  });
});

describe('LSTM', () => {
  const lstm = () => new LSTM('lstm', { inputs: 2, units: 3, seed: 5, ...float64 });
  const start = () => ({
    hidden: parameter('h', randomTensor([4, 3], 1)),
    cell: parameter('c', randomTensor([4, 3], 2)),
  });

  /**
   * Computes one time step by the equations of the LSTM, in plain numbers. In every weight, the rows for x are before
   * the rows for h.
   */
  function stepByHand(layer: LSTM, x: number[], h: number[], c: number[]) {
    const z = [...x, ...h];
    const gate = (name: keyof LSTM['gates'], unit: number) => {
      const { weight, bias } = layer.gates[name];
      return z.reduce(
        (total, v, row) => total + v * (weight.value.data[row * 3 + unit] as number),
        bias.value.data[unit] as number,
      );
    };
    const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
    const cell = c.map(
      (old, u) =>
        sigmoid(gate('forget', u)) * old + sigmoid(gate('input', u)) * Math.tanh(gate('cell', u)),
    );
    return { cell, hidden: cell.map((v, u) => sigmoid(gate('output', u)) * Math.tanh(v)) };
  }

  it('has a weight and a bias for each gate, with dotted names', () => {
    expect(lstm().parameters.map(({ name, shape }) => [name, shape])).toEqual(
      ['forget', 'input', 'output', 'cell'].flatMap((gate) => [
        [`lstm.${gate}.weight`, [5, 3]],
        [`lstm.${gate}.bias`, [3]],
      ]),
    );
  });

  it('computes a step by the equations of the LSTM', () => {
    const layer = lstm();
    for (const [i, leaf] of layer.parameters.entries())
      leaf.set(randomTensor(leaf.value.shape, 50 + i));
    const { hidden: h, cell: c } = start();
    const x = randomTensor([4, 2], 3);
    const { hidden, cell } = evaluate({ ...layer.step(constant(x), { hidden: h, cell: c }) });
    const row = (t: Tensor, i: number, n: number) => [...t.data.subarray(i * n, i * n + n)];
    for (let i = 0; i < 4; i++) {
      const wanted = stepByHand(layer, row(x, i, 2), row(h.value, i, 3), row(c.value, i, 3));
      for (let u = 0; u < 3; u++) {
        expect(hidden.data[3 * i + u]).toBeCloseTo(wanted.hidden[u] as number, 14);
        expect(cell.data[3 * i + u]).toBeCloseTo(wanted.cell[u] as number, 14);
      }
    }
  });

  it('unrolls a tensor with the same bits as a list of its steps', () => {
    const layer = lstm();
    const xs = randomTensor([5, 4, 2], 3);
    const list = Array.from({ length: 5 }, (_, t) =>
      constant(new Tensor(xs.data.slice(8 * t, 8 * t + 8), [4, 2])),
    );
    const [whole, parts] = [layer.unroll(constant(xs)), layer.unroll(list)].map(
      ({ hidden, last }) => evaluate([hidden, last.hidden, last.cell]),
    );
    expect(parts).toEqual(whole);
    expect(whole?.map(({ shape }) => shape)).toEqual([
      [5, 4, 3],
      [4, 3],
      [4, 3],
    ]);
  });

  it('starts from zeros or from a given state, and returns the state of the last step', () => {
    const layer = lstm();
    const xs = input('xs', [3, 'batch', 2], float64);
    const feeds = { xs: randomTensor([3, 4, 2], 3) };
    const { hidden, last } = layer.unroll(xs);
    expect(hidden.shape).toEqual([3, 'batch', 3]);
    const out = evaluate({ hidden, end: last.hidden }, feeds);
    expect(out.end.data).toEqual(out.hidden.data.slice(24));
    const explicit = {
      hidden: constant(Tensor.zeros([4, 3], float64)),
      cell: constant(Tensor.zeros([4, 3], float64)),
    };
    const fixed = input('xs', [3, 4, 2], float64);
    expect(evaluate(layer.unroll(fixed, { initial: explicit }).hidden, feeds)).toEqual(out.hidden);
    const { hidden: h, cell: c } = start();
    const warm = evaluate(layer.unroll(fixed, { initial: { hidden: h, cell: c } }).hidden, feeds);
    const x0 = [...feeds.xs.data.subarray(0, 2)];
    const wanted = stepByHand(
      layer,
      x0,
      [...h.value.data.subarray(0, 3)],
      [...c.value.data.subarray(0, 3)],
    );
    expect(warm.data[0]).toBeCloseTo(wanted.hidden[0] as number, 14);
  });

  it('gives the same for three steps as for one step and two more from its last state', () => {
    const layer = lstm();
    const xs = randomTensor([3, 4, 2], 3);
    const part = (from: number, to: number) =>
      constant(new Tensor(xs.data.slice(8 * from, 8 * to), [to - from, 4, 2]));
    const { last } = layer.unroll(part(0, 1));
    const { hidden } = layer.unroll(part(1, 3), { initial: last });
    expect(evaluate(hidden).data).toEqual(evaluate(layer.unroll(part(0, 3)).hidden).data.slice(12));
  });

  it('has gradients through time equal to finite differences, also for the initial state', () => {
    const layer = lstm();
    const { hidden: h, cell: c } = start();
    const { hidden, last } = layer.unroll(constant(randomTensor([3, 4, 2], 3)), {
      initial: { hidden: h, cell: c },
    });
    checkGradients(add(sum(square(hidden)), sum(last.cell)), [...layer.parameters, h, c]);
  });
});

describe('layers refuse the following, and the error names the layer', () => {
  const x = (shape: (number | string)[], dtype: 'float32' | 'float64' = 'float32') =>
    input('x', shape, { dtype });
  const dense = new FeedForward('dense', { inputs: 3, units: 2 });
  const lstm = new LSTM('memory', { inputs: 2, units: 3 });
  const vae = new VariationalAutoencoder('vae', { inputs: 4, hidden: 3, latent: 2 });
  it.each<[string, () => unknown, new (m: string) => ForebayError, string]>([
    [
      'another number of inputs',
      () => dense.apply(x(['batch', 4])),
      ShapeError,
      "[matmul 'dense'] inner dimensions differ: [batch, 4] x [3, 2] (operands: [input 'x'], [parameter 'dense.weight'])",
    ],
    [
      'another dtype',
      () => dense.apply(x(['batch', 3], 'float64')),
      DTypeError,
      "[matmul 'dense'] operands have different dtypes: float64 and float32",
    ],
    [
      'a scalar',
      () => dense.apply(x([])),
      ShapeError,
      "[matmul 'dense'] both operands need at least 2 axes",
    ],
    [
      'undefined as the input',
      () => dense.apply(undefined as never),
      ValueError,
      "[dense 'dense'] expected a node, a tensor or a number",
    ],
    [
      'an LSTM step of another width',
      () => lstm.step(x([4, 5]), lstm.unroll(x([1, 4, 2])).last),
      ShapeError,
      "[matmul 'memory'] inner dimensions differ: [4, 8] x [5, 3]",
    ],
    [
      'a state of another batch',
      () => lstm.step(x([5, 2]), lstm.unroll(x([1, 4, 2])).last),
      ShapeError,
      "[concat 'memory'] shapes differ in more than axis 1: [5, 2] and [4, 3]",
    ],
    [
      'a sequence of rank 2',
      () => lstm.unroll(x([4, 2])),
      ShapeError,
      "LSTM 'memory': expected [steps, batch, 2], but received [input 'x'] of [4, 2]",
    ],
    [
      'a sequence of rank 2 with a named number of steps',
      () => lstm.unroll(x(['steps', 4])),
      ShapeError,
      "LSTM 'memory': expected [steps, batch, 2], but received [input 'x'] of [steps, 4]",
    ],
    [
      'a state in place of options',
      () => lstm.unroll(x([1, 4, 2]), lstm.unroll(x([1, 4, 2])).last as never),
      ValueError,
      "LSTM 'memory' unroll: expected options, but received a state; pass it as { initial: { hidden, cell } }",
    ],
    [
      'no steps',
      () => lstm.unroll([]),
      GraphError,
      "LSTM 'memory' unroll: expected a node [steps, batch, inputs], or a list of at least one node [batch, inputs], but received an array of 0",
    ],
    [
      'an inner layer of a model',
      () => vae.encode(x(['batch', 5])),
      ShapeError,
      "[matmul 'vae.encoder']",
    ],
    [
      'an inner layer of a model that applies its own methods',
      () => vae.loss(x(['batch', 5])),
      ShapeError,
      "[matmul 'vae.encoder']",
    ],
    [
      'an empty name',
      () => new LSTM('', { inputs: 1, units: 1 }),
      ValueError,
      'LSTM: expected a name or a scope, but received the string ""',
    ],
    [
      'no units',
      () => new LSTM('l', { inputs: 1, units: 0 }),
      ValueError,
      "LSTM 'l': units must be a positive integer, but is number 0",
    ],
    [
      'a number of inputs that is not an integer',
      () => new FeedForward('f', { inputs: 0.5, units: 1 }),
      ValueError,
      "FeedForward 'f': inputs must be a positive integer, but is number 0.5",
    ],
    [
      'missing sizes',
      () => new FeedForward('f', {} as never),
      ValueError,
      "FeedForward 'f': inputs must be a positive integer, but is undefined",
    ],
    [
      'an unknown dtype',
      () => new FeedForward('f', { inputs: 1, units: 1, dtype: 'f16' as never }),
      DTypeError,
      "FeedForward 'f': dtype must be one of",
    ],
    [
      'int32 weights',
      () => new FeedForward('f', { inputs: 1, units: 1, dtype: 'int32' }),
      DTypeError,
      'int32',
    ],
    [
      'a negative seed',
      () => new LSTM('l', { inputs: 1, units: 1, seed: -1 }),
      ValueError,
      "LSTM 'l': seed must be an integer",
    ],
    [
      'no latent units',
      () => new VariationalAutoencoder('v', { inputs: 2, hidden: 2, latent: 0 }),
      ValueError,
      "VariationalAutoencoder 'v': latent must be a positive integer",
    ],
  ])('%s', (_what, run, error, message) => {
    expect(errorOf(run)).toBeInstanceOf(error);
    expect(errorOf(run).message).toContain(message);
  });

  it('and the error of a later op does not name the layer', () => {
    expect(() => dense.apply(x([4]))).toThrow();
    expect(errorOf(() => add(x([2]), x([3]))).message).toMatch(/^\[add\] /);
    expect(backward(sum(dense.apply(x([3])))).of(dense.bias as Variable).shape).toEqual([2]);
  });
});
