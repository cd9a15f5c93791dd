/**
 * The second experiment of the seed (the blog post that forebay is based on): a variational auto-encoder on MNIST
 * digits. The demo draws digits from the prior of the auto-encoder, and some digits next to their reconstructions.
 */

import { type Digits, findDigits, loadDigits } from '../../data/digits.js';
import {
  adam,
  backward,
  constant,
  dot,
  evaluate,
  input,
  load,
  log,
  maximum,
  mean,
  minimum,
  randomNormal,
  setSeed,
  sub,
  Tensor,
  type Variable,
  VariationalAutoencoder,
} from '../../index.js';
import { imageGrid, lineChart } from '../../report/index.js';
import { type Context, defineDemo } from '../demo.js';
import { folder, integer, real, type Values } from '../options.js';
import { measure, modelOptions, programOf, sizeIn, train } from './programs.js';
import { cosineRate } from './schedule.js';

const pixels = 784;
// With this number of digits or more, the defaults are larger minibatches, a larger rate and fewer epochs.
const many = 10000;

const options = {
  digits: integer({ help: 'how many training digits to use', default: 200, min: 1, max: 60000 }),
  hidden: integer({ help: 'units of the tanh layers', default: 200, min: 1 }),
  latent: integer({ help: 'dimensions of the latent code', default: 6, min: 1 }),
  epochs: integer({
    help: 'epochs over the digits; 0 for about 4,000 updates, but at least 10 epochs',
    default: 0,
  }),
  batch: integer({
    help: 'digits in a minibatch; 0 for 20, or 128 from 10,000 digits on',
    default: 0,
  }),
  rate: {
    ...real({
      help: "Adam's step size at the start; it falls to 0 by a cosine",
      default: 0,
      above: 0,
    }),
    defaultText: '0.002, or 0.005 from 10,000 digits on',
  },
  data: folder({ help: 'where the MNIST files are (IDX, plain or gzipped)' }),
  ...modelOptions,
};
type VaeContext = Context<Values<typeof options>>;

/** The losses of one set of digits, in nats per digit. `loss` is the sum of the other two. */
type Losses = Readonly<Record<'loss' | 'reconstruction' | 'divergence', number>>;

export const demo = defineDemo({
  name: 'vae',
  summary: 'a variational auto-encoder learns to draw digits (MNIST)',
  options,
  async run(context) {
    const { digits, load: file } = context.options;
    setSeed(context.seed);
    const sets = loadDigits(findDigits(context.options), { train: digits, test: 10000 });
    const hidden = sizeIn(file, 'vae.encoder.weight', 1, context.options.hidden);
    const latent = sizeIn(file, 'vae.mean.weight', 1, context.options.latent);
    const vae = new VariationalAutoencoder('vae', { inputs: pixels, hidden, latent });
    if (file === undefined) await trained(context, vae, sets.train);
    else load(file, vae.parameters);

    const x = input('x', ['batch', pixels]);
    // The noise has a fixed seed, so that a loaded network has the same figures as when it was saved.
    const noise = randomNormal(['batch', latent], { seed: context.seed });
    const terms = programOf(context.options, { outputs: { ...vae.terms(x, { noise }) } });
    const lossesOf = async ({ images }: Digits): Promise<Losses> => {
      const { reconstruction = NaN, divergence = NaN } = await measure(terms, { x: images });
      return { loss: reconstruction + divergence, reconstruction, divergence };
    };
    const [seen, unseen] = [await lossesOf(sets.train), await lossesOf(sets.test)];
    context.say(`${digits} training digits: ${describe(seen)}`);
    context.say(`10,000 unseen digits: ${describe(unseen)}`);
    context.metrics({ digits, hidden, latent, ...seen, test: unseen });
    await drawDigits(context, vae, sets.train.images);
    await drawGraphs(context, vae);
  },
});

/** Trains the auto-encoder, saves its parameters and draws the losses. */
async function trained(
  context: VaeContext,
  vae: VariationalAutoencoder,
  { images }: Digits,
): Promise<void> {
  const { digits } = context.options;
  const batchSize = context.options.batch || (digits < many ? 20 : 128);
  const rate = context.options.rate || (digits < many ? 2e-3 : 5e-3);
  const batches = Math.ceil(digits / batchSize);
  const epochs = context.options.epochs || Math.max(10, Math.round(4000 / batches));
  startFromMean(vae, images);
  const loss = vae.loss(input('x', ['batch', pixels]));
  const schedule = cosineRate(rate, epochs * batches);
  const program = programOf(context.options, {
    outputs: { loss },
    updates: [...adam(loss, vae.parameters, { rate: schedule.rate }), ...schedule.updates],
  });
  const bar = context.progress(epochs * batches, `vae, ${digits} digits`);
  const { epochs: records } = await train(
    program,
    { x: images },
    {
      epochs,
      batchSize,
      seed: context.seed,
      onBatch: ({ outputs }) => bar.advance(1, (outputs.loss as Tensor).item()),
    },
  );
  bar.done();
  context.model(vae.parameters);
  context.say(`${epochs} epochs, ${epochs * batches} updates`);
  context.metrics({ epochs, updates: epochs * batches, batch: batchSize, rate });
  await drawLosses(
    context,
    records.map(({ outputs }) => outputs.loss as number),
  );
}

/**
 * Sets the output bias of the decoder so that the decoder starts from the mean digit: the bias of each pixel is the
 * logit of the mean of this pixel. Otherwise the weights must learn that most pixels are white, and they learn this
 * only near the training digits.
 */
function startFromMean(vae: VariationalAutoencoder, images: Tensor): void {
  const share = minimum(maximum(mean(constant(images), 0), 0.001), 0.999);
  const logits = evaluate(sub(log(share), log(sub(1, share))));
  vae.parameters.find(({ name }) => name === 'vae.logits.bias')?.set(logits);
}

function describe({ loss, reconstruction, divergence }: Losses): string {
  return `${loss.toFixed(2)} nats per digit (reconstruction ${reconstruction.toFixed(2)}, divergence ${divergence.toFixed(2)})`;
}

async function drawDigits(
  context: VaeContext,
  vae: VariationalAutoencoder,
  images: Tensor,
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
  const some = new Tensor(images.data.subarray(0, shown * pixels), [shown, pixels]);
  const x = input('x', ['batch', pixels]);
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
}

async function drawLosses(context: VaeContext, losses: readonly number[]): Promise<void> {
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

async function drawGraphs(context: VaeContext, vae: VariationalAutoencoder): Promise<void> {
  const loss = vae.loss(input('x', ['batch', pixels])).named('loss');
  await context.graph('model', dot(loss, { title: 'The auto-encoder and its loss' }));
  const first = backward(loss).of(vae.parameters[0] as Variable);
  await context.graph(
    'gradient',
    dot([loss, first], { title: 'The loss, and the gradient (orange) of the first weight' }),
  );
}
