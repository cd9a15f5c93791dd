import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compile/program.js';
import {
  add,
  evaluate,
  FeedForward,
  input,
  matmul,
  mean,
  mse,
  parameter,
  randomNormal,
  reshape,
  setSeed,
  sgd,
  state,
  sum,
  Tensor,
  tensor,
  type Updates,
  type Variable,
} from '../../src/index.js';
import type { BatchRecord, EpochRecord, FitOptions } from '../../src/train/fit.js';
import * as train from '../../src/train/fit.js';
import { InterpretedProgram } from '../../src/train/interpreted.js';
import { Shuffle } from '../../src/train/order.js';
import { randomTensor } from '../support.js';

/** Returns a model y = x W + b that is trained by gradient descent, its program, and a dataset of ten examples. */
function linear() {
  const net = new FeedForward('net', { inputs: 3, units: 2, seed: 1, dtype: 'float64' });
  const x = input('x', ['batch', 3], { dtype: 'float64' });
  const y = input('y', ['batch', 2], { dtype: 'float64' });
  const loss = mse(net.apply(x), y);
  const updates = sgd(loss, net.parameters, { rate: 0.1 });
  const dataset = { x: randomTensor([10, 3], 5), y: randomTensor([10, 2], 6) };
  return {
    net,
    loss,
    updates,
    dataset,
    program: new InterpretedProgram({ outputs: { loss }, updates }),
  };
}

const valuesOf = (parameters: readonly Variable[]) =>
  parameters.map(({ value }) => value.toArray());

/** Returns updates that train nothing. They are needed, because `fit` refuses a program without updates. */
function still(): Updates {
  const count = state('count', 0);
  return [[count, add(count, 1)]];
}

/** Returns a program in which each step adds the sum of its examples to the state `seen`, and a dataset. */
function counter() {
  const seen = state('seen', tensor(0, { dtype: 'float64' }));
  const x = input('x', ['batch'], { dtype: 'float64' });
  const total = sum(x);
  const program = new InterpretedProgram({
    outputs: { total, mean: mean(x), x },
    updates: [[seen, add(seen, total)]],
  });
  return { seen, program, dataset: { x: new Float64Array([1, 2, 4, 8, 16, 32, 64]) } };
}

const plain = { epochs: 1, batchSize: 3, shuffle: false } as const;

describe('fit', () => {
  it('runs the same steps as a loop by hand, in the same order, including the short minibatch', async () => {
    const [ours, theirs] = [linear(), linear()];
    const { epochs } = await train.fit(ours.program, ours.dataset, {
      epochs: 3,
      batchSize: 4,
      seed: 8,
    });
    const expected: number[] = [];
    for (let epoch = 0; epoch < 3; epoch++) {
      const order = await new Shuffle(10, 8).order(epoch);
      let total = 0;
      for (const rows of [order.subarray(0, 4), order.subarray(4, 8), order.subarray(8)]) {
        const pick = ({ data }: Tensor, width: number) => {
          const row = (index: number) =>
            Array.from(data.subarray(index * width, (index + 1) * width));
          return tensor(Array.from(rows, row), { dtype: 'float64' });
        };
        const feeds = { x: pick(theirs.dataset.x, 3), y: pick(theirs.dataset.y, 2) };
        const { updates } = theirs;
        total += rows.length * evaluate(theirs.loss, feeds, { updates }).item();
      }
      expected.push(total / 10);
    }
    expect(valuesOf(ours.net.parameters)).toEqual(valuesOf(theirs.net.parameters));
    expect(epochs.map(({ epoch }) => epoch)).toEqual([0, 1, 2]);
    epochs.forEach(({ outputs }, epoch) => {
      expect(outputs.loss).toBeCloseTo(expected[epoch] as number, 14);
    });
  });

  it('weights means by rows, and omits outputs of several elements from the history', async () => {
    const { program, dataset } = counter();
    const history = await train.fit(program, dataset, plain);
    // The minibatches have 3, 3 and 1 examples. Their sums are 7, 56 and 64, and their means are 7/3, 56/3 and 64.
    const outputs = { total: (3 * 7 + 3 * 56 + 64) / 7, mean: 127 / 7 };
    expect(history).toEqual({ epochs: [{ epoch: 0, outputs }] });
  });

  it('calls onBatch after every step, before the next one runs', async () => {
    const { program, dataset, seen } = counter();
    const records: (BatchRecord & { seen: number })[] = [];
    await train.fit(program, dataset, {
      ...plain,
      epochs: 2,
      onBatch: async (record) => {
        await new Promise((done) => setTimeout(done, 1));
        records.push({ ...record, seen: seen.value.item() });
      },
    });
    expect(records.map(({ epoch, batch, rows, seen }) => [epoch, batch, rows, seen])).toEqual([
      [0, 0, 3, 7],
      [0, 1, 3, 63],
      [0, 2, 1, 127],
      [1, 0, 3, 134],
      [1, 1, 3, 190],
      [1, 2, 1, 254],
    ]);
    // The memory of a slice is reused, but the records that onBatch received do not change.
    expect(records.map(({ outputs }) => outputs.x?.toArray())).toEqual([
      [1, 2, 4],
      [8, 16, 32],
      [64],
      [1, 2, 4],
      [8, 16, 32],
      [64],
    ]);
  });

  it('lets onBatch change a leaf that the next step reads', async () => {
    const rate = state('rate', 1);
    const w = parameter('w', 0);
    const x = input('x', ['batch']);
    const program = new InterpretedProgram({
      outputs: { x: sum(x) },
      updates: [[w, add(w, rate)]],
    });
    const x4 = new Float32Array(4);
    await train.fit(
      program,
      { x: x4 },
      { epochs: 1, batchSize: 1, onBatch: ({ batch }) => rate.set(10 ** (batch + 1)) },
    );
    expect(w.value.item()).toBe(1111);
  });

  it('stops if onEpoch returns false, and only then', async () => {
    const { program, dataset, seen } = counter();
    const told: EpochRecord[] = [];
    const answers = [undefined, 0, Promise.resolve(true), Promise.resolve(false)];
    const { epochs } = await train.fit(program, dataset, {
      ...plain,
      epochs: 9,
      onEpoch: (record) => {
        told.push(record);
        return answers[record.epoch];
      },
    });
    expect(epochs).toEqual(told);
    expect(epochs).toHaveLength(4);
    expect(seen.value.item()).toBe(4 * 127);
  });

  it('uses every example once in an epoch, in an order that depends on the seed', async () => {
    const orderOf = async (options: Partial<FitOptions>) => {
      const { program, dataset } = counter();
      const order: number[] = [];
      const onBatch = ({ outputs }: BatchRecord) => void order.push(...(outputs.x?.data ?? []));
      await train.fit(program, dataset, { epochs: 2, batchSize: 3, ...options, onBatch });
      return [order.slice(0, 7), order.slice(7)];
    };
    const first = await orderOf({ seed: 4 });
    const inOrder = [1, 2, 4, 8, 16, 32, 64];
    for (const epoch of first) expect([...epoch].sort((a, b) => a - b)).toEqual(inOrder);
    expect(first[0]).not.toEqual(first[1]);
    expect(await orderOf({ seed: 4 })).toEqual(first);
    expect(await orderOf({ seed: 5 })).not.toEqual(first);
    expect(await orderOf({ shuffle: false })).toEqual([inOrder, inOrder]);
    setSeed(7);
    const unseeded = [await orderOf({}), await orderOf({})];
    expect(unseeded[0]).not.toEqual(unseeded[1]);
    setSeed(7);
    expect([await orderOf({}), await orderOf({})]).toEqual(unseeded);
    setSeed(0);
  });

  it('draws new random numbers in every step', async () => {
    const program = new InterpretedProgram({
      outputs: { noise: add(sum(randomNormal([])), sum(input('x', ['batch']))) },
      updates: still(),
    });
    const noise: unknown[] = [];
    const onBatch = ({ outputs }: BatchRecord) => void noise.push(outputs.noise?.item());
    await train.fit(program, { x: new Float32Array(4) }, { epochs: 2, batchSize: 2, onBatch });
    expect(new Set(noise).size).toBe(4);
    expect(program.runs).toBe(4);
  });

  it('feeds a batch axis that is not the first', async () => {
    const x = input('x', [2, 'batch', 2], { dtype: 'float64' });
    const w = tensor([[1], [10]], { dtype: 'float64' });
    const program = new InterpretedProgram({ outputs: { y: matmul(x, w) }, updates: still() });
    const steps = tensor(
      [
        [
          [1, 2],
          [3, 4],
        ],
        [
          [5, 6],
          [7, 8],
        ],
        [
          [9, 1],
          [2, 3],
        ],
      ],
      { dtype: 'float64' },
    );
    const seen: unknown[] = [];
    const onBatch = ({ outputs }: BatchRecord) => void seen.push(outputs.y?.toArray());
    await train.fit(program, { x: steps }, { epochs: 1, batchSize: 2, shuffle: false, onBatch });
    expect(seen).toEqual([
      [
        [[21], [65]],
        [[43], [87]],
      ],
      [[[19]], [[32]]],
    ]);
  });

  it('validates after each epoch, with the parameters at its end', async () => {
    const { seen, program, dataset } = counter();
    const held = input('held', ['batch'], { dtype: 'float64' });
    const validate = {
      program: new InterpretedProgram({ outputs: { sum: add(sum(held), seen) } }),
      dataset: { held: new Float64Array([1, 1, 1, 1, 1]) },
      batchSize: 4,
    };
    const { epochs } = await train.fit(program, dataset, { ...plain, epochs: 2, validate });
    // The minibatches have four examples and one, so the weighted mean is (4 * (4 + seen) + 1 + seen) / 5.
    expect(epochs.map(({ validation }) => validation)).toEqual([
      { sum: (4 * (4 + 127) + 1 + 127) / 5 },
      { sum: (4 * (4 + 254) + 1 + 254) / 5 },
    ]);
  });

  it('does nothing for 0 epochs', async () => {
    const { program, dataset, seen } = counter();
    expect(await train.fit(program, dataset, { ...plain, epochs: 0 })).toEqual({ epochs: [] });
    expect(seen.value.item()).toBe(0);
  });
});

describe('an abort', () => {
  it.each([['before'], ['in onBatch'], ['in onEpoch'], ['meanwhile']])(
    '%s rejects with its reason, between two steps',
    async (when) => {
      const { program, dataset, seen } = counter();
      const controller = new AbortController();
      const reason = new Error('enough');
      const abort = () => controller.abort(reason);
      if (when === 'before') abort();
      const options: FitOptions = {
        ...plain,
        epochs: 1_000_000,
        signal: controller.signal,
        ...(when === 'in onBatch' && { onBatch: ({ batch }) => void (batch === 1 && abort()) }),
        ...(when === 'in onEpoch' && { onEpoch: ({ epoch }) => void (epoch === 1 && abort()) }),
      };
      const fitting = train.fit(program, dataset, options);
      if (when === 'meanwhile') setTimeout(abort, 20);
      await expect(fitting).rejects.toBe(reason);
      const done = seen.value.item();
      const expected = { before: 0, 'in onBatch': 63, 'in onEpoch': 254 }[when];
      if (expected !== undefined) expect(done).toBe(expected);
      // Between two steps, the sum is 127 for each complete epoch, plus 0, 7 or 63 for the incomplete epoch.
      expect([0, 7, 63]).toContain(done % 127);
      // After an abort, the program can be used again.
      await train.fit(program, dataset, plain);
      expect(seen.value.item()).toBe(done + 127);
    },
  );

  it('may come from another realm, where AbortSignal is another class', async () => {
    const { program, dataset, seen } = counter();
    const reason = new Error('enough');
    const foreign = Object.assign(new EventTarget(), {
      aborted: false,
      reason,
      throwIfAborted: () => {
        if (seen.value.item() > 0) throw reason;
      },
      onabort: null,
    });
    expect(foreign).not.toBeInstanceOf(AbortSignal);
    const fitting = train.fit(program, dataset, { ...plain, epochs: 1_000_000, signal: foreign });
    await expect(fitting).rejects.toBe(reason);
  });

  it('after the end has no effect', async () => {
    const { program, dataset } = counter();
    const controller = new AbortController();
    const history = await train.fit(program, dataset, { ...plain, signal: controller.signal });
    controller.abort();
    expect(history.epochs).toHaveLength(1);
  });
});

describe('an error that a callback throws', () => {
  const mistake = new Error('mine');
  it.each<[string, Partial<FitOptions>]>([
    [
      'onBatch',
      {
        onBatch: () => {
          throw mistake;
        },
      },
    ],
    ['onBatch, asynchronously', { onBatch: () => Promise.reject(mistake) }],
    [
      'onEpoch',
      {
        onEpoch: () => {
          throw mistake;
        },
      },
    ],
    ['onEpoch, asynchronously', { onEpoch: () => Promise.reject(mistake) }],
  ])('in %s rejects fit', async (_, options) => {
    const { program, dataset, seen } = counter();
    await expect(train.fit(program, dataset, { ...plain, ...options })).rejects.toBe(mistake);
    expect([7, 127]).toContain(seen.value.item());
  });
});

describe('fit refuses, before any step runs,', () => {
  it.each<[string, object | undefined, string]>([
    ['no options', undefined, 'fit: epochs must be a non-negative integer, but is undefined'],
    ['epochs', { epochs: 1.5 }, 'epochs must be a non-negative integer, but is number 1.5'],
    ['negative epochs', { epochs: -1 }, 'epochs must be a non-negative integer, but is number -1'],
    ['batchSize', { batchSize: 0 }, 'batchSize must be a positive integer, but is number 0'],
    [
      'no batchSize',
      { batchSize: undefined },
      'batchSize must be a positive integer, but is undefined',
    ],
    ['seed', { seed: -1 }, 'seed must be an integer'],
    ['signal', { signal: {} }, 'signal must be an AbortSignal, but is an object of type Object'],
    ['onBatch', { onBatch: 3 }, 'onBatch must be a function, but is number 3'],
    ['onEpoch', { onEpoch: null }, 'onEpoch must be a function, but is null'],
    [
      'validate',
      { validate: 3 },
      'fit: validate: expected an options object { program, dataset, batchSize, buckets }, but received number 3',
    ],
    [
      'no validate.program',
      { validate: {} },
      'fit: validate: program must be a program, but is undefined',
    ],
    [
      'an incomplete dataset for validation',
      { validate: { program: counter().program, dataset: {} } },
      "[input 'x'] is float64 [batch]: expected examples of float64 [rows], but the dataset has none",
    ],
  ])('%s', async (_, options, message) => {
    const { program, dataset, seen } = counter();
    const all = options === undefined ? undefined : { ...plain, ...options };
    await expect(train.fit(program, dataset, all as never)).rejects.toThrow(message);
    expect(seen.value.item()).toBe(0);
  });

  it('a dataset that does not fit', async () => {
    const { program, seen } = counter();
    await expect(train.fit(program, { x: [[1]] }, plain)).rejects.toThrow(
      'expected examples of float64 [rows]',
    );
    await expect(train.fit(3 as never, {}, plain)).rejects.toThrow(
      'fit: expected a program, but received number 3',
    );
    const other = { runSteps() {} };
    await expect(train.fit(other as never, {}, plain)).rejects.toThrow(
      'fit: expected a program, but received an object { runSteps }',
    );
    expect(seen.value.item()).toBe(0);
  });

  it('an output with a dimension that is not bound', async () => {
    const odd = input('odd', ['batch', 4]);
    const program = new InterpretedProgram({
      outputs: { odd, other: randomNormal(['n']) },
      updates: still(),
    });
    await expect(train.fit(program, { odd: Tensor.zeros([3, 4]) }, plain)).rejects.toThrow(
      "output 'other': dimension 'n' is not bound",
    );
    expect(program.runs).toBe(0);
  });
});

describe('a NaN in a dataset', () => {
  const trained = async (checkFinite: boolean | undefined) => {
    const w = parameter('w', tensor([1, 2]));
    const x = input('x', ['batch', 2]);
    const loss = mean(matmul(x, reshape(w, [2, 1])));
    const program = compile({ outputs: { loss }, updates: sgd(loss, [w], { rate: 0.1 }) });
    const dataset = { x: tensor([[Number.NaN, 1]]) };
    const failed = train.fit(program, dataset, { epochs: 1, batchSize: 1, checkFinite });
    const code = await failed.then(
      () => undefined,
      (error: { code: string }) => error.code,
    );
    return { code, values: [...w.value.data] };
  };

  it('gets into the parameters, unless checkFinite is on: then the step writes nothing', async () => {
    expect(await trained(undefined)).toEqual({
      code: undefined,
      values: [Number.NaN, expect.closeTo(1.9)],
    });
    expect(await trained(true)).toEqual({ code: 'FOREBAY_NUMERIC', values: [1, 2] });
  });
});
