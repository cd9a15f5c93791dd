/** A classifier of MNIST digits, trained on the 60,000 and tested on the 10,000. */

import { type Digits, findDigits, loadDigits } from '../../data/digits.js';
import { Interpreter } from '../../evaluate/interpreter.js';
import {
  adam,
  argmax,
  dot,
  evaluate,
  FeedForward,
  initializers,
  input,
  type Node,
  relu,
  setSeed,
  softmaxCrossEntropy,
  state,
  type Tensor,
} from '../../index.js';
import { imageGrid, lineChart } from '../../report/index.js';
import { batchCount, gather, minibatches } from '../../train/minibatches.js';
import { type Context, defineDemo } from '../demo.js';
import { folder, integer, real } from '../options.js';
import { accuracyOf } from './accuracy.js';

const options = {
  digits: integer({ help: 'how many training digits to use', default: 60000, min: 1, max: 60000 }),
  hidden: integer({ help: 'units of the relu layer', default: 256, min: 1 }),
  epochs: integer({ help: 'passes over the digits', default: 5, min: 1 }),
  batch: integer({ help: 'digits in a minibatch', default: 128, min: 1 }),
  rate: real({
    help: "Adam's step size at the start; it falls to 0 by a cosine",
    default: 2e-3,
    above: 0,
  }),
  data: folder({ help: 'where the MNIST files are (IDX, plain or gzipped)' }),
};

export const demo = defineDemo({
  name: 'mnist',
  summary: 'a classifier of handwritten digits (MNIST)',
  options,
  async run(context) {
    const { digits, hidden, epochs, batch: batchSize } = context.options;
    setSeed(context.seed);
    const { train, test } = loadDigits(findDigits(context.options), { train: digits, test: 10000 });
    const layers = [
      new FeedForward('hidden', {
        inputs: 784,
        units: hidden,
        activation: relu,
        init: initializers.he(),
      }),
      new FeedForward('classes', { inputs: hidden, units: 10 }),
    ];
    const classify = (x: Node) => layers.reduce((y, layer) => layer.apply(y), x);
    const x = input('x', ['batch', 784]);
    const label = input('label', ['batch'], { dtype: 'int32' });
    const loss = softmaxCrossEntropy(classify(x), label);
    const rate = state('rate', context.options.rate);
    const parameters = layers.flatMap((layer) => layer.parameters);
    const step = new Interpreter([loss], adam(loss, parameters, { rate }));

    const updates = epochs * batchCount(digits, batchSize);
    const losses: number[] = [];
    const dataset = { x: train.images, label: train.labels };
    const bar = context.progress(updates, 'mnist');
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (const batch of minibatches(dataset, { batchSize, seed: context.seed, epoch })) {
        rate.set((context.options.rate / 2) * (1 + Math.cos((Math.PI * losses.length) / updates)));
        losses.push((step.run(batch)[0] as Tensor).item());
        bar.advance(1, losses.at(-1));
      }
    }
    bar.done();

    const accuracy = accuracyOf(classify, test);
    context.say(
      `accuracy ${(100 * accuracy).toFixed(2)} % on the 10,000 test digits, after ${epochs} epochs over ${digits}`,
    );
    const figures = { digits, hidden, epochs, batch: batchSize, rate: context.options.rate };
    context.metrics({ ...figures, accuracy, loss: losses.at(-1) as number });
    await draw(context, classify, test, losses);
    await context.graph('model', dot(loss.named('loss'), { title: 'The classifier and its loss' }));
  },
});

async function draw(
  context: Context,
  classify: (x: Node) => Node,
  test: Digits,
  losses: readonly number[],
): Promise<void> {
  // One minibatch's loss says little; a hundred stretches of training show the course of it.
  const stretch = Math.ceil(losses.length / 100);
  const starts = losses.map((_, update) => update).filter((update) => update % stretch === 0);
  await context.picture(
    'loss',
    await lineChart({
      title: 'Training loss',
      subtitle: `cross-entropy, the mean over ${stretch} minibatches`,
      x: { label: 'update' },
      y: { label: 'nats', scale: 'log' },
      series: [
        {
          name: 'loss',
          x: starts,
          y: starts.map((start) => meanOf(losses.slice(start, start + stretch))),
        },
      ],
    }),
  );
  const x = input('x', ['batch', 784]);
  const answers = evaluate(argmax(classify(x), -1), { x: test.images }).data;
  const wrong = Array.from(answers.keys()).filter((i) => answers[i] !== test.labels.data[i]);
  const shown = wrong.slice(0, 36);
  if (shown.length === 0) return;
  await context.picture(
    'mistakes',
    await imageGrid({
      title: 'Test digits it got wrong',
      subtitle: `the first ${shown.length} of ${wrong.length}: label, then answer`,
      images: gather({ images: test.images }, shown).images.data,
      captions: shown.map((index) => `${test.labels.data[index]} → ${answers[index]}`),
      columns: 12,
    }),
  );
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
