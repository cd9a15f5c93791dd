/**
 * The second experiment on digits by the author of the seed (the blog post that forebay is based on). It is a
 * classifier of MNIST digits with four hidden layers and a skip connection, trained on the 60,000 training digits and
 * tested on the 10,000 test digits.
 */

import { type Digits, findDigits, loadDigits } from '../../data/digits.js';
import {
  adam,
  add,
  dot,
  FeedForward,
  initializers,
  input,
  load,
  type Node,
  relu,
  setSeed,
  softmaxCrossEntropy,
  type Tensor,
  type Variable,
} from '../../index.js';
import { imageGrid, lineChart } from '../../report/index.js';
import { type Context, defineDemo } from '../demo.js';
import { folder, integer, real, type Values } from '../options.js';
import { accuracyOf, answersOf } from './classifier.js';
import { modelOptions, programOf, sizeIn, train } from './programs.js';
import { cosineRate } from './schedule.js';

const pixels = 784;
const classes = 10;
// The number of units of the second, third and fourth layer. A skip connection bypasses the third and the fourth.
const narrow = 128;

const options = {
  digits: integer({ help: 'how many training digits to use', default: 60000, min: 1, max: 60000 }),
  hidden: integer({ help: 'units of the first layer', default: 512, min: 1 }),
  epochs: integer({ help: 'epochs over the digits', default: 10, min: 1 }),
  batch: integer({ help: 'digits in a minibatch', default: 128, min: 1 }),
  rate: real({
    help: "Adam's step size at the start; it falls to 0 by a cosine",
    default: 2e-3,
    above: 0,
  }),
  data: folder({ help: 'where the MNIST files are (IDX, plain or gzipped)' }),
  ...modelOptions,
};

export const demo = defineDemo({
  name: 'mnist',
  summary: 'a classifier of handwritten digits (MNIST)',
  options,
  async run(context) {
    const { options } = context;
    setSeed(context.seed);
    const digits = loadDigits(findDigits(options), {
      train: options.load === undefined ? options.digits : 0,
      test: 10000,
    });
    const hidden = sizeIn(options.load, 'first.weight', 1, options.hidden);
    const model = new Classifier(hidden);
    const x = input('x', ['batch', pixels]);
    const label = input('label', ['batch'], { dtype: 'int32' });
    const loss = softmaxCrossEntropy(model.classify(x), label);

    if (options.load === undefined) {
      const losses = await trained(context, model.parameters, loss, digits.train);
      context.model(model.parameters);
      const { digits: count, epochs, batch, rate } = options;
      context.metrics({ digits: count, epochs, batch, rate, loss: losses.at(-1) as number });
      await drawLosses(context, losses);
    } else {
      load(options.load, model.parameters);
    }
    const answers = await answersOf(options, (x) => model.classify(x), digits.test.images);
    const accuracy = accuracyOf(answers, digits.test.labels);
    const how =
      options.load === undefined
        ? `after ${options.epochs} epochs over ${options.digits}`
        : `by ${options.load}`;
    context.say(`accuracy ${(100 * accuracy).toFixed(2)} % on the 10,000 test digits, ${how}`);
    context.metrics({ hidden, accuracy });
    await drawMistakes(context, digits.test, answers);
    await context.graph('model', dot(loss.named('loss'), { title: 'The classifier and its loss' }));
  },
});

class Classifier {
  readonly #first: FeedForward;
  readonly #second: FeedForward;
  readonly #skipped: readonly FeedForward[];
  readonly #classes: FeedForward;

  constructor(hidden: number) {
    const layer = (name: string, inputs: number, units: number) =>
      new FeedForward(name, { inputs, units, activation: relu, init: initializers.he() });
    this.#first = layer('first', pixels, hidden);
    this.#second = layer('second', hidden, narrow);
    this.#skipped = [layer('third', narrow, narrow), layer('fourth', narrow, narrow)];
    this.#classes = new FeedForward('classes', { inputs: narrow, units: classes });
  }

  get parameters(): Variable[] {
    return [this.#first, this.#second, ...this.#skipped, this.#classes].flatMap(
      (layer) => layer.parameters,
    );
  }

  /** Returns the logits, of shape [batch, 10], for x of shape [batch, 784]. */
  classify(x: Node): Node {
    const second = this.#second.apply(this.#first.apply(x));
    const skipped = this.#skipped.reduce((y, layer) => layer.apply(y), second);
    return this.#classes.apply(add(second, skipped));
  }
}

/** Trains the model. Returns the loss of every update. */
async function trained(
  context: Context<Values<typeof options>>,
  parameters: readonly Variable[],
  loss: Node,
  { images, labels }: Digits,
): Promise<number[]> {
  const { digits, epochs, batch: batchSize } = context.options;
  const updates = epochs * Math.ceil(digits / batchSize);
  const schedule = cosineRate(context.options.rate, updates);
  const program = programOf(context.options, {
    outputs: { loss },
    updates: [...adam(loss, parameters, { rate: schedule.rate }), ...schedule.updates],
  });
  const losses: number[] = [];
  const bar = context.progress(updates, 'mnist');
  await train(
    program,
    { x: images, label: labels },
    {
      epochs,
      batchSize,
      seed: context.seed,
      onBatch: ({ outputs }) => {
        losses.push((outputs.loss as Tensor).item());
        bar.advance(1, losses.at(-1));
      },
    },
  );
  bar.done();
  return losses;
}

async function drawLosses(context: Context, losses: readonly number[]): Promise<void> {
  // The loss of a single minibatch is noisy, so the curve shows its means over a hundred intervals of the training.
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
}

async function drawMistakes(
  context: Context,
  test: Digits,
  { data: answers }: Tensor,
): Promise<void> {
  const wrong = Array.from(answers.keys()).filter((i) => answers[i] !== test.labels.data[i]);
  const shown = wrong.slice(0, 36);
  if (shown.length === 0) return;
  await context.picture(
    'mistakes',
    await imageGrid({
      title: 'Test digits that were classified wrongly',
      subtitle: `the first ${shown.length} of ${wrong.length}: label, then answer`,
      images: rowsOf(test.images, shown),
      captions: shown.map((index) => `${test.labels.data[index]} → ${answers[index]}`),
      columns: 12,
    }),
  );
}

/** Copies the given rows of a tensor [n, pixels], one after another. */
function rowsOf({ data }: Tensor, rows: readonly number[]): Float32Array {
  const picked = new Float32Array(rows.length * pixels);
  rows.forEach((row, index) => {
    picked.set(data.subarray(row * pixels, (row + 1) * pixels), index * pixels);
  });
  return picked;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
