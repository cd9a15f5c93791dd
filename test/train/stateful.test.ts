/** Tests trainings that carry state from minibatch to minibatch. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as fb from '../../src/index.js';
import * as train from '../../src/train/fit.js';
import { InterpretedProgram } from '../../src/train/interpreted.js';
import { randomTensor } from '../support.js';

const float64 = { dtype: 'float64' } as const;

let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-stateful-'));
  file = join(folder, 'it.checkpoint');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A program that adds up x along each row: total' = total + x. `weighed` depends on the total before it. */
function sums(count = 12) {
  const x = fb.input('x', ['batch'], float64);
  const total = fb.input('total', ['batch'], float64);
  const next = fb.add(total, x);
  const seen = fb.state('seen', fb.tensor(0, float64));
  const graph = {
    outputs: { total: next, before: fb.sum(total), x },
    updates: [[seen, fb.add(seen, fb.sum(total))]] as fb.Updates,
  };
  const dataset = { x: Float64Array.from({ length: count }, (_, index) => 2 ** index) };
  return { graph, dataset, seen, x, total };
}

const settings = { epochs: 2, batchSize: 3, stateful: true };

describe('a stateful training', () => {
  it('gives each minibatch the output of the one before, and the first of each epoch zeros', async () => {
    const { graph, dataset, seen } = sums();
    const totals: number[][] = [];
    const onBatch: fb.FitOptions['onBatch'] = ({ outputs }) => {
      totals.push([...(outputs.total as fb.Tensor).data, (outputs.before as fb.Tensor).item()]);
    };
    const history = await train.fit(fb.compile(graph), dataset, { ...settings, onBatch });
    const epoch = [
      [1, 2, 4, 0],
      [9, 18, 36, 7],
      [73, 146, 292, 63],
      [585, 1170, 2340, 511],
    ];
    expect(totals).toEqual([...epoch, ...epoch]);
    expect(seen.value.item()).toBe(2 * (7 + 63 + 511));
    // The outputs of several elements have no means.
    const outputs = { before: (7 + 63 + 511) / 4 };
    expect(history.epochs).toEqual([0, 1].map((index) => ({ epoch: index, outputs })));
  });

  it('carries state within and between the calls of several steps', async () => {
    const { graph, dataset, seen } = sums(3000);
    const program = new InterpretedProgram(graph);
    const { runSteps } = program;
    const calls: number[] = [];
    program.runSteps = (request) => {
      calls.push(request.steps);
      return runSteps.call(program, request);
    };
    dataset.x.fill(1);
    await train.fit(program, dataset, settings);
    expect(Math.max(...calls)).toBeGreaterThan(3);
    expect(calls.length).toBeGreaterThan(4);
    // The total of each row before minibatch k is k.
    expect(seen.value.item()).toBe(2 * 3 * ((999 * 1000) / 2));
    const compiled = sums(3000);
    compiled.dataset.x.fill(1);
    await train.fit(fb.compile(compiled.graph), compiled.dataset, settings);
    expect(compiled.seen.value.item()).toBe(seen.value.item());
  });

  it('carries several inputs of any dtype, with the batch at any place', async () => {
    const x = fb.input('x', ['batch'], { dtype: 'int32' });
    const flag = fb.input('flag', [2, 'batch'], { dtype: 'bool' });
    const last = fb.input('last', ['batch'], { dtype: 'int32' });
    const count = fb.state('count', 0);
    const outputs = {
      last: fb.where(fb.equal(x, x), x, last),
      flag: fb.not(flag),
      same: last,
      was: flag,
    };
    const program = fb.compile({ outputs, updates: [[count, fb.add(count, 1)]] });
    const seen: number[][] = [];
    await train.fit(
      program,
      { x: Int32Array.of(5, 6, 7, 8, 9, 10) },
      {
        epochs: 1,
        batchSize: 2,
        stateful: true,
        onBatch: ({ outputs: { same, was } }) => void seen.push([...same.data, ...was.data]),
      },
    );
    expect(seen).toEqual([
      [0, 0, 0, 0, 0, 0],
      [5, 6, 1, 1, 1, 1],
      [7, 8, 0, 0, 0, 0],
    ]);
  });

  it('does not carry an input that the dataset has', async () => {
    const { graph, dataset, seen } = sums();
    const total = new Float64Array(12).fill(1);
    const fitting = train.fit(fb.compile(graph), { ...dataset, total }, settings);
    await expect(fitting).rejects.toThrow(
      'stateful: expected an input that has the name of an output',
    );
    await train.fit(fb.compile(graph), { ...dataset, total }, { ...settings, stateful: false });
    expect(seen.value.item()).toBe(24);
  });

  it('carries the state of the validating program, too, from zeros', async () => {
    const { graph, dataset } = sums();
    const { before, total } = graph.outputs;
    const program = fb.compile({ outputs: { before, total } });
    const validate = { program, dataset: { x: new Float64Array(6).fill(1) } };
    const options = { ...settings, validate };
    const { epochs } = await train.fit(fb.compile(graph), dataset, options);
    expect(epochs.map(({ validation }) => validation)).toEqual([{ before: 1.5 }, { before: 1.5 }]);
    const odd = { ...validate, dataset: { x: new Float64Array(7) } };
    await expect(
      train.fit(fb.compile(graph), dataset, { ...options, validate: odd }),
    ).rejects.toThrow(
      'fit: validate: with stateful, every minibatch needs batchSize rows, but the dataset has 7 examples, which is no multiple of batchSize 3',
    );
    const other = fb.compile({ outputs: { y: fb.mean(fb.input('x', ['batch'], float64)) } });
    const plain = { program: other, dataset: { x: new Float64Array(7).fill(3) } };
    const mixed = await train.fit(fb.compile(graph), dataset, { ...options, validate: plain });
    expect(mixed.epochs[1]?.validation).toEqual({ y: 3 });
  });

  it('names the step that is not finite, and gives it the state that was carried to it', async () => {
    const { graph, dataset } = sums();
    const { outputs, updates } = graph;
    const bad = fb.log(fb.sub(100, outputs.before));
    const program = fb.compile({ outputs: { ...outputs, bad }, updates });
    const fitting = train.fit(program, dataset, { ...settings, checkFinite: true });
    // The sums before the minibatches are 0, 7, 63 and 511.
    await expect(fitting).rejects.toMatchObject({
      name: 'NumericError',
      message: expect.stringContaining('[log'),
    });
    expect(program.runs).toBe(3);
  });
});

/** A training of an LSTM on three rows of 15 segments. All calls make equal trainings. */
function training() {
  const lstm = new fb.LSTM('lstm', { inputs: 2, units: 3, seed: 1, ...float64 });
  const xs = fb.input('xs', [4, 'batch', 2], float64);
  const ys = fb.input('ys', [4, 'batch', 3], float64);
  const initial = {
    hidden: fb.input('hidden', ['batch', 3], float64),
    cell: fb.input('cell', ['batch', 3], float64),
  };
  const { hidden, last } = lstm.unroll(xs, { initial });
  const loss = fb.mse(hidden, ys);
  const updates = fb.adam(loss, lstm.parameters, { rate: 0.05 });
  const outputs = { loss, hidden: last.hidden, cell: last.cell };
  const program = fb.compile({ outputs, updates });
  const dataset = { xs: randomTensor([45, 4, 2], 5), ys: randomTensor([45, 4, 3], 6) };
  return { lstm, updates, outputs, program, dataset };
}

const stateOf = ({ updates, program }: ReturnType<typeof training>) => [
  ...updates.map(([{ value }]) => [...value.data]),
  program.runs,
];

describe('a stateful training that is interrupted', () => {
  it.each([4, 15, 16, 44])('after every %i steps ends with the same bits', async (steps) => {
    const options = { ...settings, epochs: 3 };
    const whole = training();
    const history = await train.fit(whole.program, whole.dataset, options);
    for (let processes = 1; ; processes++) {
      const one = training();
      const { updates, program } = one;
      const from = processes > 1 ? fb.resume(file, { updates, program }) : undefined;
      let left = steps;
      const onBatch = () => {
        if (left-- === 0) throw new RangeError('interrupted');
      };
      const checkpoint = { file, every: { batches: 1 } };
      const more = { ...options, from, checkpoint, onBatch };
      const ended = await train.fit(program, one.dataset, more).catch((error) => error);
      if (ended instanceof RangeError) continue;
      expect(processes).toBe(Math.ceil(45 / steps));
      expect(ended).toEqual(history);
      expect(stateOf(one)).toEqual(stateOf(whole));
      break;
    }
  });

  it('within a slice of several steps ends with the same bits', async () => {
    const options = { ...settings, epochs: 30 };
    const whole = training();
    const history = await train.fit(whole.program, whole.dataset, options);
    const one = training();
    const stop = new AbortController();
    const checkpoint = { file, every: { batches: 7 } };
    const onEpoch = ({ epoch }: { epoch: number }) => {
      if (epoch === 19) stop.abort();
    };
    const interrupted = { ...options, checkpoint, onEpoch, signal: stop.signal };
    await expect(train.fit(one.program, one.dataset, interrupted)).rejects.toThrow();
    const other = training();
    const from = fb.resume(file, { updates: other.updates, program: other.program });
    // 300 steps were completed, and a checkpoint was written after each 7 of them.
    expect(from.progress).toMatchObject({ epoch: 19, row: 27, stateful: true });
    expect(from.carried?.cell?.shape).toEqual([3, 3]);
    expect(await train.fit(other.program, other.dataset, { ...options, from })).toEqual(history);
    expect(stateOf(other)).toEqual(stateOf(whole));
  });

  /** Writes a checkpoint after two of the 15 minibatches of an epoch. */
  async function begun() {
    const { program, dataset } = training();
    const onBatch = ({ batch }: { batch: number }) => {
      if (batch === 2) throw new RangeError('interrupted');
    };
    const options = { ...settings, onBatch, checkpoint: { file, every: { batches: 2 } } };
    await expect(train.fit(program, dataset, options)).rejects.toThrow(RangeError);
    const other = training();
    return { other, from: fb.resume(file, { updates: other.updates, program: other.program }) };
  }

  it('is not continued without its state', async () => {
    const { other, from } = await begun();
    const { program, dataset } = other;
    const go = (options: object) => train.fit(program, dataset, { ...settings, ...options });
    const { carried, ...lost } = from;
    const wrong = (cell: unknown) => ({ ...from, carried: { ...carried, cell } as never });
    const is = `fit: from: ${file} is of a training`;
    await expect(go({ from: lost })).rejects.toThrow(
      `${is} whose carried inputs are none, but those of the program are cell, hidden`,
    );
    await expect(go({ from: wrong(fb.Tensor.zeros([2, 3], float64)) })).rejects.toThrow(
      `${is} whose carried input 'cell' is float64 [2, 3], but that of the program is float64 [3, 3]`,
    );
    await expect(go({ from: wrong(3) })).rejects.toThrow("'cell' is no tensor, but");
    const fed = {
      ...dataset,
      hidden: fb.Tensor.zeros([45, 3], float64),
      cell: fb.Tensor.zeros([45, 3], float64),
    };
    const plain = { ...settings, stateful: false, shuffle: false, from };
    await expect(train.fit(program, fed, plain)).rejects.toThrow(
      `${is} with stateful true, but stateful is false`,
    );
    const { progress, ...rest } = from;
    const old = { ...rest, progress: { ...progress, stateful: undefined } as never };
    await expect(go({ from: old })).rejects.toThrow(
      `${is} with stateful false, but stateful is true`,
    );
    expect(program.runs).toBe(2);
    await go({ from });
    expect(program.runs).toBe(30);
  });

  it('writes its state under the names of the inputs, which no leaf may have', async () => {
    await begun();
    const { 'forebay.carried/hidden': hidden } = fb.load(file);
    expect(hidden?.shape).toEqual([3, 3]);
    const { graph, dataset } = sums();
    const clash = fb.state('forebay.carried/total', 0);
    const updates: fb.Updates = [...graph.updates, [clash, fb.add(clash, 1)]];
    const program = fb.compile({ outputs: graph.outputs, updates });
    const fitting = train.fit(program, dataset, { ...settings, checkpoint: { file } });
    await expect(fitting).rejects.toThrow("a leaf is named 'forebay.carried/total'");
    expect(program.runs).toBe(0);
  });
});

describe('stateful is refused, before any step runs,', () => {
  const { graph, dataset, x } = sums();
  const count = fb.state('count', 0);
  const updates: fb.Updates = [[count, fb.add(count, 1)]];
  const carrying = (input: fb.Input, output: fb.Node) =>
    fb.compile({
      outputs: { total: output, y: fb.add(fb.sum(x), fb.sum(fb.cast(input, 'float64'))) },
      updates,
    });
  const input = (shape: (string | number)[], dtype: fb.DType = 'float64') =>
    fb.input('total', shape, { dtype });

  it.each<[string, () => fb.Program, fb.Dataset, object, string, string]>([
    [
      'with shuffle',
      () => fb.compile(graph),
      dataset,
      { shuffle: true },
      'ValueError',
      'fit: shuffle must not be true with stateful',
    ],
    [
      'for a number of examples that is no multiple of batchSize',
      () => fb.compile(graph),
      dataset,
      { batchSize: 5 },
      'ValueError',
      'the dataset has 12 examples, which is no multiple of batchSize 5',
    ],
    [
      'for fewer examples than batchSize',
      () => fb.compile(graph),
      dataset,
      { batchSize: 24 },
      'ValueError',
      'has 12 examples, which is no multiple of batchSize 24',
    ],
    [
      'if no input has the name of an output',
      () => fb.compile({ outputs: { y: fb.sum(x) }, updates }),
      dataset,
      {},
      'ValueError',
      "and is not in the dataset, because it gets the value of this output in the next minibatch (inputs: 'x'; outputs: 'y')",
    ],
    [
      'if only a metric has the name of an input',
      () => fb.compile({ outputs: { y: fb.sum(x) }, metrics: { x }, updates }),
      dataset,
      {},
      'ValueError',
      "(inputs: 'x'; outputs: 'y')",
    ],
    [
      'if an input has no examples and no output',
      () => fb.compile({ outputs: { y: fb.sum(input(['batch'])), x }, updates }),
      {},
      {},
      'ValueError',
      "[input 'total'] is float64 [batch]: expected examples of float64 [rows], but the dataset has none; with stateful, an input that is carried has the name of an output (outputs: 'y', 'x')",
    ],
    [
      'if nothing is fed',
      () => fb.compile({ outputs: { total: fb.mul(input(['batch']), 2) }, updates }),
      {},
      {},
      'ValueError',
      'the program has no inputs, so there are no minibatches to feed',
    ],
    [
      'for a carried input of another shape',
      () => carrying(input(['batch', 2]), fb.add(x, 1)),
      dataset,
      {},
      'ShapeError',
      "[input 'total'] is float64 [batch, 2], but the output 'total', whose value it gets in the next minibatch, is float64 [batch]",
    ],
    [
      'for a carried input of another dtype',
      () => carrying(input(['batch'], 'float32'), fb.add(x, 1)),
      dataset,
      {},
      'DTypeError',
      "is float32 [batch], but the output 'total', whose value it gets in the next minibatch, is float64 [batch]",
    ],
    [
      'for a carried input without rows',
      () => carrying(input([]), fb.sum(x)),
      dataset,
      {},
      'GraphError',
      "[input 'total'] is float64 []: expected exactly one dimension 'batch'",
    ],
    [
      'for a carried input of an unknown size',
      () => {
        const total = input(['batch', 'n']);
        return carrying(total, fb.mul(total, 2));
      },
      dataset,
      {},
      'ShapeError',
      "'n'",
    ],
    [
      'with examples of several sizes',
      () => {
        const ragged = fb.input('ragged', ['steps', 'batch'], float64);
        const total = input(['batch']);
        return fb.compile({ outputs: { total: fb.add(total, fb.sum(ragged, 0)) }, updates });
      },
      { ragged: [[1], [1, 2]] },
      { batchSize: 2 },
      'ValueError',
      "so all examples need the same size, but 'steps' is 1 in example 0 and 2 in example 1 for [input 'ragged']",
    ],
    [
      'if it is no flag',
      () => fb.compile(graph),
      dataset,
      { stateful: 1 },
      'ValueError',
      'fit: stateful must be true or false',
    ],
  ])('%s', async (_, make, fed, options, name, message) => {
    const fitting = train.fit(make(), fed, { ...settings, ...options });
    await expect(fitting).rejects.toMatchObject({
      name,
      message: expect.stringContaining(message),
    });
    expect(count.value.item()).toBe(0);
  });

  it('but suggested if the dataset lacks an input with the name of an output', async () => {
    const fitting = train.fit(fb.compile(graph), dataset, { ...settings, stateful: false });
    await expect(fitting).rejects.toThrow(
      "[input 'total'] is float64 [batch]: expected examples of float64 [rows], but the dataset has none; to carry it from minibatch to minibatch, give the option stateful: true",
    );
  });
});

describe('predict with stateful', () => {
  it('carries state from zeros, and returns the outputs in order', async () => {
    const { graph, dataset } = sums(6);
    const { total } = graph.outputs;
    const program = fb.compile({ outputs: { total } });
    for (let time = 0; time < 2; time++) {
      const found = await fb.predict(program, dataset, { batchSize: 2, stateful: true });
      expect([...found.total.data]).toEqual([1, 2, 1 + 4, 2 + 8, 1 + 4 + 16, 2 + 8 + 32]);
    }
    await expect(fb.predict(program, dataset, { stateful: true })).rejects.toThrow(
      'predict: with stateful, every minibatch needs batchSize rows, but the dataset has 6 examples, which is no multiple of batchSize 128',
    );
  });
});
