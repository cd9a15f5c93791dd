import { describe, expect, it } from 'vitest';
import * as fb from '../../src/index.js';
import {
  argmax,
  concat,
  evaluate,
  input,
  mean,
  mul,
  sum,
  Tensor,
  tensor,
  transpose,
} from '../../src/index.js';
import { InterpretedProgram } from '../../src/train/interpreted.js';
import { predict } from '../../src/train/predict.js';
import { randomTensor } from '../support.js';

describe('predict', () => {
  const x = input('x', [3, 'batch', 2], { dtype: 'float64' });
  const outputs = {
    same: mul(x, 2),
    first: transpose(x, [1, 0, 2]),
    last: transpose(x, [0, 2, 1]),
    best: argmax(x, -1),
    sums: sum(x, [0, 2]),
  };
  const dataset = { x: randomTensor([11, 3, 2], 7) };

  it.each([1, 4, 11, 100, undefined])(
    'concatenates outputs along their batch axis, for minibatches of %s',
    async (batchSize) => {
      const joined = await predict(new InterpretedProgram({ outputs }), dataset, { batchSize });
      const whole = evaluate(transpose(dataset.x, [1, 0, 2]));
      const expected = evaluate(outputs, { x: whole });
      expect(Object.keys(joined)).toEqual(Object.keys(outputs));
      for (const [name, { dtype, shape, data }] of Object.entries(expected)) {
        expect([joined[name]?.dtype, joined[name]?.shape], name).toEqual([dtype, shape]);
        expect(joined[name]?.data, name).toEqual(data);
      }
    },
  );

  it.each([
    ['without a batch axis', { y: mean(x) }, "output 'y' is float64 []"],
    [
      'with a batch axis of two batches',
      { y: concat([x, x], 1) },
      "output 'y' is float64 [3, 2*batch, 2]",
    ],
  ])('refuses an output %s', async (_, odd, message) => {
    const program = new InterpretedProgram({ outputs: odd });
    await expect(predict(program, dataset)).rejects.toThrow(message);
    expect(program.runs).toBe(0);
  });

  it('refuses wrong arguments', async () => {
    const program = new InterpretedProgram({ outputs });
    await expect(
      predict(program, { x: Tensor.zeros([0, 3, 2], { dtype: 'float64' }) }),
    ).rejects.toThrow('the dataset has no examples');
    await expect(predict(program, dataset, { batchSize: 0 })).rejects.toThrow(
      'predict: batchSize must be',
    );
    await expect(predict(program, dataset, { signal: 3 as never })).rejects.toThrow(
      'predict: signal must be',
    );
    await expect(predict(program, dataset, null as never)).rejects.toThrow(
      'expected an options object { batchSize, buckets, stateful, signal }, but received null',
    );
    await expect(predict({} as never, dataset)).rejects.toThrow('expected a program');
    await expect(predict(program, { x: tensor([1]) })).rejects.toThrow(
      'expected examples of float64 [rows, 3, 2]',
    );
  });

  it('rejects with the reason of an abort', async () => {
    const program = new InterpretedProgram({ outputs });
    const signal = AbortSignal.abort('no more');
    await expect(predict(program, dataset, { signal })).rejects.toBe('no more');
    expect(program.runs).toBe(0);
  });
});

it('refuses a program with updates, which a prediction would train', async () => {
  const w = fb.parameter('w', [2]);
  const y = fb.mul(fb.input('x', ['batch']), w);
  const training = fb.compile({ outputs: { y }, updates: fb.sgd(fb.mean(y), [w], { rate: 1 }) });
  const asked = fb.predict(training, { x: fb.tensor([1, 2, 3]) });
  await expect(asked).rejects.toThrow(/^predict: the program updates parameters/);
  const validated = fb.fit(
    training,
    { x: fb.tensor([1, 2, 3]) },
    {
      epochs: 1,
      batchSize: 3,
      validate: { program: training, dataset: { x: fb.tensor([1]) } },
    },
  );
  await expect(validated).rejects.toThrow(/^fit: validate: the program updates parameters/);
  expect(w.value.item()).toBe(2);
});
