// Steps whose gradient norm is not finite: clipping skips them, and fit counts them.
import { describe, expect, it } from 'vitest';
import {
  accumulate,
  adam,
  adamW,
  add,
  averageWeights,
  chain,
  clipGlobalNorm,
  compile,
  evaluate,
  groups,
  input,
  mul,
  optimize,
  type Rule,
  resume,
  sgd,
  sideUpdate,
  square,
  state,
  sum,
  fit as train,
} from '../../src/index.js';
import { dtype, fedProblem, file, valuesOf, vector } from './problems.js';

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
