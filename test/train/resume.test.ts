/**
 * Tests that trainings by `fit` that are interrupted and resumed give the same bits as trainings without interruption.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  adam,
  add,
  compile,
  type Dataset,
  FeedForward,
  type FitOptions,
  input,
  load,
  mse,
  mul,
  randomNormal,
  resume,
  state,
  type Updates,
} from '../../src/index.js';
import * as train from '../../src/train/fit.js';
import { randomTensor } from '../support.js';

let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-resume-'));
  file = join(folder, 'it.checkpoint');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const float64 = { dtype: 'float64' } as const;

/**
 * Returns a training with random draws (also in its validation) and Adam, whose rate is set between epochs. All calls
 * make equal trainings.
 */
function training() {
  const net = new FeedForward('net', { inputs: 3, units: 2, seed: 1, ...float64 });
  const x = input('x', ['batch', 3], float64);
  const y = input('y', ['batch', 2], float64);
  const lossOf = (seed: number) => {
    const noise = randomNormal(['batch', 2], { seed, ...float64 });
    return mse(add(net.apply(x), mul(noise, 0.1)), y);
  };
  const rate = state('rate', 0.1, float64);
  const loss = lossOf(2);
  const updates = adam(loss, net.parameters, { rate });
  const program = compile({ outputs: { loss }, updates });
  const dataset: Dataset = { x: randomTensor([11, 3], 5), y: randomTensor([11, 2], 6) };
  const validating = compile({ outputs: { loss: lossOf(3) } });
  const validate = {
    program: validating,
    dataset: { x: randomTensor([5, 3], 7), y: randomTensor([5, 2], 8) },
  };
  const options = {
    epochs: 3,
    batchSize: 4,
    seed: 9,
    validate,
    onEpoch: ({ epoch }: { epoch: number }) => rate.set(0.1 / (epoch + 2)),
  };
  return { updates, program, validating, dataset, options, rate };
}

type Training = ReturnType<typeof training>;
const resumed = ({ updates, program }: Training) => resume(file, { updates, program });
const fitted = ({ program, dataset, options }: Training, others: Partial<FitOptions>) =>
  train.fit(program, dataset, { ...options, ...others });
const stateOf = ({ updates, program, validating, rate }: Training) => [
  ...[...updates.map(([leaf]) => leaf), rate].map(({ value }) => [...value.data]),
  program.runs,
  validating.runs,
];

class Interruption extends Error {}

/**
 * Runs a training that is interrupted after every `steps` steps, and resumes it as a new process would. Returns its
 * history, its state, and the number of these "processes".
 */
async function interrupted(steps: number, checkpoint: FitOptions['checkpoint'] & object) {
  for (let processes = 1; ; processes++) {
    const one = training();
    const from = processes > 1 ? resumed(one) : undefined;
    let left = steps;
    const onBatch = () => {
      if (left-- === 0) throw new Interruption();
    };
    try {
      const history = await fitted(one, { checkpoint, from, onBatch });
      return { history, state: stateOf(one), processes };
    } catch (error) {
      if (!(error instanceof Interruption)) throw error;
    }
  }
}

describe('a training that is interrupted', () => {
  it.each([1, 2, 3, 4, 5, 8])('after every %i steps ends with the same bits', async (steps) => {
    const whole = training();
    const history = await fitted(whole, {});
    const one = await interrupted(steps, { file, every: { batches: 1 } });
    expect(one.processes).toBe(Math.ceil(9 / steps));
    expect(one.history).toEqual(history);
    expect(one.state).toEqual(stateOf(whole));
  });

  it.each([
    [{ batches: 2 }],
    [{ batches: 4 }],
    [{ epochs: 1 }],
    [{ batches: 5, epochs: 2 }],
    [{ seconds: 0 }],
    [undefined],
  ])('with checkpoints every %j ends with the same bits', async (every) => {
    const whole = training();
    const history = await fitted(whole, {});
    // Each process takes 6 steps, so that it reaches a checkpoint with each of these settings.
    const one = await interrupted(6, { file, every });
    expect(one.processes).toBeGreaterThan(1);
    expect(one.history).toEqual(history);
    expect(one.state).toEqual(stateOf(whole));
  });

  it('during slices of many steps ends with the same bits', async () => {
    const whole = training();
    const history = await fitted(whole, { epochs: 40 });
    const stop = new AbortController();
    const one = training();
    const saved = { file, every: { batches: 7 } };
    const onEpoch = (record: { epoch: number }) => {
      one.options.onEpoch(record);
      if (record.epoch === 17) stop.abort(new Interruption());
    };
    const options = { epochs: 40, checkpoint: saved };
    await expect(fitted(one, { ...options, onEpoch, signal: stop.signal })).rejects.toThrow(
      Interruption,
    );
    const other = training();
    const from = resumed(other);
    // A checkpoint is written after every 7 steps. Of the 54 completed steps, 49 are in the last checkpoint.
    expect(from.progress).toMatchObject({ epoch: 16, row: 4, seed: 9, examples: 11 });
    expect(from.runs).toEqual([49, 32]);
    expect(await fitted(other, { ...options, from })).toEqual(history);
    expect(stateOf(other)).toEqual(stateOf(whole));
  });

  it('can be resumed without its seed, and does not change the seeds of later draws', async () => {
    const { setSeed } = await import('../../src/index.js');
    const draw = () => (randomNormal([1]).attributes as { seed: number }).seed;
    setSeed(4);
    const whole = training();
    const history = await fitted(whole, { seed: undefined });
    const next = draw();
    const one = training();
    setSeed(4);
    const saved = { file, every: { batches: 2 } };
    const stop = () => Promise.reject(new Interruption());
    await expect(
      fitted(one, { seed: undefined, checkpoint: saved, onEpoch: stop }),
    ).rejects.toThrow();
    const other = training();
    setSeed(4);
    const from = resumed(other);
    expect(await fitted(other, { seed: undefined, from })).toEqual(history);
    expect(draw()).toBe(next);
  });

  it('without shuffling is resumed without shuffling', async () => {
    const whole = training();
    const history = await fitted(whole, { shuffle: false });
    const one = training();
    const saved = { file, every: { batches: 2 } };
    const stop = { onBatch: () => Promise.reject(new Interruption()) };
    await fitted(one, { shuffle: false, checkpoint: saved, epochs: 1 });
    await expect(fitted(one, { ...stop, from: resumed(one), epochs: 2 })).rejects.toThrow(
      'shuffle',
    );
    const other = training();
    const from = resumed(other);
    expect(await fitted(other, { shuffle: false, from })).toEqual(history);
    expect(stateOf(other)).toEqual(stateOf(whole));
  });

  it('by onEpoch has ended, and resuming it runs nothing', async () => {
    const one = training();
    const saved = { file, every: { epochs: 5 } };
    const history = await fitted(one, { checkpoint: saved, onEpoch: ({ epoch }) => epoch < 1 });
    expect(history.epochs.length).toBe(2);
    const other = training();
    const told: unknown[] = [];
    const from = resumed(other);
    const options = { from, onEpoch: (record: unknown) => void told.push(record) };
    expect(await fitted(other, options)).toEqual(history);
    expect(told).toEqual([]);
    expect(stateOf(other)).toEqual(stateOf(one));
  });

  it('may be resumed with more epochs after its end', async () => {
    const whole = training();
    const history = await fitted(whole, { epochs: 5 });
    const one = training();
    await fitted(one, { checkpoint: { file } });
    const other = training();
    expect(await fitted(other, { epochs: 5, from: resumed(other) })).toEqual(history);
  });
});

describe('checkpoints of fit', () => {
  it('contain all leaves that the updates read, even while other programs read them', async () => {
    const one = training();
    const asking = compile({ outputs: { y: (one.updates.at(-1) as Updates[number])[0] } });
    let going = true;
    const reading = (async () => {
      while (going) await asking.runAsync();
    })();
    await fitted(one, { checkpoint: { file, every: { batches: 1 } } });
    going = false;
    await reading;
    expect(load(file).rate?.toArray()).toBe(0.1 / 4);
  });

  it.each<[string, object, string]>([
    [
      'no settings',
      3 as never,
      'fit: checkpoint: expected an options object { file, every }, but received number 3',
    ],
    ['no file', {}, 'fit: checkpoint: file must be a path, but is undefined'],
    [
      'a fractional batch',
      { file: 'f', every: { batches: 0.5 } },
      'fit: checkpoint: every: batches must be a positive',
    ],
    ['no epochs', { file: 'f', every: { epochs: 0 } }, 'every: epochs must be a positive'],
    ['negative seconds', { file: 'f', every: { seconds: -1 } }, 'every: seconds must be a number'],
    [
      'a number',
      { file: 'f', every: 5 },
      'every: expected an options object { batches, seconds, epochs }',
    ],
  ])('are refused with %s, before any step runs', async (_, checkpoint, message) => {
    const one = training();
    await expect(fitted(one, { checkpoint: checkpoint as never })).rejects.toMatchObject({
      name: 'ValueError',
      message: expect.stringContaining(message),
    });
    expect(one.program.runs).toBe(0);
  });

  it('are refused in a folder that does not exist, before any step runs', async () => {
    const one = training();
    const checkpoint = { file: join(folder, 'no', 'where') };
    await expect(fitted(one, { checkpoint })).rejects.toThrow('cannot be written: ENOENT');
    expect(one.program.runs).toBe(0);
  });

  it('end the training, after a complete step, if they cannot be written', async () => {
    const one = training();
    const onBatch = ({ batch }: { batch: number }) => {
      if (batch === 1) rmSync(folder, { recursive: true });
    };
    const checkpoint = { file, every: { batches: 1 } };
    const error = await fitted(one, { checkpoint, onBatch }).catch((cause: Error) => cause);
    expect(error).toMatchObject({ name: 'FormatError' });
    expect((error as Error).message).toContain(`${file}: cannot be written`);
    expect([2, 3, 4]).toContain(one.program.runs);
  });
});

describe('fit from a checkpoint', () => {
  it.each<[string, Partial<FitOptions>, Dataset | undefined, string]>([
    [
      'another number of examples',
      {},
      { x: randomTensor([10, 3], 5), y: randomTensor([10, 2], 6) },
      'on 11 examples, but the dataset has 10',
    ],
    ['another batchSize', { batchSize: 3 }, undefined, 'with batchSize 4, but batchSize is 3'],
    ['another seed', { seed: 8 }, undefined, 'with seed 9, but seed is 8'],
    ['fewer epochs', { epochs: 1 }, undefined, 'that has begun 3 epochs, but epochs is 1'],
  ])('refuses %s before any step runs', async (_, others, dataset, message) => {
    const one = training();
    await fitted(one, { checkpoint: { file } });
    const other = training();
    const from = resumed(other);
    const before = stateOf(other);
    other.program.runs = 99;
    const options = { ...other.options, ...others, from };
    await expect(train.fit(other.program, dataset ?? other.dataset, options)).rejects.toMatchObject(
      {
        name: 'ValueError',
        message: `fit: from: ${file} is of a training ${message}`,
      },
    );
    expect(other.program.runs).toBe(99);
    other.program.runs = before.at(-2) as number;
    expect(stateOf(other)).toEqual(before);
  });
});
