/**
 * Tests that wrong options of training, and programs and datasets that do not fit, are refused before anything runs.
 * The error names the option, the program or the input.
 */

import { expect, it } from 'vitest';
import {
  add,
  checkpoint,
  compile,
  input,
  mul,
  parameter,
  predict,
  resume,
  state,
  sum,
  Tensor,
} from '../../src/index.js';
import * as train from '../../src/train/fit.js';

const w = parameter('w', 1);
const x = input('x', ['batch']);
const y = mul(x, w);
const updates = [[w, add(w, 1)]] as const;
const program = compile({ outputs: { total: sum(y) }, updates });
const asked = compile({ outputs: { y } });
const dataset = { x: [1, 2, 3] };
const options = { epochs: 1, batchSize: 1 };

const odd = (value: object) => value as never;

it.each<[string, () => unknown, string]>([
  [
    'fit',
    () => train.fit(program, dataset, odd({ ...options, shufle: false })),
    "fit: there is no option 'shufle'; did you mean 'shuffle'?",
  ],
  [
    'fit, by another name',
    () => train.fit(program, dataset, odd({ ...options, validation: {} })),
    "did you mean 'validate'?",
  ],
  [
    'validate',
    () =>
      train.fit(program, dataset, { ...options, validate: odd({ program: asked, data: dataset }) }),
    "fit: validate: there is no option 'data'; did you mean 'dataset'?",
  ],
  [
    'checkpoints of fit',
    () => train.fit(program, dataset, { ...options, checkpoint: odd({ path: 'f' }) }),
    "fit: checkpoint: there is no option 'path'; did you mean 'file'?",
  ],
  [
    'their frequency',
    () =>
      train.fit(program, dataset, {
        ...options,
        checkpoint: { file: 'f', every: odd({ steps: 3 }) },
      }),
    "fit: checkpoint: every: there is no option 'steps'; did you mean 'batches'?",
  ],
  [
    'predict',
    () => predict(asked, dataset, odd({ batch_size: 2 })),
    "predict: there is no option 'batch_size'; did you mean 'batchSize'?",
  ],
  [
    'checkpoint',
    () => checkpoint('f', odd({ updates, programs: program })),
    "checkpoint: there is no option 'programs'; did you mean 'program'?",
  ],
  [
    'resume',
    () => resume('f', odd({ updates, metadata: {} })),
    "resume: there is no option 'metadata'",
  ],
])('an unknown option of %s is refused with the nearest one', async (_, call, message) => {
  const error = await Promise.resolve()
    .then(call)
    .catch((cause: unknown) => cause);
  expect(error).toMatchObject({ name: 'ValueError', message: expect.stringContaining(message) });
  expect(program.runs).toBe(0);
});

it('a program without updates is not trained, but refused', async () => {
  await expect(train.fit(asked, dataset, options)).rejects.toMatchObject({
    name: 'ValueError',
    message: expect.stringContaining('fit: the program was compiled without updates'),
  });
  // A program whose updates only write states, not parameters, is accepted.
  const count = state('count', 0);
  const carrying = compile({ outputs: { y }, updates: [[count, add(count, 1)]] });
  await train.fit(carrying, dataset, options);
  expect(count.value.item()).toBe(3);
});

const hostile = new Proxy([1], {
  get: () => {
    throw new Error('thrown by a getter');
  },
});
it.each<[string, unknown]>([
  ['nothing', undefined],
  ['text', 'abc'],
  ['a list of others', [1, null, 3]],
  ['a ragged list', [[1], [1, 2]]],
  ['a list that cannot be read', hostile],
  ['another dtype', new Float64Array(3)],
  ['another rank', Tensor.zeros([3, 2])],
  ['a plain tensor of the wrong size', { dtype: 'float32', shape: [2], data: [1] }],
])('%s as a tensor of a dataset is refused, and the error names the input', async (_, value) => {
  for (const call of [
    () => train.fit(program, { x: value as never }, options),
    () => predict(asked, { x: value as never }),
    () =>
      train.fit(program, dataset, {
        ...options,
        validate: { program: asked, dataset: { x: value as never } },
      }),
  ]) {
    await expect(call()).rejects.toMatchObject({
      code: expect.stringMatching(/^FOREBAY_/),
      message: expect.stringContaining("[input 'x']"),
    });
  }
});

it('a dataset that cannot be read is refused', async () => {
  const reading = {
    get x(): never {
      throw new Error('thrown by a getter');
    },
  };
  await expect(train.fit(program, reading, options)).rejects.toMatchObject({
    name: 'ValueError',
    message: expect.stringContaining('fit: the dataset: '),
  });
});
