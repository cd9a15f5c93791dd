/** Tests trainings on ragged data: lists of examples that differ in length. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as fb from '../../src/index.js';
import { gather } from '../../src/train/columns.js';
import { type Dataset, examplesOf } from '../../src/train/dataset.js';
import * as train from '../../src/train/fit.js';
import { InterpretedProgram } from '../../src/train/interpreted.js';
import { errorOf, randomTensor } from '../support.js';

const float64 = { dtype: 'float64' } as const;

const nodes = (...inputs: fb.Input[]) => ({
  inputs: new Map(inputs.map((node) => [node.name as string, node])),
  outputs: new Map<string, fb.Node>(),
  metrics: new Set<string>(),
});

const xs = fb.input('xs', ['steps', 'batch', 2], float64);
const ys = fb.input('ys', ['batch', 'steps'], float64);
const lengths = fb.input('lengths', ['batch'], { dtype: 'int32' });
const list = (...steps: number[]) => steps.map((length, index) => randomTensor([length, 2], index));
const checked = (dataset: Dataset, ...inputs: fb.Input[]) =>
  examplesOf('fit', dataset, nodes(...inputs), { batchSize: 2 });

describe('a list of examples', () => {
  it('may have tensors, typed arrays and nested arrays', () => {
    const { rows, ragged, longest } = checked(
      { ys: [[1, 2], new Float64Array(5), [], fb.tensor([4], float64)] },
      ys,
    );
    expect([rows, ragged, longest.get('steps')]).toEqual([4, true, 5]);
  });

  it('may be given for an input whose examples have one shape', () => {
    const x = fb.input('x', ['batch', 2], float64);
    const { rows, ragged } = checked({ x: [randomTensor([2], 1), randomTensor([2], 2)] }, x);
    expect([rows, ragged]).toEqual([2, false]);
  });

  it('is padded together with a tensor that has its dimension', () => {
    const { columns, buckets } = examplesOf(
      'fit',
      { xs: list(3, 3), ys: randomTensor([2, 3], 1) },
      nodes(xs, ys),
      {
        batchSize: 2,
        buckets: [4],
      },
    );
    const [, column] = columns as [unknown, (typeof columns)[number]];
    const target = new Float64Array(8);
    gather(column, Int32Array.of(1, 0), 0, target, 2, buckets.bindings[0]);
    const { data } = randomTensor([2, 3], 1);
    expect([...target]).toEqual([...data.subarray(3), 0, ...data.subarray(0, 3), 0]);
  });

  it.each<[string, Dataset, string, string]>([
    [
      'of other lengths than another one',
      {
        xs: list(3, 4),
        ys: [
          [1, 2, 3],
          [1, 2],
        ],
      },
      'ShapeError',
      "[input 'ys'] is float64 [batch, steps]: expected a list of examples of float64 [steps]: 'steps' of example 1 is 2 here, but 4 in [input 'xs']",
    ],
    [
      'of other lengths than a tensor',
      { ys: randomTensor([2, 3], 1), xs: list(3, 4) },
      'ShapeError',
      "'steps' of example 1 is 3 here, but 4 in [input 'xs']",
    ],
    [
      'with an example of another rank',
      { xs: [...list(3), randomTensor([3], 1)], ys: [[1], [1]] },
      'ShapeError',
      'expected a list of examples of float64 [steps, 2], but example 1 is [3]',
    ],
    [
      'with an example of another size',
      { xs: [...list(3), randomTensor([3, 4], 1)], ys: [[1], [1]] },
      'ShapeError',
      'but example 1 is [3, 4]',
    ],
    [
      'with an example of another dtype',
      { xs: [...list(3), fb.Tensor.zeros([3, 2])], ys: [[1], [1]] },
      'DTypeError',
      'but example 1 is float32 [3, 2]',
    ],
    [
      'with an example that is no tensor',
      { xs: [...list(3), 'abc' as never], ys: [[1], [1]] },
      'ValueError',
      'but example 1 is the string "abc"',
    ],
    [
      'of another number of examples',
      { xs: list(3, 3), ys: [[1, 2, 3]] },
      'ShapeError',
      "the dataset has 2 examples for [input 'xs'], but 1 for [input 'ys']",
    ],
    ['without examples', { xs: [], ys: [] }, 'ValueError', 'the dataset has no examples'],
  ])('%s is refused', (_, dataset, kind, message) => {
    const error = errorOf(() => checked(dataset, xs, ys));
    expect([error.name, error.message]).toEqual([kind, expect.stringContaining(message)]);
    expect(error.message).toMatch(/^fit: /);
  });

  it('whose memory was transferred after the check is refused', () => {
    const dataset = { xs: list(3, 4) };
    const { columns, buckets } = checked(dataset, xs);
    structuredClone(null, { transfer: [dataset.xs[1]?.data.buffer as ArrayBuffer] });
    const target = new Float64Array(16);
    const [column] = columns as [(typeof columns)[number]];
    const error = errorOf(() =>
      gather(column, Int32Array.of(1), 0, target, 2, buckets.bindings.at(-1)),
    );
    expect(error.message).toMatch(/^the examples for \[input 'xs'\] have been transferred away/);
  });
});

/** Returns a training of a GRU and a batch norm on `count` sequences of 0 to 6 steps. */
function training({ count = 23 }: { count?: number } = {}) {
  const seed = 1;
  const gru = new fb.GRU('gru', { inputs: 2, units: 3, seed, ...float64 });
  const norm = new fb.BatchNorm('norm', { features: 3, ...float64 });
  const dense = new fb.Dense('dense', { inputs: 3, units: 1, seed, ...float64 });
  const label = fb.input('label', ['batch', 1], float64);
  const { last } = gru.unroll(xs, { lengths });
  const loss = fb.training(() => fb.mse(dense.apply(norm.apply(last.hidden)), label));
  const updates = fb.adam(loss, [...gru.parameters, ...norm.parameters, ...dense.parameters]);
  const steps = Array.from({ length: count }, (_, index) => (index * 5) % 7);
  const dataset = {
    xs: list(...steps),
    lengths: Int32Array.from(steps),
    label: randomTensor([count, 1], 99),
  };
  const program = fb.compile({ outputs: { loss }, updates });
  const state = () =>
    [gru, norm, dense].flatMap((one) => [...one.entries()].map(([, v]) => [...v.value.data]));
  return { gru, loss, updates, dataset, program, steps, state };
}

const settings = { epochs: 3, batchSize: 4, seed: 7 };

describe('a training on ragged data', () => {
  it('runs each example once an epoch, in minibatches as long as the bucket of the examples', async () => {
    const seen: number[][] = [];
    const count = fb.state('count', 0);
    const program = new InterpretedProgram({
      outputs: { total: fb.sum(xs), xs, lengths, mean: fb.mean(fb.cast(lengths, 'float64')) },
      updates: [[count, fb.add(count, 1)]],
    });
    const { dataset, steps } = training();
    const { epochs } = await train.fit(
      program,
      { xs: dataset.xs, lengths: dataset.lengths },
      {
        ...settings,
        epochs: 2,
        buckets: [2, 4, 6],
        onBatch: ({ epoch, batch, rows, outputs }) => {
          const [padded = 0] = outputs.xs?.shape ?? [];
          const own = [...(outputs.lengths as fb.Tensor).data];
          seen.push([epoch, batch, rows, padded, ...own]);
          // The padding is 0, although the memory was used for other minibatches before.
          const { data } = outputs.xs as fb.Tensor;
          data.forEach((value, index) => {
            const [step, row] = [Math.floor(index / (2 * rows)), Math.floor(index / 2) % rows];
            if (step >= (own[row] as number)) expect(value).toBe(0);
            else expect(value).not.toBe(0);
          });
          expect(Math.max(...own)).toBeLessThanOrEqual(padded);
          expect([2, 4, 6]).toContain(padded);
        },
      },
    );
    expect(seen.map(([epoch, batch, rows]) => [epoch, batch, rows])).toEqual(
      [0, 1].flatMap((epoch) =>
        [0, 1, 2, 3, 4, 5].map((batch) => [epoch, batch, batch < 5 ? 4 : 3]),
      ),
    );
    for (const epoch of [0, 1]) {
      const own = seen.filter(([of]) => of === epoch).flatMap((one) => one.slice(4));
      expect(own.sort()).toEqual([...steps].sort());
      expect(epochs[epoch]?.outputs.mean).toBeCloseTo(steps.reduce((a, b) => a + b) / 23, 12);
    }
    expect(new Set(seen.map((one) => one[3])).size).toBe(3);
    expect(seen.map((one) => one[3])).not.toEqual(seen.map((one) => one[3]).sort());
  });

  it('of examples of one length gives the same bits as one tensor of them', async () => {
    const [one, other] = [training(), training()];
    const { label } = one.dataset;
    const all = randomTensor([23, 5, 2], 3);
    const each = Array.from(
      { length: 23 },
      (_, index) => new fb.Tensor(all.data.slice(index * 10, index * 10 + 10), [5, 2]),
    );
    const feeds = { lengths: new Int32Array(23).fill(5), label };
    const history = await train.fit(one.program, { ...feeds, xs: all }, settings);
    expect(await train.fit(other.program, { ...feeds, xs: each }, settings)).toEqual(history);
    expect(other.state()).toEqual(one.state());
  });

  it('gives the same results by the reference executor', async () => {
    const [compiled, other] = [training(), training()];
    const { loss, updates } = other;
    const interpreted = new InterpretedProgram({ outputs: { loss }, updates });
    const history = await train.fit(compiled.program, compiled.dataset, settings);
    const expected = await train.fit(interpreted, other.dataset, settings);
    history.epochs.forEach(({ outputs }, epoch) => {
      expect(outputs.loss).toBeCloseTo(expected.epochs[epoch]?.outputs.loss as number, 10);
    });
    compiled
      .state()
      .flat()
      .forEach((value, index) => {
        expect(value).toBeCloseTo(other.state().flat()[index] as number, 8);
      });
  });

  it('validates on ragged data, with sizes of its own', async () => {
    const one = training();
    const valid = training({ count: 9 });
    const whole = fb.Tensor.zeros([6, 9, 2], float64);
    valid.dataset.xs.forEach(({ data, shape }, row) => {
      for (let step = 0; step < (shape[0] as number); step++) {
        whole.data.set(data.subarray(step * 2, step * 2 + 2), (step * 9 + row) * 2);
      }
    });
    const { last } = one.gru.unroll(xs, { lengths });
    const mean = fb.compile({ outputs: { mean: fb.mean(last.hidden) } });
    const { xs: own, lengths: counts } = valid.dataset;
    const validate = { program: mean, dataset: { xs: own, lengths: counts }, buckets: [3, 9] };
    const { epochs } = await train.fit(one.program, one.dataset, {
      ...settings,
      epochs: 1,
      validate,
    });
    const expected = mean.run({ xs: whole, lengths: counts }).mean?.item();
    expect(epochs[0]?.validation?.mean).toBeCloseTo(expected as number, 12);
    const small = { ...validate, buckets: [3] };
    await expect(
      train.fit(one.program, one.dataset, { ...settings, validate: small }),
    ).rejects.toThrow("fit: validate: buckets of 'steps': the largest size is 3, but 'steps' is");
  });

  it.each([1, 2, 4, 7, 10])(
    'that is interrupted after every %i steps ends with the same bits',
    async (steps) => {
      const folder = mkdtempSync(join(tmpdir(), 'forebay-ragged-'));
      try {
        const file = join(folder, 'a');
        const whole = training();
        const history = await train.fit(whole.program, whole.dataset, settings);
        for (let first = true; ; first = false) {
          const one = training();
          const from = first
            ? undefined
            : fb.resume(file, { updates: one.updates, program: one.program });
          let left = steps;
          const onBatch = () => {
            if (left-- === 0) throw new RangeError('interrupted');
          };
          const checkpoint = { file, every: { batches: 1 } };
          const options = { ...settings, from, checkpoint, onBatch };
          const ended = await train.fit(one.program, one.dataset, options).catch((error) => error);
          if (ended instanceof RangeError) continue;
          expect(ended).toEqual(history);
          expect(one.state()).toEqual(whole.state());
          break;
        }
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );

  it('is not continued with other sizes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'forebay-ragged-'));
    try {
      const file = join(folder, 'a');
      const one = training();
      const options = { ...settings, checkpoint: { file }, buckets: [3, 6] };
      await train.fit(one.program, one.dataset, options);
      const from = fb.resume(file, { updates: one.updates, program: one.program });
      const more = { ...settings, epochs: 4, from, buckets: [2, 6] };
      await expect(train.fit(one.program, one.dataset, more)).rejects.toThrow(
        'is of a training with buckets [{"steps":3},{"steps":6}], but those of the dataset are [{"steps":2},{"steps":6}]',
      );
      expect(
        (await train.fit(one.program, one.dataset, { ...more, buckets: [3, 6] })).epochs,
      ).toHaveLength(4);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('runs adjacent minibatches of one bucket in one call', async () => {
    const { xs: own } = training({ count: 600 }).dataset;
    const count = fb.state('count', 0);
    const calls: [steps: number, padded: number | undefined][] = [];
    const stepper = new InterpretedProgram({
      outputs: { x: fb.sum(xs) },
      updates: [[count, fb.add(count, 1)]],
    });
    const { runSteps } = stepper;
    stepper.runSteps = (request) => {
      calls.push([request.steps, request.bindings.get('steps')]);
      return runSteps.call(stepper, request);
    };
    await train.fit(stepper, { xs: own }, { ...settings, epochs: 1, shuffle: false, batchSize: 2 });
    expect(calls.map(([, padded]) => padded)).toEqual(calls.map(([, padded]) => padded).sort());
    expect(calls.reduce((sum, [steps]) => sum + steps, 0)).toBe(300);
    expect(Math.max(...calls.map(([steps]) => steps))).toBeGreaterThan(1);
  });

  it('leaves the event loop free while it pads', async () => {
    const count = fb.state('count', 0);
    const long = fb.input('long', ['steps', 'batch'], float64);
    const program = new InterpretedProgram({
      outputs: { x: long },
      updates: [[count, fb.add(count, 1)]],
    });
    program.runSteps = () => Promise.resolve();
    const many = Array.from({ length: 40_000 }, (_, index) => new Float64Array(50 + (index % 100)));
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await train.fit(program, { long: many }, { epochs: 1, batchSize: 40_000, seed: 1 });
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(20);
  });
});
