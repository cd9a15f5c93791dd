/**
 * The seed's first experiment: an LSTM of 15 units learns (cos, sin) of period 20 from windows of 5
 * steps, then generates 100 points in closed loop, each from the 5 before it.
 */

import {
  trigonometric,
  trigonometricPeriod,
  trigonometricWindows,
} from '../../data/trigonometric.js';
import { Interpreter } from '../../evaluate/interpreter.js';
import {
  adam,
  dot,
  FeedForward,
  initializers,
  input,
  LSTM,
  mse,
  mul,
  type Node,
  setSeed,
  sgd,
  square,
  state,
  sub,
  sum,
  type Tensor,
  tanh,
  tensor,
  type Updates,
  type Variable,
} from '../../index.js';
import { lineChart } from '../../report/index.js';
import { type Context, defineDemo } from '../demo.js';
import { choice, integer, seedList } from '../options.js';

const steps = 5;
const generated = 100;

/** What differs between the recipes; the network, the windows and the generator do not. */
interface Recipe {
  /** One pass over all windows is so many updates; each update sees `batch` windows. */
  readonly batch: 'each window' | 'all windows';
  readonly epochs: number;
  loss(outputs: Node, targets: Node): Node;
  updates(loss: Node, parameters: Variable[], rate: Variable): Updates;
  rateAt(progress: number): number;
}

const recipes: Readonly<Record<'seed' | 'default', Recipe>> = {
  // As in the post: plain descent on half the squared error, window after window.
  seed: {
    batch: 'each window',
    epochs: 150,
    loss: (outputs, targets) => mul(0.5, sum(square(sub(outputs, targets)))),
    updates: (loss, parameters, rate) => sgd(loss, parameters, { rate }),
    rateAt: () => 0.01,
  },
  default: {
    batch: 'all windows',
    epochs: 3000,
    loss: mse,
    updates: (loss, parameters, rate) => adam(loss, parameters, { rate }),
    // Half a cosine, from 0.01 to 0: Loshchilov & Hutter, SGDR (ICLR 2017), without restarts.
    rateAt: (progress) => 0.005 * (1 + Math.cos(Math.PI * progress)),
  },
};

const options = {
  recipe: choice(['default', 'seed'], {
    help: 'how it is trained: so that it works, or as in the post',
    default: 'default',
  }),
  seeds: {
    ...seedList({ help: 'the seeds to train with', default: '1-5' }),
    default: undefined as readonly number[] | undefined,
    defaultText: 'five, from --seed on',
  },
  epochs: integer({ help: "passes over the 96 windows; 0 is the recipe's own number", default: 0 }),
};

/** One trained network's figures. */
interface Result {
  readonly seed: number;
  /** The last epoch's loss: a mean over windows (seed recipe) or over all elements. */
  readonly loss: number;
  readonly losses: readonly number[];
  /** The generated points, [100, 2]. */
  readonly curve: Float32Array;
  /** Root mean square error over both coordinates of the generated points. */
  readonly rmse: number;
}

export const demo = defineDemo({
  name: 'trig',
  summary: 'an LSTM learns (cos, sin) and goes on by itself',
  options,
  async run(context) {
    const { recipe: name, seeds: given, epochs } = context.options;
    const recipe = { ...recipes[name], ...(epochs > 0 && { epochs }) };
    const seeds = given ?? Array.from({ length: 5 }, (_, index) => context.seed + index);
    const results: Result[] = [];
    for (const seed of seeds) {
      const result = train(context, recipe, seed);
      results.push(result);
      context.say(
        `seed ${seed}: loss ${result.loss.toExponential(3)}, RMSE ${result.rmse.toFixed(5)} over ${generated} generated points`,
      );
    }
    const errors = results.map(({ rmse }) => rmse).sort((a, b) => a - b);
    const [median, worst] = [errors[errors.length >> 1] as number, errors.at(-1) as number];
    context.say(`${name} recipe: median RMSE ${median.toFixed(5)}, worst ${worst.toFixed(5)}`);
    context.metrics({
      recipe: name,
      epochs: recipe.epochs,
      // At the top level stands the recipe that is meant to work.
      ...(name === 'default' ? { rmse: median, worstRmse: worst } : {}),
      [name]: {
        rmse: median,
        worstRmse: worst,
        seeds: results.map(({ seed, loss, rmse }) => ({ seed, loss, rmse })),
      },
    });
    await draw(context, name, results);
  },
});

class Model {
  readonly lstm: LSTM;
  readonly readout: FeedForward;

  constructor() {
    const init = initializers.normal(0.3);
    this.lstm = new LSTM('lstm', { inputs: 2, units: 15, init });
    this.readout = new FeedForward('readout', { inputs: 15, units: 2, init, activation: tanh });
  }

  get parameters(): Variable[] {
    return [...this.lstm.parameters, ...this.readout.parameters];
  }

  /** The next point after every step of [steps, windows, 2]; every window starts from zero. */
  outputs(windows: Node): Node {
    return this.readout.apply(this.lstm.unroll(windows).hidden);
  }

  /** The next point after the last step. */
  next(windows: Node): Node {
    return this.readout.apply(this.lstm.unroll(windows).last.hidden);
  }
}

function train(context: Context, recipe: Recipe, seed: number): Result {
  setSeed(seed);
  const model = new Model();
  const { inputs, targets } = trigonometricWindows({ steps });
  const windows = inputs.shape[1] as number;
  const rate = state('rate', recipe.rateAt(0));
  const { loss } = trainingGraph(model, recipe);
  const step = new Interpreter([loss], recipe.updates(loss, model.parameters, rate));

  const batches =
    recipe.batch === 'all windows'
      ? [{ windows: inputs, targets }]
      : Array.from({ length: windows }, (_, index) => ({
          windows: windowAt(inputs, index),
          targets: windowAt(targets, index),
        }));
  const losses: number[] = [];
  const bar = context.progress(recipe.epochs, `trig, seed ${seed}`);
  for (let epoch = 0; epoch < recipe.epochs; epoch++) {
    rate.set(recipe.rateAt(epoch / recipe.epochs));
    let total = 0;
    for (const batch of batches) total += (step.run(batch)[0] as Tensor).item();
    losses.push(total / batches.length);
    bar.advance(1, losses.at(-1));
  }
  bar.done();
  const curve = generate(model);
  return { seed, loss: losses.at(-1) ?? NaN, losses, curve, rmse: rmseOf(curve) };
}

function trainingGraph(model: Model, recipe: Recipe): { loss: Node } {
  const windows = input('windows', [steps, 'batch', 2]);
  const targets = input('targets', [steps, 'batch', 2]);
  return { loss: recipe.loss(model.outputs(windows), targets) };
}

/** One window of [steps, windows, 2], as a batch of one. */
function windowAt(all: Tensor, index: number): Tensor {
  const windows = all.shape[1] as number;
  const data = new Float32Array(steps * 2);
  for (let step = 0; step < steps; step++) {
    const start = 2 * (step * windows + index);
    data.set(all.data.subarray(start, start + 2), 2 * step);
  }
  return tensor(data, { shape: [steps, 1, 2] });
}

/** The curve goes on from its first 5 points; each new point is drawn from the 5 before it. */
function generate(model: Model): Float32Array {
  const next = new Interpreter([model.next(input('windows', [steps, 1, 2]))]);
  const points = new Float32Array(2 * (steps + generated));
  points.set(trigonometric(steps).data);
  for (let index = steps; index < steps + generated; index++) {
    const last = points.slice(2 * (index - steps), 2 * index);
    const [point] = next.run({ windows: tensor(last, { shape: [steps, 1, 2] }) });
    points.set((point as Tensor).data, 2 * index);
  }
  return points.slice(2 * steps);
}

function rmseOf(curve: Float32Array): number {
  const truth = trigonometric(generated, steps).data;
  const total = curve.reduce((error, value, i) => error + (value - (truth[i] as number)) ** 2, 0);
  return Math.sqrt(total / curve.length);
}

async function draw(context: Context, recipe: string, results: readonly Result[]): Promise<void> {
  const byError = [...results].sort((a, b) => a.rmse - b.rmse);
  const shown = byError[byError.length >> 1] as Result;
  const x = Array.from({ length: generated }, (_, index) => steps + index);
  const coordinate = (points: ArrayLike<number>, which: 0 | 1) =>
    x.map((_, index) => points[2 * index + which] as number);
  const truth = trigonometric(generated, steps).data;
  const curves = (['cos', 'sin'] as const).flatMap((name, which) => [
    {
      name: `true ${name}`,
      x,
      y: coordinate(truth, which as 0 | 1),
      style: 'broad' as const,
      colour: which,
    },
    { name: `generated ${name}`, x, y: coordinate(shown.curve, which as 0 | 1), colour: which },
  ]);
  await context.picture(
    'generated',
    await lineChart({
      title: `${generated} points, each generated from the ${steps} before it`,
      subtitle: `LSTM of 15 units, ${recipe} recipe, seed ${shown.seed}: RMSE ${shown.rmse.toFixed(4)} against the true curve`,
      x: { label: `step (the period is ${trigonometricPeriod})` },
      y: { label: 'value' },
      series: curves,
    }),
  );
  await context.picture(
    'loss',
    await lineChart({
      title: 'Training loss',
      subtitle: `${recipe} recipe, one line per seed`,
      x: { label: 'epoch' },
      y: { label: 'loss', scale: 'log' },
      series: results.map(({ seed, losses }) => ({ name: `seed ${seed}`, y: losses })),
    }),
  );
  const model = new Model();
  const { hidden } = model.lstm.step(input('x', ['batch', 2]), {
    hidden: input('hidden', ['batch', 15]),
    cell: input('cell', ['batch', 15]),
  });
  await context.graph('step', dot(hidden.named('next hidden'), { title: 'One step of the LSTM' }));
  const { loss } = trainingGraph(model, recipes.default);
  await context.graph(
    'model',
    dot(loss.named('loss'), {
      title: 'Five steps: each weight of the LSTM waits for five gradients',
    }),
  );
}
