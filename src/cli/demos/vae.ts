/**
 * The seed's second experiment: a variational auto-encoder on MNIST digits. It draws digits from its
 * prior, and some digits beside what it makes of them.
 */

import { findDigits, loadDigits } from '../../data/digits.js';
import { Interpreter } from '../../evaluate/interpreter.js';
import {
  adam,
  backward,
  constant,
  dot,
  evaluate,
  input,
  log,
  maximum,
  mean,
  minimum,
  randomNormal,
  setSeed,
  sub,
  type Tensor,
  VariationalAutoencoder,
} from '../../index.js';
import { imageGrid, lineChart } from '../../report/index.js';
import { batchCount, gather, minibatches } from '../../train/minibatches.js';
import { type Context, defineDemo } from '../demo.js';
import { folder, integer, real } from '../options.js';

const pixels = 784;

const options = {
  digits: integer({ help: 'how many training digits to use', default: 200, min: 1, max: 60000 }),
  hidden: integer({ help: 'units of the tanh layers', default: 200, min: 1 }),
  latent: integer({ help: 'dimensions of the latent code', default: 6, min: 1 }),
  epochs: integer({
    help: 'passes over the digits; 0 for about 4,000 updates, but at least 10 passes',
    default: 0,
  }),
  batch: integer({
    help: 'digits in a minibatch; 0 for 20, or 128 from 10,000 digits on',
    default: 0,
  }),
  rate: real({ help: "Adam's step size", default: 1e-3, above: 0 }),
  data: folder({ help: 'where the MNIST files are (IDX, plain or gzipped)' }),
};

/** The losses of one set of digits, in nats per digit; the first is the sum of the others. */
type Losses = Readonly<Record<'loss' | 'reconstruction' | 'divergence', number>>;

export const demo = defineDemo({
  name: 'vae',
  summary: 'a variational auto-encoder learns to draw digits (MNIST)',
  options,
  async run(context) {
    const { digits, hidden, latent, rate } = context.options;
    setSeed(context.seed);
    const { train, test } = loadDigits(findDigits(context.options), { train: digits, test: 10000 });
    const vae = new VariationalAutoencoder('vae', { inputs: pixels, hidden, latent });
    startFromMean(vae, train.images);
    const x = input('x', ['batch', pixels]);
    const terms = vae.terms(x);
    const loss = vae.loss(x);
    const step = new Interpreter([loss], adam(loss, vae.parameters, { rate }));

    const batchSize = context.options.batch || (digits < 10000 ? 20 : 128);
    const batches = batchCount(digits, batchSize);
    const epochs = context.options.epochs || Math.max(10, Math.round(4000 / batches));
    const losses: number[] = [];
    const bar = context.progress(epochs * batches, `vae, ${digits} digits`);
    let run = 0;
    for (let epoch = 0; epoch < epochs; epoch++) {
      let total = 0;
      for (const batch of minibatches(
        { x: train.images },
        { batchSize, seed: context.seed, epoch },
      )) {
        const value = (step.run(batch, run++)[0] as Tensor).item();
        total += value * (batch.x.shape[0] as number);
        bar.advance(1, value);
      }
      losses.push(total / digits);
    }
    bar.done();

    const measure = new Interpreter([terms.reconstruction, terms.divergence]);
    const trained = measured(measure, train.images);
    const unseen = measured(measure, test.images);
    context.say(`${digits} training digits, ${epochs} epochs of ${batches} updates`);
    context.say(`training digits: ${describe(trained)}`);
    context.say(`10,000 unseen digits: ${describe(unseen)}`);
    context.metrics({
      digits,
      hidden,
      latent,
      epochs,
      batch: batchSize,
      rate,
      ...trained,
      test: unseen,
    });
    await draw(context, vae, { images: train.images, losses });
    await context.graph(
      'model',
      dot(loss.named('loss'), { title: 'The auto-encoder and its loss' }),
    );
    const first = backward(loss).of(vae.parameters[0] as (typeof vae.parameters)[number]);
    await context.graph(
      'gradient',
      dot([loss, first], { title: 'The loss, and the gradient (orange) of the first weight' }),
    );
  },
});

/**
 * Lets the decoder start from the mean digit: the bias of each pixel's logit is that of the pixel's
 * mean. Else the weights have to keep the paper white, and far from the training digits they do not.
 */
function startFromMean(vae: VariationalAutoencoder, images: Tensor): void {
  const share = minimum(maximum(mean(constant(images), 0), 0.001), 0.999);
  const logits = evaluate(sub(log(share), log(sub(1, share))));
  vae.parameters.find(({ name }) => name === 'vae.logits.bias')?.set(logits);
}

/** The two terms over all images, a thousand at a time, with noise of their own. */
function measured(measure: Interpreter, images: Tensor): Losses {
  const total = images.shape[0] as number;
  const size = 1000;
  let [reconstruction, divergence] = [0, 0];
  for (let start = 0; start < total; start += size) {
    const count = Math.min(size, total - start);
    const rows = Array.from({ length: count }, (_, index) => start + index);
    const [r, d] = measure.run(gather({ x: images }, rows), start).map((value) => value.item());
    reconstruction += ((r as number) * count) / total;
    divergence += ((d as number) * count) / total;
  }
  return { loss: reconstruction + divergence, reconstruction, divergence };
}

function describe({ loss, reconstruction, divergence }: Losses): string {
  return `${loss.toFixed(2)} nats per digit (reconstruction ${reconstruction.toFixed(2)}, divergence ${divergence.toFixed(2)})`;
}

async function draw(
  context: Context,
  vae: VariationalAutoencoder,
  { images, losses }: { readonly images: Tensor; readonly losses: readonly number[] },
): Promise<void> {
  const codes = randomNormal([60, vae.latent], { seed: context.seed });
  await context.picture(
    'samples',
    await imageGrid({
      title: 'Digits drawn from the prior',
      subtitle: 'decoded from codes z ~ N(0, 1)',
      images: evaluate(vae.decode(codes)).data,
      columns: 12,
    }),
  );
  const shown = Math.min(24, images.shape[0] as number);
  const rows = Array.from({ length: shown }, (_, index) => index);
  const x = input('x', ['batch', pixels]);
  const { x: some } = gather({ x: images }, rows);
  await context.picture(
    'reconstructions',
    await imageGrid({
      title: 'Digits and their reconstructions',
      subtitle: 'each decoded from the mean of its code',
      images: some.data,
      partners: evaluate(vae.decode(vae.encode(x).mean), { x: some }).data,
      rowLabels: ['input', 'output'],
      columns: 12,
    }),
  );
  await context.picture(
    'loss',
    await lineChart({
      title: 'Training loss',
      subtitle: 'negative evidence lower bound',
      x: { label: 'epoch' },
      y: { label: 'nats per digit' },
      series: [{ name: 'loss', y: losses }],
    }),
  );
}
