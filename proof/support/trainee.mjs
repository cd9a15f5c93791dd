// A training that may be killed at any moment: `node trainee.mjs FILE EVERY`. If the checkpoint FILE exists, the
// training resumes from it. It first prints 'resumed' or 'begun', and at the end its result as JSON.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import * as fb from 'forebay';

const [, , file, every] = process.argv;
fb.setThreads(1);
fb.setSeed(7);

// The model has all kinds of state that a training may have: weights, moments, random draws, and a rate that is set
// between epochs.
const hidden = new fb.FeedForward('hidden', { inputs: 24, units: 192, activation: fb.relu });
const readout = new fb.FeedForward('readout', { inputs: 192, units: 24 });
const x = fb.input('x', ['batch', 24]);
const target = fb.input('target', ['batch', 24]);
const noisy = (node, seed) =>
  fb.where(fb.greater(fb.randomNormal(['batch', 192], { seed }), -1), node, 0);
const lossOf = (seed) => fb.mse(readout.apply(noisy(hidden.apply(x), seed)), target);
const rate = fb.state('rate', 0.01);
const loss = lossOf(1);
const updates = fb.adam(loss, [...hidden.parameters, ...readout.parameters], { rate });
const program = fb.compile({ outputs: { loss }, updates });
const validating = fb.compile({ outputs: { loss: lossOf(2) } });

/**
 * Returns examples that are made without a random generator. The training uses 100 of them, so that the last minibatch
 * of 16 is short.
 */
const wave = (rows, phase) =>
  fb.tensor(
    Float32Array.from({ length: rows * 24 }, (_, index) => Math.fround(Math.sin(index * phase))),
    { shape: [rows, 24] },
  );
const data = (rows) => ({ x: wave(rows, 0.7), target: wave(rows, 1.3) });

const from = existsSync(file) ? fb.resume(file, { updates, program }) : undefined;
console.log(from ? 'resumed' : 'begun');
const { epochs } = await fb.fit(program, data(100), {
  epochs: 12,
  batchSize: 16,
  validate: { program: validating, dataset: data(30) },
  onEpoch: ({ epoch }) => rate.set(0.01 / (epoch + 2)),
  checkpoint: { file, every: JSON.parse(every) },
  from,
});

const digestOf = ({ value: { data } }) => {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return createHash('sha256').update(bytes).digest('hex');
};
const leaves = new Set([...updates.map(([leaf]) => leaf), rate]);
const digests = Object.fromEntries([...leaves].map((leaf) => [leaf.name, digestOf(leaf)]));
console.log(JSON.stringify({ epochs, digests, runs: [program.runs, validating.runs] }));
