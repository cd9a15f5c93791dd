/** Trains a classifier with one hidden layer on three spirals, and draws its decision regions. */

import { type LabelledPoints, sharedPoints, spiral } from '../../data/spiral.js';
import {
  adam,
  dot,
  evaluate,
  FeedForward,
  input,
  load,
  type Node,
  predict,
  randomNormal,
  randomUniform,
  setSeed,
  softmax,
  softmaxCrossEntropy,
  type Tensor,
  tanh,
  tensor,
  type Variable,
} from '../../index.js';
import { gridPoints, lineChart, regionChart } from '../../report/index.js';
import { type Context, defineDemo } from '../demo.js';
import { integer, type Values } from '../options.js';
import { accuracyOf, answersOf } from './classifier.js';
import { modelOptions, programOf, sizeIn, train } from './programs.js';
import { cosineRate } from './schedule.js';

const classes = 3;
const updates = 3000;

const options = {
  points: integer({ help: 'points in each of the two sets', default: 300, min: 3, max: 100000 }),
  hidden: integer({ help: 'units of the tanh layer', default: 100, min: 1 }),
  epochs: integer({ help: 'updates, each over all points', default: updates, min: 1 }),
  ...modelOptions,
};
type SpiralContext = Context<Values<typeof options>>;

export const demo = defineDemo({
  name: 'spiral',
  summary: 'a classifier learns which of three spirals a point belongs to',
  options,
  async run(context) {
    const { points, epochs, load: file } = context.options;
    setSeed(context.seed);
    const trained = drawSpiral(points, 2 * context.seed);
    const test = drawSpiral(points, 2 * context.seed + 1);
    const shared = sharedPoints(trained, test);

    const hidden = sizeIn(file, 'hidden.weight', 1, context.options.hidden);
    const layers = [
      new FeedForward('hidden', { inputs: 2, units: hidden, activation: tanh }),
      new FeedForward('classes', { inputs: hidden, units: classes }),
    ];
    const parameters = layers.flatMap((layer) => layer.parameters);
    const classify = (x: Node) => layers.reduce((y, layer) => layer.apply(y), x);
    const x = input('x', ['batch', 2]);
    const label = input('label', ['batch'], { dtype: 'int32' });
    const loss = softmaxCrossEntropy(classify(x), label);
    if (file === undefined) {
      const losses = await fitted(context, parameters, loss, trained);
      context.model(parameters);
      context.metrics({ epochs, loss: losses.at(-1) as number });
      await drawLosses(context, losses);
    } else {
      load(file, parameters);
    }

    const accuracyOn = async ({ points, labels }: LabelledPoints) =>
      accuracyOf(await answersOf(context.options, classify, points), labels);
    const [accuracy, trainAccuracy] = [await accuracyOn(test), await accuracyOn(trained)];
    context.say(
      `accuracy ${(100 * accuracy).toFixed(2)} % on ${points} test points (${(100 * trainAccuracy).toFixed(2)} % on the training points; ${shared} points in both sets)`,
    );
    context.metrics({ points, hidden, accuracy, trainAccuracy, sharedPoints: shared });
    await drawRegions(context, classify, { trained, test, accuracy });
    await context.graph('model', dot(loss.named('loss'), { title: 'The classifier and its loss' }));
  },
});

/** Trains with all points in each update. Returns the loss of every update. */
async function fitted(
  context: SpiralContext,
  parameters: readonly Variable[],
  loss: Node,
  { points, labels }: LabelledPoints,
): Promise<number[]> {
  const { epochs } = context.options;
  const schedule = cosineRate(0.02, epochs);
  const program = programOf(context.options, {
    outputs: { loss },
    updates: [...adam(loss, parameters, { rate: schedule.rate }), ...schedule.updates],
  });
  const bar = context.progress(epochs, 'spiral');
  const { epochs: records } = await train(
    program,
    { x: points, label: labels },
    {
      epochs,
      batchSize: labels.size,
      shuffle: false,
      onEpoch: ({ outputs }) => bar.advance(1, outputs.loss),
    },
  );
  bar.done();
  return records.map(({ outputs }) => outputs.loss as number);
}

/** Returns the points of one set, whose random numbers depend only on `seed`. */
function drawSpiral(points: number, seed: number): LabelledPoints {
  const [positions, noise] = evaluate([
    randomUniform([points], { seed }),
    randomNormal([points], { seed }),
  ]) as [Tensor, Tensor];
  return spiral({ positions: positions.data, noise: noise.data });
}

interface Drawn {
  readonly trained: LabelledPoints;
  readonly test: LabelledPoints;
  readonly accuracy: number;
}

async function drawRegions(
  context: SpiralContext,
  classify: (x: Node) => Node,
  { trained, test, accuracy }: Drawn,
): Promise<void> {
  const [extent, rows] = [1.15, 300];
  const x = input('x', ['batch', 2]);
  const program = programOf(context.options, { outputs: { shares: softmax(classify(x)) } });
  const grid = tensor(gridPoints(extent, rows, rows), { shape: [rows * rows, 2] });
  const { shares } = await predict(program, { x: grid }, { batchSize: 1000 });
  const probabilities = (shares as Tensor).data;
  const arms = [0, 1, 2].map((arm) => ({ name: `arm ${arm + 1}`, label: arm }));
  const sets = [
    ...arms.map((arm) => ({ ...arm, points: ofArm(trained, arm.label) })),
    ...arms.map((arm) => ({ ...arm, points: ofArm(test, arm.label), mark: 'ring' as const })),
  ];
  await context.picture(
    'regions',
    await regionChart({
      title: 'Decision regions of three spirals',
      subtitle: `${(100 * accuracy).toFixed(1)} % of the test points (rings) are classified correctly; dots: training points`,
      extent,
      grid: { rows, columns: rows, classes, probabilities },
      sets,
    }),
  );
}

async function drawLosses(context: Context, losses: readonly number[]): Promise<void> {
  await context.picture(
    'loss',
    await lineChart({
      title: 'Training loss',
      x: { label: 'update' },
      y: { label: 'cross-entropy, nats', scale: 'log' },
      series: [{ name: 'loss', y: losses }],
    }),
  );
}

function ofArm({ points, labels }: LabelledPoints, arm: number): number[] {
  return Array.from(labels.data).flatMap((label, index) =>
    label === arm ? Array.from(points.data.subarray(2 * index, 2 * index + 2)) : [],
  );
}
