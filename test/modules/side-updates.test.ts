import { describe, expect, it } from 'vitest';
import {
  adam,
  add,
  backward,
  compile,
  Dense,
  evaluate,
  GraphError,
  input,
  mean,
  mul,
  type Node,
  parameter,
  relu,
  sgd,
  sideUpdate,
  sideUpdates,
  square,
  state,
  tensor,
  type Updates,
  type Variable,
} from '../../src/index.js';
import * as train from '../../src/train/fit.js';
import { errorOf, randomTensor } from '../support.js';

const x = input('x', [2, 2]);
const feeds = {
  x: tensor([
    [1, 2],
    [3, 6],
  ]),
};

/** Moves a state half of the way to the mean of a node. */
const tracked = (node: Node, running: Variable) =>
  sideUpdate(node, running, (old) => add(mul(old, 0.5), mul(mean(node), 0.5)));

/** Two losses that carry one and two side updates of one state. The means are 3 and 6. */
function model() {
  const running = state('running', 0);
  const [weight, gain] = [parameter('weight', 1), parameter('gain', 2)];
  const first = tracked(mul(x, weight), running);
  const second = tracked(mul(first, gain), running);
  return { one: mean(first), loss: mean(square(second)), running, weight, gain };
}
const nextOf = (running: number) => (running / 2 + 1.5) / 2 + 3;

type Optimizer = (loss: Node, parameters: Variable[]) => Updates;
const still: Optimizer = (loss, parameters) => sgd(loss, parameters, { rate: 0 });

describe('side updates of one state', () => {
  it('are applied in the order in which they were made, and are the same at each call', () => {
    const { loss, running } = model();
    const updates = sideUpdates(loss);
    expect(updates.map(([leaf]) => leaf)).toEqual([running]);
    evaluate(loss, feeds, { updates });
    expect(running.value.item()).toBe(nextOf(0));
    expect(sideUpdates(loss)[0]?.[1]).toBe(updates[0]?.[1]);
  });

  it.each<[string, Optimizer]>([
    ['sgd', still],
    ['adam', (loss, parameters) => adam(loss, parameters, { rate: 0 })],
    ['sgd of gradients', (loss, parameters) => sgd(backward(loss), parameters, { rate: 0 })],
  ])('are included by %s, in compiled and interpreted runs', (_name, optimizer) => {
    const { loss, running, weight } = model();
    const updates = optimizer(loss, [weight]);
    compile({ outputs: { loss }, updates }).run(feeds);
    expect(running.value.item()).toBe(nextOf(0));
    evaluate(loss, feeds, { updates });
    expect(running.value.item()).toBe(nextOf(nextOf(0)));
  });

  it('are written by fit in each step', async () => {
    const { loss, running, weight } = model();
    const updates = still(loss, [weight]);
    const dataset = { x: randomTensor([4, 2], 1, 3, 3) };
    const rows = input('x', ['batch', 2], { dtype: 'float64' });
    const seen = state('seen', randomTensor([], 1, 0, 0));
    const carried = mean(sideUpdate(rows, seen, (old) => add(old, mean(rows))));
    const fitted = parameter('fitted', randomTensor([], 2));
    const program = compile({
      outputs: { loss: carried },
      updates: still(mul(carried, fitted), [fitted]),
    });
    await train.fit(program, dataset, { epochs: 2, batchSize: 2 });
    expect(seen.value.item()).toBe(12);
    expect(updates.map(([leaf]) => leaf)).toEqual([weight, running]);
  });

  it('count once if two optimizers include them, and are joined if their losses differ', () => {
    const { one, loss, running, weight, gain } = model();
    const both = [...still(one, [weight]), ...still(loss, [gain])];
    compile({ outputs: { one, loss }, updates: both }).run(feeds);
    expect(running.value.item()).toBe(nextOf(0));
    const same = [...still(loss, [weight]), ...still(loss, [gain])];
    evaluate(loss, feeds, { updates: same });
    expect(running.value.item()).toBe(nextOf(nextOf(0)));
  });

  it('are refused beside another value of the state', () => {
    const { loss, running } = model();
    const updates: Updates = [...sideUpdates(loss), [running, mul(running, 2)]];
    const error = errorOf(() => compile({ outputs: { loss }, updates }));
    expect(error.message).toBe("[state 'running'] is updated twice in one run");
  });
});

describe('updates that omit a side update of an output', () => {
  const message =
    "updates: the outputs carry side updates of [state 'running'], which the updates omit; add them: updates: [...updates, ...sideUpdates(loss)], where loss is the output that carries them";
  const { one, loss, weight } = model();
  const updates: Updates = [[weight, mul(weight, 2)]];
  it.each([
    ['compile', () => compile({ outputs: { loss }, updates })],
    ['compile, without updates', () => compile({ outputs: { loss }, updates: [] })],
    ['compile, of a metric', () => compile({ outputs: {}, metrics: { loss }, updates })],
    ['evaluate', () => evaluate(loss, feeds, { updates })],
    [
      'compile, of one of two',
      () => compile({ outputs: { loss }, updates: [...updates, ...sideUpdates(one)] }),
    ],
  ])('are a GraphError that names the state: %s', (_name, run) => {
    const error = errorOf(run);
    expect(error).toBeInstanceOf(GraphError);
    expect(error.message).toBe(message);
    expect(weight.value.item()).toBe(1);
  });

  it('are accepted if the state gets another value, or if there are no updates at all', () => {
    const { loss, running } = model();
    compile({ outputs: { loss }, updates: [[running, mean(x)]] }).run(feeds);
    expect(running.value.item()).toBe(3);
    compile({ outputs: { loss } }).run(feeds);
    evaluate(loss, feeds);
    expect(running.value.item()).toBe(3);
  });
});

it('nodes that carry side updates cost nothing in a program', () => {
  const layers = [0, 1].map((i) => new Dense(`layer${i}`, { inputs: 8, units: 8, seed: i }));
  const batch = input('x', [16, 8]);
  const compiled = (carrying: boolean) => {
    const kept = state('kept', 0);
    const through = (node: Node) =>
      carrying ? sideUpdate(node, kept, (old) => mul(old, 0.5)) : node;
    const last = layers.reduce(
      (h, layer) => through(relu(through(layer.apply(through(h))))),
      batch as Node,
    );
    const loss = through(mean(square(last)));
    const trained = layers.flatMap(({ parameters }) => parameters);
    const decayed: Updates = carrying ? [] : [[kept, mul(kept, 0.5 ** 7)]];
    const updates = [...sgd(loss, trained, { rate: 0 }), ...decayed];
    const program = compile({ outputs: { loss }, updates });
    return {
      stats: program.stats(),
      loss: program.run({ x: tensor(randomTensor([16, 8], 3).toArray()) }),
    };
  };
  expect(compiled(true)).toEqual(compiled(false));
});
