// Trains some models, and prints a digest for each, as JSON: `node models.mjs THREADS train|save|load FOLDER`. A digest
// covers the loss, the leaves and the predictions. With `save`, it also writes the leaves to FOLDER in the middle of
// the training. With `load`, it reads the leaves from FOLDER and does only the second half of the training.
import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as fb from 'forebay';

const [, , threads, goal, folder] = process.argv;
fb.setThreads(Number(threads));
const half = 6;

const draw = (shape, seed, dtype = 'float32') =>
  fb.evaluate(fb.cast(fb.randomNormal(shape, { seed }), dtype));

/** Returns a classifier. Its products are so large that they are split among threads. */
function classifier() {
  const layer = new fb.FeedForward('hidden', { inputs: 784, units: 512, activation: fb.relu });
  const readout = new fb.FeedForward('readout', { inputs: 512, units: 10 });
  const y = readout.apply(layer.apply(fb.input('x', ['batch', 784])));
  const loss = fb.softmaxCrossEntropy(y, fb.input('label', ['batch'], { dtype: 'int32' }));
  return {
    loss,
    predicted: y,
    updates: fb.adam(loss, [...layer.parameters, ...readout.parameters]),
    feeds: {
      x: draw([128, 784], 1),
      label: fb.tensor(Int32Array.from({ length: 128 }, (_, i) => i % 10)),
    },
  };
}

function recurrent() {
  const layer = new fb.LSTM('lstm', { inputs: 32, units: 96 });
  const readout = new fb.FeedForward('readout', { inputs: 96, units: 32 });
  const { hidden } = layer.unroll(fb.input('x', [8, 'batch', 32]));
  const y = readout.apply(hidden);
  const loss = fb.mse(y, fb.input('target', [8, 'batch', 32]));
  return {
    loss,
    predicted: y,
    updates: fb.sgd(loss, [...layer.parameters, ...readout.parameters], { rate: 0.1 }),
    feeds: { x: draw([8, 16, 32], 2), target: draw([8, 16, 32], 3) },
  };
}

function regression() {
  const layer = new fb.FeedForward('wide', { inputs: 300, units: 200, dtype: 'float64' });
  const y = layer.apply(fb.input('x', ['batch', 300], { dtype: 'float64' }));
  const loss = fb.mse(y, fb.input('target', ['batch', 200], { dtype: 'float64' }));
  return {
    loss,
    predicted: y,
    updates: fb.adam(loss, layer.parameters),
    feeds: { x: draw([77, 300], 4, 'float64'), target: draw([77, 200], 5, 'float64') },
  };
}

/**
 * Returns an auto-encoder, which draws random numbers in every run. They depend on the number of earlier runs, so this
 * model is not saved and loaded.
 */
function autoencoder() {
  const vae = new fb.VariationalAutoencoder('vae', { inputs: 784, hidden: 100, latent: 6 });
  const loss = vae.loss(fb.input('x', ['batch', 784]));
  const feeds = { x: fb.evaluate(fb.sigmoid(draw([40, 784], 6))) };
  return { loss, predicted: loss, updates: fb.adam(loss, vae.parameters), feeds, draws: true };
}

function digestOf(name, make) {
  fb.setSeed(7);
  const { loss, predicted, updates, feeds, draws = false } = make();
  const leaves = Object.fromEntries(updates.map(([leaf], index) => [String(index), leaf]));
  const training = fb.compile({ outputs: { loss }, updates });
  const hash = createHash('sha256');
  const train = () => {
    for (let step = 0; step < half; step++) training.run(feeds);
  };
  const file = join(folder, `${name}.safetensors`);
  if (goal === 'load' && !draws) {
    fb.load(file, leaves);
  } else {
    train();
    if (goal === 'save' && !draws) fb.save(file, leaves);
  }
  train();
  const bytes = ({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const take = (tensor) => hash.update(bytes(tensor));
  take(training.run(feeds).loss);
  for (const leaf of Object.values(leaves)) take(leaf.value);
  if (!draws) {
    const { label: _, target: __, ...x } = feeds;
    const prediction = fb.compile({ outputs: { y: predicted } });
    const { y } = prediction.run(x);
    take(y);
    for (let run = 0; run < 10; run++) {
      assert.deepEqual(bytes(prediction.run(x).y), bytes(y), `${name}: run ${run} differs`);
    }
  }
  return hash.digest('hex').slice(0, 16);
}

const found = {};
for (const [name, make] of Object.entries({ classifier, recurrent, regression, autoencoder })) {
  found[name] = digestOf(name, make);
  if (goal !== 'load')
    assert.equal(digestOf(name, make), found[name], `${name}: the second training`);
}
console.log(JSON.stringify(found));
