// Rules of optimizers: which parameters they train, under which names, and what they compute.
import { describe, expect, it } from 'vitest';
import {
  accumulate,
  adam,
  adamW,
  add,
  averages,
  averageWeights,
  backward,
  chain,
  clipGlobalNorm,
  clipValue,
  compile,
  Dense,
  decayWeights,
  evaluate,
  GraphError,
  groups,
  input,
  mul,
  type Node,
  optimize,
  type Rule,
  rates,
  Sequential,
  scaleByAdam,
  scaleByRate,
  schedules,
  sgd,
  sideUpdate,
  square,
  state,
  sum,
  tensor,
  fit as train,
  type Updates,
  ValueError,
  type Variable,
} from '../../src/index.js';
import { errorOf } from '../support.js';
import { dtype, fedProblem, feeds, g, namesOf, netProblem, valuesOf, vector } from './problems.js';

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

describe('two parameters of one name', () => {
  const dense = (units: number) => new Dense('dense', { inputs: units, units });
  const loss = (one: Dense, two: Dense) =>
    add(sum(one.apply(input('x', [1, 2]))), sum(two.apply(input('y', [1, 3]))));

  it('are refused by all optimizers, and the error says where both were given', () => {
    const [one, two] = [dense(2), dense(3)];
    const list = [one, [two]];
    const calls: [string, () => Updates][] = [
      ['optimize', () => optimize(loss(one, two), list, adamW())],
      ['adamW', () => adamW(loss(one, two), list)],
      ['adam', () => adam(loss(one, two), list, { rate: 1 })],
      ['sgd', () => sgd(loss(one, two), list, { rate: 1 })],
    ];
    for (const [name, call] of calls) {
      const error = errorOf(call);
      expect(error).toBeInstanceOf(GraphError);
      expect(error.message).toBe(
        `${name}: two parameters are named 'dense.weight': weight of [Dense 'dense'] at [0], of shape [2, 2], and weight of [Dense 'dense'] at [1][0], of shape [3, 3]; give their layers different names, because states of optimizers, files and runs go by the names of parameters`,
      );
    }
    two.freeze();
    expect(namesOf(sgd(loss(one, two), list, { rate: 1 }))).toEqual(['dense.weight', 'dense.bias']);
  });

  it('are refused in one module, whose paths differ', () => {
    const net = new Sequential('net', [dense(2), dense(2)]);
    expect(errorOf(() => adamW(sum(net.apply(input('x', [1, 2]))), net)).message).toContain(
      "0.weight of [Sequential 'net'], of shape [2, 2], and 1.weight of [Sequential 'net'], of shape",
    );
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

  it('must differ in one program, and the error says how', () => {
    const [one, two] = [fedProblem('one'), fedProblem('two')];
    const updates = [...adamW(one.loss, one.w), ...adamW(two.loss, two.w)];
    const error = errorOf(() => compile({ outputs: {}, updates }));
    expect(error).toBeInstanceOf(GraphError);
    expect(error.message).toContain('need different names: optimize(loss, trainables, rule, {');
    const named = optimize(two.loss, two.w, adamW(), { name: 'second' });
    compile({ outputs: {}, updates: [...adamW(one.loss, one.w), ...named] }).run({ g: [1, 2] });
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
