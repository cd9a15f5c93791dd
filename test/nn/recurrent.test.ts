import { describe, expect, expectTypeOf, it } from 'vitest';
import { reachable } from '../../src/graph/topology.js';
import {
  backward,
  compile,
  constant,
  type Directions,
  evaluate,
  type ForebayError,
  GRU,
  GraphError,
  type HiddenState,
  initializers,
  input,
  LSTM,
  type LSTMState,
  type Node,
  parameter,
  Recurrent,
  SimpleRNN,
  square,
  sum,
  Tensor,
  training,
  ValueError,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';
import { unrolled } from '../unrolled.js';

const float64 = { dtype: 'float64' } as const;
const xs = constant(randomTensor([3, 2, 1], 1));

describe('a recurrent layer of two layers', () => {
  it('gives the same by steps as by unroll, and continues from its last states', () => {
    const layer = new GRU('gru', { inputs: 1, units: 2, layers: 2, seed: 1, ...float64 });
    const list = [0, 1, 2].map((t) => constant(randomTensor([2, 1], t)));
    const whole = layer.unroll(list);
    let { last } = layer.unroll(list.slice(0, 1));
    for (const x of list.slice(1)) last = layer.step(x, last);
    const [steps, unrolled] = [last, whole.last].map((states) =>
      evaluate(states.map(({ hidden }) => hidden)),
    );
    expect(steps).toEqual(unrolled);
    const continued = layer.unroll(list.slice(1), { initial: layer.unroll(list.slice(0, 1)).last });
    expect(evaluate(continued.last.map(({ hidden }) => hidden))).toEqual(unrolled);
  });

  it('gives the states of its last layer as hidden', () => {
    const layer = new SimpleRNN('rnn', { inputs: 1, units: 2, layers: 2, seed: 1, ...float64 });
    const { hidden, last } = layer.unroll(xs);
    const found = evaluate({ hidden, end: (last[1] as HiddenState).hidden });
    expect(found.hidden.data.slice(8)).toEqual(found.end.data);
  });

  it('drops the hidden states between the layers in training only, with one draw', () => {
    const made = { inputs: 1, units: 100, layers: 2, init: initializers.constant(0.01), seed: 1 };
    const dropping = new SimpleRNN('rnn', { ...made, dropout: 0.5, ...float64 });
    const plain = new SimpleRNN('rnn', { ...made, ...float64 });
    const draws = (root: Node) =>
      reachable([root]).filter(({ op }) => op.name === 'randomUniform').length;
    const first = (node: Node) => compile({ outputs: { node } }).run({}).node;
    const outside = dropping.unroll(xs);
    expect(first(outside.hidden)).toEqual(first(plain.unroll(xs).hidden));
    const inside = training(() => dropping.unroll(xs));
    expect(draws(inside.hidden)).toBe(1);
    // The states of the first layer and of the last layer are not dropped themselves.
    const [below, above] = inside.last as readonly HiddenState[];
    expect(draws((below as HiddenState).hidden)).toBe(0);
    expect([...first((above as HiddenState).hidden).data]).not.toContain(0);
    // All units have the same weights. The last layer sums the 100 states of the first, of which half are doubled.
    const [dropped, whole] = [inside, outside].map(({ hidden }) => first(hidden).data[0] as number);
    expect(dropped).not.toBe(whole);
    expect(Math.abs((dropped as number) / (whole as number) - 1)).toBeLessThan(0.5);
    // Another application has another mask, and the same layer built again has the same masks.
    const again = training(() => dropping.unroll(xs));
    expect(first(again.hidden)).not.toEqual(first(inside.hidden));
    const rebuilt = new SimpleRNN('rnn', { ...made, dropout: 0.5, ...float64 });
    expect(first(training(() => rebuilt.unroll(xs)).hidden)).toEqual(first(inside.hidden));
  });
});

describe('a recurrent layer', () => {
  it('accepts named batches and no examples in two directions', () => {
    const layer = new LSTM('lstm', { inputs: 1, units: 2, bidirectional: true, ...float64 });
    const x = input('x', [3, 'batch', 1], float64);
    const { hidden } = layer.unroll(x);
    expect(hidden.shape).toEqual([3, 'batch', 4]);
    const program = compile({ outputs: { hidden } });
    expect(program.run({ x: randomTensor([3, 0, 1], 1) }).hidden.shape).toEqual([3, 0, 4]);
    expect(program.run({ x: [[[1]], [[2]], [[3]]] }).hidden.shape).toEqual([3, 1, 4]);
  });

  it.each([
    ['LSTM', LSTM],
    ['GRU', GRU],
    ['SimpleRNN', SimpleRNN],
  ] as const)('may have no steps: %s', (_name, Layer) => {
    const layer = new Layer('layer', { inputs: 1, units: 2, layers: 2, ...float64 }) as LSTM<2>;
    const state = (name: string) => {
      const node = parameter(name, randomTensor([3, 2], 4));
      return layer.gates.forget ? { hidden: node, cell: node } : { hidden: node };
    };
    const initial = [state('first'), state('second')] as readonly LSTMState[];
    const none = constant(Tensor.zeros([0, 3, 1], float64));
    const { hidden, last } = layer.unroll(none, { initial });
    const end = (last[1] as LSTMState).hidden;
    const start = (initial[1] as LSTMState).hidden;
    const outputs = {
      hidden,
      end,
      zeros: (layer.unroll(none).last[1] as LSTMState).hidden,
      gradient: backward(sum(end)).of(start),
      weight: backward(sum(end)).of(layer.parameters[0] as Node),
    };
    const found = evaluate(outputs);
    expect(found.hidden.shape).toEqual([0, 3, 2]);
    expect(found.end).toEqual(evaluate(start));
    expect(found.zeros.toArray()).toEqual(Array(3).fill([0, 0]));
    expect(found.gradient.toArray()).toEqual(Array(3).fill([1, 1]));
    expect(found.weight.data.every((value) => value === 0)).toBe(true);
    expect(compile({ outputs }).run({})).toEqual(found);
  });

  it.each([1, 2, 4])('gives the same as its steps in any number of steps: %i', (steps) => {
    for (const Layer of [LSTM, GRU, SimpleRNN]) {
      const layer = new Layer('layer', { inputs: 1, units: 2, seed: 3, ...float64 });
      const whole = constant(randomTensor([steps, 3, 1], 5));
      const [loop, byHand] = [layer.unroll(whole), unrolled(layer, whole)].map(
        ({ hidden, last }) => {
          const gradients = backward(sum(square(hidden)));
          return evaluate({
            hidden,
            last: last.hidden,
            ...Object.fromEntries(
              layer.parameters.map((leaf) => [leaf.name as string, gradients.of(leaf)]),
            ),
          });
        },
      );
      for (const [name, { data }] of Object.entries(byHand as Record<string, Tensor>)) {
        const own = (loop as Record<string, Tensor>)[name]?.data as ArrayLike<number>;
        data.forEach((value, i) => {
          expect(own[i], `${name} ${i}`).toBeCloseTo(value, 13);
        });
      }
    }
  });

  it('has states whose type follows the options', () => {
    const options = { inputs: 1, units: 2 };
    const lastOf = <T>(layer: { unroll(xs: Node): { last: T } }) =>
      layer.unroll(input('x', [1, 1, 1])).last;
    const one = new LSTM('lstm', options);
    expectTypeOf(lastOf(one)).toEqualTypeOf<LSTMState>();
    const anyLstm: LSTM = one;
    expect(lastOf(anyLstm)).toHaveProperty('cell');
    const two = new GRU('gru', { ...options, layers: 2 });
    expectTypeOf(lastOf(two)).toEqualTypeOf<readonly HiddenState[]>();
    expect(lastOf(two)).toHaveLength(2);
    const both = new GRU('gru', { ...options, bidirectional: true });
    expectTypeOf(lastOf(both)).toEqualTypeOf<Directions<HiddenState>>();
    expect(Object.keys(lastOf(both))).toEqual(['forward', 'backward']);
    const all = new LSTM('lstm', { ...options, layers: 2, bidirectional: true });
    expectTypeOf(lastOf(all)).toEqualTypeOf<readonly Directions<LSTMState>[]>();
  });

  const gru = new GRU('gru', { inputs: 1, units: 2, ...float64 });
  const stacked = new LSTM('stack', { inputs: 1, units: 2, layers: 2, ...float64 });
  const both = new GRU('both', { inputs: 1, units: 2, bidirectional: true, ...float64 });
  const hidden = constant(randomTensor([2, 2], 1));
  const x = constant(randomTensor([2, 1], 1));
  it.each<[string, () => unknown, new (m: string) => ForebayError, string]>([
    [
      'a state of another kind',
      () => gru.step(x, { cell: hidden } as never),
      ValueError,
      "GRU 'gru' step: there is no option 'cell'; did you mean 'hidden'?",
    ],
    ['no state', () => gru.step(x, undefined as never), ValueError, 'expected a state { hidden }'],
    [
      'one state for two layers',
      () => stacked.unroll(xs, { initial: { hidden, cell: hidden } as never }),
      ValueError,
      "LSTM 'stack' unroll: expected a state [{ hidden, cell }, ..] of 2 layers, but received",
    ],
    [
      'three states for two layers',
      () => stacked.unroll(xs, { initial: Array(3).fill({ hidden, cell: hidden }) }),
      ValueError,
      '[{ hidden, cell }, ..] of 2 layers, but received an array of 3',
    ],
    [
      'one state for two directions',
      () => both.unroll(xs, { initial: { hidden } as never }),
      ValueError,
      "GRU 'both' unroll: there is no option 'hidden'; did you mean 'forward'?",
    ],
    [
      'a step in two directions',
      () => both.step(x, { forward: { hidden }, backward: { hidden } }),
      GraphError,
      'so it has no single steps; call unroll',
    ],
    [
      'an unknown option of unroll',
      () => gru.unroll(xs, { initial: { hidden }, length: 3 } as never),
      ValueError,
      "GRU 'gru' unroll: there is no option 'length'",
    ],
    [
      'a rate above 1',
      () => new LSTM('l', { inputs: 1, units: 1, dropout: 1.5 }),
      ValueError,
      "LSTM 'l': dropout must be a number from 0 to 1, but is number 1.5",
    ],
    [
      'no layers',
      () => new LSTM('l', { inputs: 1, units: 1, layers: 0 }),
      ValueError,
      "LSTM 'l': layers must be a positive integer",
    ],
    [
      'instances of the base class',
      () => new (Recurrent as unknown as typeof LSTM)('r', { inputs: 1, units: 1 }),
      GraphError,
      'Recurrent: this class has no instances of its own',
    ],
  ])('refuses %s', (_what, run, error, message) => {
    expect(errorOf(run).message).toContain(message);
    expect(errorOf(run)).toBeInstanceOf(error);
  });
});
