// A training whose result depends only on its seed. It uses `run`, `runAsync` and `fit`.
import { createHash } from 'node:crypto';
import * as fb from 'forebay';

/** @typedef {{run: number, runAsync: number, epochs: number}} Amount */

/** This amount of training keeps a thread busy for some tens of milliseconds. */
export const usual = { run: 20, runAsync: 20, epochs: 2 };

/** Returns a classifier of noise: a program that trains it, a program that predicts, its parameters and a dataset. */
export function model(/** @type {number} */ seed) {
  fb.setSeed(seed);
  const layer = new fb.FeedForward('layer', { inputs: 16, units: 32, activation: fb.tanh });
  const head = new fb.FeedForward('head', { inputs: 32, units: 4 });
  const y = head.apply(
    fb.add(layer.apply(fb.input('x', ['batch', 16])), fb.mul(fb.randomNormal([32]), 0.01)),
  );
  const loss = fb.mse(y, fb.input('target', ['batch', 4]));
  const parameters = [...layer.parameters, ...head.parameters];
  const trainer = fb.compile({ outputs: { loss }, updates: fb.adam(loss, parameters) });
  const some = (/** @type {number[]} */ shape, /** @type {number} */ rate) => {
    const size = shape.reduce((product, dim) => product * dim, 1);
    return new fb.Tensor(
      Float32Array.from({ length: size }, (_, i) => Math.sin(i * rate + seed)),
      shape,
    );
  };
  const dataset = { x: some([100, 16], 0.37), target: some([100, 4], 0.91) };
  return { trainer, predictor: fb.compile({ outputs: { y } }), parameters, dataset };
}

/** Trains a model. @returns {Promise<string>} a digest of the bits of the parameters and of the predictions */
export async function train(/** @type {number} */ seed, /** @type {Amount} */ amount = usual) {
  const { trainer, predictor, parameters, dataset } = model(seed);
  for (let i = 0; i < amount.run; i++) trainer.run(dataset);
  await Promise.all(Array.from({ length: amount.runAsync }, () => trainer.runAsync(dataset)));
  await fb.fit(trainer, dataset, { epochs: amount.epochs, batchSize: 16, seed });
  const { y } = await fb.predict(predictor, { x: dataset.x }, { batchSize: 30 });
  const hash = createHash('sha256');
  for (const data of [...parameters.map(({ value }) => value.data), y.data])
    hash.update(data.slice());
  trainer.dispose();
  predictor.dispose();
  return hash.digest('hex');
}
