// Rules of optimizers: which parameters they train, and under which names and conditions they change their states.
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { specialise } from '../../src/compile/specialise.js';
import {
  accumulate,
  adam,
  adamW,
  add,
  averages,
  averageWeights,
  backward,
  chain,
  checkpoint,
  clipGlobalNorm,
  clipValue,
  compile,
  Dense,
  decayWeights,
  div,
  evaluate,
  type ForebayError,
  GraphError,
  groups,
  input,
  Module,
  mse,
  mul,
  type Node,
  optimize,
  parameter,
  pow,
  type Rule,
  rates,
  relu,
  resume,
  ShapeError,
  scaleByAdam,
  scaleByRate,
  schedules,
  sgd,
  sideUpdate,
  sqrt,
  square,
  state,
  sub,
  sum,
  Tensor,
  tensor,
  fit as train,
  type Updates,
  ValueError,
  type Variable,
} from '../../src/index.js';
import { errorOf } from '../support.js';

const dtype = 'float64';
const vector = (name: string, values: readonly number[]) =>
  parameter(name, tensor(values, { dtype }));
const g = input('g', [2], { dtype });
/** Returns a parameter w and a loss whose gradient is fed as g. */
function fedProblem(name = 'w', start: readonly number[] = [1, -2]) {
  const w = vector(name, start);
  return { w, loss: sum(mul(w, g)) };
}
let files = 0;
const fileOf = (index: number) =>
  join(tmpdir(), `forebay-rules-${process.pid}-${index}.checkpoint`);
const file = () => fileOf(files++);
const namesOf = (updates: Updates) => updates.map(([leaf]) => leaf.name);
const statesOf = (updates: Updates) =>
  updates.map(([leaf]) => leaf).filter((l) => l.kind === 'state');
const valuesOf = (updates: Updates) => updates.map(([leaf]) => leaf.value.toArray());

/** Two dense layers of float64. */
class Net extends Module {
  readonly hidden = new Dense(this.scope('hidden'), {
    inputs: 2,
    units: 3,
    activation: relu,
    dtype,
  });
  readonly out = new Dense(this.scope('out'), { inputs: 3, units: 1, dtype });
  forward(x: Node) {
    return this.out.apply(this.hidden.apply(x));
  }
}
const x = input('x', ['batch', 2], { dtype });
const target = input('target', ['batch', 1], { dtype });
afterAll(() => {
  while (files > 0) rmSync(fileOf(--files), { force: true });
});
const feeds = {
  x: [
    [1, 2],
    [3, -1],
  ],
  target: [[1], [0]],
};
function netProblem(name = 'net') {
  const net = new Net(name);
  return { net, loss: mse(net.apply(x), target) };
}

describe('what is trained', () => {
  it('may be a module, a parameter, or nested lists of them; each parameter is trained once', () => {
    const { net, loss } = netProblem();
    const paths: [string, string][] = [];
    const noted = groups([[(p, path) => paths.push([p.name as string, path]) > 0, adam()]]);
    const updates = optimize(loss, [net.hidden, [net.out.weight, [net]]], noted);
    expect(paths).toEqual([
      ['net.hidden.weight', 'weight'],
      ['net.hidden.bias', 'bias'],
      ['net.out.weight', 'net.out.weight'],
      ['net.out.bias', 'out.bias'],
    ]);
    expect(namesOf(updates).filter((name) => name === 'net.out.weight')).toHaveLength(1);
  });

  it('leaves frozen parameters out, and prevents freezing what is trained', () => {
    const { net, loss } = netProblem();
    net.hidden.freeze();
    const updates = optimize(loss, net, adam());
    expect(namesOf(updates).filter((name) => name?.includes('hidden'))).toEqual([]);
    expect(errorOf(() => net.out.freeze()).message).toContain(
      'updates that were built before train',
    );
    net.hidden.freeze();
    const all = errorOf(() => optimize(loss, net.hidden, adam()));
    expect(all).toBeInstanceOf(ValueError);
    expect(all.message).toContain('optimize: all 2 parameters are frozen');
  });

  it('includes the side updates of the loss, also for gradients', () => {
    const { w, loss } = fedProblem();
    const count = state('count', 0);
    const counted = sideUpdate(loss, count, (old) => mul(old, 2));
    for (const given of [counted, backward(counted)]) {
      expect(namesOf(optimize(given, w, sgd({ rate: 1 })))).toEqual(['w', 'count']);
    }
  });
});

describe('names of states', () => {
  const names = (rule: Rule) => {
    const { net, loss } = netProblem();
    return namesOf(optimize(loss, [net.out], rule)).filter((name) => name?.includes('/'));
  };
  it('have the index of the rule, the kind, and the name of the parameter', () => {
    expect(names(adamW())).toEqual([
      'optimizer/0.step',
      'optimizer/0.adam.m/net.out.weight',
      'optimizer/0.adam.v/net.out.weight',
      'optimizer/0.adam.m/net.out.bias',
      'optimizer/0.adam.v/net.out.bias',
    ]);
  });

  it('do not depend on clipping, decay and averages', () => {
    const rule = adamW({ clipGlobalNorm: 1, weightDecay: 0.3 });
    const all = names(accumulate(2, averageWeights(rule, { decay: 0.9 })));
    for (const name of names(adamW({ weightDecay: 0 }))) expect(all).toContain(name);
    expect(all.filter((name) => !names(adamW()).includes(name))).toEqual([
      'optimizer/0.accumulate.position',
      'optimizer/0.accumulate.gradient/net.out.weight',
      'optimizer/0.average.weight/net.out.weight',
      'optimizer/0.accumulate.gradient/net.out.bias',
      'optimizer/0.average.weight/net.out.bias',
    ]);
  });

  it('begin with the option name, and number the groups and the transforms of one kind', () => {
    const { w, loss } = fedProblem();
    const twice = chain(scaleByAdam(), scaleByAdam(), scaleByRate(1));
    const rule = groups([[() => false, adam()], groups([[() => true, twice]])]);
    expect(namesOf(optimize(loss, w, rule, { name: 'trunk' }))).toEqual([
      'trunk/1.0.step',
      'trunk/1.0.adam.m/w',
      'trunk/1.0.adam.v/w',
      'trunk/1.0.adam2.m/w',
      'trunk/1.0.adam2.v/w',
      'w',
    ]);
  });
});

describe('a rule around groups', () => {
  const cosine = schedules.cosine({ peak: 0.5, total: 8 });
  it.each<[string, Rule]>([
    ['clipping', chain(clipGlobalNorm(1), groups([adamW()]))],
    ['an average', averageWeights(groups([adamW()]), { decay: 0.5 })],
    ['a schedule', chain(groups([adamW()]), scaleByRate(cosine))],
    ['accumulation', accumulate(2, groups([accumulate(2, adamW())]))],
  ])('has states with names of their own: %s', (_name, rule) => {
    const { w, loss } = fedProblem();
    const updates = optimize(loss, w, rule);
    expect(new Set(namesOf(updates)).size).toBe(updates.length);
    const program = compile({ inputs: { g }, outputs: { loss }, updates });
    for (let step = 0; step < 4; step++) program.run({ g: [1, 2] });
    expect(w.value.toArray()).not.toEqual([1, -2]);
  });
});

describe('groups', () => {
  it.each([undefined, null, 0])('leave a parameter out for which the function returns %s', (no) => {
    const { w, loss } = fedProblem();
    const rule = groups([[() => no as never, adamW()], sgd({ rate: 1 })]);
    expect(namesOf(optimize(loss, w, rule))).toEqual(['w']);
  });
});

describe('chain', () => {
  it('of the transforms of AdamW is AdamW', () => {
    const decays = (p: Variable) => p.shape.length > 1;
    const rule = chain(
      clipGlobalNorm(0.5),
      scaleByAdam({ beta1: 0.8 }),
      decayWeights(0.1, { decays }),
      scaleByRate(0.05),
    );
    const options = { rate: 0.05, beta1: 0.8, weightDecay: 0.1, decays, clipGlobalNorm: 0.5 };
    const results = [rule, adamW(options)].map((one) => {
      const { net, loss } = netProblem();
      const updates = optimize(loss, net, one);
      for (let step = 0; step < 3; step++) evaluate([], feeds, { updates });
      return valuesOf(updates);
    });
    expect(results[0]).toEqual(results[1]);
  });

  it('clips the norm of all gradients together, and does not enlarge them', () => {
    for (const [max, wanted] of [
      [1, 1 / 13],
      [13, 1],
      [20, 1],
    ] as const) {
      const [v, w] = [vector('v', [0, 0]), vector('w', [0])];
      const loss = sum(mul(v, tensor([3, 4], { dtype })));
      const both = optimize(add(loss, sum(mul(w, 12))), [v, w], chain(clipGlobalNorm(max)));
      evaluate([], {}, { updates: both });
      [...v.value.data, ...w.value.data].forEach((value, i) => {
        expect(value).toBeCloseTo(-([3, 4, 12][i] as number) * wanted, 14);
      });
    }
  });

  it('clips elements to a range', () => {
    const { w, loss } = fedProblem('w', [0, 0]);
    evaluate([], { g: [5, -0.5] }, { updates: optimize(loss, w, chain(clipValue(2))) });
    expect(w.value.toArray()).toEqual([-2, 0.5]);
  });

  it('leaves a zero gradient zero', () => {
    const { w, loss } = fedProblem();
    evaluate([], { g: [0, 0] }, { updates: optimize(loss, w, chain(clipGlobalNorm(1))) });
    expect(w.value.toArray()).toEqual([1, -2]);
  });
});

describe('a norm that is not finite', () => {
  const rules: [string, Rule][] = [
    ['adamW', adamW({ clipGlobalNorm: 1 })],
    [
      'averaged sgd',
      averageWeights(sgd({ rate: 1, momentum: 0.5, clipGlobalNorm: 1 }), { decay: 0.5 }),
    ],
    ['one of two groups', groups([[(p) => p.name === 'w', adam({ clipGlobalNorm: 1 })], adam()])],
  ];
  it.each(rules)(
    'leaves all parameters, states and side updates as they were: %s',
    (_name, rule) => {
      const { w, loss } = fedProblem();
      const [v, old] = [vector('v', [3]), state('old', 1, { dtype })];
      const both = sideUpdate(add(loss, sum(square(v))), old, (value) => add(value, 1));
      const updates = optimize(both, [w, v], rule);
      const program = compile({ outputs: {}, updates });
      program.run({ g: [1, 2] });
      const before = valuesOf(updates);
      for (const bad of [NaN, Infinity, -Infinity]) {
        program.run({ g: [1, bad] });
        evaluate([], { g: [bad, 1] }, { updates });
      }
      expect(valuesOf(updates)).toEqual(before);
      program.run({ g: [1, 2] });
      expect(valuesOf(updates)).not.toEqual(before);
      expect(old.value.item()).toBe(3);
    },
  );

  it('drops the sum of accumulated gradients', () => {
    const { w, loss } = fedProblem();
    const updates = optimize(loss, w, accumulate(2, adam({ clipGlobalNorm: 1 })));
    const program = compile({ outputs: {}, updates });
    const before = valuesOf(updates);
    for (const g of [
      [NaN, 1],
      [1, 1],
    ])
      program.run({ g });
    expect(valuesOf(updates)).toEqual(before);
    for (const g of [
      [1, 1],
      [1, 1],
    ])
      program.run({ g });
    expect(w.value.toArray()).not.toEqual([1, -2]);
  });

  it.each<[string, (rule: Rule) => Rule, number[]]>([
    ['each step', (rule) => rule, [2, 1]],
    ['accumulated gradients', (rule) => accumulate(2, rule), [1, 1]],
    [
      'gradients before they are accumulated',
      (rule) => chain(clipGlobalNorm(1), accumulate(2, rule)),
      [2, 1],
    ],
  ])('is counted in the records of fit: %s', async (name, around, wanted) => {
    const clip = name.startsWith('gradients') ? {} : { clipGlobalNorm: 1 };
    const w = vector('w', [1, 2]);
    const rows = input('rows', ['batch', 2], { dtype });
    const loss = sum(mul(w, rows));
    const training = compile({ outputs: { loss }, updates: optimize(loss, w, around(adam(clip))) });
    const examples = [
      [1, NaN],
      [NaN, 1],
      [1, 1],
      [1, 1],
    ];
    const skipped: unknown[] = [];
    const first = await train(
      training,
      { rows: examples },
      {
        epochs: 1,
        batchSize: 1,
        shuffle: false,
        onBatch: (record) => void skipped.push(record.skipped),
      },
    );
    const second = await train(
      training,
      { rows: [...examples.slice(1), [1, 1]] },
      { epochs: 1, batchSize: 1, shuffle: false },
    );
    expect([first, second].map(({ epochs: [record] }) => record?.skipped)).toEqual(wanted);
    expect(skipped).toEqual(name.startsWith('acc') ? [0, 1, 0, 0] : [1, 1, 0, 0]);
  });

  it('is not in records without clipping', async () => {
    const w = vector('w', [1, 2]);
    const loss = sum(mul(w, input('rows', ['batch', 2], { dtype })));
    const training = compile({ outputs: { loss }, updates: adam(loss, w) });
    const { epochs } = await train(training, { rows: [[1, 1]] }, { epochs: 1, batchSize: 1 });
    expect(epochs).toEqual([{ epoch: 0, outputs: { loss: 3 } }]);
  });

  it('is counted over an epoch that a checkpoint interrupts', async () => {
    const w = vector('w', [1, 2]);
    const loss = sum(mul(w, input('rows', ['batch', 2], { dtype })));
    const updates = adam(loss, w, { clipGlobalNorm: 1 });
    const training = compile({ outputs: { loss }, updates });
    const dataset = {
      rows: [
        [NaN, 1],
        [1, 1],
        [1, NaN],
        [1, 1],
      ],
    };
    const options = { epochs: 2, batchSize: 1, shuffle: false };
    const path = file();
    let steps = 0;
    const stopped = train(training, dataset, {
      ...options,
      checkpoint: { file: path, every: { batches: 6 } },
      onBatch: () => {
        if (++steps === 7) throw new RangeError('stopped');
      },
    });
    await expect(stopped).rejects.toThrow('stopped');
    const from = resume(path, { updates, program: training });
    const { epochs } = await train(training, dataset, { ...options, from });
    expect(epochs.map(({ skipped }) => skipped)).toEqual([2, 2]);
  });
});

describe('accumulate', () => {
  it('applies a rule to the mean of n gradients, also if clipping and momentum follow', () => {
    const rule = chain(clipGlobalNorm(2), sgd({ rate: 0.5, momentum: 0.9 }));
    const gradients = [
      [1, 2],
      [3, -8],
      [5, 0],
      [0.5, 0.25],
      [1, 1],
      [-2, 4],
    ];
    const [one, other] = [fedProblem(), fedProblem()];
    const accumulated = optimize(one.loss, one.w, accumulate(3, rule));
    const plain = optimize(other.loss, other.w, rule);
    gradients.forEach((g, index) => {
      evaluate([], { g }, { updates: accumulated });
      if (index % 3 < 2) return;
      const three = gradients.slice(index - 2, index + 1);
      const mean = [0, 1].map(
        (i) => three.reduce((total, one) => total + (one[i] as number), 0) / 3,
      );
      evaluate([], { g: mean }, { updates: plain });
      one.w.value.data.forEach((value, i) => {
        expect(value).toBeCloseTo(other.w.value.data[i] as number, 13);
      });
    });
    expect(one.w.value.toArray()).not.toEqual([1, -2]);
  });

  it('counts only the steps of the rule, and keeps everything in between', () => {
    const { w, loss } = fedProblem();
    const rates: number[] = [];
    const updates = optimize(
      loss,
      w,
      accumulate(2, averageWeights(sgd({ rate: (step) => add(step, 1) }), { decay: 0.5 })),
    );
    const [average] = averages(updates).values();
    for (let step = 0; step < 4; step++) {
      evaluate([], { g: [1, 0] }, { updates });
      rates.push(w.value.data[0] as number, (average as Variable).value.data[0] as number);
    }
    // The rates are 1 and 2. Each average is the mean of the weight and of the average before it.
    expect(rates).toEqual([1, 1, 0, 0.5, 0, 0.5, -2, -0.75]);
  });

  it('continues a sum in the next epoch and after a checkpoint', async () => {
    const results = await Promise.all(
      [[3, 3], [6]].map(async (epochs, index) => {
        const w = vector(`w${index}`, [1, 2]);
        const rows = input('rows', ['batch', 2], { dtype });
        const loss = sum(mul(w, rows));
        const training = compile({
          outputs: { loss },
          updates: optimize(loss, w, accumulate(2, adam({ rate: 0.1 }))),
        });
        const all = [
          [1, 2],
          [3, -1],
          [2, 2],
          [1, 2],
          [3, -1],
          [2, 2],
        ];
        const options = { batchSize: 1, shuffle: false };
        await train(
          training,
          { rows: all.slice(0, epochs[0]) },
          { ...options, epochs: epochs.length },
        );
        return w.value.toArray();
      }),
    );
    expect(results[0]).toEqual(results[1]);
  });
});

describe('averages', () => {
  it('follow the new weights, start with the weights before the first step, and survive joined lists', () => {
    const { w, loss } = fedProblem();
    const count = state('count', 0);
    const updates: Updates = [
      ...optimize(loss, w, averageWeights(sgd({ rate: 1 }), { decay: 0.75 })),
      [count, add(count, 1)],
    ];
    w.set([4, 8]);
    const average = averages(updates).get(w) as Variable;
    evaluate([], { g: [4, 0] }, { updates });
    expect(average.value.toArray()).toEqual([3, 8]);
    expect([...averages(updates).keys()]).toEqual([w]);
    expect(errorOf(() => averages(sgd(loss, [w], { rate: 1 }))).message).toContain(
      'have no averages',
    );
  });
});

describe('rates', () => {
  it('are the rates of the next run, one for each rule, also in joined lists', () => {
    const { w, loss } = fedProblem();
    const v = vector('v', [1]);
    const rate = schedules.linear({ from: 1, to: 0, total: 4 });
    const rule = groups([[(p) => p === w, sgd({ rate })], adam({ rate: 0.25 })]);
    const updates: Updates = [...optimize(add(loss, sum(square(v))), [w, v], rule)];
    const found = rates([...updates, [state('other', 0), sum(tensor([1]))]]);
    expect(found.map(({ dtype, shape }) => [dtype, shape])).toEqual([
      [dtype, []],
      [dtype, []],
    ]);
    const program = compile({
      outputs: { first: found[0] as Node, second: found[1] as Node },
      updates,
    });
    const values = [0, 1, 2]
      .map(() => program.run({ g: [0, 0] }))
      .map(({ first, second }) => [first.item(), second.item()]);
    expect(values).toEqual([
      [1, 0.25],
      [0.75, 0.25],
      [0.5, 0.25],
    ]);
    expect(rates(sgd(loss, [w], { rate: 0.5 })).map((node) => evaluate(node).item())).toEqual([
      0.5,
    ]);
  });
});

describe('a checkpoint', () => {
  /** Trains a net for two steps, and writes a checkpoint; then reads it into another net. */
  async function resumed(before: (net: Net, loss: Node) => Updates, after: typeof before) {
    const [first, second] = [netProblem(), netProblem()];
    const [old, next] = [before(first.net, first.loss), after(second.net, second.loss)];
    for (let step = 0; step < 2; step++) evaluate([], feeds, { updates: old });
    const path = file();
    await checkpoint(path, { updates: old });
    resume(path, { updates: next });
    const known = new Map(old.map(([leaf]) => [leaf.name, leaf.value.toArray()]));
    for (const [leaf] of next) {
      const value = known.get(leaf.name);
      if (value !== undefined) expect(leaf.value.toArray(), leaf.name).toEqual(value);
    }
    return {
      next,
      kept: next.filter(([leaf]) => !known.has(leaf.name)).map(([leaf]) => leaf.name),
    };
  }
  const frozen = (train: (net: Net, loss: Node) => Updates) => (net: Net, loss: Node) => {
    net.hidden.freeze();
    return train(net, loss);
  };
  const rule = groups([
    [(_, path) => path.startsWith('hidden'), adamW()],
    sgd({ rate: 0.1, momentum: 0.5 }),
  ]);
  const calls: [string, (net: Net, loss: Node) => Updates, string[]][] = [
    [
      'optimize',
      (net, loss) => optimize(loss, net, adamW()),
      ['optimizer/0.adam.m/net.hidden.weight'],
    ],
    [
      'a group that is frozen',
      (net, loss) => optimize(loss, net, rule),
      ['optimizer/0.step', 'optimizer/0.adam.m/net.hidden.weight'],
    ],
    ['adam', (net, loss) => adam(loss, net), ['net.hidden.weight.adam.m']],
  ];
  it.each(calls)('is resumed after a layer was frozen: %s', async (_name, train) => {
    const { next, kept } = await resumed(train, frozen(train));
    expect(kept.filter((name) => name !== 'net.out.weight.adam.step')).toEqual([]);
    const steps = statesOf(next).filter(({ name }) => name?.endsWith('step'));
    for (const step of steps) expect(step.value.item()).toBe(2);
  });

  it.each(calls)('is resumed after a layer was unfrozen: %s', async (_name, train, missing) => {
    expect((await resumed(frozen(train), train)).kept).toEqual(expect.arrayContaining(missing));
  });

  it('is refused if a parameter is in another group than before', async () => {
    const [whole, parts] = [
      groups([adamW()]),
      groups([[(_, path) => path === 'out.bias', adamW()], adamW()]),
    ];
    const resuming = resumed(
      (net, loss) => optimize(loss, net, whole),
      (net, loss) => optimize(loss, net, parts),
    );
    await expect(resuming).rejects.toThrow("there is no tensor 'optimizer/1.step'");
  });

  it('of another optimizer is refused', async () => {
    const [one, other] = [netProblem(), netProblem()];
    const path = file();
    await checkpoint(path, { updates: sgd(one.loss, one.net, { rate: 1 }) });
    const updates = adam(other.loss, other.net);
    expect(errorOf(() => resume(path, { updates })).message).toContain(
      "there is no tensor 'net.hidden.weight.adam.step'",
    );
  });
});

describe('rules refuse', () => {
  const { w, loss } = fedProblem();
  const odd = (value: unknown) => value as never;
  it.each<[string, () => unknown, new (m: string) => ForebayError, string]>([
    [
      'lr',
      () => optimize(loss, w, adamW(odd({ lr: 1 }))),
      ValueError,
      "adamW: there is no option 'lr'; did you mean 'rate'?",
    ],
    [
      'an unknown option of optimize',
      () => optimize(loss, w, adam(), odd({ nam: 'a' })),
      ValueError,
      "did you mean 'name'",
    ],
    ['no rule', () => optimize(loss, w, odd(undefined)), ValueError, 'optimize: expected a rule'],
    [
      'options in place of a rule',
      () => optimize(loss, w, odd({ rate: 1 })),
      ValueError,
      'expected a rule, such as adam({ rate: 0.001 }), but received an object { rate }',
    ],
    [
      'a state in a list',
      () => optimize(loss, [w, state('old', 1)], adam()),
      GraphError,
      "expected parameters, but received [state 'old']",
    ],
    [
      'a state',
      () => sgd(loss, odd(state('old', 1)), { rate: 1 }),
      GraphError,
      'optimizers do not train states',
    ],
    ['an empty list', () => optimize(loss, [], adam()), ValueError, 'at least one parameter'],
    [
      'lists without parameters',
      () => optimize(loss, [[], []], adam()),
      ValueError,
      'at least one parameter',
    ],
    [
      'no loss',
      () => optimize(odd(null), w, adam()),
      GraphError,
      'write optimize(loss, trainables, rule)',
    ],
    [
      'a rule in place of what is trained',
      () => optimize(loss, odd(adam()), adam()),
      ValueError,
      'but received the rule chain(scaleByAdam, scaleByRate)',
    ],
    [
      'a rate that is bool',
      () => scaleByRate(state('rate', tensor(1, { dtype: 'bool' }))),
      ValueError,
      '(of any dtype but bool)',
    ],
    ['an empty chain', () => chain(), ValueError, 'at least one rule'],
    ['a chain of numbers', () => chain(odd(1)), ValueError, 'chain: expected a rule'],
    [
      'a limit of 0',
      () => clipGlobalNorm(0),
      ValueError,
      'clipGlobalNorm: expected a finite number greater than 0',
    ],
    [
      'nesterov without momentum',
      () => sgd({ rate: 1, nesterov: true }),
      ValueError,
      'nesterov needs a momentum',
    ],
    [
      '0 gradients',
      () => accumulate(0, adam()),
      ValueError,
      'accumulate: expected a number of gradients (a positive integer)',
    ],
    [
      'an average without decay',
      () => averageWeights(adam(), odd({})),
      ValueError,
      'averageWeights: decay must be',
    ],
    [
      'a parameter without a group',
      () => optimize(loss, w, groups([[() => false, adam()]])),
      ValueError,
      "[parameter 'w'] (path 'w') belongs to no group",
    ],
    [
      'a rule for all others before the end',
      () => groups(odd([adam(), adam()])),
      ValueError,
      'only the last rule may be for all others',
    ],
    ['no groups', () => groups([]), ValueError, 'groups: expected a list'],
    [
      'a group without a function',
      () => groups(odd([['trunk', adam()]])),
      ValueError,
      'but received [the string "trunk", …] in it',
    ],
    [
      'a rate that returns a number',
      () => optimize(loss, w, sgd({ rate: odd(() => 1) })),
      GraphError,
      'optimize: the rate: expected the function to return a node',
    ],
    [
      'a rate of two elements',
      () => sgd(loss, w, { rate: () => w }),
      ShapeError,
      "sgd: the rate: expected the function to return a node of shape [], but [parameter 'w'] has shape [2]",
    ],
    [
      'a warm-up that is too long',
      () => schedules.cosine({ peak: 1, warmup: 5, total: 5 }),
      ValueError,
      'warmup must be less than total',
    ],
    [
      'boundaries that do not increase',
      () => schedules.piecewise({ boundaries: [3, 3], rates: [1, 2, 3] }),
      ValueError,
      'boundaries must increase',
    ],
    [
      'too few rates',
      () => schedules.piecewise({ boundaries: [3], rates: [1] }),
      ValueError,
      '1 boundaries and 1 rates',
    ],
  ])('%s', (_what, call, error, message) => {
    expect(errorOf(call)).toBeInstanceOf(error);
    expect(errorOf(call).message).toContain(message);
  });
});

describe('programs', () => {
  it('of adam and sgd are those of updates that are written by hand', () => {
    const rate = state('rate', 0.1, { dtype });
    const byHand: [string, (loss: Node, parameters: readonly Variable[]) => Updates, Rule][] = [
      [
        'sgd',
        (loss, parameters) => {
          const gradients = backward(loss);
          return parameters.map((p) => [p, sub(p, mul(rate, gradients.of(p)))]);
        },
        sgd({ rate }),
      ],
      [
        'adam',
        (loss, parameters) => {
          const gradients = backward(loss);
          const count = state('step', tensor(0, { dtype }));
          const t = add(count, 1);
          const step = div(rate, sub(1, pow(0.9, t)));
          const correction = div(1, sqrt(sub(1, pow(0.999, t))));
          const updates = parameters.map((p) => {
            const [m, v] = ['m', 'v'].map((part) =>
              state(part, Tensor.zeros(p.value.shape, { dtype })),
            );
            const nextM = add(mul(gradients.of(p), 1 - 0.9), mul(m as Node, 0.9));
            const nextV = add(mul(square(gradients.of(p)), 1 - 0.999), mul(v as Node, 0.999));
            const scale = add(mul(sqrt(nextV), correction), 1e-8);
            const next = sub(p, mul(div(step, scale), nextM));
            return [
              [m, nextM],
              [v, nextV],
              [p, next],
            ] as unknown as Updates;
          });
          return [[count, t], ...updates.flat()];
        },
        adam({ rate }),
      ],
    ];
    for (const [name, build, rule] of byHand) {
      const codes = [
        build,
        (loss: Node, parameters: readonly Variable[]) => optimize(loss, parameters, rule),
      ].map((updates) => {
        const { net, loss } = netProblem();
        return [...specialise([loss], updates(loss, net.parameters), new Map([['batch', 2]])).code];
      });
      expect(codes[1], name).toEqual(codes[0]);
    }
  });

  it('of rules have as many instructions as those of the calls, and few more with clipping', () => {
    const count = (updates: (net: Net, loss: Node) => Updates) => {
      const { net, loss } = netProblem();
      const program = compile({ outputs: { loss }, updates: updates(net, loss) });
      program.run(feeds);
      return program.stats().instructions;
    };
    const old = count((net, loss) => adam(loss, net.parameters));
    expect(count((net, loss) => optimize(loss, net, adam()))).toBe(old);
    expect(count((net, loss) => adamW(loss, net))).toBe(old);
    expect(count((net, loss) => adamW(loss, net, { clipGlobalNorm: 1 }))).toBeLessThanOrEqual(
      old + 6,
    );
  });
});
