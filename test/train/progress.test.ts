/**
 * Tests that the progress of a training can be written as text and read with the same bits, and that damaged text is
 * refused.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValueError } from '../../src/index.js';
import type { ValidationMeans } from '../../src/train/history.js';
import { formatProgress, type Progress, parseProgress, startOf } from '../../src/train/progress.js';
import { errorOf } from '../support.js';

const progress: Progress = {
  examples: 10,
  batchSize: 4,
  seed: 3,
  epoch: 2,
  row: 8,
  sums: { loss: 0.1 + 0.2 },
  epochs: [
    { epoch: 0, outputs: { loss: 2 / 3 }, validation: { loss: 1e-310 } },
    { epoch: 1, outputs: { loss: Number.MAX_VALUE } },
  ],
  ended: false,
};

describe('progress as text', () => {
  it('is parsed to the same progress', () => {
    expect(parseProgress(formatProgress(progress))).toEqual(progress);
    const unshuffled = { ...progress, seed: undefined, ended: true };
    expect(parseProgress(formatProgress(unshuffled))).toEqual(unshuffled);
  });

  it('includes the metrics of the trained and of the validating program', () => {
    const measured = { epoch: 0, outputs: {}, metrics: { error: -0 } };
    const validation = { loss: 1, metrics: { error: 1e-310 } } as unknown as ValidationMeans;
    const epochs = [measured, { ...measured, epoch: 1, validation }];
    expect(parseProgress(formatProgress({ ...progress, epochs }))).toEqual({ ...progress, epochs });
    // Without metrics, an output of the validating program may be named 'metrics'.
    const named = [{ epoch: 0, outputs: {}, validation: { metrics: NaN } as object }];
    const text = formatProgress({ ...progress, epoch: 1, epochs: named } as Progress);
    expect(parseProgress(text).epochs).toEqual(named);
  });

  it('includes the sizes of buckets, and whether state is carried', () => {
    const buckets = [
      { steps: 3, n: 2 },
      { steps: 9, n: 2 },
    ];
    const ragged = { ...progress, buckets, stateful: true };
    expect(parseProgress(formatProgress(ragged))).toEqual(ragged);
    // Files of versions without these options have no such fields.
    expect(Object.keys(JSON.parse(formatProgress(progress)))).not.toContain('stateful');
    const refused = (fields: object) => () =>
      parseProgress(JSON.stringify({ ...JSON.parse(formatProgress(ragged)), ...fields }));
    expect(refused({ stateful: 1 })).toThrow('stateful must be true or left out');
    expect(refused({ buckets: 3 })).toThrow('buckets must be a list');
    expect(refused({ buckets: [3] })).toThrow('bucket 0 must be an object');
    expect(refused({ buckets: [{ steps: -1 }] })).toThrow("'steps' must be a whole number");
  });

  it('keeps every bit of every number', () => {
    const names = fc.oneof(
      fc.string(),
      fc.constantFrom('__proto__', 'epoch', 'ended', 'constructor'),
    );
    const means = fc.dictionary(names, fc.double());
    fc.assert(
      fc.property(means, means, (sums, outputs) => {
        const one = { ...progress, epoch: 1, sums, epochs: [{ epoch: 0, outputs }] };
        const back = parseProgress(formatProgress(one));
        for (const [ours, theirs] of [
          [sums, back.sums],
          [outputs, back.epochs[0]?.outputs as object],
        ] as [object, object][]) {
          const [expected, found] = [new Map(Object.entries(ours)), Object.entries(theirs)];
          expect(found.length).toBe(expected.size);
          for (const [name, value] of found)
            expect(Object.is(value, expected.get(name))).toBe(true);
        }
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  const changed = (change: object) =>
    JSON.stringify({ ...JSON.parse(formatProgress(progress)), ...change });
  it.each([
    ['', /JSON/],
    ['[]', 'the progress must be an object'],
    ['null', 'the progress must be an object'],
    [changed({ examples: 0 }), 'examples must be a whole number of at least 1'],
    [changed({ batchSize: 1.5 }), 'batchSize must be a whole number'],
    [changed({ epoch: '2' }), 'epoch must be a whole number'],
    [changed({ row: -4 }), 'row must be a whole number of at least 0'],
    [changed({ row: 3 }), 'no minibatch of 4 begins at row 3 of 10'],
    [changed({ row: 12 }), 'no minibatch of 4 begins at row 12 of 10'],
    [changed({ epoch: 3 }), 'expected the records of 3 epochs'],
    [changed({ epochs: { length: 2 } }), 'expected the records of 2 epochs'],
    [changed({ epochs: [1, 2] }), 'epoch 0 must be an object'],
    [changed({ epochs: [{ outputs: {} }, {}] }), 'outputs of epoch 1 must be an object'],
    [
      changed({ epochs: [{ outputs: {}, validation: { x: 'y' } }, {}] }),
      "'x' of validation of epoch 0 must be a number",
    ],
    [
      changed({ epochs: [{ outputs: {}, metrics: [] }, {}] }),
      'metrics of epoch 0 must be an object',
    ],
    [
      changed({ epochs: [{ outputs: {}, validation: { metrics: { x: 'y' } } }, {}] }),
      "'x' of metrics of the validation of epoch 0 must be a number",
    ],
    [changed({ sums: { loss: 'infinity' } }), "'loss' of sums must be a number"],
    [changed({ sums: { loss: null } }), "'loss' of sums must be a number"],
    [changed({ seed: -1 }), 'seed: expected a seed'],
    [changed({ seed: undefined }), 'seed: expected a seed'],
    [changed({ ended: 0 }), 'ended must be true or false'],
  ])('%s is refused', (text, message) => {
    expect(() => parseProgress(text)).toThrow(message);
  });
});

describe('a training continues', () => {
  const plan = { examples: 10, batchSize: 4, seed: 3 };
  const asked = { epochs: 5, derived: false, outputs: new Set(['loss']) };
  const from = { file: 'it', runs: [3], progress };

  it('at its position, or starts if it has no progress', () => {
    expect(startOf(plan, from, asked)).toEqual(progress);
    const start = { ...plan, epoch: 0, row: 0, sums: {}, epochs: [], ended: false };
    expect(startOf(plan, undefined, asked)).toEqual(start);
    expect(startOf(plan, { ...from, progress: undefined }, asked)).toEqual(start);
  });

  it('with its own seed, if no other is given', () => {
    expect(startOf({ ...plan, seed: 99 }, from, { ...asked, derived: true }).seed).toBe(3);
  });

  it('with other outputs, if it is between two epochs', () => {
    const between = { ...progress, row: 0, sums: {} };
    const outputs = new Set(['loss', 'error']);
    expect(startOf(plan, { ...from, progress: between }, { ...asked, outputs })).toEqual(between);
  });

  it.each<[string, object, object, string]>([
    ['more examples', { examples: 11 }, {}, 'on 10 examples, but the dataset has 11'],
    ['other minibatches', { batchSize: 5 }, {}, 'with batchSize 4, but batchSize is 5'],
    ['another seed', { seed: 4 }, {}, 'with seed 3, but seed is 4'],
    ['a shuffle that was off', { seed: undefined }, {}, 'with shuffle true, but shuffle is false'],
    ['fewer epochs', {}, { epochs: 2 }, 'that has begun 3 epochs, but epochs is 2'],
    [
      'other outputs within an epoch',
      {},
      { outputs: new Set(['loss', 'error']) },
      'whose outputs of one element are loss, but those of the program are error, loss',
    ],
  ])('not with %s', (_, otherPlan, otherwise, message) => {
    const error = errorOf(() => {
      startOf({ ...plan, ...otherPlan }, from, { ...asked, ...otherwise });
    });
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toBe(`fit: from: it is of a training ${message}`);
  });

  it.each([[null], ['it'], [{}], [progress], [{ progress }]])('not from %j', (from) => {
    expect(errorOf(() => startOf(plan, from as never, asked)).message).toContain(
      'fit: from must be the result of resume, but is ',
    );
  });
});
