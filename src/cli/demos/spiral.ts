/** Three spirals: a classifier with one hidden layer, and what it answers where. */

import { type LabelledPoints, sharedPoints, spiral } from '../../data/spiral.js';
import { Interpreter } from '../../evaluate/interpreter.js';
import {
  adam,
  dot,
  evaluate,
  FeedForward,
  input,
  type Node,
  randomNormal,
  randomUniform,
  setSeed,
  softmax,
  softmaxCrossEntropy,
  state,
  type Tensor,
  tanh,
  tensor,
} from '../../index.js';
import { gridPoints, lineChart, regionChart } from '../../report/index.js';
import { type Context, defineDemo } from '../demo.js';
import { integer } from '../options.js';
import { accuracyOf } from './accuracy.js';

const classes = 3;
const updates = 3000;

const options = {
  points: integer({ help: 'points in each of the two sets', default: 300, min: 3, max: 100000 }),
  hidden: integer({ help: 'units of the tanh layer', default: 100, min: 1 }),
  epochs: integer({ help: 'updates, each over all points', default: updates, min: 1 }),
};

export const demo = defineDemo({
  name: 'spiral',
  summary: 'a classifier learns which of three spirals a point belongs to',
  options,
  async run(context) {
    const { points, hidden, epochs } = context.options;
    setSeed(context.seed);
    const train = drawSpiral(points, 2 * context.seed);
    const test = drawSpiral(points, 2 * context.seed + 1);
    const shared = sharedPoints(train, test);

    const layers = [
      new FeedForward('hidden', { inputs: 2, units: hidden, activation: tanh }),
      new FeedForward('classes', { inputs: hidden, units: classes }),
    ];
    const classify = (x: Node) => layers.reduce((y, layer) => layer.apply(y), x);
    const x = input('x', ['batch', 2]);
    const label = input('label', ['batch'], { dtype: 'int32' });
    const loss = softmaxCrossEntropy(classify(x), label);
    const rate = state('rate', 0.02);
    const parameters = layers.flatMap((layer) => layer.parameters);
    const step = new Interpreter([loss], adam(loss, parameters, { rate }));

    const losses: number[] = [];
    const bar = context.progress(epochs, 'spiral');
    for (let epoch = 0; epoch < epochs; epoch++) {
      rate.set(0.01 * (1 + Math.cos((Math.PI * epoch) / epochs)));
      losses.push((step.run({ x: train.points, label: train.labels })[0] as Tensor).item());
      bar.advance(1, losses.at(-1));
    }
    bar.done();

    const accuracy = accuracyOf(classify, { images: test.points, labels: test.labels });
    const trainAccuracy = accuracyOf(classify, { images: train.points, labels: train.labels });
    context.say(
      `accuracy ${(100 * accuracy).toFixed(2)} % on ${points} test points (${(100 * trainAccuracy).toFixed(2)} % on the training points; ${shared} points in both sets)`,
    );
    context.metrics({
      points,
      hidden,
      epochs,
      accuracy,
      trainAccuracy,
      sharedPoints: shared,
      loss: losses.at(-1) as number,
    });
    await draw(context, classify, { train, test, losses, accuracy });
    await context.graph('model', dot(loss.named('loss'), { title: 'The classifier and its loss' }));
  },
});

/** Points from a stream of random numbers of their own. */
function drawSpiral(points: number, seed: number): LabelledPoints {
  const [positions, noise] = evaluate([
    randomUniform([points], { seed }),
    randomNormal([points], { seed }),
  ]) as [Tensor, Tensor];
  return spiral({ positions: positions.data, noise: noise.data });
}

interface Drawn {
  readonly train: LabelledPoints;
  readonly test: LabelledPoints;
  readonly losses: readonly number[];
  readonly accuracy: number;
}

async function draw(
  context: Context,
  classify: (x: Node) => Node,
  { train, test, losses, accuracy }: Drawn,
): Promise<void> {
  const [extent, rows] = [1.15, 300];
  const x = input('x', ['batch', 2]);
  const grid = tensor(gridPoints(extent, rows, rows), { shape: [rows * rows, 2] });
  const probabilities = evaluate(softmax(classify(x)), { x: grid }).data;
  const arms = [0, 1, 2].map((arm) => ({ name: `arm ${arm + 1}`, label: arm }));
  const sets = [
    ...arms.map((arm) => ({ ...arm, points: ofArm(train, arm.label) })),
    ...arms.map((arm) => ({ ...arm, points: ofArm(test, arm.label), mark: 'ring' as const })),
  ];
  await context.picture(
    'regions',
    await regionChart({
      title: 'Three spirals, told apart',
      subtitle: `${(100 * accuracy).toFixed(1)} % of the test points (rings) are told right; dots were trained on`,
      extent,
      grid: { rows, columns: rows, classes, probabilities },
      sets,
    }),
  );
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
