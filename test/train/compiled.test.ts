/** Compares the results that `fit` and `predict` give with a compiled program and with the reference executor. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as fb from '../../src/index.js';
import { InterpretedProgram } from '../../src/train/interpreted.js';
import { randomTensor } from '../support.js';

type Graph = { outputs: Record<string, fb.Node>; updates: fb.Updates };

/**
 * Returns an LSTM that learns the sum of a sequence, with noise, by Adam. The model has states, random draws, and an
 * input whose batch axis is in the middle.
 */
function sequences(): { graph: Graph; leaves: fb.Variable[]; dataset: fb.Dataset } {
  const dtype = 'float64';
  const lstm = new fb.LSTM('lstm', { inputs: 2, units: 4, seed: 3, dtype });
  const readout = new fb.FeedForward('readout', { inputs: 4, units: 1, seed: 4, dtype });
  const x = fb.input('x', [3, 'batch', 2], { dtype });
  const y = fb.input('y', ['batch', 1], { dtype });
  const noise = fb.mul(0.01, fb.randomNormal(['batch', 1], { seed: 5, dtype }));
  const loss = fb.mse(fb.add(readout.apply(lstm.unroll(x).last.hidden), noise), y);
  const parameters = [...lstm.parameters, ...readout.parameters];
  const updates = fb.adam(loss, parameters, { rate: 0.01 });
  const xs = randomTensor([50, 3, 2], 6);
  const dataset = { x: xs, y: fb.evaluate(fb.reshape(fb.sum(xs, [1, 2]), [50, 1])) };
  return { graph: { outputs: { loss }, updates }, leaves: updates.map(([leaf]) => leaf), dataset };
}

const numbersOf = (leaves: readonly fb.Variable[]) =>
  leaves.flatMap(({ value }) => [...value.data]);

describe('fit on a compiled program', () => {
  it('gives the same training as the reference executor', async () => {
    const [ours, theirs] = [sequences(), sequences()];
    const options = { epochs: 20, batchSize: 8, seed: 7 };
    const compiled = await fb.fit(fb.compile(ours.graph), ours.dataset, options);
    const reference = await fb.fit(new InterpretedProgram(theirs.graph), theirs.dataset, options);
    const lossOf = ({ epochs }: fb.History) => epochs.map(({ outputs }) => outputs.loss as number);
    lossOf(compiled).forEach((loss, epoch) => {
      expect(loss).toBeCloseTo(lossOf(reference)[epoch] as number, 10);
    });
    expect(lossOf(compiled).at(-1)).toBeLessThan(0.5 * (lossOf(compiled)[0] as number));
    const expected = numbersOf(theirs.leaves);
    numbersOf(ours.leaves).forEach((value, index) => {
      expect(value).toBeCloseTo(expected[index] as number, 9);
    });
  });

  it('gives the same bits in slices of any length, and in a loop of run()', async () => {
    const [many, single, byHand] = [sequences(), sequences(), sequences()];
    const options = { epochs: 4, batchSize: 8, shuffle: false };
    const program = fb.compile(many.graph);
    await fb.fit(program, many.dataset, options);
    await fb.fit(fb.compile(single.graph), single.dataset, { ...options, onBatch: () => {} });
    const runner = fb.compile(byHand.graph);
    const x = fb.evaluate(fb.transpose(byHand.dataset.x as fb.Tensor, [1, 0, 2]));
    for (let step = 0; step < 28; step++) {
      const [start, end] = [(step % 7) * 8, Math.min(50, ((step % 7) + 1) * 8)];
      const cut = (all: fb.Tensor, axis: number) =>
        fb.evaluate(fb.slice(all, { axis, start, end }));
      runner.run({ x: cut(x, 1), y: cut(byHand.dataset.y as fb.Tensor, 0) });
    }
    expect(program.runs).toBe(28);
    expect(numbersOf(single.leaves)).toEqual(numbersOf(many.leaves));
    expect(numbersOf(byHand.leaves)).toEqual(numbersOf(many.leaves));
  });

  it('lets callbacks set and save the leaves that it trains, between steps', async () => {
    const { graph, leaves, dataset } = sequences();
    const folder = mkdtempSync(join(tmpdir(), 'forebay-fit-'));
    try {
      const file = join(folder, 'checkpoint');
      let saved: number[] = [];
      await fb.fit(fb.compile(graph), dataset, {
        epochs: 2,
        batchSize: 20,
        onBatch: () => leaves[1]?.set(leaves[1].value),
        onEpoch: () => {
          fb.save(file, leaves);
          saved = numbersOf(leaves);
        },
      });
      for (const leaf of leaves) leaf.value.data.fill(0);
      fb.load(file, leaves);
      expect(numbersOf(leaves)).toEqual(saved);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('stops at a value that is not finite, names its node, and keeps the steps before it', async () => {
    const x = fb.input('x', ['batch']);
    const logs = fb.log(x).named('logs');
    const steps = fb.state('steps', 0);
    const counted = fb.add(steps, fb.add(1, fb.mul(0, fb.mean(logs))));
    const program = fb.compile({ outputs: { mean: fb.mean(logs) }, updates: [[steps, counted]] });
    const dataset = { x: Float32Array.from({ length: 100 }, (_, i) => (i === 70 ? -1 : 1)) };
    const options = { epochs: 1, batchSize: 2, shuffle: false, checkFinite: true };
    const failure = await fb.fit(program, dataset, options).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(fb.NumericError);
    expect(String(failure)).toMatch(/run 35: .*'logs'.* is NaN at \[0\]/);
    expect([steps.value.item(), program.runs]).toEqual([35, 35]);
    const { epochs } = await fb.fit(program, dataset, { ...options, checkFinite: false });
    expect(epochs[0]?.outputs.mean).toBeNaN();
  });

  it('ends soon after an abort, between two steps', async () => {
    const [a, b] = [fb.state('a', 0), fb.state('b', 0)];
    const x = fb.input('x', ['batch']);
    const one = fb.add(1, fb.mul(0, fb.sum(x)));
    const program = fb.compile({
      outputs: {},
      updates: [
        [a, fb.add(a, one)],
        [b, fb.add(b, one)],
      ],
    });
    const controller = new AbortController();
    const reason = new Error('enough');
    const fitting = fb.fit(
      program,
      { x: new Float32Array(1000) },
      {
        epochs: 1e9,
        batchSize: 1,
        signal: controller.signal,
      },
    );
    setTimeout(() => controller.abort(reason), 50);
    await expect(fitting).rejects.toBe(reason);
    const done = a.value.item();
    expect(done).toBeGreaterThan(0);
    expect(b.value.item()).toBe(done);
    expect(program.runs).toBe(done);
    a.set(0);
    await fb.fit(program, { x: new Float32Array(3) }, { epochs: 1, batchSize: 1 });
    expect(a.value.item()).toBe(3);
  });

  it('trains two programs at once, and one program twice at once', async () => {
    const [first, second, alone] = [sequences(), sequences(), sequences()];
    const options = { epochs: 5, batchSize: 8, seed: 2 };
    const programs = [fb.compile(first.graph), fb.compile(second.graph)] as const;
    await Promise.all([
      fb.fit(programs[0], first.dataset, options),
      fb.fit(programs[1], second.dataset, options),
    ]);
    await fb.fit(fb.compile(alone.graph), alone.dataset, options);
    expect(numbersOf(first.leaves)).toEqual(numbersOf(alone.leaves));
    expect(numbersOf(second.leaves)).toEqual(numbersOf(alone.leaves));
    const before = programs[0].runs;
    await Promise.all([
      fb.fit(programs[0], first.dataset, options),
      fb.fit(programs[0], first.dataset, options),
    ]);
    expect(programs[0].runs).toBe(3 * before);
  });

  it('refuses a minibatch that is too large for memory, and then accepts smaller ones', async () => {
    const x = fb.input('x', ['batch', 1]);
    const count = fb.state('count', 0);
    const program = fb.compile({
      outputs: { pairs: fb.matmul(x, fb.transpose(x)) },
      updates: [[count, fb.add(count, 1)]],
    });
    const rows = 2 ** 22;
    const dataset = { x: fb.Tensor.zeros([rows, 1]) };
    const failure = await fb
      .fit(program, dataset, { epochs: 1, batchSize: rows })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(fb.ValueError);
    expect((failure as Error).message).toBe(
      `output 'pairs': cannot allocate ${4 * rows ** 2} bytes for a minibatch; use a smaller batchSize`,
    );
    await fb.fit(program, { x: fb.Tensor.zeros([8, 1]) }, { epochs: 1, batchSize: 4 });
    expect(program.runs).toBe(2);
  });

  it('refuses a disposed program', async () => {
    const { graph, dataset } = sequences();
    const program = fb.compile(graph);
    program.dispose();
    const options = { epochs: 1, batchSize: 8 };
    await expect(fb.fit(program, dataset, options)).rejects.toBeInstanceOf(fb.StateError);
  });
});

describe('predict on a compiled program', () => {
  it('gives the same as evaluate for the whole dataset at once', async () => {
    const net = new fb.FeedForward('net', { inputs: 3, units: 2, seed: 1, activation: fb.tanh });
    const x = fb.input('x', ['batch', 3]);
    const outputs = { y: net.apply(x), best: fb.argmax(net.apply(x), -1) };
    const all = fb.evaluate(fb.randomNormal([1000, 3], { seed: 2 }));
    const expected = fb.evaluate(outputs, { x: all });
    for (const batchSize of [1, 128, 999]) {
      const { y, best } = await fb.predict(fb.compile({ outputs }), { x: all }, { batchSize });
      expect(best.data).toEqual(expected.best.data);
      expect(y.shape).toEqual([1000, 2]);
      y.data.forEach((value, index) => {
        expect(value).toBeCloseTo(expected.y.data[index] as number, 6);
      });
    }
  });
});
